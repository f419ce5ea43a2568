"""
What a request asks for: the JSON bodies of the generating endpoints, read and checked into one value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from upstream_simulator.error_bodies import ApiError

MAX_CHOICES: Final = 16
MAX_TOKENS: Final = 10_000_000
Body = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    One request for text, whatever endpoint it came to.
    """

    model: str
    prompts: tuple[str, ...]
    """One text per prompt; chat and responses have one."""
    n: int = 1
    limit: int | None = None
    """Most tokens wanted per choice."""
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    tool_names: tuple[str, ...] = ()
    """Functions the request insists on being called."""
    tool_is_named: bool = False
    """tool_choice names a single function."""
    echo: bool = False


def read_body(data: bytes, *, bad_json_status: int = 400) -> Body:
    """
    Decode the JSON object of a request.

    Raises:
        ApiError: The bytes are not a JSON object; *bad_json_status* is its status.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ApiError("We could not parse the JSON body of your request.", bad_json_status) from exc
    if not isinstance(body, dict):
        raise ApiError("The body of the request is not a JSON object.", bad_json_status)
    return body


def read_chat(body: Body, *, obeys_completion_limit: bool = True) -> Ask:
    """
    Read a request to /v1/chat/completions.

    Raises:
        ApiError: A field is missing or of the wrong type; its `param` names it.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError("'messages' must be a list with at least one message.", param="messages")
    limit = _whole(body, "max_tokens")
    if obeys_completion_limit:
        limit = _whole(body, "max_completion_tokens", default=limit)
    return _ask(body, prompts=(_conversation(messages, "messages"),), limit=limit)


def read_completion(body: Body) -> Ask:
    """
    Read a request to /v1/completions; without a limit it gets the API's 16 tokens.

    Raises:
        ApiError: As `read_chat`.
    """
    limit = _whole(body, "max_tokens", default=16)
    return _ask(body, prompts=_texts(body, "prompt"), limit=limit, echo=body.get("echo") is True)


def read_response(body: Body) -> Ask:
    """
    Read a request to /v1/responses.

    Raises:
        ApiError: As `read_chat`.
    """
    given = body.get("input")
    if isinstance(given, list) and given:
        prompt = _conversation(given, "input")
    elif isinstance(given, str):
        prompt = given
    else:
        raise ApiError("'input' must be text or a list of items.", param="input")
    return _ask(body, prompts=(prompt,), limit=_whole(body, "max_output_tokens"))


def read_texts(body: Body) -> tuple[str, ...]:
    """
    Read the `input` of a request to /v1/embeddings: one text, several, or token numbers.

    Raises:
        ApiError: As `read_chat`.
    """
    return _texts(body, "input")


def read_model(body: Body) -> str:
    """
    Read the name of the model.

    Raises:
        ApiError: It is missing, empty or no text.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError("you must provide a model parameter", param="model")
    return model


def _ask(body: Body, *, prompts: tuple[str, ...], limit: int | None, echo: bool = False) -> Ask:
    options = body.get("stream_options")
    names, is_named = _tools(body)
    n = _whole(body, "n", default=1) or 0
    if not 1 <= n <= MAX_CHOICES:
        raise ApiError(f"Invalid 'n': expected 1 to {MAX_CHOICES}.", param="n")
    return Ask(
        model=read_model(body),
        prompts=prompts,
        n=n,
        limit=limit,
        seed=_whole(body, "seed", least=-(2**63)),
        stop=_stops(body),
        stream=_flag(body, "stream"),
        include_usage=isinstance(options, Mapping) and options.get("include_usage") is True,
        tool_names=names,
        tool_is_named=is_named,
        echo=echo,
    )


def _flag(body: Body, name: str) -> bool:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value is True
    raise ApiError(f"Invalid type for '{name}': expected a boolean.", param=name)


def _whole(body: Body, name: str, *, default: int | None = None, least: int = 0) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(f"Invalid type for '{name}': expected an integer.", param=name)
    if not least <= value <= max(MAX_TOKENS, 2**63):
        raise ApiError(f"Invalid '{name}': expected a value of at least {least}.", param=name)
    return value


def _stops(body: Body) -> tuple[str, ...]:
    value = body.get("stop")
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise ApiError("Invalid type for 'stop': expected a string or a list of strings.", param="stop")
    return tuple(stop for stop in stops if stop)


def _texts(body: Body, name: str) -> tuple[str, ...]:
    value = body.get(name)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        if all(isinstance(item, int) for item in value):
            return (" ".join(map(str, value)),)
        if all(isinstance(item, list) for item in value):
            return tuple(" ".join(map(str, item)) for item in value)
    raise ApiError(f"'{name}' must be a string, a list of strings, or token numbers.", param=name)


def _conversation(items: Sequence[object], name: str) -> str:
    lines = []
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise ApiError(f"Invalid type for '{name}[{position}]': expected an object.", param=f"{name}[{position}]")
        lines.append(f"{item.get('role', item.get('type', ''))}: {_content(item.get('content'))}")
    return "\n".join(lines)


def _content(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _tools(body: Body) -> tuple[tuple[str, ...], bool]:
    """
    Which functions must be called, and whether tool_choice names one.
    """
    choice = body.get("tool_choice")
    if isinstance(choice, Mapping):
        function = choice.get("function", choice)
        named = function.get("name") if isinstance(function, Mapping) else None
        return ((named,) if isinstance(named, str) else ()), True
    tools = body.get("tools")
    if choice != "required" or not isinstance(tools, list):
        return (), False
    functions = (tool.get("function", tool) for tool in tools if isinstance(tool, Mapping))
    names = (function.get("name") for function in functions if isinstance(function, Mapping))
    return tuple(name for name in names if isinstance(name, str))[:1], False
