"""
Health checks: asked for one by one, or in a loop that somebody starts and stops.

A check is one GET with the client's key, past the layers around its calls: neither a retry nor another endpoint may
answer for an upstream that is down, and neither an open breaker nor a limiter keeps a check from finding that it is
back. The loop has a connection of its own, so a client that is busy to its limit is not taken for a sick upstream, and
`stop` ends a check under way by closing it. A transport that the client was given is used for the loop too: then
blocking code waits in `stop` until the check has ended, at most its timeout.

What a result says is decided in `health_results`, what the results amount to in `http_util.health_check`.

Spec: HC-01, REL-03, REL-08
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from http_util.deadline import Deadline
from http_util.errors import HttpFailure
from http_util.watch import AsyncWatch
from openai_client.bare_transport import AsyncBareTransport, BareTransport
from openai_client.client import AsyncClient, Client
from openai_client.error_mapping import from_failure
from openai_client.health_results import HealthResults

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from http_util.clock import Clock, SyncClock
    from http_util.health_check import HealthPolicy
    from openai_client.health_results import CheckResult
    from openai_client.transport import AsyncTransport, Transport
    from openai_client.waiting import MakeSignal, Signal

# the client ends a check in time and says why; this is for a transport that does not heed its deadline
_GRACE: Final = 0.025


class AsyncHealthCheck(HealthResults):
    """
    Checks the upstream of an `AsyncClient`. For one event loop.

    Nothing runs before `start`, and nothing after `stop`; as a context manager it does both.

    Spec: HC-01
    """

    def __init__(
        self,
        client: AsyncClient,
        policy: HealthPolicy | None = None,
        *,
        clock: Clock | None = None,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Prepare the checks; nothing is sent.

        Args:
            client: Whose upstream is checked, with its settings. It stays its owner's to close.
            policy: What is asked, how often, and how many answers make a verdict.
            clock: Source of times and pauses; by default the client's.
            hooks: Objects with ``on_health_change``, which takes a `http_util.health_check.HealthChanged`.

        Raises:
            InvalidFieldValue: The policy's path cannot be called.
        """
        super().__init__(client.config.base_url, policy, hooks)
        self._client = client
        # as all clients of this package have them
        self._clock: Clock = clock or client._clock  # noqa: SLF001
        self._task: asyncio.Task[None] | None = None

    async def check(self) -> CheckResult:
        """
        Check once, over the client's own connections, and count the result.

        Never raises because of the upstream: `CheckResult.error` says what happened.
        """
        transport = AsyncBareTransport(self._client._transport)  # noqa: SLF001 - ours
        return await self._check(self._over(transport))

    @property
    def is_running(self) -> bool:
        """Whether the loop runs."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """
        Start the loop, with a check at once. Does nothing when it runs already.

        Raises:
            RuntimeError: There is no running event loop.
        """
        if not self.is_running:
            # what the starter's context holds, such as the id of a request, does not belong to the checks
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="health-check", context=contextvars.Context()
            )

    async def stop(self) -> None:
        """Stop the loop, a check under way included, and wait until it has ended. Safe to call twice."""
        task = self._task
        if task is None:
            return
        if not task.cancelling():
            task.cancel()
        await asyncio.wait((task,))

    async def __aenter__(self) -> Self:
        """Start the loop."""
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        await self.stop()

    async def _run(self) -> None:
        """Check until cancelled."""
        is_given = not self._client._owns_transport  # noqa: SLF001 - ours
        client = self._over(AsyncBareTransport(self._client._transport) if is_given else None)  # noqa: SLF001 - ours
        try:
            while True:
                await self._check(client)
                await self._clock.sleep(self.policy.interval)
        finally:
            await client.aclose()

    async def _check(self, client: AsyncClient) -> CheckResult:
        """Check once through *client*."""
        began = self._clock.monotonic()
        watch = AsyncWatch(self._clock, Deadline(began + self.policy.timeout + _GRACE))
        error: Exception | None = None
        try:
            await watch.guard(client.execute(self._operation))
        except HttpFailure as failure:
            error = from_failure(failure)
        # a transport may be foreign code: whatever it raises, the check has failed
        except Exception as failure:  # noqa: BLE001
            error = failure
        finally:
            watch.stop()
        return self._found(error, began, self._clock.monotonic())

    def _over(self, transport: AsyncTransport | None) -> AsyncClient:
        """Return a client with the same settings over *transport*, or over connections of its own."""
        return AsyncClient(self._client.config.with_settings(retry=None), transport=transport, clock=self._clock)

    def __repr__(self) -> str:
        """Show what is checked, and the verdict."""
        return f"AsyncHealthCheck({self._record!r}, running={self.is_running})"


class _Loop(NamedTuple):
    """One run of the blocking loop."""

    thread: threading.Thread
    client: Client
    stopped: Signal


class HealthCheck(HealthResults):
    """
    Checks the upstream of a `Client`. Safe for threads.

    Nothing runs before `start`, and nothing after `stop`; as a context manager it does both. The loop is a thread.

    Example:
        >>> from http_util.client import build_client
        >>> from http_util.clock import SystemSyncClock
        >>> from http_util.testing import Answer, ScriptedUpstream
        >>> from openai_client import Client, ClientConfig, HttpTransport
        >>> config = ClientConfig(base_url="http://localhost:8000/v1", api_key=None)
        >>> upstream = ScriptedUpstream(Answer.json(b"{}"), *[Answer.json(b"{}", status=503)] * 3)
        >>> http_client = build_client(config.http, transport=upstream)
        >>> transport = HttpTransport(config.http, clock=SystemSyncClock(), http_client=http_client)
        >>> checks = HealthCheck(Client(config, transport=transport))
        >>> checks.health.value, [checks.check().health.value for _ in range(4)]
        ('unknown', ['healthy', 'healthy', 'healthy', 'unhealthy'])

    Spec: HC-01
    """

    def __init__(
        self,
        client: Client,
        policy: HealthPolicy | None = None,
        *,
        clock: SyncClock | None = None,
        hooks: Sequence[object] = (),
        make_signal: MakeSignal = threading.Event,
    ) -> None:
        """
        Prepare the checks; nothing is sent and no thread is started.

        Args:
            client: Whose upstream is checked, with its settings. It stays its owner's to close.
            policy: What is asked, how often, and how many answers make a verdict.
            clock: Source of times; by default the client's.
            hooks: As for `AsyncHealthCheck`; called in the thread that made the check.
            make_signal: Makes what the loop waits for between two checks.

        Raises:
            InvalidFieldValue: The policy's path cannot be called.
        """
        super().__init__(client.config.base_url, policy, hooks)
        self._client = client
        self._clock: SyncClock = clock or client._clock  # noqa: SLF001 - ours
        self._make_signal = make_signal
        self._loop: _Loop | None = None

    def check(self) -> CheckResult:
        """
        Check once, over the client's own connections, and count the result.

        Never raises because of the upstream: `CheckResult.error` says what happened.
        """
        began = self._clock.monotonic()
        error = self._ask(self._over(BareTransport(self._client._transport)))  # noqa: SLF001 - ours
        return self._found(error, began, self._clock.monotonic())

    @property
    def is_running(self) -> bool:
        """Whether the loop runs."""
        loop = self._loop
        return loop is not None and loop.thread.is_alive()

    def start(self) -> None:
        """Start the loop, with a check at once. Does nothing when it runs already."""
        with self._lock:
            if self.is_running:
                return
            is_given = not self._client._owns_transport  # noqa: SLF001 - ours
            client = self._over(BareTransport(self._client._transport) if is_given else None)  # noqa: SLF001 - ours
            stopped = self._make_signal()
            thread = threading.Thread(target=self._run, args=(client, stopped), name="health-check", daemon=True)
            self._loop = _Loop(thread, client, stopped)
            thread.start()

    def stop(self) -> None:
        """
        Stop the loop and wait until its thread has ended. Safe to call twice.

        A check under way ends at once, or, over a transport that the client was given, when that lets go of it. A hook
        may call this too: the thread that it runs in then ends behind it.
        """
        loop = self._loop
        if loop is None:
            return
        loop.stopped.set()
        loop.client.close()
        if loop.thread is not threading.current_thread():
            loop.thread.join()

    def __enter__(self) -> Self:
        """Start the loop."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _run(self, client: Client, stopped: Signal) -> None:
        """Check until stopped."""
        try:
            while not stopped.is_set():
                began = self._clock.monotonic()
                error = self._ask(client)
                # what the stop itself broke says nothing of the upstream
                if stopped.is_set():
                    return
                self._found(error, began, self._clock.monotonic())
                stopped.wait(self.policy.interval)
        finally:
            # a check that was just beginning may have opened what `stop` had closed
            client.close()

    def _ask(self, client: Client) -> Exception | None:
        """Check once through *client*; return what went wrong."""
        try:
            client.execute(self._operation)
        # a transport may be foreign code: whatever it raises, the check has failed
        except Exception as error:  # noqa: BLE001
            return error
        return None

    def _over(self, transport: Transport | None) -> Client:
        """Return a client with the same settings over *transport*, or over connections of its own."""
        return Client(self._client.config.with_settings(retry=None), transport=transport, clock=self._clock)

    def __repr__(self) -> str:
        """Show what is checked, and the verdict."""
        return f"HealthCheck({self._record!r}, running={self.is_running})"
