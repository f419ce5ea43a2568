"""What is said to a SOCKS5 proxy: every state, every answer."""

from __future__ import annotations

import pytest

from http_util.engine.proxies import ProxyRefusal
from http_util.engine.socks5 import Socks5Dialog, State
from http_util.secret import Secret

CREDENTIALS = Secret("user:hunter2")
NAME = b"\x05\x01\x00\x03\x0bapi.example\x01\xbb"
PASSWORD = b"\x01\x04user\x07hunter2"


def dialog(credentials: Secret | None = None, host: str = "api.example") -> Socks5Dialog:
    """A dialog about a tunnel to port 443."""
    return Socks5Dialog(host, 443, credentials=credentials)


def brought_to(state: State) -> Socks5Dialog:
    """A dialog with credentials in *state*."""
    talk = dialog(CREDENTIALS)
    for message in (b"\x05\x02", b"\x01\x00", b"\x05\x00", b"\x00\x01\x7f", b"\x00\x00\x01\x1f\x90"):
        if talk.state is state:
            break
        talk.received(message)
    assert talk.state is state
    return talk


def test_the_methods_on_offer_follow_from_the_credentials() -> None:
    """Without any, only the call without them."""
    assert dialog().opening() == b"\x05\x01\x00"
    assert dialog(CREDENTIALS).opening() == b"\x05\x02\x00\x02"


# state, what comes, next state, what is said
STEPS = [
    (State.METHOD, b"\x05\x00", State.REPLY, NAME),
    (State.METHOD, b"\x05\x02", State.PASSWORD, PASSWORD),
    (State.PASSWORD, b"\x01\x00", State.REPLY, NAME),
    (State.REPLY, b"\x05\x00", State.BOUND, b""),
    (State.BOUND, b"\x00\x01\x7f", State.REST, b""),
    (State.BOUND, b"\x00\x04\x20", State.REST, b""),
    (State.BOUND, b"\x00\x03\x00", State.REST, b""),
    (State.REST, b"\x00\x00\x01\x1f\x90", State.STANDS, b""),
]


@pytest.mark.parametrize(("state", "message", "following", "said"), STEPS)
def test_each_good_answer_leads_on(state: State, message: bytes, following: State, said: bytes) -> None:
    """The table of the module, row by row."""
    talk = brought_to(state)
    assert talk.wants == len(message)
    assert talk.received(message) == said
    assert talk.state is following


# state, what comes, with credentials, why there is no tunnel
REFUSALS = [
    (State.METHOD, b"\x04\x00", True, "the proxy does not answer in SOCKS5"),
    (State.METHOD, b"HT", True, "the proxy does not answer in SOCKS5"),
    (State.METHOD, b"\x05\xff", True, "the SOCKS5 proxy takes neither a password nor a call without one"),
    (State.METHOD, b"\x05\x01", True, "the SOCKS5 proxy takes neither a password nor a call without one"),
    (State.METHOD, b"\x05\xff", False, "the SOCKS5 proxy asks for credentials; set proxy_auth"),
    (State.METHOD, b"\x05\x02", False, "the SOCKS5 proxy asks for credentials; set proxy_auth"),
    (State.PASSWORD, b"\x01\x01", True, "the SOCKS5 proxy does not accept proxy_auth"),
    (State.PASSWORD, b"\x05\x00", True, "the SOCKS5 proxy does not accept proxy_auth"),
    (State.REPLY, b"\x04\x00", True, "the proxy does not answer in SOCKS5"),
    (State.REPLY, b"\x05\x01", True, "the SOCKS5 proxy refused the tunnel: general failure"),
    (State.REPLY, b"\x05\x02", True, "the SOCKS5 proxy refused the tunnel: not allowed by its rules"),
    (State.REPLY, b"\x05\x03", True, "the SOCKS5 proxy refused the tunnel: network unreachable"),
    (State.REPLY, b"\x05\x04", True, "the SOCKS5 proxy refused the tunnel: host unreachable"),
    (State.REPLY, b"\x05\x05", True, "the SOCKS5 proxy refused the tunnel: connection refused"),
    (State.REPLY, b"\x05\x06", True, "the SOCKS5 proxy refused the tunnel: time to live expired"),
    (State.REPLY, b"\x05\x07", True, "the SOCKS5 proxy refused the tunnel: command not supported"),
    (State.REPLY, b"\x05\x08", True, "the SOCKS5 proxy refused the tunnel: kind of address not supported"),
    (State.REPLY, b"\x05\x63", True, "the SOCKS5 proxy refused the tunnel: reply code 99"),
    (State.BOUND, b"\x00\x02\x7f", True, "the SOCKS5 proxy answers with a kind of address that there is not"),
]


@pytest.mark.parametrize(("state", "message", "knows_password", "text"), REFUSALS)
def test_each_bad_answer_is_a_refusal_in_words(state: State, message: bytes, knows_password: bool, text: str) -> None:
    """Whatever the state; no credential is in it."""
    talk = brought_to(state) if knows_password else dialog()
    with pytest.raises(ProxyRefusal) as caught:
        talk.received(message)
    assert caught.value.strerror == text


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("api.example", b"\x03\x0bapi.example"),
        ("192.0.2.7", b"\x01\xc0\x00\x02\x07"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
    ],
)
def test_a_name_goes_to_the_proxy_as_it_is_and_an_address_in_binary(host: str, where: bytes) -> None:
    """The proxy resolves names; nothing is resolved here."""
    assert dialog(host=host).received(b"\x05\x00") == b"\x05\x01\x00" + where + b"\x01\xbb"


@pytest.mark.parametrize(
    ("bound", "size"),
    [(b"\x00\x01", 4), (b"\x00\x04", 16), (b"\x00\x03\x05", 5), (b"\x00\x03\x00", 0)],
    ids=["ipv4", "ipv6", "name", "empty name"],
)
def test_not_one_byte_is_taken_beyond_the_address_the_proxy_calls_from(bound: bytes, size: int) -> None:
    """Byte by byte: what follows belongs to the tunnel."""
    talk = brought_to(State.REPLY)
    answer = b"\x05\x00" + bound + bytes(size) + b"\x1f\x90" + b"behind"
    taken = 0
    while talk.wants:
        assert talk.received(answer[taken : taken + 1]) == b""
        taken += 1
    assert answer[taken:] == b"behind"


@pytest.mark.requirement("SEC-12")
def test_a_dialog_shows_no_password() -> None:
    """Not in what it keeps."""
    assert "hunter2" not in repr(vars(brought_to(State.PASSWORD)))
