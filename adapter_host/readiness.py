"""
Which replicas would take a task now, without asking each time.

An answer is good for a short while; a task that starts is as good an answer. Those who ask at the same time share one
question, and one who gives up does not take it away from the others.

Spec: HST-02, ORCH-3603
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from adapter_api import Fault, WorkerError, WorkerHealth, WorkerProps
from adapter_host.waiting import within
from http_util.redact import safe_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from adapter_host.registry import Replica
    from http_util.clock import Clock

GOOD_FOR: Final = 5.0
"""Seconds for which a readiness is believed; a replica that fails in between is found out by its first failed task."""

CHECK_TIMEOUT: Final = 5.0
"""Seconds that a replica has to answer."""


class Readiness:
    """Asks replicas how they are, and remembers for a while."""

    def __init__(
        self,
        clock: Clock,
        *,
        good_for: float = GOOD_FOR,
        timeout: float = CHECK_TIMEOUT,
        on_check: Callable[[Replica, WorkerHealth], None],
        on_fault: Callable[[Replica, Fault], None],
    ) -> None:
        """
        Ask nobody yet.

        Args:
            clock: Measures age and bounds.
            good_for: Seconds for which an answer is believed; 0 asks for every task.
            timeout: Most seconds for one replica's answer.
            on_check: Told of every answer.
            on_fault: Told what an adapter raised that no adapter may.
        """
        self._clock = clock
        self._good_for = good_for
        self._timeout = timeout
        self._on_check = on_check
        self._on_fault = on_fault
        self._asking: dict[Replica, asyncio.Task[WorkerHealth]] = {}

    def is_fresh(self, replica: Replica) -> bool:
        """Whether the last answer of *replica* is still believed."""
        return replica.health is not None and self._clock.monotonic() - replica.checked_at < self._good_for

    def confirm(self, replica: Replica) -> None:
        """Believe that *replica* is ready: it has just started a task."""
        if replica.health is None or not replica.health.ready:
            replica.health = WorkerHealth(live=True, ready=True)
        replica.checked_at = self._clock.monotonic()

    def doubt(self, replica: Replica) -> None:
        """Forget the last answer of *replica*: it has just failed."""
        replica.health = None

    async def ask(self, replicas: Iterable[Replica]) -> list[WorkerHealth]:
        """Ask all of *replicas* at once; the answers come in their order, and are remembered."""
        questions = [self._question(replica) for replica in replicas]
        return list(await asyncio.gather(*(asyncio.shield(question) for question in questions)))

    def ask_soon(self, replicas: Iterable[Replica]) -> None:
        """Ask without waiting for the answers."""
        for replica in replicas:
            self._question(replica)

    async def aclose(self) -> None:
        """Take back every question that is still open."""
        asking = list(self._asking.values())
        for question in asking:
            question.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _question(self, replica: Replica) -> asyncio.Task[WorkerHealth]:
        """The question to *replica* that is under way, or a new one."""
        question = self._asking.get(replica)
        if question is None:
            question = self._asking[replica] = asyncio.create_task(self._ask_one(replica))
            question.add_done_callback(lambda _: self._asking.pop(replica, None))
        return question

    async def _ask_one(self, replica: Replica) -> WorkerHealth:
        try:
            health, props = await within(self._clock, self._timeout, _both(replica))
        except TimeoutError:
            health, props = _down("connect_timeout", f"no answer within {self._timeout:g} s"), None
        except WorkerError as error:
            health, props = _down(error.reason, safe_message(error.message)), None
        # An adapter is foreign code seen from the host; its text may hold anything, so only its class is named.
        except Exception as exc:  # noqa: BLE001
            health, props = _down("internal", f"{replica.adapter_name} raised {type(exc).__name__}"), None
            self._on_fault(replica, Fault.of(exc))
        replica.health = health
        replica.props = props or replica.props
        replica.checked_at = self._clock.monotonic()
        replica.in_flight_at_check = replica.in_flight
        self._on_check(replica, health)
        return health


async def _both(replica: Replica) -> tuple[WorkerHealth, WorkerProps]:
    return await replica.adapter.health(), await replica.adapter.props()


def _down(reason: str, detail: str) -> WorkerHealth:
    return WorkerHealth(live=False, ready=False, reason=reason, detail=detail)
