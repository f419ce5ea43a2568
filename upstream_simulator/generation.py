"""
What the engine would say: an Ask turned into tokens, tool calls, finish reasons and counts. No bytes yet.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from upstream_simulator import words
from upstream_simulator.error_bodies import ApiError

if TYPE_CHECKING:
    from upstream_simulator.asks import Ask
    from upstream_simulator.faults import Faults
    from upstream_simulator.flavours import Flavour
    from upstream_simulator.options import Options

CREATED: Final = 1_767_225_600
"""The `created` of every answer, so that the same request gives the same bytes: 2026-01-01 00:00:00 UTC."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """
    One call the model makes; its arguments come in pieces.
    """

    id: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    One of the n answers.
    """

    index: int
    texts: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    is_refusal: bool = False
    finish_reason: str = "stop"
    after_finish: tuple[str, ...] = ()
    """Tokens an engine sends although it has said that it is done."""

    @property
    def tokens(self) -> int:
        """
        How many tokens were generated for this choice.
        """
        return len(self.texts) + len(self.reasoning) + sum(len(call.arguments) for call in self.tool_calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """
    A whole answer, in every part determined by the request.

    Spec: SIM-02
    """

    digest: str
    """Hexadecimal; ids are made of it."""
    model: str
    choices: tuple[Choice, ...]
    prompt_tokens: int
    include_usage: bool
    created: int = CREATED

    @property
    def completion_tokens(self) -> int:
        """
        Tokens of all choices together.
        """
        return sum(choice.tokens for choice in self.choices)


def generate(ask: Ask, options: Options, faults: Faults, flavour: Flavour) -> Generation:
    """
    Decide everything that will be said.

    Args:
        ask: The request.
        options: Of the server; gives vocabulary, length and seed where the request has none.
        faults: Of this request; may change what is said.
        flavour: Of the server, with the faults of this request in it.

    Returns:
        The answer.

    Raises:
        ApiError: The prompt is longer than the server's context.

    Spec: SIM-02, SIM-03
    """
    prompt_tokens = sum(words.count_tokens(prompt) for prompt in ask.prompts)
    if options.context is not None and prompt_tokens > options.context:
        raise ApiError(
            f"This model's maximum context length is {options.context} tokens. "
            f"However, your messages resulted in {prompt_tokens} tokens.",
            code="context_length_exceeded",
            param="messages",
        )
    speaker = _Speaker(ask, options, faults, flavour)
    prompts = [prompt for prompt in ask.prompts for _ in range(faults.choices or ask.n)]
    return Generation(
        digest=speaker.digest,
        model=ask.model,
        choices=tuple(speaker.choice(index, prompt) for index, prompt in enumerate(prompts)),
        prompt_tokens=prompt_tokens,
        include_usage=ask.include_usage,
    )


class _Speaker:
    """
    Makes the choices of one answer.
    """

    def __init__(self, ask: Ask, options: Options, faults: Faults, flavour: Flavour) -> None:
        self._ask = ask
        self._seed = options.seed if ask.seed is None else ask.seed
        self._style = faults.words or options.words
        self._natural_length = options.tokens
        self._faults = faults
        self._flavour = flavour
        known = json.dumps([ask.model, ask.prompts, ask.n, ask.limit, self._seed, ask.stop])
        self.digest = hashlib.sha256(known.encode()).hexdigest()[:24]

    def choice(self, index: int, prompt: str) -> Choice:
        """
        Make one choice: tool calls if there are any to make, else text.
        """
        calls = self._tool_calls(index)
        texts, reason = ((), self._tool_reason()) if calls else self._text(index, prompt)
        return Choice(
            index=index,
            texts=texts,
            reasoning=self._say(prompt + " thinking", self._faults.reasoning, index),
            tool_calls=calls,
            is_refusal=self._faults.refusal,
            finish_reason=self._faults.finish_reason or reason,
            after_finish=self._say(prompt + " afterwards", self._faults.after_finish, index),
        )

    def _say(self, prompt: str, count: int, index: int) -> tuple[str, ...]:
        return words.tokens(prompt, seed=self._seed, count=count, choice=index, style=self._style)

    def _text(self, index: int, prompt: str) -> tuple[tuple[str, ...], str]:
        limit, wished = self._ask.limit, self._faults.tokens
        length = wished if wished is not None else (self._natural_length if limit is None else limit)
        is_cut = wished is None and limit is not None
        texts, is_stopped = _until_stop(self._say(prompt, length, index), self._ask.stop)
        if self._faults.huge:
            texts = (*texts[:1], "x" * self._faults.huge, *texts[2:])
        if self._ask.echo:
            texts = (prompt, *texts)
        return texts, "length" if is_cut and not is_stopped else "stop"

    def _tool_reason(self) -> str:
        is_vllm = self._flavour.tool_style == "vllm"
        return "stop" if self._ask.tool_is_named and is_vllm else "tool_calls"

    def _tool_calls(self, index: int) -> tuple[ToolCall, ...]:
        names = self._ask.tool_names or ("get_weather", "get_time", "look_up")
        count = self._faults.tool_calls or len(self._ask.tool_names)
        return tuple(
            ToolCall(
                id=f"call_{self.digest[:12]}{index:x}{position:x}",
                name=names[position % len(names)],
                arguments=('{"', "place", '": "', f"Town {position}", '"}'),
            )
            for position in range(count)
        )


def _until_stop(texts: tuple[str, ...], stops: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """
    Cut the text before the earliest stop sequence, and say whether there was one.
    """
    if not stops:
        return texts, False
    text = "".join(texts)
    places = [place for place in map(text.find, stops) if place >= 0]
    if not places:
        return texts, False
    kept, left = [], min(places)
    for token in texts:
        if left <= 0:
            break
        kept.append(token[:left])
        left -= len(token)
    return tuple(kept), True
