"""
The task that an orchestrator hands to an adapter.

Field by field, a task checks itself when it is made: type, range, characters. What depends on several fields or on what
an adapter supports is checked on submit, by `prompt_of` and by the adapter.

Spec: ADP-03, ADP-04, ADP-13
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from adapter_api import task_fields as check
from adapter_api.errors import InvalidTask

if TYPE_CHECKING:
    from collections.abc import Sequence

Workload = Literal["completion", "embedding", "rerank"]
"""What is asked for. Adapters say in their props which they serve."""
Engine = Literal["llamacpp", "vllm", "tgi", "triton", "openai"]
"""What produces the tokens."""
Priority = Literal["interactive", "batch"]
"""How urgent the task is to its orchestrator."""
Determinism = Literal["strict", "best_effort"]
"""Whether the same task must give the same tokens."""
KvHint = Literal["reuse", "cold"]
"""Whether the engine's prefix cache may help."""
PlacementMode = Literal["pin", "prefer", "auto"]
"""How strictly a placement is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """
    Where a task may run.

    Spec: ADP-04, AH-1007
    """

    mode: PlacementMode = "auto"
    pin_pool_id: str | None = None
    """The only pool that may run the task; with mode `pin`."""
    prefer_pools: Sequence[str] = ()
    avoid_pools: Sequence[str] = ()
    require_device_mask: str | None = None
    allow_fallback: bool = True
    """Whether another pool may run the task when the preferred ones cannot."""

    def __post_init__(self) -> None:
        """Check each field; raise `InvalidTask` for the first that is wrong."""
        check.choice("placement.mode", self.mode, get_args(PlacementMode))
        check.optional(check.identifier, "placement.pin_pool_id", self.pin_pool_id)
        for name in ("prefer_pools", "avoid_pools"):
            for index, pool in enumerate(check.sequence(f"placement.{name}", getattr(self, name))):
                check.identifier(f"placement.{name}[{index}]", pool)
        check.optional(check.identifier, "placement.require_device_mask", self.require_device_mask)
        check.boolean("placement.allow_fallback", self.allow_fallback)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """
    One task: immutable, checked when made. Its repr shows no text that may be private.

    Give exactly one of `prompt`, `inputs` with one entry, or `messages` in the chat schema.

    Raises:
        InvalidTask: A field is wrong. The message names it and says what it takes.

    Example:
        >>> task = TaskRequest(
        ...     task_id="t-1",
        ...     session_id="s-1",
        ...     workload="completion",
        ...     model_ref="m",
        ...     engine="openai",
        ...     ctx=8192,
        ...     priority="interactive",
        ...     max_tokens=64,
        ...     deadline_ms=30_000,
        ...     prompt="Hello",
        ... )
        >>> task.to_dict()["max_tokens"]
        64
        >>> "seed" in task.to_dict()
        False

    Spec: ADP-03
    """

    task_id: str
    """Unique among the tasks in flight; 1 to 128 printable characters."""
    session_id: str
    """The conversation that the task belongs to; 1 to 128 printable characters."""
    workload: Workload
    model_ref: str
    """The model as the orchestrator names it; 1 to 512 printable characters."""
    engine: Engine
    ctx: int
    """Context length in tokens, prompt and answer together; 1 or more."""
    priority: Priority
    max_tokens: int
    """Most tokens to generate; 1 or more."""
    deadline_ms: int
    """Budget for the whole task, in milliseconds from submit; 0 or less has expired already."""
    prompt: str | None = field(default=None, repr=False)
    """The text to complete; 1 to `MAX_PROMPT_CHARACTERS` characters."""
    inputs: Sequence[str] | None = field(default=None, repr=False)
    """Texts to work on; a completion takes exactly one."""
    messages: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    """A conversation in the chat schema: mappings with a `role`."""
    seed: int | None = None
    determinism: Determinism | None = None
    sampler_profile_version: str | None = None
    expected_tokens: int | None = None
    """The orchestrator's guess of the answer's length in tokens."""
    kv_hint: KvHint | None = None
    placement: Placement | None = None
    temperature: float | None = None
    """0 to 2."""
    top_p: float | None = None
    """0 to 1."""
    presence_penalty: float | None = None
    """-2 to 2."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    stop: str | Sequence[str] | None = field(default=None, repr=False)
    """One or several texts that end the answer."""
    n: int | None = None
    """Number of answers. Adapters stream one; more is refused on submit."""
    extra_body: Mapping[str, Any] | None = field(default=None, repr=False)
    """Vendor fields: reach the upstream's request body unchanged."""

    def __post_init__(self) -> None:
        """Check each field; raise `InvalidTask` for the first that is wrong."""
        _check_identity(self)
        _check_budget(self)
        _check_input(self)
        _check_sampling(self)

    def to_dict(self) -> dict[str, Any]:
        """
        The task as plain values for JSON; absent optional fields are left out, never null.

        Spec: ADP-03
        """
        present = _present(self)
        if self.placement is not None:
            present["placement"] = _present(self.placement)
        return present

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TaskRequest:
        """
        The task that plain values describe, as `to_dict` gives them.

        Raises:
            InvalidTask: A field is missing, unknown or wrong.
        """
        present = _known_fields(cls, "task", values)
        placement = present.get("placement")
        if isinstance(placement, Mapping):
            present["placement"] = Placement(**_known_fields(Placement, "placement", placement))
        return cls(**present)


def prompt_of(task: TaskRequest) -> str | Sequence[Mapping[str, Any]]:
    """
    The one input of a completion: a text, or the messages of a conversation.

    Raises:
        InvalidTask: Not exactly one of `prompt`, `inputs` (with one entry) and `messages` is given.

    Spec: ADP-13, OQ-04
    """
    given = [name for name in ("prompt", "inputs", "messages") if getattr(task, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise InvalidTask("prompt", f"expected exactly one of prompt, inputs and messages, got {found}")
    if task.inputs is not None:
        if len(task.inputs) != 1:
            raise InvalidTask("inputs", f"a completion takes exactly one entry, got {len(task.inputs)}")
        return task.inputs[0]
    return task.prompt if task.prompt is not None else task.messages or ()


def _check_identity(task: TaskRequest) -> None:
    check.identifier("task_id", task.task_id)
    check.identifier("session_id", task.session_id)
    check.identifier("model_ref", task.model_ref, longest=512)
    check.choice("workload", task.workload, get_args(Workload))
    check.choice("engine", task.engine, get_args(Engine))
    check.choice("priority", task.priority, get_args(Priority))
    check.optional(check.identifier, "sampler_profile_version", task.sampler_profile_version)
    if task.determinism is not None:
        check.choice("determinism", task.determinism, get_args(Determinism))
    if task.kv_hint is not None:
        check.choice("kv_hint", task.kv_hint, get_args(KvHint))
    if task.placement is not None and not isinstance(task.placement, Placement):
        raise InvalidTask("placement", f"expected a Placement, got {type(task.placement).__name__}")


def _check_budget(task: TaskRequest) -> None:
    check.integer("ctx", task.ctx, least=1)
    check.integer("max_tokens", task.max_tokens, least=1)
    check.integer("deadline_ms", task.deadline_ms)
    check.optional(check.integer, "expected_tokens", task.expected_tokens, least=0)


def _check_input(task: TaskRequest) -> None:
    check.optional(check.text, "prompt", task.prompt)
    check.optional(check.texts, "inputs", task.inputs)
    check.optional(check.messages, "messages", task.messages)


def _check_sampling(task: TaskRequest) -> None:
    check.optional(check.integer, "seed", task.seed)
    check.optional(check.number, "temperature", task.temperature, least=0, most=2)
    check.optional(check.number, "top_p", task.top_p, least=0, most=1)
    check.optional(check.number, "presence_penalty", task.presence_penalty, least=-2, most=2)
    check.optional(check.number, "frequency_penalty", task.frequency_penalty, least=-2, most=2)
    check.optional(check.integer, "n", task.n, least=1)
    check.optional(check.text if isinstance(task.stop, str) else check.texts, "stop", task.stop)
    check.optional(check.json_object, "extra_body", task.extra_body)


def _present(record: TaskRequest | Placement) -> dict[str, Any]:
    """The fields that differ from their defaults, in the order of the class."""
    pairs = ((each, getattr(record, each.name)) for each in fields(record))
    return {each.name: _plain(value) for each, value in pairs if value != each.default}


def _plain(value: object) -> object:
    """*value* in the types that every JSON encoder knows: dicts and lists."""
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _known_fields(kind: type[TaskRequest | Placement], what: str, given: object) -> dict[str, Any]:
    """*given* as keywords for *kind*: every name is known, no required one is missing."""
    values = check.mapping(what, given)
    path = "" if kind is TaskRequest else f"{what}."
    known = {each.name: each.default is MISSING for each in fields(kind)}
    for name in values:
        if name not in known:
            raise InvalidTask(f"{path}{check.key_name(name)}", f"is not a field of a {what}")
    for name, required in known.items():
        if required and name not in values:
            raise InvalidTask(f"{path}{name}", "is required")
    return dict(values)
