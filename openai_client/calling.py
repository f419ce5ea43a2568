"""
From keyword arguments to a body and to the options of a call.

Spec: CLI-09, CLI-11, ERR-01
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, cast

from pydantic import BaseModel, ValidationError

from openai_client.body_faults import refused
from openai_client.errors import InvalidConfiguration, InvalidFieldValue
from openai_client.operation import CLIENT_DEFAULTS, CallOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai_client.errors import OpenAIError
    from openai_client.operation import QueryValue

M = TypeVar("M", bound=BaseModel)


class CallKeywords(TypedDict, total=False):
    """
    What every method takes besides the arguments of its operation.

    The single ones are short for fields of `CallOptions`, under the names of the official SDK, and win over `options`.
    """

    options: CallOptions
    timeout: float | None
    idempotency_key: str | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, QueryValue] | None
    extra_body: Mapping[str, Any] | None
    on_progress: Callable[[int, int | None], object] | None


_FIELDS: Final = {
    "timeout": "timeout",
    "idempotency_key": "idempotency_key",
    "extra_headers": "headers",
    "extra_query": "query",
    "extra_body": "extra_body",
    "on_progress": "on_progress",
}
_NAMES: Final = frozenset({"options", *_FIELDS})


def call_options(call: CallKeywords) -> CallOptions:
    """
    Return the options that *call* stands for.

    Raises:
        InvalidFieldValue: An argument is unknown, or its value cannot be used.
        InvalidConfiguration: A header is malformed.
    """
    if not call:
        return CLIENT_DEFAULTS
    given = cast("dict[str, Any]", call)
    if unknown := sorted(given.keys() - _NAMES):
        raise InvalidFieldValue(
            f"{unknown[0]}: unknown argument; beside its own, a call takes {', '.join(sorted(_NAMES))}",
            param=unknown[0],
        )
    asked = given.get("options")
    options: CallOptions = CLIENT_DEFAULTS if asked is None else asked
    if not isinstance(asked, CallOptions | None):
        raise InvalidFieldValue(f"options: must be CallOptions, not {type(asked).__name__}", param="options")
    changed = {_FIELDS[name]: value for name, value in given.items() if name in _FIELDS and value is not None}
    if not changed:
        return options
    try:
        return replace(options, **changed)
    except (InvalidFieldValue, InvalidConfiguration) as problem:
        failure = _as_given(problem, given)
    raise failure


def _as_given(problem: OpenAIError, given: Mapping[str, Any]) -> OpenAIError:
    """Return *problem*, of a field of the options, under the name of the argument that it came from."""
    field, _, inside = str(problem.param).partition(".")
    name = next((name for name in given if name != "options" and _FIELDS.get(name) == field), field)
    place = f"{name}.{inside}" if inside else name
    return type(problem)(f"{name}{problem.message.removeprefix(field)}", param=place)


def body_and_call(model: type[M], given: Mapping[str, Any]) -> tuple[M, CallKeywords]:
    """
    Split the keyword arguments *given* into the body they describe and what belongs to the call.

    Raises:
        MissingRequiredField: A field that the body needs is not there.
        InvalidFieldValue: A field is unknown, or its value is not accepted. No value is repeated.
    """
    fields = {name: value for name, value in given.items() if name not in _NAMES}
    call = cast("CallKeywords", {name: value for name, value in given.items() if name in _NAMES})
    try:
        return model(**fields), call
    except ValidationError as problem:
        failure = refused(problem, model.__pydantic_core_schema__, [*model.model_fields, *_NAMES])
    # the frame may be shown in a traceback, and the fields hold prompts
    del given, fields
    raise failure
