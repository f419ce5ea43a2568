"""Which deliveries are from who knows the secret."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import pickle
from typing import Any

import pytest

from http_util.secret import Secret
from openai_client.errors import InvalidConfiguration, InvalidFieldValue, OpenAIError
from openai_client.webhook_signature import InvalidWebhookSignature, check_signature
from tests.shown_errors import with_locals

# the example of the scheme's own specification
SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID, TIMESTAMP, NOW = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", 1614265330.0
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {"webhook-id": ID, "webhook-timestamp": TIMESTAMP, "webhook-signature": SIGNATURE}


def signed(body: bytes, key: bytes, timestamp: str = TIMESTAMP) -> str:
    """Return the signature of a delivery."""
    digest = hmac.new(key, f"{ID}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.requirement("WHK-01")
@pytest.mark.parametrize("body", [BODY, BODY.decode()], ids=["bytes", "text"])
@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {name.title(): value for name, value in HEADERS.items()} | {"Content-Type": "application/json"},
        list(HEADERS.items()),
        [(name.upper().encode(), value.encode()) for name, value in HEADERS.items()],
    ],
    ids=["lower", "title", "pairs", "bytes"],
)
def test_the_example_of_the_specification_is_accepted(body: str | bytes, headers: object) -> None:
    """As text and as bytes, with names in any case, from any framework."""
    check_signature(body, headers, secret=SECRET, now=NOW)  # type: ignore[arg-type] - four kinds of it


@pytest.mark.requirement("WHK-01")
def test_one_signature_of_several_is_enough() -> None:
    """While a secret is replaced there are two, and versions that nobody knows are passed over."""
    listed = f"v1a,abcd v1,AAAA {SIGNATURE} v2,zzzz"
    check_signature(BODY, HEADERS | {"webhook-signature": listed}, secret=SECRET, now=NOW)


@pytest.mark.requirement("WHK-01")
def test_a_secret_may_be_the_key_itself() -> None:
    """Without the prefix its characters are the key."""
    check_signature(
        BODY, HEADERS | {"webhook-signature": signed(BODY, b"plain-secret")}, secret=Secret("plain-secret"), now=NOW
    )


@pytest.mark.requirement("WHK-01")
def test_text_beyond_ascii_is_signed_as_utf_8() -> None:
    """Also a lone surrogate, which no upstream can have signed, is only refused."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    text = '{"name": "Zoë"}'
    check_signature(text, HEADERS | {"webhook-signature": signed(text.encode(), key)}, secret=SECRET, now=NOW)
    with pytest.raises(InvalidWebhookSignature):
        check_signature("\ud800", HEADERS, secret=SECRET, now=NOW)


FORGED = {
    "another body": (BODY + b" ", HEADERS),
    "another id": (BODY, HEADERS | {"webhook-id": "msg_2"}),
    "another time": (BODY, HEADERS | {"webhook-timestamp": "1614265331"}),
    "another key": (BODY, HEADERS | {"webhook-signature": signed(BODY, b"another")}),
    "another version": (BODY, HEADERS | {"webhook-signature": SIGNATURE.replace("v1,", "v2,")}),
    "no version": (BODY, HEADERS | {"webhook-signature": SIGNATURE.removeprefix("v1,")}),
    "half of it": (BODY, HEADERS | {"webhook-signature": SIGNATURE[:-8]}),
    "nothing": (BODY, HEADERS | {"webhook-signature": "v1,"}),
    "not ASCII": (BODY, HEADERS | {"webhook-signature": "v1,é\udc80"}),
    "behind too many": (BODY, HEADERS | {"webhook-signature": "v1,AAAA " * 16 + SIGNATURE}),
}


@pytest.mark.requirement("WHK-01")
@pytest.mark.parametrize("what", list(FORGED))
def test_a_delivery_that_was_changed_is_refused(what: str) -> None:
    """Body, id and time are signed together; nothing else fits."""
    body, headers = FORGED[what]
    with pytest.raises(InvalidWebhookSignature, match="no signature fits") as caught:
        check_signature(body, headers, secret=SECRET, now=NOW)
    assert caught.value.param == "webhook-signature"
    assert not caught.value.is_retryable


@pytest.mark.requirement("WHK-01")
@pytest.mark.parametrize("name", list(HEADERS))
def test_a_header_that_is_missing_is_named(name: str) -> None:
    """Absent, empty, and there twice with two values, which only one of two readers would take for the same."""
    others = {other: value for other, value in HEADERS.items() if other != name}
    for headers in (others, others | {name: " "}):
        with pytest.raises(InvalidWebhookSignature, match=f"{name}: the header is missing") as caught:
            check_signature(BODY, headers, secret=SECRET, now=NOW)
        assert caught.value.param == name
    twice = [*HEADERS.items(), (name.title(), "other")]
    with pytest.raises(InvalidWebhookSignature, match=f"{name}: is there twice"):
        check_signature(BODY, twice, secret=SECRET, now=NOW)


@pytest.mark.requirement("WHK-02")
@pytest.mark.parametrize("now", [NOW - 300, NOW - 299.5, NOW, NOW + 300])
def test_a_delivery_of_about_now_is_accepted(now: float) -> None:
    """Five minutes either way, the bounds included."""
    check_signature(BODY, HEADERS, secret=SECRET, now=now)


@pytest.mark.requirement("WHK-02")
@pytest.mark.parametrize(("now", "word"), [(NOW + 301, "old"), (NOW - 301, "new"), (NOW + 1e9, "old"), (0.0, "new")])
def test_a_delivery_of_another_time_is_refused_although_it_is_signed(now: float, word: str) -> None:
    """What was overheard once cannot be sent again later."""
    with pytest.raises(InvalidWebhookSignature, match=f"the delivery is too {word}") as caught:
        check_signature(BODY, HEADERS, secret=SECRET, now=now)
    assert caught.value.param == "webhook-timestamp"


@pytest.mark.requirement("WHK-02")
def test_a_clock_that_tells_no_time_lets_nothing_in() -> None:
    """Nobody can say how old a delivery is then."""
    with pytest.raises(InvalidWebhookSignature, match="the delivery is too new: nan s away"):
        check_signature(BODY, HEADERS, secret=SECRET, now=float("nan"))


@pytest.mark.requirement("WHK-02")
def test_the_tolerance_is_the_callers_choice() -> None:
    """Zero accepts this very second only; below zero, or no number, is refused."""
    check_signature(BODY, HEADERS, secret=SECRET, now=NOW, tolerance=0)
    with pytest.raises(InvalidWebhookSignature):
        check_signature(BODY, HEADERS, secret=SECRET, now=NOW + 1, tolerance=0)
    check_signature(BODY, HEADERS, secret=SECRET, now=NOW + 9000, tolerance=9000)
    for tolerance in (-1.0, float("nan")):
        with pytest.raises(InvalidFieldValue, match="tolerance"):
            check_signature(BODY, HEADERS, secret=SECRET, now=NOW, tolerance=tolerance)


@pytest.mark.requirement("WHK-02")
@pytest.mark.parametrize("timestamp", ["now", "-1614265330", "1614265330.5", "1e9", "²", "1" * 5000, "1_614_265_330"])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    """Whole seconds in plain digits, and no more of them than there are until the year 33658."""
    with pytest.raises(InvalidWebhookSignature, match="webhook-timestamp: must be seconds"):
        check_signature(BODY, HEADERS | {"webhook-timestamp": timestamp}, secret=SECRET, now=NOW)


@pytest.mark.requirement("WHK-01", "SEC-16")
@pytest.mark.parametrize("secret", ["whsec_!!!!", "whsec_", "whsec_abc"])
def test_a_secret_that_is_no_base64_is_a_fault_of_the_settings(secret: str) -> None:
    """And not of the delivery; nothing of it is shown."""
    with pytest.raises(InvalidConfiguration, match="webhook_secret: must be base64") as caught:
        check_signature(BODY, HEADERS, secret=Secret(secret), now=NOW)
    assert secret not in with_locals(caught.value).replace("behind 'whsec_'", "")


@pytest.mark.requirement("WHK-01", "SEC-16")
def test_an_error_shows_neither_secret_nor_body() -> None:
    """Not in its text, and not in its frames."""
    with pytest.raises(InvalidWebhookSignature) as caught:
        check_signature(BODY + b" secret body", HEADERS, secret=SECRET, now=NOW)
    shown = with_locals(caught.value)
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in shown
    assert "secret body" not in shown


@pytest.mark.requirement("WHK-01", "ERR-12")
def test_the_error_travels_as_every_other_one() -> None:
    """It pickles and copies as itself, and its JSON form is that of its leaf."""
    error = InvalidWebhookSignature("webhook-id: the header is missing", param="webhook-id")
    assert pickle.loads(pickle.dumps(error)) == copy.copy(error) == error
    found = OpenAIError.from_payload(error.payload())
    assert (type(found), found.param) == (InvalidFieldValue, "webhook-id")


def test_a_header_that_is_no_text_is_refused_as_any_other() -> None:
    """An id with half of a character is signed by nobody."""
    headers = {"webhook-id": "\ud800", "webhook-timestamp": "1700000000", "webhook-signature": "v1,AAAA"}
    with pytest.raises(InvalidWebhookSignature, match="no signature fits"):
        check_signature(b"{}", headers, secret=Secret("whsec_c2VjcmV0"), now=1_700_000_000.0)


@pytest.mark.requirement("WHK-01")
@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"payload": {"test": 1}}, "payload"),
        ({"payload": None}, "payload"),
        ({"headers": None}, "headers"),
        ({"headers": "webhook-id: a"}, "headers"),
        ({"headers": HEADERS | {"webhook-id": 7}}, "headers"),
        ({"headers": [("webhook-id",)]}, "headers"),
        ({"headers": [7]}, "headers"),
        ({"headers": {7: "a"}}, "headers"),
        ({"tolerance": "300"}, "tolerance"),
        ({"tolerance": -1}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
    ],
)
def test_an_argument_of_a_wrong_kind_is_refused_by_name(wrong: dict[str, object], param: str) -> None:
    """As a wrong field of a body is, and without a word of what was given."""
    given: dict[str, Any] = {"payload": BODY, "headers": HEADERS, **wrong}
    with pytest.raises(InvalidFieldValue, match=f"^{param}: must be") as caught:
        check_signature(given.pop("payload"), given.pop("headers"), secret=SECRET, now=NOW, **given)
    assert caught.value.param == param
    assert not isinstance(caught.value, InvalidWebhookSignature)


def test_headers_that_mean_nothing_here_may_be_of_any_kind() -> None:
    """Frameworks have lists among them."""
    headers: Any = HEADERS | {"x-list": ["a", "b"]}
    check_signature(BODY, headers, secret=SECRET, now=NOW)
