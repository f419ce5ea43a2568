"""
Deterministic text: the same prompt and seed give the same words, always and everywhere.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "opening": ("The", "A", "Every", "Another", "This", "One"),
    "adjective": ("quiet", "patient", "small", "bright", "careful", "old", "narrow", "curious", "steady", "early"),
    "noun": ("river", "lamp", "garden", "signal", "harbour", "letter", "engine", "bridge", "morning", "market"),
    "verb": ("carries", "follows", "answers", "remembers", "opens", "counts", "crosses", "warms", "measures", "finds"),
    "tail": ("at dawn", "without haste", "before the rain", "along the coast", "once more", "by candlelight"),
}
_UNICODE: Final[Mapping[str, tuple[str, ...]]] = {
    "opening": ("Der", "Une", "这", "Ένα", "Этот", "ひとつの"),
    "adjective": ("grüne", "élégante", "静かな", "μικρό", "тихий", "安静的", "naïve", "🌱", "señorial", "größte"),
    "noun": ("Straße", "café", "川", "γέφυρα", "река", "花园", "façade", "🚀", "mañana", "Übung"),
    "verb": ("trägt", "répète", "数える", "ανοίγει", "помнит", "寻找", "überquert", "👩‍🔬", "añade", "flüstert"),
    "tail": ("à l'aube", "ohne Eile", "夜明けに", "στην ακτή", "перед дождём", "再一次"),
}
# What a sampler that works on bytes sends now and then, and what line splitters trip over.
_HOSTILE: Final[Mapping[str, tuple[str, ...]]] = {
    "opening": ("\u2028", "\u2029", "\x85", "\ufffd", "\ufeff", "\x00"),
    "adjective": ("a\u2028b", "data:", "\x0b", "\x0c", "\x1c", "\u202e", "\\n", '"', "\\", "[DONE]"),
    "noun": ("c\u2029d", "\r", "\n", "\r\n", "\n\n", "\t", "\x1b[31m", "\x7f", "event: error", "}"),
    "verb": ("e\x85f", "null", "\U0001f680", "<b>", "&amp;"),
    "tail": ("g\u2028 h", "i\u2029 j", "k\x85 l"),
}
_LONG_PROMPT: Final = 1 << 20
_BLOCK: Final = 2048
"""A text longer than this many tokens says the same again, so that an endless one is made in no time."""
STYLES: Final[dict[str, Mapping[str, tuple[str, ...]]]] = {
    "plain": _PLAIN,
    "unicode": _UNICODE,
    "hostile": _HOSTILE,
}
"""Vocabularies: `plain` ASCII, `unicode` up to four bytes a character, `hostile` separators and control characters."""


def tokens(prompt: str, *, seed: int, count: int, choice: int = 0, style: str = "plain") -> tuple[str, ...]:
    """
    Make exactly *count* tokens of text for a prompt.

    Args:
        prompt: All text of the request.
        seed: The request's seed, or the server's.
        count: How many tokens, 0 or more.
        choice: Index of the choice; each has its own text.
        style: A name in `STYLES`.

    Returns:
        Tokens that joined give the text; words after the first begin with a space.

    Spec: SIM-02
    """
    if count <= 0:
        return ()
    digest = hashlib.sha256(f"{seed}:{choice}:{style}:{prompt}".encode("utf-8", "surrogatepass")).digest()
    # A seeded generator is what makes the text repeatable; nothing secret hangs on it.
    rng, block = random.Random(digest), list[str]()
    while len(block) < min(count, _BLOCK):
        block += _sentence(rng, STYLES[style])
    first, *rest = islice(cycle(block), count)
    return (first.removeprefix(" "), *rest)


def count_tokens(text: str) -> int:
    """
    Count the tokens of a prompt: its words and punctuation marks, at least 1.

    A prompt above a million characters counts a quarter of them, so that a huge one holds nobody up.
    """
    if len(text) > _LONG_PROMPT:
        return len(text) // 4
    return max(1, len(re.findall(r"\w+|[^\w\s]", text)))


def vector(text: str, dimensions: int) -> list[float]:
    """
    Make a unit vector that depends on nothing but the text.

    Args:
        text: What to embed.
        dimensions: Length of the vector, 1 or more.

    Returns:
        Floats whose squares add up to 1.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    rng = random.Random(digest)
    raw = [rng.gauss(0.0, 1.0) for _ in range(dimensions)]
    length = math.sqrt(sum(value * value for value in raw)) or 1.0
    return [round(value / length, 8) for value in raw]


def _sentence(rng: random.Random, vocabulary: Mapping[str, tuple[str, ...]]) -> list[str]:
    """
    Make the tokens of one sentence, with a space before every word.
    """
    start = [rng.choice(vocabulary[part]) for part in ("opening", "adjective", "noun", "verb")]
    article = "the" if vocabulary is _PLAIN else "·"
    tail = rng.choice(vocabulary["tail"]).split(" ")
    return [f" {word}" for word in (*start, article, rng.choice(vocabulary["noun"]), *tail)] + ["."]
