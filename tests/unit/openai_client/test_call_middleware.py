"""Middleware around the HTTP call: order, errors, streams, both colours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer, ScriptedUpstream
from openai_client import AsyncClient, AsyncHttpTransport, Client, ClientConfig, HttpTransport, InvalidConfiguration
from tests.unit.openai_client.conftest import BASE_URL, Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePair = Callable[..., Pair]

MODEL = b'{"id": "m"}'


class Marks:
    """A middleware that leaves its mark on what passes, and notes it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def process_request(self, call: Any) -> Any:
        """Add a header."""
        self.log.append(f"{self.name} request")
        return replace(call, headers={**call.headers, "x-way": call.headers.get("x-way", "") + self.name})

    def process_response(self, call: Any, reply: Any) -> Any:
        """Change the body."""
        assert call.headers["x-way"] == "ab"
        self.log.append(f"{self.name} response")
        return replace(reply, body=reply.body.replace(b'"m', b'"m' + self.name.encode()))

    def process_head(self, call: Any, head: Any) -> None:
        """See the head of a stream."""
        self.log.append(f"{self.name} head {call.method} {head.status}")


class AwaitedMarks(Marks):
    """The same, awaited."""

    async def process_request(self, call: Any) -> Any:
        """Add a header."""
        return super().process_request(call)

    async def process_response(self, call: Any, reply: Any) -> Any:
        """Change the body."""
        return super().process_response(call, reply)

    async def process_head(self, call: Any, head: Any) -> None:
        """See the head of a stream."""
        super().process_head(call, head)


def with_middleware(made: Pair, *middleware: object) -> Any:
    """The client of a pair, with middleware."""
    kind: Any = AsyncClient if made.colour == "async" else Client
    clock = made.clock if made.colour == "async" else made.sync_clock
    made.client = kind(made.config, transport=made.client._transport, clock=clock, middleware=middleware)
    return made.client


@pytest.mark.requirement("FWD-08")
@pytest.mark.parametrize("kind", [Marks, AwaitedMarks])
async def test_calls_go_in_in_order_and_answers_come_out_in_reverse(pair: MakePair, kind: type[Marks]) -> None:
    """Each sees what the one before made of it; on an event loop they may be awaited."""
    log: list[str] = []
    made = pair(Answer.json(MODEL), Answer.events(b'{"choices": []}'))
    with_middleware(made, kind("a", log), Marks("b", log))
    if made.colour == "sync" and kind is AwaitedMarks:
        with pytest.raises(InvalidConfiguration, match="a coroutine function needs an AsyncClient"):
            await made.call(lambda client: client.models.retrieve("m"))
        assert made.requests == []
        return
    result = await made.call(lambda client: client.models.retrieve("m"))
    assert result.id == "mab"
    assert made.requests[0].headers["x-way"] == "ab"
    await made.stream(lambda client: client.request_stream("POST", "/x", body={}))
    assert log == [
        "a request",
        "b request",
        "b response",
        "a response",
        "a request",
        "b request",
        "b head POST 200",
        "a head POST 200",
    ]


class Fails:
    """A middleware that raises."""

    def __init__(self, at: str) -> None:
        setattr(self, at, self._fail)

    def _fail(self, *seen: object) -> Any:
        raise LookupError(len(seen))


@pytest.mark.requirement("FWD-08")
@pytest.mark.parametrize("at", ["process_request", "process_response"])
async def test_an_error_of_a_middleware_stops_the_call_and_is_the_callers(pair: MakePair, at: str) -> None:
    """Unchanged; what stands behind it is not asked."""
    made = pair(Answer.json(MODEL))
    with_middleware(made, Fails(at))
    with pytest.raises(LookupError):
        await made.call(lambda client: client.models.retrieve("m"))
    assert len(made.requests) == (0 if at == "process_request" else 1)


@pytest.mark.requirement("FWD-08")
async def test_an_error_at_a_streams_head_closes_the_stream(pair: MakePair) -> None:
    """Nobody else could."""
    made = pair(Answer.events(b'{"choices": []}'))
    with_middleware(made, Fails("process_head"))
    with pytest.raises(LookupError):
        await made.stream(lambda client: client.request_stream("POST", "/x", body={}))
    assert made.upstream.open_bodies == 0


@pytest.mark.requirement("FWD-08")
async def test_a_call_is_seen_once_however_often_it_is_repeated(pair: MakePair) -> None:
    """Retries stand behind the middleware, and copies of the client keep it."""
    log: list[str] = []
    made = pair(Answer.json(b"{}", status=503), Answer.json(b'{"id": "x"}'))

    class Counts:
        """Only looks at calls."""

        def process_request(self, call: Any) -> Any:
            """Note it."""
            log.append(call.method)
            return call

    copy = with_middleware(made, Counts()).with_options(retry="billing_safe")
    await made.call(lambda client: copy.models.retrieve("x"))
    assert (log, len(made.requests)) == (["GET"], 2)


@pytest.mark.requirement("FWD-08")
def test_what_is_no_middleware_is_refused() -> None:
    """A cache stands around operations, and is made with the client."""
    with pytest.raises(InvalidConfiguration, match="middleware: object has none of process_request"):
        Client(base_url=BASE_URL, api_key=None, middleware=[object()])


@pytest.mark.requirement("FWD-09", "CLI-15")
async def test_a_transport_with_middleware_is_closed_with_the_client_that_made_it() -> None:
    """And says what it is."""
    client = Client(base_url=BASE_URL, api_key=None, middleware=[Marks("a", [])])
    assert repr(client._transport).startswith("MiddlewareTransport(HttpTransport(")
    client.close()
    assert "closed=True" in repr(client._transport)
    awaited = AsyncClient(ClientConfig(base_url=BASE_URL, api_key=None), middleware=[Marks("a", [])])
    await awaited.aclose()
    assert "AsyncHttpTransport" in repr(awaited._transport)
    assert "closed=True" in repr(awaited._transport)
    assert all(kind.__name__ in repr(kind) for kind in (AsyncHttpTransport, HttpTransport, ScriptedUpstream))


class Forgetful:
    """A middleware that forgets to return what it was given."""

    def process_request(self, call: Any) -> Any:
        """Look at the call."""


class Wordy:
    """A middleware that returns something else."""

    def process_response(self, call: Any, reply: Any) -> Any:
        """Return a part."""
        return reply.body


@pytest.mark.requirement("FWD-08")
@pytest.mark.parametrize(
    ("middleware", "said", "sent"),
    [
        (Forgetful(), r"Forgetful\.process_request must return the HttpCall .* it returned None", 0),
        (Wordy(), r"Wordy\.process_response must return the HttpReply .* it returned bytes", 1),
    ],
)
async def test_a_middleware_that_gives_nothing_back_is_named(
    pair: MakePair, middleware: object, said: str, sent: int
) -> None:
    """In place of an attribute that None has not, somewhere far below."""
    made = pair(Answer.json(MODEL))
    with_middleware(made, middleware)
    with pytest.raises(InvalidConfiguration, match=f"^middleware: {said}"):
        await made.call(lambda client: client.models.retrieve("m"))
    assert len(made.requests) == sent
