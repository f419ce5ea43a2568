"""
The rules of the contract as checks that any adapter can be put through, with no test framework.

Each check takes a fresh adapter, does one thing and says what it saw when a rule is broken. Shape, order, errors,
deadline, limit, slots, cancel, drop, reuse of ids, close: what an orchestrator relies on.

Spec: ADP-08, ADP-02, ADP-20, ADP-30, ADP-31, ADP-32
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, get_args

from adapter_api.errors import InvalidTask, WorkerError
from adapter_api.reasons import REASONS
from adapter_api.task_request import Workload
from adapter_api.token_event import TokenEvent
from adapter_api.token_order import OrderGuard, OrderViolation
from adapter_api.worker_adapter import WorkerAdapter, WorkerHealth, WorkerProps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapter_api.task_request import TaskRequest
    from adapter_api.token_stream import TokenStream

_VERBS: Final = ("health", "props", "submit", "cancel", "engine_version", "aclose")
_USAGE_SOURCES: Final = ("upstream", "estimated", "none")
_DEADLINES_MS: Final = (1, 50)  # one that falls into `submit`, one that falls into the stream
_DEADLINE_SLACK: Final = 1.0  # seconds: a busy machine is late too
_CANCEL_SLACK: Final = 1.0  # seconds
_FEW_TOKENS: Final = 2
_MOST_SLOTS: Final = 16  # more are not filled: each is a task of the upstream, and some upstreams have one place
_ADMISSION_CODES: Final = ("ADMISSION_REJECT", "QUEUE_FULL_DROP_LRU")


class ConformanceFailure(AssertionError):
    """
    An adapter breaks the contract. The text lists every check that failed, one a line.
    """

    def __init__(self, failures: Sequence[tuple[str, str]]) -> None:
        """
        Report *failures*.

        Args:
            failures: Name of the check and what was seen.
        """
        super().__init__("\n".join(f"{check}: {seen}" for check, seen in failures))
        self.failures: tuple[tuple[str, str], ...] = tuple(failures)
        """Name of the check and what was seen, in the order of `CHECKS`."""


class _Broken(Exception):
    """A rule was seen broken."""


async def check_worker_adapter(
    make_adapter: Callable[[], WorkerAdapter | Awaitable[WorkerAdapter]],
    make_task: Callable[[str], TaskRequest],
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 - bounds each check, not this call
    only: Sequence[str] = (),
    make_slow: Callable[[], WorkerAdapter | Awaitable[WorkerAdapter]] | None = None,
) -> tuple[str, ...]:
    """
    Put an adapter through every check, and return the names of those that it passed.

    Args:
        make_adapter: Makes a fresh adapter for each check, which closes it. Its upstream should be there.
        make_task: Makes a valid task with the id it is given; eight tokens or more make the cancel checks meaningful.
        timeout: Most seconds for one check; a check that takes longer has failed.
        only: Names of the checks to run; empty means all of `CHECKS`.
        make_slow: Makes an adapter that takes two seconds or more for the same task, most of them after `started`.
            `holds its deadline` and `stops when it is cancelled` use it in place of *make_adapter*: a task that is done
            before its deadline, or before it could be stopped, proves little.

    Raises:
        ConformanceFailure: At least one check failed.

    Example:
        >>> from adapter_api.testing import ScriptedAdapter, make_task
        >>> passed = asyncio.run(check_worker_adapter(ScriptedAdapter, make_task))
        >>> passed == tuple(CHECKS)
        True

    Spec: ADP-08
    """
    failures: list[tuple[str, str]] = []
    passed: list[str] = []
    for name in only or CHECKS:
        make = make_slow if make_slow is not None and CHECKS[name] in _SLOW_CHECKS else make_adapter
        seen = await _run(CHECKS[name], make, make_task, timeout)
        if seen is None:
            passed.append(name)
        else:
            failures.append((name, seen))
    if failures:
        raise ConformanceFailure(failures)
    return tuple(passed)


async def _run(
    check: Callable[[WorkerAdapter, Callable[[str], TaskRequest]], Awaitable[None]],
    make_adapter: Callable[[], WorkerAdapter | Awaitable[WorkerAdapter]],
    make_task: Callable[[str], TaskRequest],
    seconds: float,
) -> str | None:
    """Run one check on a fresh adapter; None when it passed, else what was seen."""
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            made = make_adapter()
            adapter = await made if inspect.isawaitable(made) else made
            try:
                await check(adapter, make_task)
            finally:
                await adapter.aclose()
    except _Broken as broken:
        return str(broken)
    except TimeoutError as exc:
        return f"took longer than {seconds} s" if bound.expired() else f"raised TimeoutError: {exc}"
    # An adapter is foreign code: whatever it raises here is a finding, not a crash of the checks.
    except Exception as exc:  # noqa: BLE001
        return f"raised {type(exc).__name__}: {exc}"
    return None


def _require(holds: object, seen: str) -> None:
    if not holds:
        raise _Broken(seen)


def _ending(event: TokenEvent | None) -> str:
    """What a stream ended in; of an error its reason and message too."""
    if event is None:
        return "nothing"
    if event.kind != "error":
        return event.kind
    code, reason, message = (event.data.get(name) for name in ("code", "reason", "message"))
    return f"error: {code} ({reason}): {message}"


async def _has_the_shape(adapter: WorkerAdapter, _: Callable[[str], TaskRequest]) -> None:
    """Five verbs and a close, all coroutines."""
    for verb in _VERBS:
        method = getattr(adapter, verb, None)
        _require(callable(method), f"{verb} is missing")
        _require(inspect.iscoroutinefunction(method), f"{verb} is not a coroutine function")


async def _reports_itself(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """`health`, `props` and `engine_version` give the contract's types, and a version that is stable."""
    health = await adapter.health()
    _require(isinstance(health, WorkerHealth), f"health gave {type(health).__name__}, expected WorkerHealth")
    _require(not (health.ready and not health.live), "health is ready but not live")
    props = await adapter.props()
    _require(isinstance(props, WorkerProps), f"props gave {type(props).__name__}, expected WorkerProps")
    if props.slots_total is not None and props.slots_free is not None:
        _require(0 <= props.slots_free <= props.slots_total, f"{props.slots_free} of {props.slots_total} slots free")
    # Some engines tell their version with an answer only.
    async with await adapter.submit(make_task("report-1")) as stream:
        async for _ in stream:
            pass
    first, second = await adapter.engine_version(), await adapter.engine_version()
    _require(isinstance(first, str), f"engine_version gave {type(first).__name__}, expected str")
    _require(first, "engine_version is empty")
    _require(first == second, f"engine_version gave {first!r} and then {second!r}")


async def _streams_in_order(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """`started (token | metrics)* end`, indices from 0, nothing after, and payloads that JSON can carry."""
    stream = await adapter.submit(make_task("order-1"))
    async with stream:
        events = [event async for event in stream]
    guard = OrderGuard("the adapter")
    try:
        guard.check(events)
    except OrderViolation as violation:
        raise _Broken(str(violation)) from None
    last = events[-1] if events else None
    _require(last is not None and last.kind == "end", f"a good task ends in {_ending(last)}")
    _require(guard.tokens, "a good task gives no token")
    usage = events[-1].data["usage"]
    source = usage.get("source") if isinstance(usage, Mapping) else None
    _require(source in _USAGE_SOURCES, f"usage.source of the end is {source!r}, expected {', '.join(_USAGE_SOURCES)}")
    _require(isinstance(events[0].data.get("engine_version"), str), "started lacks engine_version")
    for event in events:
        json.dumps(event.data)
    _require([event async for event in stream] == [], "the stream goes on after its end")


async def _refuses_wrong_tasks(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """A task that cannot be right is refused before it is sent, with the code that says so, and by nothing else."""
    good = make_task("wrong-1")
    served = (await adapter.props()).workloads
    unserved = [name for name in get_args(Workload) if served and name not in served]
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("max_tokens above ctx", {"max_tokens": good.ctx + 1}),
        ("no prompt, inputs or messages", {"prompt": None, "inputs": None, "messages": None}),
        ("n of 2", {"n": 2}),
        *((f"workload {name}, which props does not list,", {"workload": name}) for name in unserved),
    ]
    for what, changes in wrong:
        error = await _refusal(adapter, dataclasses.replace(good, **changes), what)
        _require(error.code == "INVALID_PARAMS", f"{what} gave {error}, expected INVALID_PARAMS")
        _require(not error.retriable, f"{what} is called retriable")
    if not served:  # it may take them all, and may refuse them, in an error of the contract
        await _refusal_if_any(adapter, dataclasses.replace(good, workload="embedding"), "workload embedding")
    expired = await _refusal(adapter, dataclasses.replace(good, deadline_ms=0), "an expired deadline")
    _require(expired.code == "DEADLINE_UNMET", f"an expired deadline gave {expired}, expected DEADLINE_UNMET")


async def _refusal(adapter: WorkerAdapter, task: TaskRequest, what: str) -> WorkerError:
    """The error that *task* is refused with."""
    error = await _refusal_if_any(adapter, task, what)
    if error is None:
        raise _Broken(f"{what} is accepted")
    return error


async def _refusal_if_any(adapter: WorkerAdapter, task: TaskRequest, what: str) -> WorkerError | None:
    """The error that *task* is refused with; None when it is accepted, and then it is stopped."""
    try:
        stream = await adapter.submit(task)
    except WorkerError as error:
        _require(error.reason in REASONS, f"{what} gave the reason {error.reason!r}, which is not in REASONS")
        return error
    # An adapter is foreign code, and this is what it must not do.
    except Exception as exc:  # noqa: BLE001
        seen = f"{what} raised {type(exc).__name__}: {exc}; nothing but WorkerError may leave an adapter"
        raise _Broken(seen) from None
    await stream.aclose()
    return None


async def _holds_its_deadline(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """A task ends well, or when its deadline passes, in the error that says so; then its slot and its id are free."""
    before = (await adapter.props()).slots_free
    for deadline_ms in _DEADLINES_MS:
        task = dataclasses.replace(make_task("deadline-1"), deadline_ms=deadline_ms)
        bound = asyncio.timeout(deadline_ms / 1000 + _DEADLINE_SLACK)
        try:
            async with bound:
                last = await _last_event(adapter, task)
        except TimeoutError:
            if not bound.expired():
                raise
            raise _Broken(f"a task of {deadline_ms} ms went on for {_DEADLINE_SLACK} s after its deadline") from None
        finish = last.data.get("finish_reason") if last else None
        ended_well = last is not None and last.kind == "end" and finish != "cancelled"
        is_late = last is not None and last.data.get("code") == "DEADLINE_UNMET"
        what = "end, cancelled" if finish == "cancelled" else _ending(last)
        _require(ended_well or is_late, f"a task of {deadline_ms} ms ended in {what}, expected DEADLINE_UNMET")
    after = (await adapter.props()).slots_free
    _require(before == after, f"{before} slots were free before, {after} after the deadlines")


async def _last_event(adapter: WorkerAdapter, task: TaskRequest) -> TokenEvent | None:
    """How *task* ended; an error of `submit` as the event that it would have been."""
    try:
        stream = await adapter.submit(task)
    except WorkerError as error:
        return TokenEvent("error", error.payload())
    async with stream:
        async for _ in stream:
            pass
    return stream.terminal


async def _holds_its_limit(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """`max_tokens` bounds the answer."""
    task = dataclasses.replace(make_task("limit-1"), max_tokens=_FEW_TOKENS)
    async with await adapter.submit(task) as stream:
        events = [event async for event in stream]
    told = sum(event.kind == "token" and event.channel == "text" for event in events)
    _require(told <= _FEW_TOKENS, f"a task of max_tokens {_FEW_TOKENS} gave {told} tokens")
    last = events[-1] if events else None
    _require(last is not None and last.kind == "end", f"a task of max_tokens {_FEW_TOKENS} ended in {_ending(last)}")
    counted = events[-1].data["tokens_out"]
    _require(counted <= _FEW_TOKENS, f"a task of max_tokens {_FEW_TOKENS} ended with tokens_out {counted}")


async def _holds_its_slots(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """When all the slots that `props` tells are taken, one more task is refused, or waits."""
    total = (await adapter.props()).slots_total
    if total is None or total > _MOST_SLOTS:
        return
    async with AsyncExitStack() as streams:
        for number in range(total):
            await streams.enter_async_context(await adapter.submit(make_task(f"slots-{number}")))
        if (await adapter.props()).slots_free:  # an adapter may have done a task before anybody reads it
            return
        what = f"a task beyond {total} slots that are taken"
        try:
            async with asyncio.timeout(_CANCEL_SLACK / 2):
                error = await _refusal(adapter, make_task("slots-more"), what)
        except TimeoutError:  # it is queued
            return
    _require(error.code in _ADMISSION_CODES, f"{what} gave {error}, expected {' or '.join(_ADMISSION_CODES)}")


async def _stops_when_it_is_cancelled(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """The work itself stops, not its delivery alone: the end comes at once, however much was left to do."""
    task = make_task("stop-1")
    stream = await adapter.submit(task)
    async with stream:
        first = await anext(stream)
        _require(first.kind == "started", f"a good task begins with {_ending(first)}")
        await adapter.cancel(task.task_id)
        bound = asyncio.timeout(_CANCEL_SLACK)
        try:
            async with bound:
                rest = [event async for event in stream]
        except TimeoutError:
            if not bound.expired():
                raise
            raise _Broken(f"a cancelled task went on for {_CANCEL_SLACK} s; its source has to end it at once") from None
    _require_cancelled(rest, stream)


async def _cancels_in_the_middle(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """After `cancel` returns no token comes; the stream still ends, in `end`; cancelling again is harmless."""
    task = make_task("cancel-1")
    stream = await adapter.submit(task)
    async with stream:
        async for event in stream:
            if event.kind == "token":
                break
        await adapter.cancel(task.task_id)
        rest = [event async for event in stream]
        await adapter.cancel(task.task_id)
    _require_cancelled(rest, stream)


def _require_cancelled(rest: Sequence[TokenEvent], stream: TokenStream) -> None:
    tokens = sum(event.kind == "token" for event in rest)
    _require(tokens == 0, f"{tokens} tokens after cancel returned")
    terminal = stream.terminal
    _require(terminal is not None and terminal.kind == "end", f"a cancelled stream ends in {_ending(terminal)}")


async def _cancels_only_its_task(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """Cancelling one task, or an id that nobody knows, leaves the others alone."""
    first = await adapter.submit(make_task("two-1"))
    second = await adapter.submit(make_task("two-2"))
    async with first, second:
        await adapter.cancel("nobody-knows-this-id")
        await adapter.cancel("two-1")
        events = [event async for event in second]
    last = events[-1] if events else None
    _require(last is not None and last.kind == "end", f"the other task ended in {_ending(last)}")
    finish = events[-1].data.get("finish_reason")
    _require(finish != "cancelled", f"the other task ended in end, {finish}")


async def _frees_a_dropped_task(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """Leaving the block early ends the task: its slot is free and its id may be used again."""
    before = (await adapter.props()).slots_free
    for _ in range(3):
        stream = await adapter.submit(make_task("drop-1"))
        async with stream:
            await anext(stream)
    after = (await adapter.props()).slots_free
    _require(before == after, f"{before} slots were free before, {after} after three dropped streams")


async def _refuses_an_id_in_flight(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """An id belongs to one task at a time, and is free again after its end."""
    async with await adapter.submit(make_task("same-1")) as stream:
        try:
            second = await adapter.submit(make_task("same-1"))
        except InvalidTask:
            pass
        else:
            await second.aclose()
            raise _Broken("an id that is in flight is accepted again")
        async for _ in stream:
            pass
    async with await adapter.submit(make_task("same-1")) as again:
        await anext(again)


async def _closes_for_good(adapter: WorkerAdapter, make_task: Callable[[str], TaskRequest]) -> None:
    """`aclose` ends what is in flight, works twice, and nothing is accepted afterwards."""
    stream = await adapter.submit(make_task("close-1"))
    await adapter.aclose()
    await adapter.aclose()
    async with stream:
        tokens = sum([event.kind == "token" async for event in stream])
    _require(tokens == 0, f"{tokens} tokens after aclose returned")
    error = await _refusal(adapter, make_task("close-2"), "a task after aclose")
    _require(error.reason == "closed", f"a task after aclose gave the reason {error.reason}, expected closed")


CHECKS: Final[dict[str, Callable[[Any, Any], Awaitable[None]]]] = {
    "has the shape": _has_the_shape,
    "reports itself": _reports_itself,
    "streams in order": _streams_in_order,
    "refuses wrong tasks": _refuses_wrong_tasks,
    "holds its deadline": _holds_its_deadline,
    "holds its limit": _holds_its_limit,
    "holds its slots": _holds_its_slots,
    "cancels in the middle": _cancels_in_the_middle,
    "stops when it is cancelled": _stops_when_it_is_cancelled,
    "cancels only its task": _cancels_only_its_task,
    "frees a dropped task": _frees_a_dropped_task,
    "refuses an id in flight": _refuses_an_id_in_flight,
    "closes for good": _closes_for_good,
}
"""Every check by its name, in the order in which they run."""

_SLOW_CHECKS: Final = (_holds_its_deadline, _stops_when_it_is_cancelled)
