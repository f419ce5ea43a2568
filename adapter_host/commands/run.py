"""
`adapter-host run`: one task, its answer as it comes.

Ctrl-C, or a request to terminate, cancels the task upstream and waits for that; a second one gives up waiting.

Spec: HST-14, HST-15, HST-16
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from adapter_api import TaskRequest, WorkerError
from adapter_host.commands.embedded import embedded_upstream
from adapter_host.commands.exit_codes import FAILED, INTERRUPTED, OK, TERMINATED, CommandError, exit_code_of, say
from adapter_host.commands.logs import configure_logs
from adapter_host.commands.output import JsonOutput, Output, TextOutput, summary
from adapter_host.commands.prompt import DEMO_PROMPT
from adapter_host.commands.target import Target, embedded_target, in_the_users_words
from adapter_host.config import ConfigError
from adapter_host.host import AdapterHost
from http_util.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapter_api import TokenStream

CONTEXT: Final = 8192
"""Context length that a task of the command line states, in tokens, unless it asks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What one run is asked for."""

    prompt: str | None
    model: str | None
    max_tokens: int
    deadline: float
    """Seconds."""
    seed: int | None
    temperature: float | None
    as_json: bool
    verbose: bool


def run(options: RunOptions, target: Target | None) -> int:
    """
    Run the task to its end and return the exit code.

    Args:
        options: What is asked for.
        target: Where it goes; None starts the embedded upstream.

    Raises:
        CommandError: There is no prompt for a real upstream, or the embedded one does not start.
        ConfigError: An adapter refuses its settings.
    """
    if target is not None and options.prompt is None:
        raise CommandError("PROMPT: expected a text, - for standard input, or --file")
    return asyncio.run(_run(options, target))


async def _run(options: RunOptions, target: Target | None) -> int:
    async with contextlib.AsyncExitStack() as stack:
        if target is None:
            say("no configuration found: starting the embedded upstream, a simulator on loopback")
            base_url = await stack.enter_async_context(embedded_upstream())
            target = embedded_target(base_url, options.model)
        logger = configure_logs(verbose=options.verbose, secrets=target.secrets)
        try:
            host = AdapterHost.from_config(target.config, logger=logger)
        except ConfigError as exc:
            raise in_the_users_words(exc, target) from None
        stack.push_async_callback(host.aclose, grace=0.0)
        output: Output = JsonOutput() if options.as_json else TextOutput()
        try:
            task = _task(options, target)
        except WorkerError as error:
            output.failure(error)
            return exit_code_of(error)
        with _interruptible(host, target.pool_id, task.task_id) as interruption:
            code = await _show(host, target.pool_id, task, output)
        return code if interruption.code is None else interruption.code


def _task(options: RunOptions, target: Target) -> TaskRequest:
    identity = f"cli-{uuid4().hex[:12]}"
    return TaskRequest(
        task_id=identity,
        session_id=identity,
        workload="completion",
        model_ref=target.model,
        engine="openai",
        ctx=max(CONTEXT, options.max_tokens),
        priority="interactive",
        max_tokens=options.max_tokens,
        deadline_ms=round(options.deadline * 1000),
        prompt=DEMO_PROMPT if options.prompt is None else options.prompt,
        seed=options.seed,
        temperature=options.temperature,
    )


async def _show(host: AdapterHost, pool_id: str, task: TaskRequest, output: Output) -> int:
    """Submit, and show what comes."""
    clock = SystemClock()
    began_at = clock.monotonic()
    try:
        stream = await host.submit(pool_id, task)
    except WorkerError as error:
        output.failure(error)
        return exit_code_of(error)
    first_token = None
    async with stream:
        while batch := await stream.next_batch():
            if first_token is None and any(event.kind == "token" for event in batch):
                first_token = clock.monotonic() - began_at
            output.batch(batch)
    return _close(stream, output, first_token, clock.monotonic() - began_at)


def _close(stream: TokenStream, output: Output, first_token: float | None, seconds: float) -> int:
    try:
        stream.raise_for_error()
    except WorkerError as error:
        output.failure(error)
        return exit_code_of(error)
    if stream.terminal is None:  # pragma: no cover - a guarded stream always has a terminal event
        return FAILED
    output.end(summary(stream.terminal.data, first_token=first_token, seconds=seconds))
    return FAILED if stream.terminal.data.get("finish_reason") == "cancelled" else OK


class _Interruption:
    """Whether Ctrl-C, or a request to terminate, has come."""

    code: int | None = None
    """The exit code that the first one stands for."""


@contextlib.contextmanager
def _interruptible(host: AdapterHost, pool_id: str, task_id: str) -> Iterator[_Interruption]:
    """Turn the first interrupt into a cancel of the task, and the second into a cancel of this program."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    interruption = _Interruption()
    cancels: list[asyncio.Task[None]] = []

    def interrupt(code: int) -> None:
        if interruption.code is not None and main is not None:
            main.cancel()
        interruption.code = interruption.code or code
        cancels.append(loop.create_task(host.cancel(pool_id, task_id)))

    codes = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
    for number, code in codes.items():
        loop.add_signal_handler(number, interrupt, code)
    try:
        yield interruption
    except asyncio.CancelledError:
        raise SystemExit(interruption.code) from None
    finally:
        for number in codes:
            loop.remove_signal_handler(number)
