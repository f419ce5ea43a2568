"""Streams of both clients: chunks as they come, complete only on evidence, closed on leaving."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.retry import AVAILABLE, BILLING_SAFE
from http_util.testing import Answer, Pause, Stall
from openai_client import CallOptions, errors, stream_reading
from openai_client._generated.operations.chat import stream_chat_completion
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateResponse
from tests.unit.openai_client.conftest import BASE_URL, KEY, Pair, chat_chunk, data

if TYPE_CHECKING:
    from collections.abc import Callable

    PairMaker = Callable[..., Pair]

BODY = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])
RESPONSE = {"id": "r", "object": "response", "output": [], "error": None}
EVENT_STREAM = {"content-type": "text/event-stream"}


def chat(client: Any, **options: Any) -> Any:
    """Return a chat stream, not yet entered."""
    return client.chat.completions.stream(BODY, options=CallOptions(**options))


def responses(client: Any) -> Any:
    """Return a responses stream, not yet entered."""
    return client.responses.stream(CreateResponse(model="m", input="Hello"))


def text_of(chunks: list[Any]) -> str:
    """Return the text in chat chunks."""
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@pytest.mark.requirement("CLI-10", "EP-CHAT-01")
async def test_chunks_come_typed_and_the_closing_mark_ends_them(pair: PairMaker) -> None:
    """The request asks for a stream by itself; the connection is read to its end."""
    made = pair(Answer.events(chat_chunk("Hel"), chat_chunk("lo", extra=1), chat_chunk(finish="stop")))
    chunks, metadata = await made.stream(chat)
    assert text_of(chunks) == "Hello"
    assert chunks[1].extra == 1
    assert metadata.status == 200
    (request,) = made.requests
    assert (request.method, request.url) == ("POST", f"{BASE_URL}/chat/completions")
    assert request.headers["accept"] == "text/event-stream"
    assert json.loads(request.content)["stream"] is True
    assert (made.upstream.finished, made.upstream.closed_early) == (1, 0)


@pytest.mark.requirement("CLI-10")
async def test_events_behind_the_closing_mark_are_not_handed_out(pair: PairMaker) -> None:
    """Complete is complete."""
    made = pair(Answer.events(chat_chunk("a", finish="stop"), b"[DONE]", chat_chunk("b")))
    chunks, _ = await made.stream(chat)
    assert text_of(chunks) == "a"


@pytest.mark.requirement("CLI-10", "FWD-02")
async def test_a_responses_stream_ends_with_its_last_event(pair: PairMaker) -> None:
    """No closing mark is sent there; unknown events are handed out too."""
    made = pair(
        Answer.events(
            data({"type": "response.created", "response": RESPONSE}),
            data({"type": "response.of_tomorrow", "new": 1}),
            data(
                {
                    "type": "response.output_text.delta",
                    "item_id": "i",
                    "output_index": 0,
                    "content_index": 0,
                    "delta": "x",
                }
            ),
            data({"type": "response.completed", "response": RESPONSE}),
            done=False,
        )
    )
    events, _ = await made.stream(responses)
    assert [event.type for event in events] == [
        "response.created",
        "response.of_tomorrow",
        "response.output_text.delta",
        "response.completed",
    ]
    assert events[1].new == 1


@pytest.mark.requirement("CLI-10")
async def test_a_finish_reason_is_evidence_when_nothing_else_comes(pair: PairMaker) -> None:
    """Some servers send no closing mark; others forget the blank line behind it."""
    made = pair(
        Answer.events(chat_chunk("a"), chat_chunk(finish="stop"), done=False),
        Answer(headers=EVENT_STREAM, body=[b"data: %b\n\ndata: [DONE]\n" % chat_chunk("b")]),
        Answer(headers=EVENT_STREAM, body=[b"data: %b\n" % chat_chunk("c", finish="stop")]),
        Answer.events(b"", chat_chunk("d", finish="stop"), chat_chunk(), done=False),
    )
    for expected in "abcd":
        chunks, _ = await made.stream(chat)
        assert text_of(chunks) == expected


@pytest.mark.requirement("CLI-10", "ERR-01")
@pytest.mark.parametrize(
    "answer",
    [
        Answer.events(chat_chunk("a"), done=False),
        Answer.events(chat_chunk("a", finish="stop"), chat_chunk("b", index=1), done=False),
        Answer(headers=EVENT_STREAM, body=[b"data: %b\n\ndata: [DO" % chat_chunk("a")]),
        Answer.events(chat_chunk("a"), httpx.ReadError("reset"), done=False),
        Answer.events(chat_chunk("a"), httpx.RemoteProtocolError("peer closed connection"), done=False),
    ],
)
async def test_a_stream_that_merely_stops_is_interrupted(pair: PairMaker, answer: Answer) -> None:
    """What came is handed out; then comes the error, and it says that a part was received."""
    made, chunks = pair(answer), []
    with pytest.raises(errors.StreamInterrupted) as caught:
        await made.collect(chat, chunks)
    assert chunks
    assert caught.value.outcome is Outcome.PARTIAL
    assert caught.value.is_retryable
    assert made.upstream.open_bodies == 0


@pytest.mark.requirement("CLI-10")
async def test_a_stream_without_any_event_is_interrupted_too(pair: PairMaker) -> None:
    """Nobody can tell what was done."""
    made = pair(Answer.events(done=False))
    with pytest.raises(errors.StreamInterrupted) as caught:
        await made.stream(chat)
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.requirement("ERR-01", "CLI-10")
@pytest.mark.parametrize(
    ("payload", "leaf"),
    [
        ({"error": {"message": "no", "type": None, "code": "500"}}, errors.InternalServerError),
        ({"error": "the text of a server"}, errors.InternalServerError),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "no", "param": None}, errors.TooManyRequests),
        ({"error": {"message": f"bad key {KEY}", "code": "invalid_api_key"}}, errors.InvalidApiKey),
    ],
)
async def test_an_error_in_the_stream_is_raised_after_what_came_before(pair: PairMaker, payload, leaf: type) -> None:
    """Whatever its form, and without the key that it may repeat."""
    made, chunks = pair(Answer.events(chat_chunk("a"), data(payload), chat_chunk("b"))), []
    with pytest.raises(leaf) as caught:
        await made.collect(chat, chunks)
    assert text_of(chunks) == "a"
    assert caught.value.outcome is Outcome.PARTIAL
    assert KEY not in repr(caught.value)


@pytest.mark.requirement("CLI-10", "ERR-01")
async def test_a_failed_response_is_handed_out_and_then_raised(pair: PairMaker) -> None:
    """The event is typed data; going on is an error."""
    failed = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "no"}}
    made, events = pair(Answer.events(data({"type": "response.failed", "response": failed}), done=False)), []
    with pytest.raises(errors.InternalServerError, match="server_error"):
        await made.collect(responses, events)
    assert [event.type for event in events] == ["response.failed"]


@pytest.mark.requirement("CLI-10", "SEC-13")
async def test_a_chunk_that_cannot_be_read_is_an_error_without_its_content(pair: PairMaker) -> None:
    """Not JSON, or not what the API describes; the error names fields only."""
    for payload in (b'{"choices": "the secret text"}', b"{the secret text"):
        made = pair(Answer.events(payload))
        with pytest.raises(errors.DeserializationError) as caught:
            await made.stream(chat)
        assert "secret" not in f"{caught.value!r}{caught.value.__cause__}{caught.value.__context__}"
        ours = [entry.frame.f_locals for entry in caught.traceback if "/openai_client/s" in str(entry.path)]
        assert ours
        assert "secret" not in repr(ours)


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (Answer.json(b'{"id": "c", "choices": []}'), errors.InvalidContentType),
        (Answer(headers={"content-type": "text/html"}, body=[b"<html>"]), errors.InvalidContentType),
        (Answer(body=[b""]), errors.InvalidContentType),
        (Answer.json(b"{}", status=404), errors.NotFound),
        (Answer.failing(httpx.ConnectError("refused")), errors.ConnectionFailed),
    ],
)
async def test_what_is_no_stream_fails_when_it_is_entered(pair: PairMaker, answer: Answer, leaf: type) -> None:
    """Before any chunk, and with nothing left open."""
    made = pair(answer)
    with pytest.raises(leaf):
        await made.stream(chat)
    assert made.upstream.open_bodies == 0 or leaf is errors.ConnectionFailed


@pytest.mark.requirement("CLI-10")
async def test_leaving_early_closes_the_answer(pair: PairMaker) -> None:
    """The upstream sees the connection close."""
    made = pair(Answer.events(chat_chunk("a"), chat_chunk("b"), chat_chunk("c")))
    if made.colour == "async":
        async with chat(made.client) as stream:
            assert text_of([await anext(stream)]) == "a"
            await stream.aclose()
    else:
        with chat(made.client) as stream:
            assert text_of([next(stream)]) == "a"
            stream.close()
    assert (made.upstream.closed_early, made.upstream.open_bodies) == (1, 0)


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize("read", [1, 3])
async def test_nothing_is_read_from_a_stream_that_was_closed(pair: PairMaker, read: int) -> None:
    """Not even what had come with the chunk before; one that was complete is still complete."""
    made = pair(Answer.events(*map(chat_chunk, "abc"), done=True))
    stream = chat(made.client)
    if made.colour == "async":
        await stream.open()
        assert [text_of([await anext(stream)]) for _ in range(read)]
        if read == 3:
            assert [chunk async for chunk in stream] == []
        await stream.aclose()
        with pytest.raises(errors.InvalidState if read == 1 else StopAsyncIteration):
            await anext(stream)
    else:
        stream.open()
        assert [text_of([next(stream)]) for _ in range(read)]
        if read == 3:
            assert list(stream) == []
        stream.close()
        with pytest.raises(errors.InvalidState if read == 1 else StopIteration):
            next(stream)


@pytest.mark.requirement("ERR-11", "CLI-10")
async def test_cancelling_a_reader_closes_the_answer() -> None:
    """CancelledError passes through the with block."""
    made = Pair("async", Answer.events(chat_chunk("a"), Stall()))
    chunks: list[Any] = []
    reading = asyncio.ensure_future(made.collect(chat, chunks))
    await made.clock.settle()
    assert text_of(chunks) == "a"
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (made.upstream.closed_early, made.upstream.open_bodies) == (1, 0)


@pytest.mark.requirement("CF-05")
async def test_nothing_is_repeated_once_a_chunk_was_handed_out(pair: PairMaker) -> None:
    """Whatever the policy."""
    made, chunks = pair(Answer.events(chat_chunk("a"), httpx.ReadError("x"), done=False), retry=AVAILABLE), []
    with pytest.raises(errors.StreamInterrupted):
        await made.collect(chat, chunks)
    assert len(made.requests) == 1


@pytest.mark.requirement("RTY-01")
async def test_a_stream_is_retried_until_its_head_is_there(pair: PairMaker) -> None:
    """With a policy; the metadata has the ledger."""
    made = pair(Answer.json(b"{}", status=503), Answer.events(chat_chunk("a", finish="stop")))
    chunks, metadata = await made.stream(lambda client: chat(client, retry=BILLING_SAFE))
    assert text_of(chunks) == "a"
    assert [line.http_status for line in metadata.attempts] == [503, 200]


@pytest.mark.requirement("CLI-11", "CF-38")
async def test_the_clients_timeout_does_not_end_a_running_stream(pair: PairMaker) -> None:
    """It bounds the head; a timeout given for the call bounds the whole stream."""
    steps = [step for letter in "abcd" for step in (chat_chunk(letter), Pause(20.0))]
    made = pair(Answer.events(*steps, chat_chunk(finish="stop")), timeout=30.0)
    chunks, _ = await made.stream(chat)
    assert text_of(chunks) == "abcd"
    made, chunks = pair(Answer.events(*steps, chat_chunk(finish="stop")), timeout=30.0), []
    with pytest.raises(errors.Timeout, match=r"^the call's timeout of 50 s passed$"):
        await made.collect(lambda client: chat(client, timeout=50.0), chunks)
    assert text_of(chunks) == "abc"


@pytest.mark.requirement("CLI-11", "ERR-05")
async def test_a_stream_that_falls_silent_until_its_time_is_over_names_the_bound_that_was_given(
    pair: PairMaker,
) -> None:
    """Blocking code learns of it from its socket, which knows another timer; what the upstream has done is kept."""
    made, chunks = pair(Answer.events(chat_chunk("a"), Pause(2.5), Stall(), done=False)), []
    with pytest.raises(errors.Timeout, match=r"^the call's timeout of 2 s passed$") as caught:
        await made.collect(lambda client: chat(client, timeout=2.0), chunks)
    assert (caught.value.reason, text_of(chunks)) == ("deadline", "a")


@pytest.mark.requirement("CLI-10")
async def test_an_upstream_that_lingers_after_the_end_is_not_waited_for() -> None:
    """The stream is complete; its connection is given up after a quarter of a second."""
    made = Pair("async", Answer.events(chat_chunk("a", finish="stop"), b"[DONE]", Stall(), done=False))
    reading = asyncio.ensure_future(made.stream(chat))
    await made.clock.run_for(0.3)
    chunks, _ = await reading
    assert text_of(chunks) == "a"


async def test_a_stream_must_be_entered_and_only_once(pair: PairMaker) -> None:
    """Both mistakes are typed errors that say what to do."""
    made = pair(Answer.events())
    stream = chat(made.client)
    with pytest.raises(errors.InvalidState, match="with block"):
        _ = stream.metadata
    if made.colour == "async":
        with pytest.raises(errors.InvalidState, match="with block"):
            await anext(stream)
        await stream.aclose()
        async with stream:
            with pytest.raises(errors.InvalidState, match="entered once"):
                await stream.__aenter__()
        return
    with pytest.raises(errors.InvalidState, match="with block"):
        next(stream)
    stream.close()
    with stream, pytest.raises(errors.InvalidState, match="entered once"):
        stream.__enter__()


@pytest.mark.requirement("CLI-19")
async def test_any_other_stream_goes_through_the_same_door(pair: PairMaker) -> None:
    """Events are handed out with whatever is in them."""
    made = pair(Answer.events(b'{"anything": [1]}'), Answer.events(b'{"type": "response.completed"}', done=False))
    events, _ = await made.stream(lambda client: client.request_stream("POST", "/things", body={"stream": True}))
    assert events[0].anything == [1]
    events, _ = await made.stream(lambda client: client.request_stream("POST", "/things"))
    assert events[0].type == "response.completed"


@pytest.mark.requirement("CLI-10", "CLI-19")
async def test_a_stream_of_unknown_events_is_understood_as_a_typed_one_is(pair: PairMaker) -> None:
    """Usage, finish reasons and a failed response are seen in plain values too."""
    whole = [chat_chunk("Hello"), chat_chunk(finish="stop", usage={"total_tokens": 7})]
    failed = data({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "broken"}}})
    made = pair(Answer.events(*whole, done=False), Answer.events(failed, done=False))
    events, _ = await made.stream(lambda client: client.request_stream("POST", "/chat/completions"))
    assert len(events) == 2
    with pytest.raises(errors.InternalServerError):
        await made.stream(lambda client: client.request_stream("POST", "/responses"))


@pytest.mark.requirement("CLI-10", "CLI-PERF-01")
async def test_what_a_chunk_lacks_is_not_looked_for_in_the_model(
    pair: PairMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model searches long before it says that it has no such attribute: longer than it takes to parse the chunk."""
    sought: list[str] = []

    def seek(_model: object, name: str) -> None:
        sought.append(name)
        raise AttributeError(name)

    made = pair(Answer.events(chat_chunk("Hel", vendor=1), chat_chunk("lo"), chat_chunk(finish="stop")))
    monkeypatch.setattr("pydantic.BaseModel.__getattr__", seek)
    chunks, _ = await made.stream(chat)
    assert text_of(chunks) == "Hello"
    assert sought == []


async def test_options_handed_to_open_stream_win_over_the_operations(pair: PairMaker) -> None:
    """An operation is a value; how it is called may differ."""
    made = pair(Answer.events())
    await made.stream(
        lambda client: client.open_stream(stream_chat_completion(BODY), CallOptions(headers={"x-a": "1"}))
    )
    assert made.requests[0].headers["x-a"] == "1"


@pytest.mark.requirement("CLI-10")
async def test_reading_on_after_an_error_gives_the_error_again() -> None:
    """A stream that failed stays failed."""
    made = Pair("sync", Answer.events(chat_chunk("a"), done=False))
    with chat(made.client) as stream:
        next(stream)
        for _ in range(2):
            with pytest.raises(errors.StreamInterrupted):
                next(stream)


@pytest.mark.requirement("CLI-10")
async def test_choices_without_an_end_are_no_answer(pair: PairMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them are begun and finished is remembered; an upstream does not make that grow for ever."""
    assert stream_reading.MOST_CHOICES == 4096
    monkeypatch.setattr(stream_reading, "MOST_CHOICES", 2)
    made = pair(Answer.events(*(chat_chunk("a", index=index) for index in range(5))))
    chunks: list[Any] = []
    with pytest.raises(errors.UnexpectedResponse, match="more than 2 choices"):
        await made.collect(chat, chunks)
    assert len(chunks) == 3
