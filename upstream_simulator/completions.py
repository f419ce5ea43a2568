"""
Legacy completions: a Generation as one answer, or as a stream of chunks.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from upstream_simulator.frames import DONE, HOLE, Frame, encoder, event, template
from upstream_simulator.usage import usage_of, zero_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstream_simulator.flavours import Flavour
    from upstream_simulator.generation import Choice, Generation


def completion_answer(generation: Generation, flavour: Flavour) -> dict[str, object]:
    """
    Make the body of a plain completion.

    Spec: SIM-04
    """
    answer = _frame(generation, flavour)
    answer["choices"] = [
        _choice(choice.index, "".join(choice.texts), choice.finish_reason if flavour.finish else None)
        for choice in generation.choices
    ]
    if flavour.usage != "none":
        answer["usage"] = usage_of(generation)
    return answer


def completion_frames(generation: Generation, flavour: Flavour, *, empty_chunks: int = 0) -> Iterator[Frame]:
    """
    Make the events of a streamed completion.

    Args:
        generation: What is said.
        flavour: How chunks are written, faults included.
        empty_chunks: Chunks without text at the start.

    Yields:
        Text of all choices in turn, finish, usage, `[DONE]`: as far as the flavour sends them.

    Spec: SIM-04, SIM-05
    """
    dumps = encoder(spaced=flavour.spaced_json)
    voices = [_voice(choice, generation, flavour, empty_chunks) for choice in generation.choices]
    for turn in zip_longest(*voices):
        yield from (frame for frame in turn if frame is not None)
    if flavour.usage == "unasked" or (flavour.usage in {"asked", "with_choice"} and generation.include_usage):
        yield Frame(event(dumps({**_frame(generation, flavour), "choices": [], "usage": usage_of(generation)})))
    if flavour.done:
        yield DONE


def _voice(choice: Choice, generation: Generation, flavour: Flavour, empty_chunks: int) -> Iterator[Frame]:
    dumps = encoder(spaced=flavour.spaced_json)

    def document(text: str, finish_reason: str | None = None) -> dict[str, object]:
        whole = {**_frame(generation, flavour), "choices": [_choice(choice.index, text, finish_reason)]}
        if flavour.usage == "zero":
            whole["usage"] = zero_usage()
        elif finish_reason is not None and flavour.usage == "with_finish":
            whole["usage"] = usage_of(generation)
        return whole

    for _ in range(empty_chunks):
        yield Frame(event(dumps(document(""))))
    texts = list(choice.texts)
    last_text = texts.pop() if flavour.finish and flavour.finish_with_text and texts else None
    fill = template(document(HOLE), spaced=flavour.spaced_json)
    for text in texts:
        yield Frame(fill(text), 1)
    if flavour.finish:
        yield Frame(event(dumps(document(last_text or "", choice.finish_reason))), int(last_text is not None))
    for text in choice.after_finish:
        yield Frame(fill(text), 1)


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, object]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _frame(generation: Generation, flavour: Flavour) -> dict[str, object]:
    document: dict[str, object] = {"id": f"cmpl-{generation.digest}", "object": "text_completion"}
    if flavour.created:
        document["created"] = generation.created
    document["model"] = generation.model
    return document
