"""
What asks for structure: a pydantic model as the format of an answer, and as the parameters of a tool. Pure.

Spec: CLI-14
"""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from openai_client.structured.json_schema import json_schema_of, schema_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from openai_client._generated.models.responses.response import TextResponseFormatJsonSchema
    from openai_client._generated.models.responses.tools import FunctionTool
    from openai_client._generated.models.shared.generation import ChatCompletionTool, ResponseFormatJsonSchema


def response_format_of(model: type[BaseModel], *, strict: bool = True) -> ResponseFormatJsonSchema:
    """
    Return the `response_format` of a chat request whose answer is to be *model*.

    Args:
        model: What is asked for; its docstring becomes the description.
        strict: Whether the upstream must keep to it; without it constructs that have no strict schema are allowed.

    Raises:
        InvalidFieldValue: As `json_schema_of`.

    Spec: CLI-14
    """
    from openai_client._generated.models.shared.generation import (
        ResponseFormatJsonSchema,
        ResponseFormatJsonSchemaJsonSchema,
    )

    return ResponseFormatJsonSchema(json_schema=ResponseFormatJsonSchemaJsonSchema(**_described(model, strict)))


def text_format_of(model: type[BaseModel], *, strict: bool = True) -> TextResponseFormatJsonSchema:
    """
    Return the `text.format` of a request for a response whose text is to be *model*. Arguments as `response_format_of`.

    Spec: CLI-14
    """
    from openai_client._generated.models.responses.response import TextResponseFormatJsonSchema

    return TextResponseFormatJsonSchema(**_described(model, strict))


def pydantic_function_tool(
    model: type[BaseModel], *, name: str | None = None, description: str | None = None, strict: bool = True
) -> ChatCompletionTool:
    """
    Return a tool for a chat request, with the fields of *model* as its parameters.

    Args:
        model: The parameters.
        name: What the tool is called; by default as the model.
        description: What it is for; by default the model's docstring.
        strict: As `response_format_of`.

    Raises:
        InvalidFieldValue: As `json_schema_of`.

    Spec: CLI-14
    """
    from openai_client._generated.models.shared.generation import ChatCompletionTool, FunctionObject

    return ChatCompletionTool(function=FunctionObject(**_function(model, name, description, strict)))


def response_function_tool(
    model: type[BaseModel], *, name: str | None = None, description: str | None = None, strict: bool = True
) -> FunctionTool:
    """
    Return a tool for a request for a response. Arguments as `pydantic_function_tool`.

    Spec: CLI-14
    """
    from openai_client._generated.models.responses.tools import FunctionTool

    return FunctionTool(**_function(model, name, description, strict))


def _described(model: type[BaseModel], strict: bool) -> dict[str, Any]:  # noqa: FBT001 - only handed on
    schema = json_schema_of(model, strict=strict)
    described = {"name": schema_name(model), "schema": schema, "strict": strict}
    return described | _description(model, None)


def _function(
    model: type[BaseModel],
    name: str | None,
    description: str | None,
    strict: bool,  # noqa: FBT001 - only handed on
) -> dict[str, Any]:
    parameters = json_schema_of(model, strict=strict)
    function = {"name": name or schema_name(model), "parameters": parameters, "strict": strict}
    return function | _description(model, description)


def _description(model: type[BaseModel], given: str | None) -> dict[str, str]:
    described = given or cleandoc(model.__doc__ or "")
    return {"description": described} if described else {}
