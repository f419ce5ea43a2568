"""An answer as open bytes: bounded only as a whole, and never short."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter_api import Outcome
from http_util import AsyncExchange, Exchange, HttpCall, HttpConfig, build_async_transport, build_transport
from http_util.errors import HttpFailure, ProtocolFailure, StatusFailure, TransportFailure
from http_util.testing import Answer, FakeClock, FakeSyncClock, FixedRandom, ScriptedUpstream

pytestmark = [pytest.mark.requirement("HTU-20")]

CONFIG = HttpConfig(base_url="http://127.0.0.1:8000/v1")
CALL = HttpCall(method="GET", url="http://127.0.0.1:8000/v1/file")


class Colour:
    """An exchange of either colour over a script, called the same way."""

    def __init__(self, colour: str, *answers: Answer) -> None:
        bounds: dict[str, Any] = {"max_response_bytes": 100, "max_event_bytes": 64, "rng": FixedRandom(0.5)}
        self.colour = colour
        self.upstream = ScriptedUpstream(*answers)
        if colour == "async":
            transport = build_async_transport(CONFIG, transport=self.upstream)
            self.exchange: Any = AsyncExchange(transport, clock=FakeClock(auto=True), **bounds)
        else:
            blocking = build_transport(CONFIG, transport=self.upstream)
            self.exchange = Exchange(blocking, clock=FakeSyncClock(), **bounds)

    async def _done(self, made: Any) -> Any:
        return await made if self.colour == "async" else made

    async def open(self) -> Any:
        """Return the open answer."""
        return await self._done(self.exchange.download(CALL))

    async def read(self, stream: Any) -> list[bytes]:
        """Read piece by piece."""
        found = []
        while (piece := await self._done(stream.next_piece())) is not None:
            found.append(piece)
        await self.close(stream)
        return found

    async def read_all(self, stream: Any, on_piece: Any = None) -> bytes:
        """Read as a whole."""
        whole: bytes = await self._done(stream.read_all(on_piece))
        return whole

    async def close(self, stream: Any) -> None:
        """Close."""
        await (stream.aclose() if self.colour == "async" else self._done(stream.close()))


@pytest.fixture(params=["async", "sync"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours, one after the other."""
    return str(request.param)


def answer(*body: bytes | Exception, **headers: str) -> Answer:
    """Return a good answer."""
    return Answer(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_pieces_of_any_number_and_the_size_that_was_told(colour: str) -> None:
    """More than `max_response_bytes` in all; the transport is given back."""
    made = Colour(colour, answer(b"x" * 90, b"y" * 90, content_length="180"))
    stream = await made.open()
    assert (stream.length, stream.head.status) == (180, 200)
    assert await made.read(stream) == [b"x" * 90, b"y" * 90]
    assert (stream.byte_count, made.upstream.finished) == (180, 1)


async def test_as_a_whole_it_is_bounded(colour: str) -> None:
    """The error says what to do instead."""
    made = Colour(colour, answer(b"x" * 60, b"y" * 40), answer(b"x" * 60, b"y" * 41))
    sizes: list[int] = []
    assert len(await made.read_all(await made.open(), sizes.append)) == 100
    assert sizes == [60, 40]
    with pytest.raises(ProtocolFailure, match=r"max_response_bytes \(100\); write it to a file") as caught:
        await made.read_all(await made.open())
    assert caught.value.outcome is Outcome.PARTIAL


async def test_an_end_before_the_length_that_was_told_is_a_failure(colour: str) -> None:
    """Also over a transport that does not count."""
    made = Colour(colour, answer(b"x" * 9, content_length="10"))
    with pytest.raises(TransportFailure, match="9 bytes where its head says 10") as caught:
        await made.read(await made.open())
    failure = caught.value
    assert (failure.reason, failure.outcome, failure.http_status, len(failure.attempts)) == (
        "reset",
        Outcome.PARTIAL,
        200,
        1,
    )


async def test_the_length_of_encoded_bytes_is_not_that_of_the_content(colour: str) -> None:
    """It is neither told nor compared."""
    import gzip

    packed = gzip.compress(b"tide" * 10)
    made = Colour(colour, answer(packed, content_length=str(len(packed)), content_encoding="gzip"))
    stream = await made.open()
    assert stream.length is None
    assert b"".join(await made.read(stream)) == b"tide" * 10


async def test_an_answer_that_breaks_off_is_a_failure_with_the_ledger(colour: str) -> None:
    """PARTIAL once a piece was handed out."""
    made = Colour(colour, answer(b"x", httpx.ReadError("gone")))
    with pytest.raises(HttpFailure) as caught:
        await made.read(await made.open())
    assert (caught.value.outcome, len(caught.value.attempts)) == (Outcome.PARTIAL, 1)


async def test_an_error_status_is_raised_at_once(colour: str) -> None:
    """There is no stream then."""
    made = Colour(colour, Answer.json(b"{}", status=404))
    with pytest.raises(StatusFailure):
        await made.open()


async def test_closing_in_the_middle_leaves_the_rest(colour: str) -> None:
    """The upstream sees the connection close."""
    made = Colour(colour, answer(b"x", b"y"))
    stream = await made.open()
    await made.close(stream)
    assert made.upstream.closed_early == 1
