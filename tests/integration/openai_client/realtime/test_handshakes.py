"""Handshakes that lead to no session: every way in which an upstream does not agree, and what is said of it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api.outcome import Outcome
from openai_client import errors
from openai_client.errors import OpenAIError
from tests.integration.http_util.engine.connect.peers import full, hang_up, say_nothing
from tests.integration.http_util.engine.refusing import unused_port
from tests.integration.openai_client.realtime.peers import KEY, answering, head_of, raw_peer, refusing

if TYPE_CHECKING:
    from tests.integration.http_util.engine.connect.peers import Authority
    from tests.integration.openai_client.realtime.peers import Connecting, RawHandler

pytestmark = pytest.mark.integration


async def refused(connect: Connecting, base_url: str, **arguments: Any) -> OpenAIError:
    """Return the error of a session that is not opened."""
    session = connect(base_url, **arguments)
    with pytest.raises(OpenAIError) as caught:
        await session.do("open")
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    # there is no session
    with pytest.raises(errors.InvalidState):
        await session.do("recv")
    return caught.value


def told(code: str, **more: Any) -> dict[str, Any]:
    """Return an error object of the API."""
    return {"error": {"message": f"no: {KEY}", "type": "invalid_request_error", "code": code, **more}}


STATUSES: list[tuple[RawHandler, type[OpenAIError], str, Outcome]] = [
    (refusing("401 No", told("invalid_api_key")), errors.InvalidApiKey, "invalid_api_key", Outcome.REJECTED),
    (refusing("403 No", told("none")), errors.InsufficientPermissions, "permission_denied", Outcome.REJECTED),
    (refusing("404 No", told("model_not_found")), errors.NotFound, "not_found", Outcome.REJECTED),
    (refusing("429 No", told("insufficient_quota")), errors.QuotaExceeded, "quota_exceeded", Outcome.REJECTED),
    (refusing("500 No"), errors.InternalServerError, "server_error", Outcome.UNKNOWN),
    (refusing("503 No", None, "retry-after: 2"), errors.ServiceUnavailable, "service_unavailable", Outcome.REJECTED),
    (refusing("302 No", None, "location: wss://127.0.0.1:1/"), errors.UnexpectedResponse, "redirect", Outcome.REJECTED),
    (refusing("200 OK", {"hello": "you"}), errors.UnexpectedResponse, "protocol", Outcome.UNKNOWN),
]


@pytest.mark.requirement("RT-01", "ERR-03")
@pytest.mark.parametrize(("peer", "leaf", "reason", "outcome"), STATUSES, ids=[reason for _, _, reason, _ in STATUSES])
async def test_a_status_is_the_leaf_that_it_is_for_every_other_call(
    connect: Connecting, peer: RawHandler, leaf: type[OpenAIError], reason: str, outcome: Outcome
) -> None:
    """A refusal is classified by the same table; a redirect is one and is not followed."""
    async with raw_peer(peer) as base_url:
        error = await refused(connect, base_url)
    assert (type(error), error.reason, error.outcome) == (leaf, reason, outcome)


@pytest.mark.requirement("RT-01", "ERR-07")
async def test_what_a_refusal_says_becomes_facts_without_the_key(connect: Connecting) -> None:
    """Message, code, type, request id and the time to come back are read as from every other answer."""
    body = told("rate_limit_exceeded", param="model")
    peer = refusing("429 Too Many Requests", body, "retry-after-ms: 1500", f"x-request-id: req-{KEY}")
    async with raw_peer(peer) as base_url:
        error = await refused(connect, base_url)
    assert isinstance(error, errors.TooManyRequests)
    assert (error.http_status, error.retry_after, error.code, error.param) == (
        429,
        1.5,
        "rate_limit_exceeded",
        "model",
    )
    assert error.message == "upstream answered 429 Too Many Requests (rate_limit_exceeded): no: ****"
    assert error.upstream_request_id == "req-****"


@pytest.mark.requirement("RT-01")
async def test_a_refusal_in_chunks_is_read_too(connect: Connecting) -> None:
    """The body's framing is the upstream's choice."""
    content = json.dumps(told("invalid_api_key")).encode()
    answer = b"HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    async with raw_peer(answering(answer)) as base_url:
        error = await refused(connect, base_url)
    assert (type(error), error.code) == (errors.InvalidApiKey, "invalid_api_key")


GARBAGE = [
    b"\x16\x03\x01\x02\x00 what is this\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + base64.b64encode(bytes(20)) + b"\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n",
]


@pytest.mark.requirement("RT-01")
@pytest.mark.parametrize("answer", GARBAGE, ids=["no HTTP", "no accept", "wrong accept", "endless header"])
async def test_an_answer_that_is_no_handshake_is_a_broken_protocol(connect: Connecting, answer: bytes) -> None:
    """Whatever it is, it is not quoted."""
    async with raw_peer(answering(answer)) as base_url:
        error = await refused(connect, base_url)
    assert isinstance(error, errors.UnexpectedResponse)
    assert (error.reason, error.outcome) == ("protocol", Outcome.UNKNOWN)
    assert "what is this" not in str(error)


@pytest.mark.requirement("RT-01")
async def test_an_upstream_that_hangs_up_is_a_connection_that_failed(connect: Connecting) -> None:
    """Before or after the handshake was read, and in the middle of the answer."""
    half = answering(b"HTTP/1.1 101 Switching Protocols\r\nUpg")
    for peer in (hang_up, answering(b""), half):
        async with raw_peer(peer) as base_url:
            error = await refused(connect, base_url)
        assert (type(error), error.reason) == (errors.ConnectionFailed, "reset")


@pytest.mark.requirement("RT-01")
async def test_a_port_that_nobody_listens_at_and_a_name_that_is_none_are_told_apart(connect: Connecting) -> None:
    """Nothing was sent in either case."""
    error = await refused(connect, f"http://127.0.0.1:{unused_port()}/v1")
    assert (type(error), error.reason, error.outcome) == (
        errors.ConnectionFailed,
        "connection_failed",
        Outcome.NOT_SENT,
    )


@pytest.mark.requirement("RT-01")
async def test_an_opening_is_bounded_in_each_of_its_phases(connect: Connecting) -> None:
    """Connecting, the answer to the handshake, its dripping body, and all together: each has its timer."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 401 No\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    quick = {"connect_timeout": 0.1, "first_byte_timeout": 0.1}
    with full("127.0.0.1") as port:
        error = await refused(connect, f"http://127.0.0.1:{port}/v1", settings={"http": quick})
    assert (type(error), error.reason) == (errors.Timeout, "connect_timeout")
    for peer in (say_nothing, drip):
        async with raw_peer(peer) as base_url:
            error = await refused(connect, base_url, settings={"http": quick})
            assert (type(error), error.reason) == (errors.Timeout, "first_byte_timeout")
            error = await refused(connect, base_url, timeout=0.1)
            assert (type(error), error.reason) == (errors.Timeout, "deadline")
            assert error.message == "the call's timeout of 0.1 s passed"


@pytest.mark.requirement("RT-01", "SEC-09")
async def test_a_certificate_of_a_stranger_is_refused(connect: Connecting, authority: Authority) -> None:
    """TLS is verified by the settings of every other call."""
    async with raw_peer(say_nothing, authority.server("127.0.0.1")) as base_url:
        error = await refused(connect, base_url)
    assert (type(error), error.reason, error.outcome) == (errors.SslError, "tls_failed", Outcome.NOT_SENT)
