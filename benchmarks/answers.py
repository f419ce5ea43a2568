"""
What is asked and what the right answer is: for the upstream, which tells it, and for the check of every client.

A client of any make can ask for a situation, because the situation stands in the prompt: how many tokens, how many to
a write, or how many a second. The upstream reads it there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

MODEL: Final = "gpt-4o-mini-2024-07-18"
PROMPT_TOKENS: Final = 21
FINISH_REASON: Final = "stop"
API_KEY: Final = "sk-benchmark"
WORDS: Final = (
    " the", " sea", " is", " wide", ",", " and", " it", " does", " not", " end", " where", " the", " eye", " ends", ".",
    "\n", " Waves", " come", " in", " für", " jeden", ";", ' "one', " by", ' one"', ",", " as", " if", " counted", ".",
    " 波", " ~",
)  # fmt: skip
"""Tokens of an answer, in this order, again from the front as often as is needed."""

_ASKED: Final = re.compile(rb"\[slot=(\d+) serial=(\d+) tokens=(\d+) burst=(\d+) rate=(\d+) gate=(\d+)\]")


class WrongAnswer(Exception):
    """A client read something else than what was sent; its figures are worth nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One stream as it is asked for."""

    slot: int
    """Its place on the board; two streams at once never share one."""
    serial: int = 0
    """Tells apart streams that have the same slot one after the other."""
    tokens: int
    burst: int = 1
    """Tokens that one write brings; the next round of writes waits until all streams' have been taken."""
    rate: int = 0
    """Tokens a second; 0 writes by burst."""
    gate: int = 0
    """Wait until so many streams with a gate are open; those that write by burst also wait for the board's go."""

    @property
    def rounds(self) -> int:
        """How many writes of every stream there are by burst; with single tokens, what ends the answer is one more."""
        return -(-self.tokens // self.burst) + (self.burst == 1)

    prompt: str = field(init=False)
    """What a user says to get it."""

    def __post_init__(self) -> None:
        """Write the prompt."""
        prompt = (
            f"Tell me about the sea. [slot={self.slot} serial={self.serial} tokens={self.tokens} burst={self.burst} "
            f"rate={self.rate} gate={self.gate}]"
        )
        object.__setattr__(self, "prompt", prompt)

    @property
    def usage(self) -> tuple[int, int, int]:
        """Tokens of the prompt, of the answer, and of both."""
        return PROMPT_TOKENS, self.tokens, PROMPT_TOKENS + self.tokens

    def body(self) -> dict[str, object]:
        """The request, for clients that write it themselves."""
        return {
            "model": MODEL,
            "messages": [{"role": "user", "content": self.prompt}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": self.tokens,
        }


def asked(body: bytes) -> Ask | None:
    """The ask that stands in a request's body; None when there is none."""
    found = _ASKED.search(body)
    if found is None:
        return None
    slot, serial, tokens, burst, rate, gate = map(int, found.groups())
    return Ask(slot=slot, serial=serial, tokens=tokens, burst=burst, rate=rate, gate=gate)


def words(count: int) -> list[str]:
    """The first *count* tokens of an answer that is not paced."""
    whole, rest = divmod(count, len(WORDS))
    return [*(WORDS * whole), *WORDS[:rest]]


def event(choices: list[object], usage: dict[str, int] | None = None) -> bytes:
    """One chunk of about 300 bytes, as OpenAI sends it, in its frame of server-sent events."""
    chunk = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
        "choices": choices,
        "usage": usage,
        "obfuscation": "k2Jv8",
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def token_event(text: str) -> bytes:
    """The chunk of one token."""
    return event([{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}])


_ROLE: Final = {"role": "assistant", "content": "", "refusal": None}
OPENING: Final = event([{"index": 0, "delta": _ROLE, "logprobs": None, "finish_reason": None}])
"""The first chunk: a role, no text."""
FINISH: Final = event([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": FINISH_REASON}])
DONE: Final = b"data: [DONE]\n\n"
WORD_EVENTS: Final = tuple(token_event(word) for word in WORDS)


def word_events(start: int, count: int) -> list[bytes]:
    """The chunks of *count* tokens from number *start* on."""
    return [WORD_EVENTS[index % len(WORDS)] for index in range(start, start + count)]


def closing(ask: Ask) -> list[bytes]:
    """What follows the last token: the finish reason, the usage, the end."""
    prompt, completion, total = ask.usage
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return [FINISH, event([], usage), DONE]


# A paced token tells its stream, its number and when it was written, each in a fixed width.
STAMP: Final = "{slot:05d} {index:07d} {micros:016d};"
STAMP_INDEX: Final = slice(6, 13)
STAMP_MICROS: Final = slice(14, 30)


MIDDLE: Final = b"%07d %016d"
"""Number and time of a paced token; the only part of its chunk that changes."""
MIDDLE_SIZE: Final = 24


def paced_parts(slot: int) -> tuple[bytes, bytes]:
    """What stands before and after `MIDDLE` in the chunks of a paced stream."""
    before, after = token_event(f"{slot:05d} \0;").split(json.dumps("\0")[1:-1].encode())
    return before, after
