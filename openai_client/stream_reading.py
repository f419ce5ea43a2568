"""
From server-sent events to chunks, or to one error. Pure: whoever waits hands in what came.

A stream is complete only on evidence: the closing mark, an event after which nothing follows, or, when the body just
ends, a finish reason for every choice that was begun, or an event that holds something whole. Everything else that ends
a stream is an error, and so is an error object in it.

Spec: CLI-10, ERR-07
"""

from __future__ import annotations

from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from adapter_api.outcome import Outcome
from http_util.errors import ProtocolFailure
from openai_client.answer_reading import answer_facts, undecodable
from openai_client.error_mapping import from_stream_error, stream_error_in
from openai_client.errors import StreamInterrupted, UnexpectedResponse
from openai_client.quotations import Quotations
from openai_client.token_costs import tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from http_util.call import ReplyHead
    from http_util.errors import HttpFailure
    from http_util.secret import Secret
    from http_util.sse import ServerSentEvent, SseTail
    from openai_client.errors import OpenAIError
    from openai_client.operation import StreamOperation

E = TypeVar("E")

MOST_CHOICES: Final = 4096
"""Choices that a stream may begin; no answer has nearly so many."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def as_failure(error: OpenAIError) -> HttpFailure:
    """Return what a breaker is told of a stream that ended in *error*."""
    return ProtocolFailure(
        "the stream failed",
        reason=error.reason,
        outcome=error.outcome or Outcome.PARTIAL,
        http_status=error.http_status,
    )


def _members(value: object) -> Mapping[str, Any]:
    """
    Return what *value*, a model or what an unknown one holds, has at its top level.

    Asked for an attribute that it has not, a model looks in so many places that this costs more than parsing the chunk.
    """
    if isinstance(value, BaseModel):
        return {**vars(value), **extra} if (extra := value.model_extra) else vars(value)
    return value if isinstance(value, dict) else _NOTHING


def _choices(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return the choices of a chunk; what is no known chunk may have anything in their place."""
    choices = said.get("choices")
    if isinstance(choices, list):
        yield from (part for part in map(_members, choices) if isinstance(part.get("index", 0), int | None))


def _usage_of_run(said: Mapping[str, Any]) -> object:
    """Return what a run of an assistant has used, when an event tells of one; its steps are parts of it."""
    told = _members(said.get("data"))
    return told.get("usage") if told.get("object") == "thread.run" else None


def _with_name(event: ServerSentEvent) -> bytes:
    """Return the event as one object, as the API describes those whose kind stands outside of their data."""
    if event.event == "error":
        return b'{"error":%b}' % event.data
    return b'{"event":%b,"data":%b}' % (to_json(event.event), event.data)


class StreamReader(Generic[E]):
    """
    Reads one stream. `feed` it what came and `take` until that gives None; `end` it when the body has ended.

    Spec: CLI-10
    """

    __slots__ = (
        "_failure",
        "_finished",
        "_has_ended",
        "_head",
        "_open",
        "_operation",
        "_outcome",
        "_secrets",
        "_waiting",
        "is_complete",
        "tokens",
    )

    def __init__(self, operation: StreamOperation[E], head: ReplyHead, secrets: Iterable[Secret] = ()) -> None:
        """
        Read the stream that answers *operation*.

        Args:
            operation: Says how an event is parsed and what ends the stream.
            head: The head of the answer.
            secrets: The credentials of the call.
        """
        self.tokens: int | None = None
        """What the call has cost, as far as the stream has said."""
        self.is_complete: bool = False
        """Whether the stream said that it is complete; nothing is taken after that."""
        self._operation = operation
        self._head = head
        self._secrets = tuple(secrets)
        self._waiting: deque[ServerSentEvent] = deque()
        self._open: set[object] = set()
        self._finished: set[object] = set()
        self._failure: OpenAIError | None = None
        self._outcome = Outcome.UNKNOWN
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is read, because it is complete or because it failed."""
        return self.is_complete or self._failure is not None

    def feed(self, events: Iterable[ServerSentEvent]) -> None:
        """Add events, in the order they came."""
        self._waiting.extend(events)

    def end(self, tail: SseTail | None = None) -> None:
        """
        Note that the body has ended.

        Args:
            tail: What was left of it. Some servers leave out the blank line behind their last event.
        """
        self._has_ended = True
        if tail is not None and tail.event is not None:
            self.feed([tail.event])

    def take(self) -> E | None:
        """
        Return the next chunk, or None: the stream is complete, or more must be fed.

        Raises:
            DeserializationError: An event is not what the API describes.
            UnexpectedResponse: There are more choices than `MOST_CHOICES`.
            StreamInterrupted: The body has ended and nothing says that the stream is complete.
            OpenAIError: An event is an error object; the leaf that stands for it.
        """
        if self._failure is not None:
            raise self._failure
        while self._waiting and not self.is_complete:
            chunk = self._read(self._waiting.popleft())
            if chunk is not None:
                return chunk
        if self._has_ended and not self.is_complete:
            self._check_evidence()
        return None

    def _check_evidence(self) -> None:
        """Decide about a body that just ended: some servers send a finish reason and nothing after it."""
        if self._finished and not self._open:
            self.is_complete = True
            return
        facts = answer_facts(self._head, self._outcome)
        raise self._fail(StreamInterrupted("the stream stopped without saying that it is complete", **facts))

    def _read(self, event: ServerSentEvent) -> E | None:
        """Parse the data of one event, and note what it says about the end of the stream."""
        data = event.data
        if not data or self._operation.end.is_sentinel(data):
            self.is_complete = bool(data)
            return None
        if self._operation.named_events:
            data = _with_name(event)
        failure: OpenAIError | None = self._reported_in(data)
        if failure is None:
            try:
                chunk = self._operation.parse_event(data)
            except ValidationError as problem:
                failure = undecodable(problem, answer_facts(self._head, self._outcome))
            else:
                self._outcome = Outcome.PARTIAL
                self._note_end(chunk)
                return chunk
        # the frame may be shown in a traceback, and what the model said must not
        del data, event
        raise self._fail(failure)

    def _note_end(self, chunk: E) -> None:
        """Note what the chunk says of the cost, and whether it ends the stream, or one of its choices."""
        said = _members(chunk)
        response = _members(said.get("response"))
        usage = said.get("usage") or response.get("usage") or _usage_of_run(said)
        if usage is not None:
            self.tokens = tokens_of(_members(usage)) or self.tokens
        if self._operation.end.is_last(chunk):
            failed = response.get("error")
            if failed is None:
                self.is_complete = True
            else:
                # the event is handed out first; whoever reads on gets the error
                told = {name: _members(failed).get(name) for name in ("code", "message")}
                self._fail(self._reported({"error": told}))
            return
        if self._operation.end.is_enough(chunk):
            self._finished.add(None)
        for part in _choices(said):
            index = part.get("index", 0)
            if part.get("finish_reason"):
                self._open.discard(index)
                self._finished.add(index)
            elif index not in self._finished:
                self._open.add(index)
        if len(self._open) > MOST_CHOICES or len(self._finished) > MOST_CHOICES:
            # the chunk is handed out first, as above
            facts = answer_facts(self._head, self._outcome)
            self._fail(UnexpectedResponse(f"the stream has more than {MOST_CHOICES} choices", **facts))

    def _reported_in(self, data: bytes) -> OpenAIError | None:
        """Return the leaf for the data of an event that is an error, None when it is none."""
        error = stream_error_in(data)
        return None if error is None else self._reported(error)

    def _reported(self, error: object) -> OpenAIError:
        """Return the leaf for an error that the upstream reports in the stream."""
        return from_stream_error(
            error,
            self._secrets,
            quotes=Quotations(self._operation),
            outcome=self._outcome,
            upstream_request_id=self._head.upstream_request_id,
            attempts=self._head.attempts,
        )

    def _fail(self, failure: OpenAIError) -> OpenAIError:
        """Keep the failure: whoever reads on gets it again."""
        self._failure = failure
        return failure
