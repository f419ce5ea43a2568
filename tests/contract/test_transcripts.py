"""Every transcript: what comes out of it whole, cut at every byte, and what its errors mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from adapter_api import Attempt, Outcome, TaskRequest, WorkerError
from adapter_api.testing import make_task
from http_util import AsyncEventStream, AsyncWatch, Deadline, ReplyHead, Timeouts, TransportFailure
from http_util.testing import Answer, FakeClock, ScriptedUpstream
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig
from worker_adapters.openai_http.call_report import CallReport
from worker_adapters.openai_http.chat_reader import ChatReader
from worker_adapters.openai_http.responses_reader import ResponsesReader
from worker_adapters.openai_http.service_call import CallContext, StreamPolicy
from worker_adapters.openai_http.service_hooks import SilentHooks
from worker_adapters.openai_http.streamed_tokens import StreamedTokens
from worker_adapters.openai_http.upstream_probe import model_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.conftest import Transcript

WORDS: Final = " café like down under music by said some"
# name: text, finish reason, evidence, completion tokens as the upstream counts them
ENDS: Final[dict[str, tuple[str, str | None, str, int | None]]] = {
    "llama_server/chat": (WORDS, "length", "finish_reason", 8),
    "llama_server/chat_without_usage": (WORDS, "length", "finish_reason", None),
    "llama_server/chat_stop": (" café like down under", "stop", "finish_reason", None),
    "llama_server/completions": (" even me always about year into now any", "length", "finish_reason", 8),
    "llama_server/responses": (WORDS, "stop", "response.completed", 8),
    "litellm/chat_mock": ("Hello there, this is a canned reply.", "stop", "finish_reason", 9),
    "litellm/chat_mock_unicode": ("naïve \u2603 \U0001f680 \u65e5\u672c\u8a9e done", "stop", "finish_reason", 13),
    "litellm/chat_up": (WORDS, "length", "finish_reason", 8),
    "litellm/chat_up_without_usage": (WORDS, "length", "finish_reason", None),
    "litellm/completions_up": (" even me always about year into now any", "length", "finish_reason", 8),
    "litellm/completions_mock": ("Hello there, this is a canned reply.", "stop", "finish_reason", None),
    "litellm/responses_up": (WORDS + " use if that book leave and hand little", "stop", "response.completed", 16),
    "vllm/chat": (WORDS, "length", "finish_reason", 8),
    "vllm/chat_control_characters": ("\x00\x01\ufffd\x1b[31m\u2028\x85x", "stop", "finish_reason", None),
    "vllm/chat_tools": ("", "stop", "finish_reason", None),
    "vllm/completions": (WORDS, "length", "finish_reason", 8),
    "vllm/responses": (WORDS, "stop", "response.completed", 8),
    "vllm/responses_reasoning": (WORDS, "stop", "response.completed", 8),
    "transformers/chat": (WORDS, "length", "finish_reason", 8),
    "transformers/completions": (WORDS, "length", "finish_reason", 8),
    "transformers/responses": (WORDS, "stop", "response.completed", 8),
    "llama_cpp_python/chat": (WORDS, "length", "finish_reason", None),
    "llama_cpp_python/chat_pings": (WORDS, "length", "finish_reason", None),
    "llama_cpp_python/chat_tools": ("", "tool_calls", "finish_reason", None),
    "llama_cpp_python/chat_interrupted": (" café like down", None, "done", None),
    "llama_cpp_python/completions": (WORDS, "length", "finish_reason", None),
}
"""Streams that end well by the tolerant default."""
FAILURES: Final = {
    "llama_server/chat_cut": "reset",
    "litellm/chat_error_inside": "server_error",
    "transformers/chat_error_inside": "server_error",
    "llama_cpp_python/chat_empty": "truncated",
}
"""Streams that do not, and why."""


def adapter_for(*answers: Answer, **settings: Any) -> OpenAIHttpAdapter:
    """An adapter over *answers*."""
    config = OpenAIHttpConfig(**{"base_url": "http://127.0.0.1:8000/v1", "model": "m", "retry": None, **settings})
    clock = FakeClock()
    return OpenAIHttpAdapter(config, clock=clock, transport=ScriptedUpstream(*answers, clock=clock))


def task() -> TaskRequest:
    """A small completion task."""
    return make_task("t", max_tokens=8, deadline_ms=60_000, prompt="hello world")


def answer_of(transcript: Transcript) -> Answer:
    """The transcript as a script."""
    headers = {n: v for n, v in transcript.headers.items() if n not in ("transfer-encoding", "content-length")}
    cut = (
        ()
        if transcript.is_whole
        else (httpx.RemoteProtocolError("peer closed connection without sending complete message body"),)
    )
    return Answer(status=transcript.status, headers=headers, body=(*transcript.pieces, *cut))


async def reason_of(transcript: Transcript) -> str:
    """Why a stream fails, before its start or after it."""
    try:
        *_, last = await events_of(transcript)
    except WorkerError as error:
        return error.reason
    assert last.kind == "error"
    return str(last.data["reason"])


async def events_of(transcript: Transcript, **settings: Any) -> list[Any]:
    """Every event of a transcript."""
    adapter = adapter_for(answer_of(transcript), api=transcript.api, **settings)
    async with await adapter.submit(task()) as stream:
        return [event async for event in stream]


@pytest.mark.requirement("ADP-22", "ADP-23", "ADP-24", "ADP-28", "OC-ADAPT-OAI-6001", "SVC-04", "TST-09", "TST-16")
async def test_every_recorded_stream_reads_as_what_it_is(stream: Transcript) -> None:
    """The tolerant default gives each server's text, reason, evidence and usage, or the one mapped error."""
    if stream.name in FAILURES:
        assert await reason_of(stream) == FAILURES[stream.name]
        return
    text, finish, evidence, completion_tokens = ENDS[stream.name]
    events = await events_of(stream)
    end = events[-1]
    assert end.kind == "end"
    tokens = [event for event in events if event.kind == "token"]
    assert [event.index for event in tokens] == list(range(len(tokens)))
    assert "".join(event.text for event in tokens if event.channel == "text") == text
    assert text or {event.channel for event in tokens} == {"tool_call"}
    assert (end.data["finish_reason"], end.data["evidence"]) == (finish, evidence)
    usage = end.data["usage"]
    assert (usage["source"] == "upstream") == (completion_tokens is not None)
    assert completion_tokens in (None, usage["completion_tokens"])


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
async def test_tool_calls_read_the_same_whatever_the_server_repeats(transcripts: dict[str, Any]) -> None:
    """Ids and names once, arguments joined; a name before its arguments; arguments that are no object."""
    seen = {}
    for name in ("vllm/chat_tools", "llama_cpp_python/chat_tools"):
        calls: dict[int, dict[str, str]] = {}
        for event in await events_of(transcripts[name]):
            if event.kind == "token":
                told = event.data["tool_call"]
                call = calls.setdefault(told["index"], {"name": "", "arguments": ""})
                call["name"] += told.get("name", "")
                call["arguments"] += event.text
        seen[name] = {call["name"]: json.loads(call["arguments"]) for call in calls.values()}
    assert seen["vllm/chat_tools"] == {"pick_colour": {"colour": "red"}, "pick_size": [1, 2]}
    assert seen["llama_cpp_python/chat_tools"] == {"pick_colour": {"colour": "red"}}


@pytest.mark.requirement("ADP-23")
async def test_an_interrupted_stream_is_no_end_for_the_dialect_that_knows_it(transcripts: dict[str, Any]) -> None:
    """[DONE] without a finish reason, and then the body breaks: with its own profile that is an error."""
    events = await events_of(transcripts["llama_cpp_python/chat_interrupted"], dialect="llamacpp")
    assert (events[-1].kind, events[-1].data["reason"]) == ("error", "truncated")


class Body:
    """The bytes of a stream up to a cut, and then an end or a break."""

    def __init__(self, data: bytes, clock: FakeClock, broken: TransportFailure | None) -> None:
        self.watch = AsyncWatch(clock)
        self.delivered = False
        self.passage = None
        self._pieces: Iterator[bytes] = iter((data,))
        self._broken = broken

    def take(self) -> bytes | None:
        """The bytes, and then the end or the break."""
        piece = next(self._pieces, None)
        if piece is None and self._broken is not None:
            raise self._broken
        return piece

    async def news(self, *_: Any) -> None:
        """Nothing to wait for."""

    async def aclose(self) -> None:
        """Nothing to close."""


CLOCK: Final = FakeClock()
ATTEMPT: Final = Attempt(
    number=1, outcome=None, reason=None, http_status=200, delay=0.0, elapsed=0.0, endpoint="http://127.0.0.1:8000"
)
HEAD: Final = ReplyHead(status=200, headers={}, http_version="HTTP/1.1", attempts=(ATTEMPT,), upstream_request_id=None)
BROKEN: Final = TransportFailure("the connection broke", reason="reset", outcome=Outcome.UNKNOWN)
POLICY: Final = StreamPolicy(timeouts=Timeouts(), content_timeout=None, retry=None)


async def read_cut(api: str, data: bytes, broken: TransportFailure | None) -> tuple[list[Any], WorkerError | None]:
    """The events of *data* as the start of a stream, or what is raised before there is one."""
    body = Body(data, CLOCK, broken)
    context = CallContext(
        trace_id="c",
        request_id="r",
        deadline=Deadline(1e9),
        watch=body.watch,
        reader=ResponsesReader() if api == "responses" else ChatReader(),
    )
    report = CallReport(SilentHooks(), CLOCK, trace_id="c", request_id="r", bytes_sent=0)
    stream: Any = AsyncEventStream(HEAD, body, max_event_bytes=1 << 20)  # type: ignore[arg-type]
    tokens = StreamedTokens(stream, context, POLICY, report, secrets=())
    try:
        await tokens.start()
    except WorkerError as error:
        return [], error
    events: list[Any] = []
    while not events or not events[-1].is_terminal:
        events += await tokens.next_events()
    return events, None


def evidence_at(transcript: Transcript) -> int:
    """How many bytes of the body it takes until the end is proven, found without the code under test."""
    text, place = transcript.body.replace(b"\r\n", b"\n"), 0
    assert len(text) == len(transcript.body) or b"ping" in text
    for frame in text.split(b"\n\n"):
        place += len(frame) + 2
        for line in frame.split(b"\n"):
            data = line.removeprefix(b"data: ")
            if data == line:
                continue
            if data == b"[DONE]":
                # the blank line behind it may be missing
                return place - 1
            if b'"finish_reason"' in data:
                choices = json.loads(data)["choices"]
                if any(choice.get("finish_reason") for choice in choices):
                    return place
            if b'"response.completed"' in data:
                return place
    return len(text) + 1


@pytest.mark.slow
@pytest.mark.requirement("ADP-23", "ADP-20", "SVC-05")
async def test_a_stream_cut_at_every_byte_ends_only_on_evidence(stream: Transcript) -> None:
    """Before the evidence: exactly one error, raised or as the last event. From it on: an end. Tokens are a prefix."""
    data = stream.body.replace(b"\r\n", b"\n")
    proven = evidence_at(stream)
    whole = [event.text for event in (await read_cut(stream.api, data, None))[0] if event.kind == "token"]
    for cut in range(len(data) + 1):
        broken = BROKEN if cut % 2 else None
        events, error = await read_cut(stream.api, data[:cut], broken)
        kinds = [event.kind for event in events]
        texts = [event.text for event in events if event.kind == "token"]
        assert texts == whole[: len(texts)], cut
        if error is None:
            assert kinds == ["started", *["token"] * len(texts), kinds[-1]], cut
        ended = bool(kinds) and kinds[-1] == "end"
        tail = cut == proven and broken is not None
        assert ended == (cut >= proven) or tail, cut
        if not ended:
            failure = error or WorkerError.from_payload(events[-1].data)
            assert failure.outcome == ("PARTIAL" if texts else "UNKNOWN"), cut
            assert failure.reason in ("truncated", "reset", FAILURES.get(stream.name)), cut


REASONS: Final = {
    "litellm/error_dead": "server_error",
    "litellm/error_key": "invalid_api_key",
    "litellm/error_mock_429": "rate_limited",
    "litellm/error_mock_500": "server_error",
    "litellm/error_mock_context": "context_length",
    "litellm/error_model": "not_found",
    "litellm/error_no_key": "server_error",
    "litellm/responses_mock": "server_error",
    "llama_cpp_python/error_type": "malformed_request",
    "llama_server/error_bad_json": "server_error",
    "llama_server/error_context": "context_length",
    "llama_server/error_not_found": "not_found",
    "llama_server/error_type": "malformed_request",
    "nginx/error_429": "rate_limited",
    "nginx/error_504": "gateway_timeout",
    "transformers/error_parameter": "malformed_request",
    "transformers/error_plain": "server_error",
    "vllm/error_context": "context_length",
    "vllm/error_key": "invalid_api_key",
    "vllm/error_model": "not_found",
}
"""What each error answer means."""


@pytest.mark.requirement("OC-ADAPT-OAI-6030", "WA-INT-3004", "TST-09")
async def test_every_recorded_error_is_one_mapped_error(error: Transcript) -> None:
    """Whatever the form of its body: the reason, the status, a short safe message."""
    with pytest.raises(WorkerError) as caught:
        await adapter_for(answer_of(error)).submit(task())
    assert caught.value.reason == REASONS[error.name]
    assert caught.value.http_status == error.status
    assert len(caught.value.message) <= 512
    assert caught.value.message.isprintable()


@pytest.mark.requirement("ADP-40")
def test_every_recorded_listing_is_read(transcripts: dict[str, Any]) -> None:
    """Without `created`, with a second list beside it, or empty."""
    assert model_names(transcripts["llama_server/models"].body) == ["tiny"]
    assert model_names(transcripts["llama_cpp_python/models"].body) == ["tiny"]
    assert model_names(transcripts["transformers/models"].body) == []
    assert "mock" in model_names(transcripts["litellm/models"].body)


@pytest.mark.requirement("OC-ADAPT-OAI-6010")
@pytest.mark.parametrize(
    ("dialect", "name", "version"),
    [("vllm", "vllm/version", "vllm/0.32.0"), ("llamacpp", "llama_server/props", "llama.cpp/b1-0c1e570")],
)
async def test_every_recorded_version_is_read(
    transcripts: dict[str, Any], dialect: str, name: str, version: str
) -> None:
    """From the path and the field that the dialect names."""
    assert await adapter_for(answer_of(transcripts[name]), dialect=dialect).engine_version() == version
