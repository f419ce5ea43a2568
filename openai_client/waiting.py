"""
What blocking code waits for that another thread may end: a signal, as `threading.Event` is one.

It is handed in like a clock, so that tests decide when it rings and never wait.

Spec: REL-08
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class Signal(Protocol):
    """Something that is given once; `threading.Event` has this form."""

    def set(self) -> None:
        """Give the signal: whoever waits goes on."""

    def is_set(self) -> bool:
        """Tell whether it was given."""

    def wait(self, timeout: float | None = None, /) -> bool:
        """Wait until it is given, at most *timeout* seconds; tell whether it was."""


MakeSignal: TypeAlias = Callable[[], Signal]
"""Makes a signal that has not been given yet."""
