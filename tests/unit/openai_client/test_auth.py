"""One place writes credentials, and shows them to nobody."""

from __future__ import annotations

import pytest

from http_util.secret import Secret
from http_util.secret_audit import SecretAudit
from openai_client.auth import Auth, AuthScheme, MaskedHeaders, header_problem, merged_headers
from openai_client.errors import InvalidConfiguration, MissingApiKey
from tests.shown_errors import with_locals

KEY = "sk-test-0123456789abcdef"


@pytest.mark.requirement("CLI-08", "SEC-18")
def test_a_key_becomes_a_bearer_header() -> None:
    """Organization and project have headers of their own."""
    auth = Auth(api_key=Secret(KEY), organization="org-1", project="proj-1")
    authorization = auth.authorize()
    assert dict(authorization.headers) == {
        "authorization": f"Bearer {KEY}",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
    }
    assert authorization.secrets == (Secret(KEY),)


@pytest.mark.requirement("CLI-07")
def test_azure_wants_the_key_in_a_header_of_its_own() -> None:
    """No Authorization is sent then."""
    assert dict(Auth(api_key=Secret(KEY), scheme=AuthScheme.API_KEY).authorize().headers) == {"api-key": KEY}


def test_no_key_means_no_header() -> None:
    """A local server gets nothing."""
    authorization = Auth().authorize()
    assert authorization.headers == {}
    assert authorization.secrets == ()


def test_admin_calls_use_the_admin_key_and_no_other() -> None:
    """An ordinary key is never sent in its place."""
    both = Auth(api_key=Secret(KEY), admin_api_key=Secret("sk-admin-000000"))
    assert both.authorize(admin=True).headers["authorization"] == "Bearer sk-admin-000000"
    assert both.authorize().headers["authorization"] == f"Bearer {KEY}"
    with pytest.raises(MissingApiKey, match="admin_api_key"):
        Auth(api_key=Secret(KEY)).authorize(admin=True)


@pytest.mark.requirement("SEC-17")
def test_a_provider_is_asked_once_for_every_request() -> None:
    """Keys rotate; each request is written, redacted and retried with one of them."""
    keys = iter([KEY, Secret("sk-second-00000000")])
    auth = Auth(api_key=lambda: next(keys))
    first, second = auth.authorize(), auth.authorize()
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.secrets == (Secret(KEY),)
    assert second.headers["authorization"] == "Bearer sk-second-00000000"


@pytest.mark.requirement("SEC-01", "SEC-16", "SEC-17")
@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY} x", f"{KEY}é", "", 7])
def test_a_provider_that_gives_no_key_is_reported_without_what_it_gave(value) -> None:
    """The error names the setting; neither it nor a frame of ours holds the value."""
    with pytest.raises(InvalidConfiguration, match="api_key: its provider gave something else than a key") as caught:
        Auth(api_key=lambda: value).authorize()
    assert KEY not in str(caught.value)
    assert KEY not in repr([entry.frame.f_locals for entry in caught.traceback[1:] if "auth.py" in str(entry.path)])


@pytest.mark.requirement("SEC-16", "SEC-17")
def test_a_provider_that_fails_means_that_there_is_no_key() -> None:
    """What it raised may hold the key, so only its class and its line are told."""

    def broken() -> str:
        raise OSError(f"vault says {KEY}")

    with pytest.raises(MissingApiKey, match=r"api_key: its provider failed with OSError at test_auth.py:\d+") as caught:
        Auth(api_key=broken).authorize()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.requirement("SEC-17")
async def test_an_awaited_provider_is_asked_once_for_every_call() -> None:
    """Both keys may have one; blocking code says that it cannot wait."""
    asked: list[str] = []

    async def provide() -> str:
        asked.append("key")
        return KEY

    async def provide_admin() -> Secret:
        asked.append("admin")
        return Secret("sk-admin-000000")

    auth = Auth(api_key=provide, admin_api_key=provide_admin)
    assert (auth.is_provided(), auth.is_provided(admin=True)) == (True, True)
    assert (Auth(api_key=Secret(KEY)).is_provided(), Auth().is_provided()) == (False, False)
    assert (await auth.authorize_async()).headers["authorization"] == f"Bearer {KEY}"
    assert (await auth.authorize_async(admin=True)).headers["authorization"] == "Bearer sk-admin-000000"
    assert asked == ["key", "admin"]
    assert (await Auth(api_key=Secret(KEY)).authorize_async()).secrets == (Secret(KEY),)
    with pytest.raises(MissingApiKey, match="admin_api_key"):
        await Auth().authorize_async(admin=True)
    with pytest.raises(InvalidConfiguration, match="api_key: its provider has to be awaited"):
        auth.authorize()


@pytest.mark.requirement("SEC-01", "SEC-07")
def test_credentials_do_not_print() -> None:
    """Auth, authorization and headers may stand in a traceback."""
    auth = Auth(api_key=Secret(KEY), organization="org-hidden", project="proj-hidden")
    shown = repr(auth.authorize())
    assert KEY not in shown + repr(auth)
    assert "org-hidden" not in shown
    assert repr(MaskedHeaders({"api-key": KEY, "x-tenant": "t"})) == "{'api-key': '****', 'x-tenant': 't'}"


@pytest.mark.parametrize("name", ["organization", "project"])
def test_an_id_that_cannot_stand_in_a_header_is_refused(name: str) -> None:
    """The message names the setting."""
    with pytest.raises(InvalidConfiguration, match=name):
        Auth(**{name: "org\r\nx-evil: 1"})


@pytest.mark.requirement("HTU-1004")
@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("x-a", "fine", None),
        ("x-a", "tab\tfine", None),
        ("x-a", "line\r\nbreak", "x-a: a header value must be printable ASCII"),
        ("x-a", "nul\0", "x-a: a header value must be printable ASCII"),
        ("x-a", "é", "x-a: a header value must be printable ASCII"),
        ("x-a", 7, "x-a: a header value must be a str, not int"),
        ("x-a", "x" * 8193, "x-a: a header value must have at most 8192 characters, this one has 8193"),
        ("x a", "fine", "'x a' is no header name"),
        ("x-a\r\n", "fine", "'x-a\\r\\n' is no header name"),
        ("", "fine", "'' is no header name"),
        (7, "fine", "'7' is no header name"),
    ],
)
def test_a_malformed_header_is_named_and_its_value_is_not_shown(name, value, problem: str | None) -> None:
    """Line breaks would be a second header, so they never get as far as a request."""
    found = header_problem(name, value)
    assert (found is None) if problem is None else (found or "").startswith(problem)


def test_later_headers_win_whatever_their_case() -> None:
    """One name, one value, lower case."""
    merged = merged_headers({"X-Tenant": "a", "x-other": "o"}, {"x-tenant": " b "})
    assert dict(merged) == {"x-tenant": "b", "x-other": "o"}


@pytest.mark.requirement("SEC-18")
def test_nobody_else_writes_the_headers_of_authentication() -> None:
    """A second Authorization would decide who pays."""
    reserved = Auth(api_key=Secret(KEY), organization="o", project="p").written_headers()
    assert reserved == {"authorization", "openai-organization", "openai-project"}
    assert Auth(api_key=Secret(KEY), scheme=AuthScheme.API_KEY).written_headers() == {"api-key"}
    assert Auth().written_headers() == frozenset()
    with pytest.raises(InvalidConfiguration, match="'authorization' is written from the credentials"):
        merged_headers({"Authorization": f"Bearer {KEY}"}, reserved=reserved)
    with pytest.raises(InvalidConfiguration, match="x-a"):
        merged_headers({"x-a": "a\nb"})


@pytest.mark.requirement("SEC-01", "SEC-18")
@pytest.mark.parametrize("bad", [{"x-a": "a\nb"}, {"authorization": "b"}, {"x a": "b"}])
def test_no_frame_of_a_refused_header_shows_the_others(bad: dict[str, str]) -> None:
    """A credential of the caller's own may stand among them."""
    with pytest.raises(InvalidConfiguration) as caught:
        merged_headers({"x-gateway-token": KEY}, bad, reserved=frozenset({"authorization"}))
    assert KEY not in with_locals(caught.value)


@pytest.mark.requirement("SEC-06")
def test_every_reading_of_a_key_is_recorded() -> None:
    """The header's, and each later one by whoever keeps the key out of a message; with whose call it was."""
    audit = SecretAudit()
    authorization = Auth(api_key=Secret(KEY), audit=audit).authorize()
    Auth(api_key=lambda: KEY, scheme=AuthScheme.API_KEY, audit=audit).authorize()
    assert [reading.function for reading in audit.readings] == ["_with", "_with"]
    assert audit.readings[0].secret_id == audit.readings[1].secret_id
    assert audit.readings[0].caller.endswith(" test_every_reading_of_a_key_is_recorded")
    authorization.secrets[0].reveal()
    assert audit.count == 3
    assert KEY not in repr(audit.readings)
