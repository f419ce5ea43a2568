"""Each endpoint of a failover list has a key of its own, read once for each call, and no endpoint spoils the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from http_util.failover import Endpoint, Failover
from http_util.secret import Secret
from http_util.secret_audit import SecretAudit
from openai_client import endpoint_keys
from openai_client.auth import Auth, AuthScheme
from openai_client.endpoint_keys import has_providers, open_endpoints, open_endpoints_async, written_for
from openai_client.errors import InvalidConfiguration
from tests.shown_errors import with_locals

KEY = "Kanarie0123456789abcdef"
FIRST, SECOND, THIRD = (f"https://{name}.example/v1" for name in ("a", "b", "c"))

pytestmark = pytest.mark.requirement("FO-01")


def failover(*keys: Any, **auth: Any) -> Failover:
    """A list with one endpoint for each key; None: without credentials."""
    return Failover(
        Endpoint(base_url=url, auth=None if key is None else Auth(api_key=key, **auth))
        for url, key in zip((FIRST, SECOND, THIRD), keys, strict=False)
    )


async def opened(how: str, listed: Failover, audit: SecretAudit | None = None) -> Any:
    """The endpoints, read in one colour."""
    return open_endpoints(listed, audit) if how == "at once" else await open_endpoints_async(listed, audit)


def fails() -> str:
    """Raise what a vault raises, which quotes the key."""
    raise LookupError(f"no lease for {KEY}")


async def later() -> str:
    """Give a key, when others had their turn."""
    gone_on = asyncio.Event()
    asyncio.get_running_loop().call_soon(gone_on.set)
    await gone_on.wait()
    return KEY


async def never() -> str:
    """Give none."""
    await asyncio.Event().wait()
    return KEY


@pytest.mark.requirement("SEC-17")
@pytest.mark.parametrize("how", ["at once", "awaited"])
async def test_each_endpoint_is_written_with_its_own_key(how: str) -> None:
    """Fixed, from a function, or none; without the headers of the call's own credentials."""
    listed = failover(Secret("first-key-0123456789"), None, lambda: KEY)
    headers = {"authorization": "Bearer own", "openai-project": "p", "x-mine": "1"}
    written = frozenset({"authorization", "openai-project"})
    targets, secrets = written_for(await opened(how, listed), "/models?v=1", headers, written)
    assert [(target.url, dict(target.headers)) for target in targets] == [
        (f"{FIRST}/models?v=1", {"x-mine": "1", "authorization": "Bearer first-key-0123456789"}),
        (f"{SECOND}/models?v=1", {"x-mine": "1"}),
        (f"{THIRD}/models?v=1", {"x-mine": "1", "authorization": f"Bearer {KEY}"}),
    ]
    assert [secret.reveal() for secret in secrets] == ["first-key-0123456789", KEY]
    assert KEY not in repr(targets) + repr([target.headers for target in targets])


@pytest.mark.requirement("SEC-17")
async def test_keys_that_have_to_be_awaited_are_awaited_together() -> None:
    """Each waits for the other one, which none could do alone."""
    met = asyncio.Barrier(2)

    async def meets() -> str:
        await met.wait()
        return KEY

    listed = failover(meets, meets, Secret("fixed-key-0123456789"))
    assert has_providers(listed)
    assert not has_providers(failover(Secret(KEY), None))
    assert [one.base_url for one in await open_endpoints_async(listed)] == [FIRST, SECOND, THIRD]


@pytest.mark.requirement("SEC-16", "SEC-17")
@pytest.mark.parametrize("how", ["at once", "awaited"])
async def test_an_endpoint_whose_provider_fails_is_left_out_with_a_warning(how: str) -> None:
    """It is a spare: the call goes to the others. The line names it and the failure, and nothing that it said."""
    with structlog.testing.capture_logs() as lines:
        found = await opened(how, failover(fails, Secret("second-key-0123456789")))
    assert [one.base_url for one in found] == [SECOND]
    (line,) = lines
    assert (line["event"], line["log_level"], line["endpoint"]) == ("failover_endpoint_left_out", "warning", FIRST)
    assert line["detail"].startswith("api_key: its provider failed with LookupError at test_endpoint_keys.py:")
    assert KEY not in str(lines)


@pytest.mark.requirement("SEC-17")
async def test_an_endpoint_whose_key_does_not_come_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a spare until the deadline."""
    monkeypatch.setattr(endpoint_keys, "KEY_PATIENCE", 0.0)
    with structlog.testing.capture_logs() as lines:
        found = await open_endpoints_async(failover(never, Secret(KEY)))
    assert [one.base_url for one in found] == [SECOND]
    assert [line["detail"] for line in lines] == ["api_key: its provider gave none within 0 s"]


@pytest.mark.requirement("SEC-17")
async def test_who_gives_up_the_call_gives_up_the_providers() -> None:
    """None of them goes on."""
    ended: list[str] = []

    def waiting(name: str) -> Any:
        async def provider() -> str:
            try:
                return await never()
            finally:
                ended.append(name)

        return provider

    reading = asyncio.ensure_future(open_endpoints_async(failover(waiting("a"), waiting("b"))))
    await later()
    await later()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert ended == ["a", "b"]


@pytest.mark.requirement("SEC-16", "SEC-17")
@pytest.mark.parametrize(
    ("how", "key", "said"),
    [
        ("at once", lambda: f"{KEY} {KEY}", "its provider gave something else than a key: a secret must be printable"),
        ("awaited", lambda: f"{KEY} {KEY}", "its provider gave something else than a key: a secret must be printable"),
        ("at once", later, "its provider has to be awaited, which blocking code cannot do"),
    ],
)
async def test_what_is_no_key_is_an_error_that_names_the_endpoint(how: str, key: Any, said: str) -> None:
    """It will not be better the next time; no frame of it shows the value."""
    with pytest.raises(InvalidConfiguration, match=f"^failover endpoint {SECOND}: api_key: {said}") as caught:
        await opened(how, failover(Secret("first-key-0123456789"), key))
    shown = with_locals(caught.value)
    assert KEY not in shown
    assert "first-key" not in shown


@pytest.mark.requirement("SEC-06")
@pytest.mark.parametrize("how", ["at once", "awaited"])
async def test_the_callers_audit_records_the_keys_of_endpoints_that_have_none_of_their_own(how: str) -> None:
    """Fixed and provided ones; a trail that an endpoint has is not replaced."""
    audit, own = SecretAudit(), SecretAudit()
    await opened(how, failover(Secret("first-key-0123456789"), lambda: KEY, scheme=AuthScheme.API_KEY), audit)
    assert audit.count == 2
    assert len({reading.secret_id for reading in audit.readings}) == 2
    await opened(how, failover(Secret("first-key-0123456789"), lambda: KEY, audit=own), audit)
    assert (audit.count, own.count) == (2, 2)


async def test_what_else_lets_a_call_in_is_asked_as_it_is() -> None:
    """An object of somebody's own with the one method."""

    class Signs:
        def authorize(self) -> Any:
            return Auth(api_key=Secret(KEY)).authorize()

    listed = Failover([Endpoint(base_url=FIRST, auth=Signs())])
    assert not has_providers(listed)
    for found in (open_endpoints(listed, SecretAudit()), await open_endpoints_async(listed, SecretAudit())):
        assert [secret.reveal() for secret in written_for(found, "", {}, frozenset())[1]] == [KEY]
