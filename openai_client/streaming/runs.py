"""
Events of an assistant's run into the run with its messages and steps.

Spec: CLI-10, TYP-13
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from openai_client._generated.models.threads.events import AssistantStreamEvent
from openai_client._generated.models.threads.messages import MessageObject
from openai_client._generated.models.threads.runs import RunObject, ThreadObject
from openai_client._generated.models.threads.steps import RunStepObject
from openai_client.base_model import WireParser
from openai_client.errors import StreamInterrupted
from openai_client.streaming.accumulator import Accumulator, EventReader, built
from openai_client.streaming.merging import check_room, merge_piece, plain, without_places

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENTS: Final = EventReader(WireParser[AssistantStreamEvent](AssistantStreamEvent))
_LAST: Final = frozenset(
    f"thread.run.{status}"
    for status in ("completed", "failed", "cancelled", "expired", "incomplete", "requires_action")
)


@dataclass(frozen=True, slots=True)
class RunTranscript:
    """
    One streamed run: what it did and what it said.

    Spec: CLI-10
    """

    run: RunObject
    """The run, as the last event about it told it. `requires_action` means that tool outputs are to be submitted."""
    thread: ThreadObject | None
    """The thread, when the call created it."""
    messages: tuple[MessageObject, ...]
    """The messages that were written, in the order in which they were begun."""
    steps: tuple[RunStepObject, ...]
    """The steps that were taken, in the order in which they were begun."""


class RunAccumulator(Accumulator[AssistantStreamEvent, RunTranscript]):
    """
    Collects the events of one run: the run itself, messages and steps by id, and in these what grows by its index.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._run: dict[str, Any] = {}
        self._thread: dict[str, Any] | None = None
        self._messages: dict[str, dict[str, Any]] = {}
        self._steps: dict[str, dict[str, Any]] = {}
        self._is_done = False

    def add(self, event: AssistantStreamEvent) -> None:
        """Add the next event."""
        fields = _EVENTS.fields_of(event) or {}
        kind, data = fields.get("event") or "", fields.get("data")
        if not isinstance(data, dict):
            return
        if kind == "thread.created":
            self._thread = data
        elif kind.startswith("thread.run.step."):
            _note(self._steps, data)
        elif kind.startswith("thread.message."):
            _note(self._messages, data)
        elif kind.startswith("thread.run."):
            self._run |= data
            self._is_done = kind in _LAST

    @property
    def text(self) -> str:
        """The text of all messages so far."""
        parts = (part for message in self._messages.values() for part in plain(message).get("content") or ())
        return "".join((part.get("text") or {}).get("value") or "" for part in parts if part.get("type") == "text")

    def missing(self) -> str | None:
        """Return what has to come before the run is over, or waits for tool outputs; None when it is or does."""
        return None if self._is_done else "no event came that says how the run ended"

    def partial(self) -> RunTranscript:
        """
        Return the run so far.

        Raises:
            StreamInterrupted: No event told anything about a run yet.
        """
        if not self._run:
            raise StreamInterrupted("the stream has not told anything about a run yet")
        return RunTranscript(
            run=built(RunObject, self._run),
            thread=None if self._thread is None else built(ThreadObject, self._thread),
            messages=tuple(built(MessageObject, _whole_message(plain(item))) for item in self._messages.values()),
            steps=tuple(built(RunStepObject, _whole_step(plain(item))) for item in self._steps.values()),
        )


def _note(things: dict[str, dict[str, Any]], data: Mapping[str, Any]) -> None:
    """Note what an event says about a message or a step: all of it, or what has grown."""
    name = data.get("id") or ""
    if name not in things:
        check_room(things)
    if not isinstance(data.get("delta"), dict):
        things[name] = dict(data)
        return
    merge_piece(things.setdefault(name, {"id": name}), data["delta"])


def _whole_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without the positions that only a stream has; also when not all of it came."""
    content = without_places(message.get("content") or [])
    for part in content:
        text = part.get("text")
        if isinstance(text, dict) and text.get("annotations"):
            marks = without_places(text["annotations"])
            part["text"] = {**text, "annotations": [{"text": "", **mark} for mark in marks]}
    return {**message, "content": content}


def _whole_step(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step without the positions that only a stream has; also when not all of it came."""
    details = step.get("step_details")
    if not isinstance(details, dict) or not details.get("tool_calls"):
        return step
    calls = without_places(details["tool_calls"])
    return {**step, "step_details": {**details, "tool_calls": [_whole_call(call) for call in calls]}}


def _whole_call(call: dict[str, Any]) -> dict[str, Any]:
    if isinstance(call.get("function"), dict):
        return {**call, "function": {"name": "", "arguments": "", **call["function"]}}
    code = call.get("code_interpreter")
    if isinstance(code, dict) and code.get("outputs"):
        return {**call, "code_interpreter": {**code, "outputs": without_places(code["outputs"])}}
    return call
