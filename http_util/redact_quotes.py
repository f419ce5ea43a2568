"""
Taking out of a message what it repeats of a private text: an upstream may quote the prompt in its error.

A message is short and a prompt may have 64 MiB, so the prompt is gone through once, in steps, whatever the message
holds: looking each piece of the message up in it would hold the event loop for seconds.

Spec: HTU-1004, SEC-16, ADP-50
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WINDOW: Final = 12
"""Characters in a row that count as a quotation; shorter runs occur by chance."""

MASK: Final = "****"

_PROBE: Final = 8
# the longest step that leaves no window without a probe that lies inside of it as a whole
_STEP: Final = WINDOW - _PROBE + 1
# probes of a message up to which looking each one up is quicker than going through the text
_FEW: Final = 6
# places of a text that need not be looked at again: one that repeats itself would take ten times as long
_REMEMBERED: Final = 4096

# One character as JSON, a repr or our own messages may write it, escaped once or several times; a pair is one.
_UNIT: Final = re.compile(
    r"\\+u[dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\+(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U000[0-9a-fA-F]{5}|[nrtbf\"'/])"
    r"|\\\\|.",
    re.DOTALL,
)
_NAMED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "": "\\"}


def without_quotes(message: str, private: Iterable[str]) -> str:
    """
    Return *message* with every run of `WINDOW` or more characters that stands in one of the *private* texts masked.

    A private text that is shorter than that is masked where it stands as a whole, from 6 characters on. What is escaped
    in the message, as in JSON inside of JSON, is found too.

    Example:
        >>> without_quotes("bad input: 'lies under the oak'", ["Say: the treasure lies under the oak tree"])
        "bad input: '****'"
    """
    for text in private:
        if len(text) >= WINDOW // 2:
            size = min(WINDOW, len(text))
            if "\\" in message:
                message = _without_runs(_UNIT.findall(message), text, size)
            message = _without_runs(message, text, size)
    return message


def _without_runs(units: Sequence[str], text: str, size: int) -> str:
    """Return a message, given character by character, without the runs of *size* that stand in *text*."""
    read = units if isinstance(units, str) else "".join(map(_meant, units))
    quoted = _quoted(read, text, size)
    kept: list[str] = []
    end = 0
    for at, unit in enumerate(units):
        if read[at : at + size] in quoted:
            if at >= end and kept[-1:] != [MASK]:
                kept.append(MASK)
            end = at + size
        elif at >= end:
            kept.append(unit)
    return "".join(kept)


def _quoted(message: str, text: str, size: int) -> set[str]:
    """Return the runs of *size* that stand both in *message* and in *text*."""
    windows = {message[at : at + size] for at in range(len(message) - size + 1)}
    if len(text) == size:
        return windows & {text}
    if not _may_quote(message, text):
        return set()
    probes = {message[at : at + _PROBE] for at in range(len(message) - _PROBE + 1)}
    found, seen = set[str](), set[str]()
    for at in range(0, len(text), _STEP):
        if text[at : at + _PROBE] in probes:
            around = text[max(0, at - _STEP + 1) : at + size]
            if around not in seen:
                if len(seen) >= _REMEMBERED:
                    seen.clear()
                seen.add(around)
                found.update(windows.intersection(around[start : start + size] for start in range(_STEP)))
    return found


def _may_quote(message: str, text: str) -> bool:
    """Tell whether *message* may hold a run of *text*; certain for short messages, of which most are our own words."""
    probes = {message[at : at + _PROBE] for at in range(0, len(message) - _PROBE + 1, _STEP)}
    return len(probes) > _FEW or any(probe in text for probe in probes)


def _meant(unit: str) -> str:
    """Return the character that a unit of a message stands for."""
    if len(unit) == 1:
        return unit
    code = unit.lstrip("\\")
    if code[:1] not in {"u", "x", "U"}:
        return _NAMED.get(code, code)
    if "\\" not in code:
        return chr(int(code[1:], 16))
    high, low = int(code[1:5], 16), int(code[-4:], 16)
    return chr(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)
