"""
The Responses API: a Generation as one response object, or as its stream of events.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from upstream_simulator.frames import DONE, HOLE, Frame, encoder, event, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstream_simulator.flavours import Flavour
    from upstream_simulator.generation import Choice, Generation, ToolCall


def response_answer(generation: Generation, flavour: Flavour) -> dict[str, object]:
    """
    Make the body of a plain response, complete.

    Spec: SIM-04
    """
    status = "completed" if flavour.finish else "in_progress"
    if generation.choices[0].finish_reason in {"length", "content_filter"}:
        status = "incomplete"
    return _response(generation, flavour, status)


def response_frames(generation: Generation, flavour: Flavour, *, empty_chunks: int = 0) -> Iterator[Frame]:
    """
    Make the events of a streamed response.

    Args:
        generation: What is said; only its first choice exists here.
        flavour: How events are written, faults included.
        empty_chunks: Repetitions of response.in_progress.

    Yields:
        created, in_progress, the output items with their deltas, and completed or incomplete.

    Spec: SIM-04, SIM-05
    """
    writer = _EventWriter(flavour)
    started = _response(generation, flavour, "in_progress")
    yield writer.event("response.created", {"response": started})
    for _ in range(1 + empty_chunks):
        yield writer.event("response.in_progress", {"response": started})
    choice = generation.choices[0]
    yield from _output(choice, generation, writer)
    if flavour.finish:
        final = response_answer(generation, flavour)
        yield writer.event(f"response.{final['status']}", {"response": final})
    if choice.after_finish:
        place: dict[str, object] = {"item_id": _item_id(generation, 0), "output_index": 0, "content_index": 0}
        yield from writer.run("response.output_text.delta", place, choice.after_finish)
    if flavour.responses_done and flavour.done:
        yield DONE


class _EventWriter:
    """
    Numbers and names the events of one stream.
    """

    def __init__(self, flavour: Flavour) -> None:
        self._flavour = flavour
        self._numbers = count()
        self._dumps = encoder(spaced=flavour.spaced_json)

    def event(self, kind: str, fields: dict[str, object], *, tokens: int = 0) -> Frame:
        numbered = {"sequence_number": next(self._numbers)} if self._flavour.responses_numbers else {}
        return Frame(event(self._dumps({"type": kind, **numbered, **fields}), self._name(kind)), tokens)

    def run(self, kind: str, place: dict[str, object], texts: tuple[str, ...]) -> Iterator[Frame]:
        """
        One delta event per text; only the number and the text are encoded each time.
        """
        numbered = {"sequence_number": -1} if self._flavour.responses_numbers else {}
        document = {"type": kind, **numbered, **place, "delta": HOLE, "logprobs": []}
        fill = template(document, spaced=self._flavour.spaced_json, name=self._name(kind))
        for text in texts:
            data = fill(text)
            if numbered:
                data = data.replace(b'"sequence_number":-1', b'"sequence_number":%d' % next(self._numbers), 1)
            yield Frame(data, 1)

    def _name(self, kind: str) -> str | None:
        return kind if self._flavour.responses_event_lines else None


def _output(choice: Choice, generation: Generation, writer: _EventWriter) -> Iterator[Frame]:
    index = 0
    if choice.reasoning:
        yield from _reasoning(choice, generation, writer)
        index = 1
    if not choice.tool_calls:
        yield from _text(choice, generation, writer, index)
    for call in choice.tool_calls:
        yield from _call(call, writer, index)
        index += 1


def _reasoning(choice: Choice, generation: Generation, writer: _EventWriter) -> Iterator[Frame]:
    item_id, kind = _item_id(generation, 0), "response.reasoning_text"
    text = "".join(choice.reasoning)
    place: dict[str, object] = {"item_id": item_id, "output_index": 0, "content_index": 0}
    done = _reasoning_item(item_id, [{"type": "reasoning_text", "text": text}])
    yield writer.event("response.output_item.added", {"output_index": 0, "item": _reasoning_item(item_id, [])})
    yield from writer.run(f"{kind}.delta", place, choice.reasoning)
    yield writer.event(f"{kind}.done", {**place, "text": text})
    yield writer.event("response.output_item.done", {"output_index": 0, "item": done})


def _text(choice: Choice, generation: Generation, writer: _EventWriter, index: int) -> Iterator[Frame]:
    item_id, text = _item_id(generation, index), "".join(choice.texts)
    place: dict[str, object] = {"item_id": item_id, "output_index": index, "content_index": 0}
    kind, key = ("response.refusal", "refusal") if choice.is_refusal else ("response.output_text", "text")
    added, done = _message_item(item_id, "in_progress", []), _message_item(item_id, "completed", [_part(choice, text)])
    yield writer.event("response.output_item.added", {"output_index": index, "item": added})
    yield writer.event("response.content_part.added", {**place, "part": _part(choice, "")})
    yield from writer.run(f"{kind}.delta", place, choice.texts)
    yield writer.event(f"{kind}.done", {**place, key: text})
    yield writer.event("response.content_part.done", {**place, "part": _part(choice, text)})
    yield writer.event("response.output_item.done", {"output_index": index, "item": done})


def _call(call: ToolCall, writer: _EventWriter, index: int) -> Iterator[Frame]:
    place: dict[str, object] = {"item_id": f"fc_{call.id}", "output_index": index}
    arguments, kind = "".join(call.arguments), "response.function_call_arguments"
    added, done = _call_item(call, "", "in_progress"), _call_item(call, arguments, "completed")
    yield writer.event("response.output_item.added", {"output_index": index, "item": added})
    for piece in call.arguments:
        yield writer.event(f"{kind}.delta", {**place, "delta": piece}, tokens=1)
    yield writer.event(f"{kind}.done", {**place, "arguments": arguments})
    yield writer.event("response.output_item.done", {"output_index": index, "item": done})


def _response(generation: Generation, flavour: Flavour, status: str) -> dict[str, object]:
    choice = generation.choices[0]
    is_done = status != "in_progress"
    response: dict[str, object] = {"id": f"resp_{generation.digest}", "object": "response"}
    if flavour.created:
        response["created_at"] = generation.created
    response.update(
        status=status,
        error=None,
        incomplete_details={"reason": _why_incomplete(choice)} if status == "incomplete" else None,
        model=generation.model,
        output=_items(choice, generation) if is_done else [],
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=[],
        usage=_usage(generation) if is_done and flavour.usage != "none" else None,
    )
    return response


def _why_incomplete(choice: Choice) -> str:
    return "max_output_tokens" if choice.finish_reason == "length" else choice.finish_reason


def _items(choice: Choice, generation: Generation) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    if choice.reasoning:
        text = "".join(choice.reasoning)
        items.append(_reasoning_item(_item_id(generation, 0), [{"type": "reasoning_text", "text": text}]))
    if choice.tool_calls:
        return items + [_call_item(call, "".join(call.arguments), "completed") for call in choice.tool_calls]
    item_id = _item_id(generation, len(items))
    return [*items, _message_item(item_id, "completed", [_part(choice, "".join(choice.texts))])]


def _item_id(generation: Generation, index: int) -> str:
    return f"msg_{generation.digest}{index:02x}"


def _part(choice: Choice, text: str) -> dict[str, object]:
    if choice.is_refusal:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message_item(item_id: str, status: str, content: list[dict[str, object]]) -> dict[str, object]:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def _reasoning_item(item_id: str, content: list[dict[str, object]]) -> dict[str, object]:
    return {"id": item_id, "type": "reasoning", "summary": [], "content": content}


def _call_item(call: ToolCall, arguments: str, status: str) -> dict[str, object]:
    return {
        "id": f"fc_{call.id}",
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": arguments,
    }


def _usage(generation: Generation) -> dict[str, object]:
    choice = generation.choices[0]
    return {
        "input_tokens": generation.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": choice.tokens,
        "output_tokens_details": {"reasoning_tokens": len(choice.reasoning)},
        "total_tokens": generation.prompt_tokens + choice.tokens,
    }
