"""
Chat completions: a Generation as one answer, or as a stream of chunks.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from upstream_simulator.frames import DONE, HOLE, Frame, encoder, event, template
from upstream_simulator.usage import usage_of, zero_usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from upstream_simulator.flavours import Flavour
    from upstream_simulator.generation import Choice, Generation, ToolCall

TIMINGS: Final = {"prompt_n": 8, "prompt_ms": 4.2, "predicted_n": 8, "predicted_ms": 80.0}
_FINGERPRINT: Final = "fp_simulated"


def chat_answer(generation: Generation, flavour: Flavour) -> dict[str, object]:
    """
    Make the body of a plain chat completion.

    Spec: SIM-04
    """
    answer = _frame(generation, flavour, "chat.completion", is_last=True)
    answer["choices"] = [
        {
            "index": choice.index,
            "message": _message(choice, flavour),
            "logprobs": None,
            "finish_reason": choice.finish_reason if flavour.finish else None,
        }
        for choice in generation.choices
    ]
    if flavour.usage != "none":
        answer["usage"] = usage_of(generation)
    if flavour.timings:
        answer["timings"] = TIMINGS
    return answer


def chat_frames(generation: Generation, flavour: Flavour, *, empty_chunks: int = 0) -> Iterator[Frame]:
    """
    Make the events of a streamed chat completion.

    Args:
        generation: What is said.
        flavour: How chunks are written, faults included.
        empty_chunks: Chunks with an empty delta after the first one.

    Yields:
        Role, content of all choices in turn, finish, usage, `[DONE]`: as far as the flavour sends them.

    Spec: SIM-04, SIM-05
    """
    writer = _ChunkWriter(generation, flavour)
    voices = [_voice(choice, writer, empty_chunks) for choice in generation.choices]
    for turn in zip_longest(*voices):
        yield from (frame for frame in turn if frame is not None)
    has_usage = flavour.usage == "unasked" or (flavour.usage in {"asked", "with_choice"} and generation.include_usage)
    if has_usage:
        yield writer.usage(with_choice=flavour.usage == "with_choice")
    if flavour.done:
        yield DONE


def _voice(choice: Choice, writer: _ChunkWriter, empty_chunks: int) -> Iterator[Frame]:
    """
    Speak one choice, from its role to what it says after its finish.
    """
    flavour = writer.flavour
    texts = list(choice.texts)
    first_text = texts.pop(0) if flavour.first_delta == "text" and texts and not choice.reasoning else None
    yield from writer.opening(choice, first_text)
    for _ in range(empty_chunks):
        yield writer.chunk(choice.index, {})
    yield from writer.run(choice.index, flavour.reasoning_key, choice.reasoning)
    last_text = texts.pop() if flavour.finish_with_text and texts else None
    key = "refusal" if choice.is_refusal else "content"
    yield from writer.run(choice.index, key, texts)
    for position, call in enumerate(choice.tool_calls):
        yield from writer.tool_call(choice.index, position, call)
    if flavour.finish:
        yield writer.finish(choice, {key: last_text} if last_text is not None else {})
    elif last_text is not None:
        yield from writer.run(choice.index, key, [last_text])
    yield from writer.run(choice.index, key, choice.after_finish)


class _ChunkWriter:
    """
    Writes chunks of one answer in one flavour.
    """

    def __init__(self, generation: Generation, flavour: Flavour) -> None:
        self.flavour = flavour
        self._generation = generation
        self._dumps = encoder(spaced=flavour.spaced_json)

    def chunk(self, index: int, delta: Mapping[str, object], *, tokens: int = 0) -> Frame:
        return Frame(event(self._dumps(self._document(index, delta))), tokens)

    def run(self, index: int, key: str, texts: tuple[str, ...] | list[str]) -> Iterator[Frame]:
        """
        One chunk per text, encoded but for the text only once.
        """
        if not texts:
            return
        fill = template(self._document(index, {key: HOLE}), spaced=self.flavour.spaced_json)
        for text in texts:
            yield Frame(fill(text), 1)

    def opening(self, choice: Choice, first_text: str | None) -> Iterator[Frame]:
        form = self.flavour.first_delta
        if first_text is not None:
            yield self.chunk(choice.index, {"role": "assistant", "content": first_text}, tokens=1)
        elif form != "none":
            contents: dict[str, dict[str, object]] = {"null_content": {"content": None}, "empty": {"content": ""}}
            yield self.chunk(choice.index, {"role": "assistant", **contents.get(form, {})})

    def tool_call(self, index: int, position: int, call: ToolCall) -> Iterator[Frame]:
        style = self.flavour.tool_style
        named = {"index": position, "id": call.id, "type": "function"}
        if style in {"openai", "vllm"}:
            function = {"name": call.name} if style == "vllm" else {"name": call.name, "arguments": ""}
            yield self.chunk(index, {"tool_calls": [{**named, "function": function}]})
        for piece in call.arguments:
            if style == "repeated":
                delta = {**named, "function": {"name": call.name, "arguments": piece}}
            else:
                delta = {"index": position, "function": {"arguments": piece}}
            yield self.chunk(index, {"tool_calls": [delta]}, tokens=1)
        if style == "late_name":
            yield self.chunk(index, {"tool_calls": [{**named, "function": {"name": call.name}}]})

    def finish(self, choice: Choice, delta: Mapping[str, object]) -> Frame:
        document = self._document(choice.index, delta, finish_reason=choice.finish_reason)
        if self.flavour.usage == "with_finish":
            document["usage"] = usage_of(self._generation)
        if self.flavour.timings:
            document["timings"] = TIMINGS
        return Frame(event(self._dumps(document)), len(delta))

    def usage(self, *, with_choice: bool) -> Frame:
        document = _frame(self._generation, self.flavour, "chat.completion.chunk", is_last=False)
        document["choices"] = [{"index": 0, "delta": {}}] if with_choice else []
        document["usage"] = usage_of(self._generation)
        return Frame(event(self._dumps(document)))

    def _document(self, index: int, delta: Mapping[str, object], finish_reason: str | None = None) -> dict[str, object]:
        choice: dict[str, object] = {"index": index, "delta": delta}
        if self.flavour.null_finish:
            choice["logprobs"] = None
        if self.flavour.null_finish or finish_reason is not None:
            choice["finish_reason"] = finish_reason
        if self.flavour.vllm_keys:
            choice.update(stop_reason=None, token_ids=None)
        document = _frame(self._generation, self.flavour, "chat.completion.chunk", is_last=finish_reason is not None)
        document["choices"] = [choice]
        if self.flavour.usage == "zero":
            document["usage"] = zero_usage()
        elif self.flavour.null_usage and self._generation.include_usage:
            document["usage"] = None
        return document


def _message(choice: Choice, flavour: Flavour) -> dict[str, object]:
    text: str | None = "".join(choice.texts)
    message: dict[str, object] = {"role": "assistant", "content": text, "refusal": None}
    if choice.is_refusal:
        message.update(content=None, refusal=text)
    if choice.reasoning:
        message[flavour.reasoning_key] = "".join(choice.reasoning)
    if choice.tool_calls:
        message.update(content=None, tool_calls=[_whole_call(call) for call in choice.tool_calls])
    return message


def _whole_call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.arguments)}}


def _frame(generation: Generation, flavour: Flavour, kind: str, *, is_last: bool) -> dict[str, object]:
    """
    What every chunk and answer begins with.
    """
    document: dict[str, object] = {"id": f"chatcmpl-{generation.digest}", "object": kind}
    if flavour.created:
        document["created"] = generation.created
    document["model"] = generation.model
    if flavour.fingerprint == "all" or (flavour.fingerprint == "last" and is_last):
        document["system_fingerprint"] = _FINGERPRINT
    elif flavour.fingerprint == "blank":
        document["system_fingerprint"] = ""
    return document
