"""
From a whole answer to its result, or to one error. Pure: whoever waits hands in what came.

Spec: CLI-09, ERR-07
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from adapter_api.outcome import Outcome
from openai_client.error_mapping import from_stream_error, is_stream_error
from openai_client.errors import DeserializationError, InvalidContentType
from openai_client.operation import JSON, as_binary, as_bytes, as_nothing, as_text
from openai_client.quotations import NO_QUOTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from http_util.call import HttpReply, ReplyHead
    from http_util.secret import Secret
    from openai_client.errors import ErrorFacts, OpenAIError
    from openai_client.quotations import Quotations

T = TypeVar("T")

# Text and bytes are answers of any type; everything else is JSON.
_OPAQUE: Final[frozenset[object]] = frozenset({as_binary, as_bytes, as_nothing, as_text})
_PLACES_SHOWN: Final = 3


def read_answer(
    parse: Callable[[bytes], T], reply: HttpReply, secrets: Iterable[Secret] = (), quotes: Quotations = NO_QUOTATIONS
) -> T:
    """
    Return the result in a whole answer with a success status.

    Args:
        parse: From the operation.
        reply: The answer.
        secrets: The credentials of the call.
        quotes: What the upstream may quote of it.

    Raises:
        InvalidContentType: The answer is HTML, an event stream or something else that is not JSON.
        DeserializationError: It is JSON, and not what the API describes.
        OpenAIError: It is an error object in spite of its status; the leaf that stands for it.
    """
    if parse in _OPAQUE:
        return parse(reply.body)
    error = _error_document(reply.body)
    failure: OpenAIError
    if error is not None:
        head = reply.head
        failure = from_stream_error(
            error,
            secrets,
            quotes=quotes,
            where=f"an answer of status {head.status}",
            upstream_request_id=head.upstream_request_id,
            attempts=head.attempts,
        )
        # the frame may be shown in a traceback
        del error
        raise failure
    try:
        return parse(reply.body)
    except ValidationError as problem:
        failure = _unusable(problem, reply.head)
    raise failure


def _error_document(body: bytes) -> object | None:
    """Return the decoded body when it is an error and nothing else; an object that *has* an error is a result."""
    if b'"error"' not in body:
        return None
    try:
        payload = from_json(body)
    except ValueError:
        return None
    is_result = isinstance(payload, dict) and ("id" in payload or payload.get("object") not in {None, "error"})
    return payload if is_stream_error(payload) and not is_result else None


def undecodable(problem: ValidationError, facts: ErrorFacts) -> DeserializationError:
    """Return the error for what could not be parsed, an answer or a part of it; it names fields, never values."""
    return DeserializationError(f"the answer is not what the API describes: {places_of(problem)}", **facts)


def places_of(problem: ValidationError) -> str:
    """Return where a document is at fault, and how: names of fields and of faults, never a value."""
    lines = problem.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, line['loc'])) or 'body'}: {line['type']}" for line in lines[:_PLACES_SHOWN])


def _unusable(problem: ValidationError, head: ReplyHead) -> OpenAIError:
    """Return the error for a whole answer that could not be parsed: it is something else, or it is broken."""
    facts = answer_facts(head, Outcome.UNKNOWN)
    media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type != JSON and not media_type.endswith("+json"):
        return InvalidContentType(f"the answer has content type {media_type[:64]}, expected {JSON}", **facts)
    return undecodable(problem, facts)


def answer_facts(head: ReplyHead, outcome: Outcome) -> ErrorFacts:
    """Return the facts of an answer that came and cannot be used."""
    return {
        "outcome": outcome,
        "http_status": head.status,
        "upstream_request_id": head.upstream_request_id,
        "attempts": head.attempts,
    }
