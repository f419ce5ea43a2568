"""Truth about truncation: only evidence makes an `end`, over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import ErrorKind, Outcome, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter_api import TaskRequest, TokenEvent
    from upstream_simulator import Simulator


async def run_task(adapter: Any, task: TaskRequest) -> tuple[list[TokenEvent], WorkerError | None]:
    """The events of a task, or the error that came before them."""
    try:
        stream = await adapter.submit(task)
    except WorkerError as error:
        return [], error
    return [event async for event in stream], None


@pytest.mark.requirement("ADP-23", "OC-CTRL-2028", "OC-CTRL-2029")
@pytest.mark.parametrize(
    "how", ["cut-by=reset", "cut-by=close", "cut-by=close;framing=close", "cut-by=reset;encoding=gzip"]
)
@pytest.mark.parametrize("api", ["chat", "completions", "responses"])
async def test_a_stream_cut_anywhere_ends_in_exactly_one_error_unless_the_end_was_proven(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any], api: str, how: str
) -> None:
    """Whether the socket breaks or closes politely, a part of an answer is never taken for the whole."""
    async with adapters(protocol, api=api, retry=None) as adapter:
        whole = await (await adapter.submit(task("t-0"))).collect()
        size = simulator.log()[0].bytes_sent
        for number, cut in enumerate(range(40, size, max(1, size // 12)), start=1):
            simulator.script(f"cut={cut};{how}")
            events, failure = await run_task(adapter, task(f"t-{number}"))
            if failure is not None:
                assert (failure.reason in ("truncated", "reset"), failure.outcome) == (True, Outcome.UNKNOWN)
                continue
            kinds = [event.kind for event in events]
            assert kinds.count("end") + kinds.count("error") == 1
            text = "".join(event.text for event in events)
            assert whole.text.startswith(text)
            last = events[-1]
            if last.kind == "end":
                assert text == whole.text
                assert last.data["evidence"] in ("finish_reason", "response.completed", "response.incomplete")
            else:
                assert last.data["code"] == ErrorKind.WORKER_RESET
                assert last.data["reason"] in ("truncated", "reset")
                assert last.data["outcome"] == (Outcome.PARTIAL if text else Outcome.UNKNOWN)


@pytest.mark.requirement("ADP-23")
@pytest.mark.parametrize(
    ("fault", "evidence"),
    [("omit=done", "finish_reason"), ("omit=finish", "done"), ("omit=done,usage", "finish_reason")],
)
async def test_either_proof_is_enough_and_is_named(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], fault: str, evidence: str
) -> None:
    """A finish reason without [DONE] proves an end, and [DONE] without a finish reason does; `end` says which."""
    simulator.script(fault)
    async with adapters() as adapter:
        answer = await (await adapter.submit(task())).collect()
    assert answer.end["evidence"] == evidence
    assert answer.tokens == 8


@pytest.mark.requirement("ADP-23")
async def test_no_proof_at_all_is_a_truncated_stream(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """A body that ends well by HTTP's rules, but tells no reason and no [DONE], is an error."""
    simulator.script("omit=done,finish")
    async with adapters(protocol) as adapter:
        stream = await adapter.submit(task())
        events = [event async for event in stream]
    assert [event.kind for event in events] == ["started", *["token"] * 8, "error"]
    with pytest.raises(WorkerError, match="without evidence") as caught:
        stream.raise_for_error()
    assert caught.value.code is ErrorKind.WORKER_RESET
    assert caught.value.outcome is Outcome.PARTIAL


@pytest.mark.requirement("ADP-23", "ADP-10")
async def test_a_dialect_may_hold_that_done_proves_nothing(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """llama.cpp closes an interrupted stream with [DONE]; its profile asks for a finish reason."""
    simulator.script("omit=finish")
    async with adapters(dialect="llamacpp") as adapter:
        stream = await adapter.submit(task())
        events = [event async for event in stream]
    assert events[-1].data["reason"] == "truncated"


@pytest.mark.requirement("ADP-24")
@pytest.mark.parametrize("form", ["openai", "int_code", "string_code", "string", "flat", "detail", "litellm"])
@pytest.mark.parametrize("after", [0, 3])
async def test_an_error_inside_a_200_is_an_error(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], form: str, after: int
) -> None:
    """In whatever form, before the first token or in the middle: one mapped error, and never an end."""
    simulator.script(f"stream-error={form};stream-error-after={after};first-delta=none")
    async with adapters() as adapter:
        if after == 0:
            with pytest.raises(WorkerError) as caught:
                await adapter.submit(task())
            assert caught.value.outcome is Outcome.UNKNOWN
        else:
            stream = await adapter.submit(task())
            events = [event async for event in stream]
            assert [event.kind for event in events] == ["started", *["token"] * after, "error"]
            assert events[-1].data["outcome"] == Outcome.PARTIAL
        assert len(simulator.log()) == 1


@pytest.mark.requirement("ADP-25", "SVC-08")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("instead=html", "content_type"),
        ("instead=json", "content_type"),
        ("instead=text", "content_type"),
        ("instead=empty", "truncated"),
        ("content-type=application/octet-stream", "content_type"),
        ("tokens=0;omit=role,finish,done,usage;first-delta=none", "truncated"),
        ("malformed=text;malformed-after=0;first-delta=none", "decode"),
        ("malformed=array;malformed-after=0;first-delta=none", "decode"),
        ("malformed=latin1;malformed-after=0;first-delta=none", "decode"),
        ("encoding=br", "protocol"),
        ("redirect=http://127.0.0.1:9/", "redirect"),
    ],
)
async def test_an_answer_that_is_no_stream_is_exactly_one_error(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any], fault: str, reason: str
) -> None:
    """HTML, JSON, nothing, another type, a chunk that is no JSON, a redirect: one error, one request."""
    simulator.script(fault)
    async with adapters(protocol) as adapter:
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
        assert (await adapter.props()).slots_free == 64
    assert caught.value.reason == reason
    assert not caught.value.retriable or reason == "truncated"
    assert len(simulator.log()) == 1


@pytest.mark.requirement("ADP-22", "ADP-20")
@pytest.mark.parametrize(
    "fault",
    [
        "after-finish=5",
        "empty-chunks=10",
        "usage=with_choice",
        "usage=with_finish",
        "usage=unasked",
        "ping-for=0.2;ping-every=0.02",
        "first-delta=null",
        "first-delta=absent",
        "omit=created,role",
        "linger=0.05",
        "encoding=gzip",
        "encoding=deflate",
    ],
)
async def test_the_manners_of_real_servers_do_not_change_the_tokens(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], fault: str
) -> None:
    """Role-only and empty chunks, late usage, pings, content after the finish: eight tokens, one end, usage known."""
    simulator.script(fault)
    async with adapters() as adapter:
        stream = await adapter.submit(task())
        events = [event async for event in stream]
    assert [event.kind for event in events] == ["started", *["token"] * 8, "end"]
    assert events[-1].data["usage"]["source"] == "upstream"


@pytest.mark.requirement("OQ-08")
@pytest.mark.parametrize("fault", ["usage=none", "usage=zero"])
async def test_missing_usage_is_estimated_and_says_so(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], fault: str
) -> None:
    """Without usage, or with zeros in its place, token events are counted."""
    simulator.script(fault)
    async with adapters() as adapter:
        answer = await (await adapter.submit(task())).collect()
    assert answer.end["usage"] == {
        "prompt_tokens": None,
        "completion_tokens": 8,
        "total_tokens": None,
        "source": "estimated",
    }


@pytest.mark.requirement("HTU-10", "HTU-13", "SSE-1004")
@pytest.mark.parametrize("fault", ["huge=3000000", "bomb-mib=64"])
async def test_what_is_too_large_is_refused_within_bounded_memory(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], fault: str
) -> None:
    """An event beyond the bound, or a stream that unfolds without one, is a protocol error."""
    simulator.script(fault)
    async with adapters(max_event_bytes=1024 * 1024) as adapter:
        events, failure = await run_task(adapter, task())
    if failure is None:
        # 64 MiB of comments unfold to nothing that is kept; a huge event does not fit
        assert events[-1].kind == ("end" if fault.startswith("bomb") else "error")
    assert failure is None or failure.reason == "protocol"
