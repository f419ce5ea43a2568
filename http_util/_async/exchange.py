"""
One call through deadline, retry and connection: the thing that waits.

What decides stands elsewhere: the policy (`retry`), the meaning of a status (`classify`) and of an exception
(`transport_errors`). Everything that leaves is an `HttpFailure` with its ledger, or `asyncio.CancelledError`.

Spec: HTU-1001, HTU-1002, HTU-05, HTU-12, HTU-14, HTU-PERF-1301, ERR-11
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

from tenacity import AsyncRetrying

from adapter_api.outcome import Outcome
from http_util._async.body import AsyncBody
from http_util._async.byte_stream import AsyncByteStream
from http_util._async.event_stream import AsyncEventStream
from http_util.attempt_ledger import AttemptLedger
from http_util.body_stream import BodyStream
from http_util.call import HttpReply, ReplyHead
from http_util.classify import classify_status, received_headers, upstream_request_id
from http_util.client import AsyncGuard
from http_util.engine import RESENT
from http_util.errors import (
    BODY_EXCERPT_BYTES,
    DeadlineExceeded,
    HttpFailure,
    Interrupted,
    ProtocolFailure,
    StatusFailure,
)
from http_util.redact import safe_message
from http_util.resilience import NOTHING, Layer
from http_util.retry_plan import RetryPlan
from http_util.streamed_body import StreamedBody
from http_util.telemetry import AttemptRecord, notify
from http_util.transport_errors import TRANSPORT_ERRORS, Phase, classify_transport_error, safe_cause
from http_util.watch import AsyncWatch
from http_util.wire_request import wire_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    import httpx

    from adapter_api.outcome import Attempt
    from http_util._async.layers import AsyncLayers
    from http_util.call import HttpCall
    from http_util.clock import Clock
    from http_util.resilience import Resilience

EVENT_STREAM: Final = "text/event-stream"
_SUCCESS: Final = range(200, 300)


class AsyncExchange:
    """
    Sends calls over one transport. Safe for any number of calls at once; keeps nothing about any of them.

    httpx's client is not in between: what it adds (redirects, cookies, credentials, hooks) is switched off in this
    house, and finding that out costs more than sending.

    Spec: HTU-PERF-1301
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        clock: Clock,
        rng: Random,
        max_response_bytes: int,
        max_event_bytes: int,
        resilience: Resilience = NOTHING,
    ) -> None:
        """
        Make an exchange over *transport*, which stays its owner's to close.

        Args:
            transport: From `build_async_transport`.
            clock: Source of all times and pauses.
            rng: Source of the jitter.
            max_response_bytes: Bound of a whole answer, after decompression.
            max_event_bytes: Bound of one server-sent event.
            resilience: What stands around every call. Its retry policy is for those who write calls: here a call
                without one is one attempt.
        """
        self._transport = transport
        # written at once, so that the guard need not add them
        self._headers = transport.headers if isinstance(transport, AsyncGuard) else ()
        self._clock = clock
        self._rng = rng
        self._max_response_bytes = max_response_bytes
        self._max_event_bytes = max_event_bytes
        self._budget = resilience.budget
        self._hooks = resilience.hooks
        self._layers = _layers_of(resilience, clock)

    async def send(self, call: HttpCall, *, watch: AsyncWatch | None = None) -> HttpReply:
        """
        Make *call* and read the whole answer.

        Raises:
            HttpFailure: The call failed, an answer with an error status included.
        """
        watch, head, body = await self._answered(call, watch)
        try:
            try:
                content = await body.read_all(self._max_response_bytes)
                if (passage := body.passage) is not None:
                    passage.settle(None, call.count_tokens(content) if call.count_tokens is not None else None)
            except HttpFailure as failure:
                failure.attempts = head.attempts
                failure.http_status = head.status
                if body.passage is not None:
                    body.passage.settle(failure)
                raise
            finally:
                await body.aclose()
            return HttpReply(head=head, body=content)
        finally:
            watch.stop()

    async def open(self, call: HttpCall, *, watch: AsyncWatch | None = None) -> AsyncEventStream:
        """
        Make *call* and return its answer as an open stream of events, which the caller closes.

        Args:
            call: The call to make.
            watch: By which others may break the call off, also while it streams. The stream owns it from here.

        Raises:
            HttpFailure: The call failed, or the answer is not an event stream.
        """
        watch, head, body = await self._answered(call, watch)
        media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == EVENT_STREAM:
            watch.on_broken(body.abandon)
            return AsyncEventStream(head, body, max_event_bytes=self._max_event_bytes)
        try:
            failure = await self._no_stream(call, head, body)
            if body.passage is not None:
                body.passage.settle(failure)
            raise failure
        finally:
            await body.aclose()
            watch.stop()

    async def download(self, call: HttpCall, *, watch: AsyncWatch | None = None) -> AsyncByteStream:
        """
        Make *call* and return its answer as an open stream of bytes, which the caller closes. Its size is not bounded.

        Args:
            call: The call to make.
            watch: As for `open`.

        Raises:
            HttpFailure: The call failed.

        Spec: HTU-20
        """
        watch, head, body = await self._answered(call, watch)
        watch.on_broken(body.abandon)
        return AsyncByteStream(head, body, max_whole_bytes=self._max_response_bytes)

    async def _answered(self, call: HttpCall, watch: AsyncWatch | None) -> tuple[AsyncWatch, ReplyHead, AsyncBody]:
        """Return the head and the open body of a good answer, and what the call is watched by, still running."""
        watch = watch or AsyncWatch(self._clock)
        watch.tighten(call.deadline)
        try:
            head, body = await self._answer(call, watch)
        except BaseException:
            watch.stop()
            raise
        return watch, head, body

    async def _answer(self, call: HttpCall, watch: AsyncWatch) -> tuple[ReplyHead, AsyncBody]:
        """Put the request to the upstream until it succeeds or must not be put again."""
        ledger = AttemptLedger()
        try:
            answer = await self._attempt(call, watch, ledger, delay=0.0)
        except HttpFailure as failure:
            if call.retry is None or not call.wants(Layer.RETRY):
                raise
            first = failure
        else:
            if self._budget is not None:
                self._budget.credit(call.endpoint, self._clock.monotonic())
            return answer
        return await self._again(call, watch, ledger, first)

    async def _again(
        self, call: HttpCall, watch: AsyncWatch, ledger: AttemptLedger, first: HttpFailure
    ) -> tuple[ReplyHead, AsyncBody]:
        """
        Retry a call whose first attempt has failed with *first*.

        Tenacity drives it and is told of that attempt too; it is made for such calls only, because most need none.
        """
        plan = RetryPlan(
            call.retry,
            clock=self._clock,
            rng=self._rng,
            endpoint=call.endpoint,
            began=ledger.started,
            deadline=call.deadline,
            replay_safe=call.replay_safe,
            can_be_sent=lambda: call.can_be_sent,
            budget=self._budget,
            hooks=self._hooks,
        )
        try:
            async for attempt in AsyncRetrying(
                sleep=lambda seconds: watch.guard(self._clock.sleep(seconds)), **plan.keywords()
            ):
                with attempt:
                    if attempt.retry_state.attempt_number == 1:
                        raise first
                    answer = await self._attempt(call, watch, ledger, delay=plan.delay)
                    if self._budget is not None:
                        self._budget.credit(call.endpoint, self._clock.monotonic(), plan.paid)
                    return answer
        except HttpFailure as failure:
            if failure.attempts:
                raise
            told = ledger.outside_attempts(failure)
            raise told from (failure if told is ledger.last_failure else None)
        raise AssertionError("tenacity ends with a result or an error")  # pragma: no cover - so its loop promises

    async def _attempt(
        self, call: HttpCall, watch: AsyncWatch, ledger: AttemptLedger, *, delay: float
    ) -> tuple[ReplyHead, AsyncBody]:
        """Make one attempt, through the layers if there are any."""
        if self._layers is None:
            return await self._once(call, watch, ledger, delay=delay)
        asked = len(ledger.attempts)
        try:
            return await self._layers.attempt(call, watch, lambda at: self._once(at, watch, ledger, delay=delay))
        except HttpFailure as failure:
            if failure.attempts or len(ledger.attempts) == asked:
                raise
            # an endpoint was asked, and then nobody got as far as the next one
            told = ledger.outside_attempts(failure)
            raise told from (failure if told is ledger.last_failure else None)

    async def _once(
        self, call: HttpCall, watch: AsyncWatch, ledger: AttemptLedger, *, delay: float
    ) -> tuple[ReplyHead, AsyncBody]:
        """Send the request once; return the head and the open body of a good answer."""
        ledger.begin(call.endpoint, self._clock.monotonic(), delay=delay)
        try:
            response = await self._send(call, watch, ledger)
            headers = received_headers(response.headers.raw)
            encoding = headers.get("content-encoding", "")
            body = AsyncBody.of(response, watch, self._clock, idle=call.timeouts.idle, encoding=encoding)
            if self._layers is not None:
                self._layers.learn(call, response.status_code, headers)
            if response.status_code not in _SUCCESS:
                raise await self._refused(call, response.status_code, headers, body)
        except HttpFailure as failure:
            line = ledger.failed(self._clock.monotonic(), failure)
            self._tell(call, line, None)
            raise
        request_id = upstream_request_id(headers, call.secrets)
        version = response.http_version
        line = ledger.succeeded(
            self._clock.monotonic(), http_status=response.status_code, upstream_request_id=request_id
        )
        self._tell(call, line, version)
        head = ReplyHead(
            status=response.status_code,
            headers=headers,
            http_version=version,
            attempts=ledger.attempts,
            upstream_request_id=request_id,
        )
        return head, body

    def _tell(self, call: HttpCall, line: Attempt, http_version: str | None) -> None:
        """Tell the hooks, if there are any, that an attempt has ended."""
        if self._hooks:
            record = AttemptRecord(method=call.method, attempt=line, http_version=http_version)
            notify(self._hooks, "on_attempt", record)

    async def _send(self, call: HttpCall, watch: AsyncWatch, ledger: AttemptLedger) -> httpx.Response:
        """The response with its body unread."""
        progress = _Progress(lambda: self._tell(call, ledger.resent(self._clock.monotonic()), None))
        extensions = {
            "timeout": call.timeouts.for_engine(
                read=watch.socket_timeout(call.timeouts), head=watch.head_timeout(call.timeouts)
            ),
            "trace": progress.trace,
        }
        now = self._clock.monotonic()
        first_byte, idle = call.timeouts.first_byte, call.timeouts.idle
        if idle is not None:
            # the wait for the body is bounded by it, and most often comes soon
            watch.ring_by(now + idle)
        try:
            # as `watch.guard` does it, without a coroutine of its own
            streams = isinstance(call.content, StreamedBody)
            watch.enter("first_byte_timeout", math.inf if first_byte is None or streams else now + first_byte)
            try:
                # the request has no name here: its URL may hold a key, and the frame may be shown
                response = await (
                    self._streamed(call, watch, extensions, progress)
                    if streams
                    else self._transport.handle_async_request(wire_request(call, extensions, self._headers))
                )
            except BaseException as error:
                if (broken := watch.leave(error)) is not None:
                    raise broken from None
                raise
            if (broken := watch.leave()) is not None:
                # an answer that came in spite of it is nobody's
                await response.aclose()
                raise broken
        except HttpFailure as failure:
            if progress.is_sent or failure.outcome is Outcome.NOT_SENT:
                raise
            raise failure.replace(outcome=Outcome.NOT_SENT) from None
        except TRANSPORT_ERRORS as error:
            if error is progress.callers_error:
                raise
            raise classify_transport_error(error, Phase.SENDING) from safe_cause(error)
        return response

    async def _streamed(
        self, call: HttpCall, watch: AsyncWatch, extensions: dict[str, Any], progress: _Progress
    ) -> httpx.Response:
        """
        Send a call whose body is read meanwhile; its source is let go of, whatever happens.

        The wait for the head begins when the body is sent: until then the upstream is bounded by the write timer.
        """

        def on_end() -> None:
            if call.timeouts.first_byte is not None:
                watch.postpone(self._clock.monotonic() + call.timeouts.first_byte)

        stream = BodyStream(cast("StreamedBody", call.content), check=watch.check, on_end=on_end)
        extensions["timeout"]["total"] = watch.total_timeout()
        try:
            return await self._transport.handle_async_request(wire_request(call, extensions, self._headers, stream))
        except Exception:
            if stream.failure is None:
                raise
            # on the way here it may have been copied or wrapped
            progress.callers_error = stream.failure
            raise stream.failure from None
        finally:
            stream.close()

    async def _refused(self, call: HttpCall, status: int, headers: Mapping[str, str], body: AsyncBody) -> StatusFailure:
        """The failure that an error answer stands for, by its status, its headers and the beginning of its body."""
        try:
            excerpt = await _excerpt(body)
        finally:
            await body.aclose()
        return call.refine(classify_status(status, headers, excerpt, self._clock.time(), call.secrets))

    async def _no_stream(self, call: HttpCall, head: ReplyHead, body: AsyncBody) -> HttpFailure:
        """The failure of an answer that says 200 and is not an event stream."""
        told = head.headers.get("content-type", "").partition(";")[0].strip()[:64] or "none"
        # the word is the upstream's, who may repeat a credential
        media_type = safe_message(told, [secret.reveal() for secret in call.secrets])
        del told
        try:
            excerpt = await _excerpt(body)
        except HttpFailure as failure:
            failure.attempts = head.attempts
            raise
        return ProtocolFailure(
            f"the upstream answered {head.status} with content type {media_type}, expected {EVENT_STREAM}",
            reason="content_type",
            outcome=Outcome.UNKNOWN,
            http_status=head.status,
            upstream_request_id=head.upstream_request_id,
            body=excerpt,
            attempts=head.attempts,
        )


def _layers_of(resilience: Resilience, clock: Clock) -> AsyncLayers | None:
    """The layers around an attempt, loaded only where there is one."""
    if not resilience.layers - {Layer.RETRY}:
        return None
    from http_util._async.layers import AsyncLayers

    return AsyncLayers(resilience, clock)


async def _excerpt(body: AsyncBody) -> bytes:
    """The beginning of a body that is no use otherwise: as much as came, unless the call itself is over."""
    try:
        return await body.read_some(BODY_EXCERPT_BYTES)
    except (DeadlineExceeded, Interrupted):
        raise
    except HttpFailure:
        return b""


class _Progress:
    """How far one attempt has come, as the engine tells it."""

    __slots__ = ("_on_resent", "callers_error", "is_sent")

    def __init__(self, on_resent: Callable[[], None]) -> None:
        self.is_sent = False
        # what the source of the body raised, or who is told of its progress
        self.callers_error: Exception | None = None
        self._on_resent = on_resent

    async def trace(self, name: str, info: Mapping[str, Any]) -> None:  # noqa: ARG002 - the engine's signature
        """
        Listen to the engine.

        From the first byte of the request on, nobody knows what the upstream does with it, unless it says that it did
        nothing: then the engine sends it again, which is one more line of the ledger.
        """
        if name.endswith("send_request_headers.started"):
            self.is_sent = True
        elif name == RESENT:
            self.is_sent = False
            self._on_resent()
