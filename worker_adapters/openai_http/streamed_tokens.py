"""
The tokens of one call: reads the open answer, lets the reader decide, keeps the timers, tells how it ended.

    a read brings events       -> the reader turns them into tokens, as many as there are
    nothing proves an end      -> error: truncated, reset, a timer, the deadline
    a finish reason, or [DONE] -> end, at most `linger` seconds later: a usage chunk may still come

Spec: SVC-04, SVC-05, SVC-06, SVC-08, SVC-10, SVC-16, ADP-20, ADP-21, ADP-23, ADP-31
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapter_api import Outcome, TaskCancelled, TokenEvent, WorkerError
from http_util.errors import HttpFailure, Interrupted, ProtocolFailure
from openai_client.error_mapping import from_failure, from_stream_error
from openai_client.token_costs import tokens_of
from worker_adapters.openai_http.event_payloads import StreamTimes, end_payload, metrics_payload, started_payload
from worker_adapters.openai_http.token_reader import DONE, UnreadableChunk, UpstreamError
from worker_adapters.openai_http.upstream_words import shown_word
from worker_adapters.openai_http.worker_errors import worker_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapter_api import Attempt
    from http_util import AsyncEventStream, Secret
    from http_util.sse import Frame
    from openai_client.errors import OpenAIError
    from worker_adapters.openai_http.call_report import CallReport
    from worker_adapters.openai_http.service_call import CallContext, StreamPolicy


_UPSTREAMS_WORDS: Final = ("engine_version", "model", "system_fingerprint", "finish_reason")


class StreamedTokens:
    """
    A `TokenSource` over one open answer. One task reads; any task may cancel.

    Spec: SVC-04
    """

    def __init__(
        self,
        stream: AsyncEventStream,
        context: CallContext,
        policy: StreamPolicy,
        report: CallReport,
        *,
        secrets: Sequence[Secret],
    ) -> None:
        """
        Take over *stream*, which is closed on every way out.

        Args:
            stream: The open answer.
            context: Whose call it is.
            policy: Its timers.
            report: Where the call is told of.
            secrets: The credentials of the call, kept out of every message.
        """
        self._stream = stream
        self._take_frames = stream.take_frames
        self._context = context
        self._policy = policy
        self._report = report
        self._secrets = secrets
        self._reader = context.reader
        self._watch = context.watch
        self._clock = context.watch.clock
        self._tokens: list[TokenEvent] = []
        self._terminal: TokenEvent | None = None
        self._error: WorkerError | None = None
        # what a breaker is told of the end: what broke the stream, None when nothing did
        self._failure: HttpFailure | None = None
        self._is_closing = False
        self._closed = asyncio.Event()
        self._closer: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._on_closed: Callable[[TokenEvent], None] | None = None
        self._content_timeout = math.inf if policy.content_timeout is None else policy.content_timeout
        # The timer that runs beside that of silence, its seconds that are left, and the moment at which it rings: for
        # content and, once there is a finish reason, for the end. It runs from the first wait on until something came
        # of it: what the consumer takes is not the upstream's time.
        self._timer = "content_timeout"
        self._left = self._content_timeout
        self._due: float | None = None
        self._is_ending = False
        self._first_token_at: float | None = None
        self._attempts: tuple[Attempt, ...] | None = None
        self._words = context.words
        self._watch.on_broken(self._close_soon)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The ledger of the call."""
        if self._attempts is None:
            self._attempts = tuple(map(self._shown_attempt, self._stream.head.attempts))
        return self._attempts

    @property
    def was_retried(self) -> bool:
        """Whether it took more than one attempt."""
        return len(self._stream.head.attempts) > 1

    @property
    def model(self) -> str | None:
        """The model that answers, as the upstream names it."""
        told = self._reader.model
        return None if told is None else self._words.shown(told, self._secrets)

    def on_closed(self, callback: Callable[[TokenEvent], None]) -> None:
        """Call *callback* with the terminal event once the upstream is closed; at once when it is already."""
        self._on_closed = callback
        if self._closed.is_set() and self._terminal is not None:
            callback(self._terminal)

    async def start(self) -> None:
        """
        Read up to the first valid chunk; `started` and what came with it then wait to be fetched.

        Raises:
            TaskCancelled: The task was cancelled before there was one. The upstream is closed.
            WorkerError: There is no such chunk. The upstream is closed.
        """
        try:
            while not self._reader.started and self._terminal is None:
                await self._read()
            if self._due is not None:
                self._left, self._due = self._due - self._clock.monotonic(), None
        except BaseException:
            await self._close()
            raise
        if not self._reader.started:
            await self._close()
            raise self._error or self._cancelled()
        self._tokens.insert(0, TokenEvent("started", self._safe(started_payload(self._reader, self._context.identity))))
        self._report.started(self._stream.head.status)

    async def next_events(self) -> list[TokenEvent]:
        """The tokens of the next read that brings some, and the terminal event when the stream is over."""
        try:
            while not self._tokens and self._terminal is None:
                # as `_read`, without a coroutine of its own for each token
                try:
                    if (frames := self._take_frames()) or frames is None:
                        self._take(frames)
                    else:
                        await self._news()
                except HttpFailure as failure:
                    self._break(failure)
            if self._terminal is None:
                events, self._tokens = self._tokens, []
                return events
            await self._close()
        except BaseException:
            await self._close()
            raise
        return [*self._tokens, *self._ending(self._terminal)]

    async def cancel(self) -> None:
        """Stop the upstream; return when it has been told."""
        if self._closed.is_set():
            return
        if self._watch.break_off(Interrupted("cancelled", reason="cancelled", outcome=self._outcome)):
            # the reading task is on its way out, and closes
            await self._closed.wait()
        else:
            await self._close()

    async def aclose(self) -> None:
        """Stop the upstream; nobody reads any more."""
        await self.cancel()

    def dropped(self) -> None:
        """The stream was collected unclosed, in whatever thread: stop the upstream, soon."""
        # a loop that is closed has nothing to stop any more
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._close_soon)

    @property
    def _outcome(self) -> Outcome:
        """What the upstream may have done when the stream breaks now."""
        return Outcome.PARTIAL if self._reader.index else Outcome.UNKNOWN

    async def _read(self) -> None:
        """Take in what the upstream has sent, or wait for it, or learn what came instead of it."""
        try:
            if (frames := self._stream.take_frames()) or frames is None:
                self._take(frames)
            else:
                await self._news()
        except HttpFailure as failure:
            self._break(failure)

    def _news(self) -> Awaitable[None]:
        """What to await before the upstream is read again."""
        now = self._clock.monotonic()
        if self._due is None:
            self._due = now + self._left
        news: Awaitable[None] = self._stream.news(self._timer, self._due, now)
        return news

    def _take(self, frames: Sequence[Frame] | None) -> None:
        """Take in one read of the upstream; None means that the body has ended."""
        reader, tokens = self._reader, self._tokens
        before = len(tokens)
        if frames is None:
            self._take_end()
            return
        try:
            reader.take(frames, tokens)
        except UpstreamError as error:
            self._fail(self._upstream_error(error.payload))
        except UnreadableChunk as error:
            self._end_if_proven("decode", str(error))
        except Exception:  # noqa: BLE001 - a bug of a reader is no reason to leave the contract; its text may be private
            self._conclude(self._broken("internal", "a chunk of the stream could not be taken in"))
        if len(tokens) > before:
            self._left, self._due = self._content_timeout, None
            if self._first_token_at is None:
                self._first_token_at = self._clock.monotonic()
        if not self._is_ending and (reader.finish_reason is not None or reader.is_complete):
            self._is_ending = True
            self._timer = "linger"
            self._left, self._due = self._policy.linger, None

    def _take_end(self) -> None:
        """The body has ended; its last event may have lacked only the blank line."""
        tail = self._stream.tail
        if tail is not None and tail.event is not None and tail.event.data == DONE:
            self._reader.read(tail.event.event, DONE, self._tokens)
        self._end_if_proven("truncated", "the stream stopped without evidence of an end")

    def _break(self, failure: HttpFailure) -> None:
        """The stream broke off: by a cancel, by a timer, or by itself."""
        failure = self._failure = self._stream.told(failure)
        if isinstance(failure, Interrupted):
            self._end(is_cancelled=True)
        elif self._is_ending:
            self._end_if_proven("truncated", "the stream was closed without evidence of an end")
        else:
            facts = {"outcome": self._outcome, "attempts": self._failed_attempts(failure.reason)}
            self._fail(from_failure(failure.replace(**facts), self._secrets))

    def _end_if_proven(self, reason: str, message: str) -> None:
        if self._reader.evidence is not None:
            self._failure = None
            self._end(is_cancelled=False)
        else:
            self._conclude(self._broken(reason, message))

    def _end(self, *, is_cancelled: bool) -> None:
        if self._terminal is None:
            payload = end_payload(
                self._reader,
                self._context.identity,
                self._times(),
                self.attempts,
                http_version=self._stream.head.http_version,
                is_cancelled=is_cancelled,
            )
            self._safe(payload)
            if (request_id := self._request_id) is not None:
                payload["upstream_request_id"] = request_id
            self._terminal = TokenEvent("end", payload)

    def _fail(self, error: OpenAIError) -> None:
        self._conclude(worker_error(error, streaming=self._reader.started, private=self._context.private))

    def _conclude(self, error: WorkerError) -> None:
        if self._terminal is None:
            self._error = error
            if self._failure is None:
                self._failure = ProtocolFailure(
                    "the stream failed", reason=error.reason, outcome=self._outcome, http_status=error.http_status
                )
            self._terminal = TokenEvent("error", error.payload())

    def _broken(self, reason: str, message: str) -> WorkerError:
        head = self._stream.head
        return WorkerError(
            reason,
            message,
            streaming=self._reader.started,
            outcome=self._outcome,
            http_status=head.status,
            attempts=self._failed_attempts(reason),
            upstream_request_id=self._request_id,
        )

    def _cancelled(self) -> TaskCancelled:
        head = self._stream.head
        return TaskCancelled(
            outcome=self._outcome,
            http_status=head.status,
            attempts=self._failed_attempts("cancelled"),
            upstream_request_id=self._request_id,
        )

    def _upstream_error(self, payload: object) -> OpenAIError:
        error = from_stream_error(
            payload,
            self._secrets,
            outcome=self._outcome,
            upstream_request_id=self._request_id,
        )
        error.attempts = self._failed_attempts(error.reason)
        return error

    def _failed_attempts(self, reason: str) -> tuple[Attempt, ...]:
        """The ledger; its last attempt, which had begun well, has failed after all."""
        *before, last = self.attempts
        return (*before, replace(last, outcome=self._outcome, reason=reason))

    @property
    def _request_id(self) -> str | None:
        """The id that the upstream gave to the request it answered, as it may be shown."""
        return self.attempts[-1].upstream_request_id

    def _shown_attempt(self, line: Attempt) -> Attempt:
        """*line* with the upstream's own word in it made safe: without the key, which it may repeat."""
        told = line.upstream_request_id
        shown = None if told is None else shown_word(told, self._secrets)
        return line if shown == told else replace(line, upstream_request_id=shown)

    def _safe(self, payload: dict[str, Any]) -> dict[str, Any]:
        """*payload* with the upstream's own words in it made safe."""
        for name in _UPSTREAMS_WORDS:
            if (word := payload.get(name)) is not None:
                payload[name] = self._words.shown(word, self._secrets)
        return payload

    def _ending(self, terminal: TokenEvent) -> list[TokenEvent]:
        if terminal.kind == "end" and self._policy.metrics_events:
            return [TokenEvent("metrics", metrics_payload(self._reader, self._times())), terminal]
        return [terminal]

    def _times(self) -> StreamTimes:
        return StreamTimes(began=self._report.began, first_token=self._first_token_at, ended=self._clock.monotonic())

    def _close_soon(self) -> None:
        """The deadline passed while nobody was reading, or nobody can read any more."""
        self._closer = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        """Close the upstream, once; whoever comes second waits until it is done."""
        if self._is_closing:
            await self._closed.wait()
            return
        self._is_closing = True
        if self._terminal is None:
            self._break(self._watch.failure or Interrupted("dropped", reason="cancelled", outcome=self._outcome))
        try:
            usage = self._reader.usage
            self._stream.settle(self._failure, None if usage is None else tokens_of(msgspec.structs.asdict(usage)))
            await self._stream.aclose()
        finally:
            self._closed.set()
            self._tell_closed()

    def _tell_closed(self) -> None:
        """Report the end, whatever it was."""
        terminal = self._terminal
        if terminal is None:  # pragma: no cover - `_close` sets it
            return
        reason = terminal.data.get("reason")
        if terminal.data.get("evidence") == "cancelled":
            reason = "cancelled"
        self._report.ended(
            status=self._stream.head.status,
            reason=reason,
            bytes_received=self._stream.byte_count,
            surplus=self._reader.surplus,
        )
        if self._on_closed is not None:
            self._on_closed(terminal)
