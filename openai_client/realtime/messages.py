"""
From events to messages, and back. Pure.

Spec: RT-01, RT-04
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapter_api.outcome import Outcome
from http_util.frames import without_frames
from openai_client.base_model import WireParser
from openai_client.body_faults import refused
from openai_client.errors import DeserializationError, InvalidFieldValue, SerializationError
from openai_client.option_checks import checked_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai_client.errors import OpenAIError

E = TypeVar("E")

# RFC 6455: a control frame holds 125 bytes, the code takes two; and which codes a program may choose
_LONGEST_REASON: Final = 123
_NORMAL: Final = 1000
_OWN_CODES: Final = range(3000, 5000)


class Codec(Generic[E]):
    """
    What one kind of session says: the events that the client sends, and those of the server.

    Spec: RT-04
    """

    def __init__(self, client_event: Any, server_event: Any) -> None:
        """Prepare for these two unions; nothing is built before the first event."""
        self._sent: TypeAdapter[BaseModel] = TypeAdapter(
            client_event, config=ConfigDict(defer_build=True, hide_input_in_errors=True)
        )
        self._read: WireParser[E] = WireParser(server_event)

    def write(self, event: BaseModel | Mapping[str, Any], most: int) -> str:
        """
        Return the message for *event*.

        Args:
            event: One of the client's events, or a mapping of the fields of one, `type` included.
            most: Bytes that it may have.

        Raises:
            InvalidFieldValue: It is none of them, or a field is not accepted. No value is repeated.
            MissingRequiredField: A field is not there.
            SerializationError: It is too large.
        """
        failure: OpenAIError
        model = fields = None
        try:
            model = event if isinstance(event, BaseModel) else self._sent.validate_python(event)
            fields = partial(model.model_dump, mode="json", exclude_unset=True, by_alias=True)
            text = checked_json(model.model_dump_json(exclude_unset=True, by_alias=True), fields)
        except ValidationError as problem:
            is_event = bool(problem.errors(include_input=False)[0]["loc"])
            failure = refused(problem, self._sent.core_schema) if is_event else _no_event()
        except InvalidFieldValue as problem:
            failure = without_frames(problem)
        except ValueError as problem:
            failure = SerializationError(f"event: cannot be written as JSON ({type(problem).__name__})")
        else:
            if len(text) <= most and (size := len(text.encode())) <= most:
                return text
            size = len(text)
            failure = SerializationError(f"event: has {size} bytes or more; http.max_body_bytes allows {most}")
            del text
        # the frame may be shown in a traceback, and events hold prompts
        del event, model, fields
        raise failure

    def read(self, message: bytes) -> E:
        """
        Return the server's event in *message*; one of an unknown type comes as `Unknown`, with every field.

        Raises:
            DeserializationError: It is no JSON object, or lacks what its type cannot be understood without.

        Spec: RT-04
        """
        try:
            return self._read(message)
        except ValidationError as problem:
            fault = problem.errors(include_input=False, include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in fault["loc"])
            failure = DeserializationError(
                f"an event of the upstream cannot be read: {f'{place}: ' if place else ''}{fault['type']}",
                outcome=Outcome.PARTIAL,
            )
        # the frame may be shown in a traceback
        del message
        raise failure


def _no_event() -> InvalidFieldValue:
    return InvalidFieldValue(
        "type: must be that of one of the client's events, as an event or its fields; send_raw sends others",
        param="type",
    )


def message_problem(message: object) -> InvalidFieldValue | None:
    """Return the error for what is no message; None when it is one."""
    if isinstance(message, str | bytes):
        return None
    return InvalidFieldValue(f"message: must be a str or bytes, not {type(message).__name__}", param="message")


def check_wait(timeout: object) -> None:
    """
    Refuse what is no time to wait.

    Raises:
        InvalidFieldValue: It is neither None nor seconds of at least 0.
    """
    if timeout is not None and not (isinstance(timeout, int | float) and timeout >= 0):
        said = repr(timeout) if isinstance(timeout, int | float) else type(timeout).__name__
        raise InvalidFieldValue(f"timeout: must be seconds of at least 0, or None, not {said}", param="timeout")


def check_goodbye(code: int, reason: str) -> None:
    """
    Refuse what a goodbye cannot hold.

    Raises:
        InvalidFieldValue: *code* is neither 1000 nor between 3000 and 4999, or *reason* has more than 123 bytes.
    """
    if code != _NORMAL and code not in _OWN_CODES:
        raise InvalidFieldValue(f"code: must be 1000, or 3000 to 4999, not {code!r}", param="code")
    if not isinstance(reason, str) or len(reason.encode("utf-8", "replace")) > _LONGEST_REASON:
        raise InvalidFieldValue(f"reason: must be a str of at most {_LONGEST_REASON} bytes", param="reason")
