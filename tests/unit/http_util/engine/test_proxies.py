"""What is said to an HTTP proxy, and what its answers mean."""

from __future__ import annotations

import errno

import pytest

from http_util.engine.proxies import HEAD_LIMIT, ConnectDialog, Forwarding, ProxyRefusal
from http_util.secret import Secret
from http_util.urls import origin_of
from tests.shown_errors import with_locals

CREDENTIALS = Secret("user:hunter2")
BEARER = b"Basic dXNlcjpodW50ZXIy"


def dialog(credentials: Secret | None = None, host: str = "api.example") -> ConnectDialog:
    """A dialog about a tunnel to port 443."""
    return ConnectDialog(host, 443, user_agent="tests", credentials=credentials)


def fed(talk: ConnectDialog, answer: bytes) -> bytes:
    """Give *talk* what it wants of *answer*, piece by piece, and return what it left."""
    while answer and talk.wants:
        piece, answer = answer[: talk.wants], answer[talk.wants :]
        assert talk.received(piece) == b""
    return answer


def refusal(answer: bytes, credentials: Secret | None = None) -> str:
    """Why *answer* means that there is no tunnel."""
    with pytest.raises(ProxyRefusal) as caught:
        fed(dialog(credentials), answer)
    assert caught.value.errno == errno.ECONNREFUSED
    assert "hunter2" not in str(caught.value)
    return caught.value.strerror


@pytest.mark.parametrize(
    ("host", "authority"), [("api.example", b"api.example:443"), ("::1", b"[::1]:443"), ("10.0.0.1", b"10.0.0.1:443")]
)
def test_a_tunnel_is_asked_for_by_host_and_port(host: str, authority: bytes) -> None:
    """The port is always there, an IPv6 address stands in brackets, and no header is sent that says nothing."""
    assert dialog(host=host).opening() == (
        b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\nUser-Agent: tests\r\n\r\n"
    )


@pytest.mark.requirement("SEC-12")
def test_credentials_go_to_the_proxy_in_its_own_header_and_are_shown_nowhere() -> None:
    """Basic, as RFC 7617 writes it."""
    assert b"\r\nProxy-Authorization: " + BEARER + b"\r\n" in dialog(CREDENTIALS).opening()
    forwarding = Forwarding.of(CREDENTIALS)
    assert forwarding.headers == ((b"proxy-authorization", BEARER),)
    assert "dXNl" not in repr(forwarding)
    assert "hunter2" not in repr(vars(dialog(CREDENTIALS)))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 204 Fine\r\nX: y\r\n\r\n",
        b"HTTP/1.1 299 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_any_success_means_that_the_tunnel_stands_whatever_its_headers_say(answer: bytes) -> None:
    """Interim answers are skipped; a body that is announced belongs to the tunnel (RFC 9110, 9.3.6)."""
    talk = dialog()
    assert fed(talk, answer) == b""
    assert talk.wants == 0


def test_bytes_behind_the_head_are_left_where_they_are() -> None:
    """They belong to the target."""
    assert fed(dialog(), b"HTTP/1.1 200 OK\r\n\r\n\r\n\r\nhello") == b"\r\n\r\nhello"


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_an_answer_may_come_in_pieces_of_any_size(most: int) -> None:
    """Also cut inside the blank line, and behind what only looks like the beginning of one."""
    talk = dialog()
    answer = b"HTTP/1.1 200 OK\r\nA: \r\r\n\rb\r\n\r\nbehind"
    while talk.wants:
        size = min(most, talk.wants)
        talk.received(answer[:size])
        answer = answer[size:]
    assert answer == b"behind"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused the tunnel (status 403 Forbidden)"),
        (b"HTTP/1.1 502 whatever it says\r\n\r\n", "the proxy refused the tunnel (status 502 Bad Gateway)"),
        (b"HTTP/1.1 599 x\r\n\r\n", "the proxy refused the tunnel (status 599)"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "the proxy refused the tunnel (status 302 Found)"),
        (b"HTTP/1.1 407 No\r\n\r\n", "the proxy asks for credentials; set proxy_auth (status 407)"),
        (b"HTTP/1.1 999 x\r\n\r\n", "the proxy's answer to CONNECT has no valid status line"),
        (b"HTTP/1.1 20 x\r\n\r\n", "the proxy's answer to CONNECT has no valid status line"),
        (b"HTTP/1.12 200 x\r\n\r\n", "the proxy's answer to CONNECT has no valid status line"),
        (b"HTTP/1.1  200 x\r\n\r\n", "the proxy's answer to CONNECT has no valid status line"),
        (b"HTTP/2 200\r\n\r\n", "the proxy does not answer in HTTP/1"),
        (b"\x15\x03\x01\x00\x02", "the proxy does not answer in HTTP/1"),
        (b"SSH-2.0-OpenSSH", "the proxy does not answer in HTTP/1"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTX", "the proxy does not answer in HTTP/1"),
    ],
)
def test_anything_else_is_a_refusal_in_our_own_words(answer: bytes, text: str) -> None:
    """The status, never the proxy's phrase, and 407 by what can be done about it."""
    assert refusal(answer) == text


def test_credentials_that_are_not_accepted_are_told_from_those_that_are_missing() -> None:
    """The remedy is another one."""
    text = refusal(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", CREDENTIALS)
    assert text == "the proxy does not accept proxy_auth (status 407)"


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2 * HEAD_LIMIT, b"HTTP/1.1 100 Continue\r\n\r\n" * HEAD_LIMIT],
    ids=["one head", "many heads"],
)
def test_a_head_without_end_is_refused_at_its_limit(answer: bytes) -> None:
    """Interim answers count together."""
    talk = dialog()
    with pytest.raises(ProxyRefusal, match=r"head of more than 16384 bytes"):
        fed(talk, answer)
    assert HEAD_LIMIT < talk._taken <= HEAD_LIMIT + 4


def test_a_head_at_its_limit_is_taken() -> None:
    """16384 bytes, the blank line included."""
    start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\n\r\n"
    talk = dialog()
    fed(talk, start + b"x" * (HEAD_LIMIT - len(start) - len(end)) + end)
    assert (talk.wants, talk._taken) == (0, HEAD_LIMIT)


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("http://engine.example", b"http://engine.example/v1?x=1"),
        ("http://engine.example:8000", b"http://engine.example:8000/v1?x=1"),
        ("http://[::1]:8000", b"http://[::1]:8000/v1?x=1"),
        ("http://[::1]", b"http://[::1]/v1?x=1"),
    ],
)
def test_a_forwarded_request_names_its_whole_url(url: str, absolute: bytes) -> None:
    """Without the default port, with brackets where they belong."""
    forwarding = Forwarding.of(None)
    assert forwarding.target(origin_of(url), b"/v1?x=1") == absolute
    assert forwarding.headers == ()


@pytest.mark.requirement("SEC-01", "SEC-16")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 dXNlcjpodW50ZXIy\r\nx: user:hunter2\r\n\r\n",
        b"HTTP/1.1 dXNlcjpodW50ZXIy\r\n\r\n",
        b"dXNlcjpodW50ZXIy user:hunter2",
        b"HTTP/1.1 200 " + b"dXNlcjpodW50ZXIy" * HEAD_LIMIT,
    ],
    ids=["refused", "no status", "no HTTP", "too much"],
)
def test_no_frame_of_a_refusal_shows_what_the_proxy_repeats(answer: bytes) -> None:
    """It may repeat the credentials in any of its words; the last piece of them holds many."""
    talk = dialog(CREDENTIALS)
    with pytest.raises(ProxyRefusal) as caught:
        talk.received(answer)
    shown = with_locals(caught.value)
    assert "received" in shown
    assert "hunter2" not in shown
    assert "dXNlcjpodW50ZXIy" not in shown
