"""
What is wrong with a command line, in one line as everything else that is wrong: which option, and what it takes.

Spec: HST-13
"""

from __future__ import annotations

import contextlib
import math
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer
from typer.core import TyperGroup

from adapter_host.commands.exit_codes import FAILED, OK, say

if TYPE_CHECKING:
    from collections.abc import Callable

N = TypeVar("N", int, float)

LEAST_DEADLINE: Final = 0.001
"""Seconds."""


class OneLineErrors(TyperGroup):
    """The commands, whose usage errors are one line. Help is shown as it is."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit with its code, as it is documented."""
        if not options.get("standalone_mode", True):
            return super().main(*args, **options)
        try:
            code = super().main(*args, **(options | {"standalone_mode": False}))
        except typer.Abort:
            sys.exit(FAILED)
        # its class is typer's own or click's, by the version of typer: both have these
        except Exception as exc:
            tell, code = getattr(exc, "format_message", None), getattr(exc, "exit_code", None)
            if not callable(tell) or not isinstance(code, int):
                raise
            _say(exc, tell())
        sys.exit(code if isinstance(code, int) else OK)


def _say(error: Any, message: str) -> None:
    """One line, which begins with the option where one is at fault; help, which has many, as it is."""
    if "\n" in message:
        error.show()
        return
    names = getattr(getattr(error, "param", None), "opts", None)
    say(f"{names[0]}: {error.message}" if names else message)


def integer(text: str) -> int:
    """Read an option that takes an integer."""
    return _read(int, text, "an integer")


def count(text: str) -> int:
    """Read an option that takes an integer of 1 or more."""
    return _read(int, text, "an integer of 1 or more", least=1)


def number(text: str) -> float:
    """Read an option that takes a number."""
    return _read(float, text, "a number")


def seconds(text: str) -> float:
    """Read an option that takes seconds, of which a task counts the milliseconds."""
    return _read(float, text, f"{LEAST_DEADLINE:g} or more seconds", least=LEAST_DEADLINE)


def _read(kind: Callable[[str], N], text: str, expected: str, *, least: float = -math.inf) -> N:
    """*text* as a number of this kind, which is finite and not below *least*."""
    with contextlib.suppress(ValueError):
        value = kind(text)
        if least <= value < math.inf:
            return value
    raise typer.BadParameter(f"expected {expected}, got {text[:32]!a}")
