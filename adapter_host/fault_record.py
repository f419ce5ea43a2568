"""
What the log says of a fault of an adapter, at level debug and nowhere else: for the author who looks for it.

The class, the frames, and the text redacted: known credentials and what looks like one are masked, and what it repeats
of a prompt. A short piece of a prompt can stand there all the same, so nobody gets it who has not asked for it.

Spec: AH-1005, LOG-05, SEC-16
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from http_util.redact_quotes import without_quotes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapter_api import Fault, TaskRequest

EVENT = "adapter_fault"
"""Name of the record."""


def fault_facts(
    fault: Fault, adapter: str, *, safe: Callable[[str], str], task: TaskRequest | None = None
) -> dict[str, Any]:
    """
    The fields of the record.

    Args:
        fault: What is known of it.
        adapter: The adapter's name.
        safe: Redacts, escapes and shortens a text.
        task: The one that failed, whose texts are taken out.
    """
    text = fault.text if task is None else without_quotes(fault.text, list(_texts_of(task)))
    human = f"The adapter {adapter} raises {fault.error_class}, which no adapter may; this is a fault of the adapter."
    return {
        "human": human,
        "adapter": adapter,
        "error_class": fault.error_class,
        "error_text": safe(text),
        "frames": list(fault.frames),
    }


def _texts_of(task: TaskRequest) -> Iterator[str]:
    """The texts of *task* that are its caller's alone."""
    yield from _texts_in((task.prompt, task.inputs, task.messages, task.stop, task.extra_body))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts_in(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts_in(inner)
