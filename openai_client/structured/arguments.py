"""
The arguments of a tool call as the pydantic model that the tool was made of. Pure.

Spec: CLI-14
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic import BaseModel

from openai_client.errors import InvalidFieldValue
from openai_client.structured.json_schema import check_model, schema_name
from openai_client.structured.outcomes import Unreadable, read_as

if TYPE_CHECKING:
    from openai_client._generated.models.chat.completion import (
        ChatCompletionMessageCustomToolCall,
        ChatCompletionMessageToolCall,
    )
    from openai_client._generated.models.responses.calls import FunctionToolCall
    from openai_client.base_model import Unknown

    ToolCall: TypeAlias = (
        ChatCompletionMessageToolCall | ChatCompletionMessageCustomToolCall | FunctionToolCall | Unknown
    )

M = TypeVar("M", bound=BaseModel)


def parsed_arguments(call: ToolCall, *models: type[M]) -> M:
    """
    Return the arguments of *call*.

    Args:
        call: A call of a function, from a chat completion or from a response; also one that was collected.
        models: What the tools were made of. One counts whatever the tool is called; of several that one whose name
            the call has.

    Raises:
        InvalidFieldValue: No model has the name of the call, or it is no call of a function.
        DeserializationError: The arguments are not what the model describes, or not whole.

    Spec: CLI-14
    """
    function: Any = getattr(call, "function", call)
    if getattr(function, "arguments", None) is None:
        kind = getattr(call, "type", None)
        said = type(call).__name__ if kind is None else f"of type {kind}"
        raise InvalidFieldValue(f"call: must be the call of a function, not {said}", param="call")
    for model in models:
        check_model("models", model)
    chosen = models if len(models) == 1 else [model for model in models if schema_name(model) == function.name]
    if not chosen:
        known = ", ".join(map(schema_name, models)) or "none"
        raise InvalidFieldValue(f"models: none is called {function.name}; given are {known}", param="name")
    outcome = read_as(chosen[0], function.arguments, "what the model wrote as arguments")
    if isinstance(outcome, Unreadable):
        raise outcome.error
    return outcome.value
