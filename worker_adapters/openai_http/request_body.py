"""
From a task to the bytes of a request. Pure, and the same bytes for the same task and settings.

| of the task            | chat                              | completions         | responses           |
|------------------------|-----------------------------------|---------------------|---------------------|
| model_ref              | model, by config                  | model               | model               |
| prompt, inputs         | messages: one user message        | prompt              | input               |
| messages               | messages                          | refused             | input               |
| max_tokens             | max_tokens, or max_completion_tokens by dialect | max_tokens | max_output_tokens |
| seed, temperature, ... | the same names, when given        | the same            | the same            |
| determinism=strict     | temperature 0, top_p 1            | the same            | the same            |
| extra_body             | merged, unchanged                 | merged, unchanged   | merged, unchanged   |

Added: `stream` true, `stream_options.include_usage` true where the dialect takes it, `store` false for responses.
Nothing else. Ids of the call travel in headers, never in the body.

Spec: ADP-11, ADP-12, ADP-13, CF-54
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapter_api import InvalidTask, TaskRequest, WorkerError, prompt_of
from openai_client.token_costs import BYTES_PER_TOKEN

if TYPE_CHECKING:
    from worker_adapters.openai_http.config import OpenAIHttpConfig
    from worker_adapters.openai_http.dialects import Api

PATHS: Final[Mapping[str, str]] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
}
"""Path of each API, below the base URL."""

_SAMPLING: Final = ("seed", "temperature", "top_p", "presence_penalty", "frequency_penalty", "stop")
_STRICT: Final = {"temperature": 0, "top_p": 1}
_SCHEME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedPrompt:
    """
    A request that is ready to be sent: its content is final.

    Spec: OQ-16
    """

    api: Api
    model: str
    body: bytes = field(repr=False)
    estimated_tokens: int = 0
    """What the call will cost, roughly: its bytes by four, and what the task allows for the answer."""


def check_task(task: TaskRequest) -> None:
    """
    Refuse what no upstream is asked for.

    Raises:
        InvalidTask: A field is wrong, or asks for what this adapter does not do.
        WorkerError: The deadline has passed already (`deadline`).

    Spec: ADP-13, OQ-03, OQ-07
    """
    if task.workload != "completion":
        raise InvalidTask("workload", f"this adapter serves completion, got {task.workload}")
    prompt_of(task)
    if task.max_tokens > task.ctx:
        raise InvalidTask("max_tokens", f"expected at most ctx ({task.ctx}), got {task.max_tokens}")
    asked = task.extra_body.get("n", task.n) if task.extra_body else task.n
    if asked not in (None, 1):
        raise InvalidTask("n", "only one answer can be streamed; expected 1")
    if task.deadline_ms <= 0:
        raise WorkerError("deadline", f"deadline_ms: the deadline has passed already ({task.deadline_ms} ms)")


def serialize(task: TaskRequest, config: OpenAIHttpConfig) -> SerializedPrompt:
    """
    The request for *task*, which `check_task` has let pass.

    Raises:
        InvalidTask: A field does not go with another, or with the API in use; or the body is too large.
    """
    model = upstream_model(task.model_ref, config)
    body = _BODIES[config.api](task, config, model)
    body.update(_sampling(task))
    for name, value in (task.extra_body or {}).items():
        if name in body:
            raise InvalidTask(f"extra_body.{name}"[:128], "the task sets this field already")
        body[name] = value
    try:
        content = msgspec.json.encode(body, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidTask("extra_body", "expected values that JSON can carry, integers within 64 bits") from error
    if len(content) > config.max_request_bytes:
        most = config.max_request_bytes
        raise InvalidTask(
            "prompt", f"the request has {len(content)} bytes, at most {most} (max_request_bytes) are sent"
        )
    estimate = len(content) // BYTES_PER_TOKEN + task.max_tokens
    return SerializedPrompt(api=config.api, model=model, body=content, estimated_tokens=estimate)


def private_texts(task: TaskRequest) -> tuple[str, ...]:
    """Every text of the task's prompt, wherever in a conversation it stands; roles and types are not private."""
    given = [task.prompt, *(task.inputs or ())]
    for message in task.messages or ():
        content = message.get("content")
        parts = [content] if isinstance(content, str) else content or ()
        given += [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return tuple(text for text in given if isinstance(text, str))


def upstream_model(model_ref: str, config: OpenAIHttpConfig) -> str:
    """
    The upstream's name of a model.

    Example:
        >>> from worker_adapters.openai_http.config import OpenAIHttpConfig
        >>> upstream_model("hf://org/model", OpenAIHttpConfig(base_url="http://127.0.0.1/v1"))
        'org/model'

    Spec: OQ-05
    """
    return config.model or config.model_aliases.get(model_ref) or _SCHEME.sub("", model_ref)


def _chat(task: TaskRequest, config: OpenAIHttpConfig, model: str) -> dict[str, Any]:
    prompt = prompt_of(task)
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return {"model": model, "messages": messages, config.profile.chat_limit_field: task.max_tokens, **_streamed(config)}


def _completions(task: TaskRequest, config: OpenAIHttpConfig, model: str) -> dict[str, Any]:
    prompt = prompt_of(task)
    if not isinstance(prompt, str):
        raise InvalidTask("messages", "the completions API takes a prompt; use api chat for messages")
    return {"model": model, "prompt": prompt, "max_tokens": task.max_tokens, **_streamed(config)}


def _responses(task: TaskRequest, config: OpenAIHttpConfig, model: str) -> dict[str, Any]:  # noqa: ARG001 - one shape
    return {
        "model": model,
        "input": prompt_of(task),
        "max_output_tokens": task.max_tokens,
        "stream": True,
        "store": False,
    }


_BODIES: Final = {"chat": _chat, "completions": _completions, "responses": _responses}


def _streamed(config: OpenAIHttpConfig) -> dict[str, Any]:
    return {"stream": True} | ({"stream_options": {"include_usage": True}} if config.profile.asks_for_usage else {})


def _sampling(task: TaskRequest) -> dict[str, Any]:
    given = {name: value for name in _SAMPLING if (value := getattr(task, name)) is not None}
    if task.determinism != "strict":
        return given
    for name, value in _STRICT.items():
        if given.get(name, value) != value:
            raise InvalidTask(name, f"determinism strict means {value}; leave it out or give {value}")
    return given | _STRICT


def _plain(value: object) -> object:
    """Mappings and sequences of any class, as JSON has them."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(type(value).__name__)
