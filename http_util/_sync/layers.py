# Written by scripts/unasync.py from http_util/_async/layers.py; do not edit.
"""
The layers around one attempt: where it goes, whether it may, and when.

Spec: REL-07, FO-01, CB-06
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from http_util.call import LimitedCall
from http_util.errors import HttpFailure
from http_util.failover import FailoverRecord
from http_util.passage import Passage
from http_util.resilience import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from http_util._sync.body import Body
    from http_util.call import HttpCall, ReplyHead
    from http_util.clock import SyncClock
    from http_util.failover import Failover
    from http_util.resilience import Resilience
    from http_util.watch import Watch


class Layers:
    """Failover, breaker and limiter of one exchange; made only where there is one of them."""

    def __init__(self, resilience: Resilience, clock: SyncClock) -> None:
        """Stand before attempts with the collaborators of *resilience*."""
        self._failover = resilience.failover
        self._breaker = resilience.breaker
        self._limiter = resilience.limiter
        self._clock = clock

    def attempt(
        self,
        call: HttpCall,
        watch: Watch,
        send: Callable[[HttpCall], tuple[ReplyHead, Body]],
    ) -> tuple[ReplyHead, Body]:
        """
        Make one attempt at *call*, at one endpoint after the other until one answers or there is no other.

        Args:
            call: What to send.
            watch: Guards the waits.
            send: Sends a call once.

        Raises:
            HttpFailure: The last endpoint's failure, or a layer's refusal.
        """
        failover = self._failover
        if failover is None or not call.alternatives or not call.wants(Layer.FAILOVER):
            return self._at(call, watch, send)
        calls = [call, *(replace(call, url=other.url, headers=other.headers) for other in call.alternatives)]
        route = [calls[n] for n in failover.route([at.endpoint for at in calls], self._clock.monotonic())]
        for at, following in zip(route, [*route[1:], None], strict=True):
            try:
                answer = self._at(at, watch, send)
            except HttpFailure as failure:
                if not failover.moves(failure, replay_safe=call.replay_safe):
                    raise
                failover.failed(at.endpoint, self._clock.monotonic())
                if following is None or not call.can_be_sent:
                    raise
                _tell(failover, at, following, failure)
            else:
                failover.served(at.endpoint)
                return answer
        raise AssertionError("a route has an end")  # pragma: no cover - the loop returns or raises

    def _at(
        self,
        call: HttpCall,
        watch: Watch,
        send: Callable[[HttpCall], tuple[ReplyHead, Body]],
    ) -> tuple[ReplyHead, Body]:
        """Make an attempt at one endpoint, with the leave of breaker and limiter; the answer's body holds it."""
        passage = self._enter(call, watch)
        try:
            head, body = send(call)
        except HttpFailure as failure:
            passage.settle(failure)
            raise
        except BaseException:
            passage.abandon()
            raise
        body.passage = passage
        return head, body

    def _enter(self, call: HttpCall, watch: Watch) -> Passage:
        """Ask the breaker, then the limiter: an open breaker costs no place."""
        circuit = permit = leave = None
        if self._breaker is not None and call.wants(Layer.CIRCUIT_BREAKER):
            circuit = self._breaker.circuit(call.endpoint)
            permit = circuit.admit(self._clock.monotonic(), request_id=call.request_id)
        if self._limiter is not None and call.wants(Layer.RATE_LIMITING):
            try:
                leave = self._limiter.acquire(LimitedCall.of(call), watch, self._clock)
            except BaseException:
                if circuit is not None and permit is not None:
                    circuit.abandon(permit, self._clock.monotonic())
                raise
        return Passage(self._clock, circuit, permit, leave)

    def learn(self, call: HttpCall, status: int, headers: Mapping[str, str]) -> None:
        """Let the limiter take in the head of an answer."""
        if self._limiter is not None and call.wants(Layer.RATE_LIMITING):
            self._limiter.learn(LimitedCall.of(call), status, headers, self._clock.monotonic())


def _tell(failover: Failover, call: HttpCall, following: HttpCall, failure: HttpFailure) -> None:
    """Tell the hooks that a call moves on."""
    failover.tell(
        FailoverRecord(
            endpoint=call.endpoint,
            next_endpoint=following.endpoint,
            failure=failure,
            request_id=call.request_id,
        )
    )
