"""
What coverage still has to see: tracing makes Python three times as slow, and most cases of a test go the same ways.

A parametrised test is measured until cases in a row have brought no line and no branch that the run did not know; the
others run at full speed. All of them run, and assert what they assert. A child process is measured whoever starts it,
unless its lines are those of another one that is.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 12
"""Cases in a row: three times two protocols in two colours, each of which has ways of its own."""


@contextmanager
def unmeasured() -> Iterator[None]:
    """Keep coverage out of the block, and out of the threads that it starts."""
    tracer, thread_tracer = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        threading.settrace(thread_tracer)
        sys.settrace(tracer)


def unmeasured_environment() -> dict[str, str]:
    """Return the environment of a child process that coverage is to stay out of."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


@contextmanager
def unmeasured_children() -> Iterator[None]:
    """Keep coverage out of the processes that are started in the block."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - unmeasured_environment():
            patch.delenv(name)
        yield


def ways_seen(tracer: Any) -> int:
    """Count the lines or branches that coverage's *tracer* has seen so far, in all threads."""
    return sum(len(ways) for ways in list(tracer.data.values()))


class Measuring:
    """Decides which cases of parametrised tests are measured, by what those before them have shown."""

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._quiet: Counter[str] = Counter()

    @contextmanager
    def case_of(self, test: str) -> Iterator[None]:
        """Run one case of *test* in the block, measured or not."""
        tracer: Any = sys.gettrace()
        if not hasattr(tracer, "data"):  # nobody measures, or a core of coverage that costs next to nothing
            yield
        elif self._quiet[test] >= self._patience:
            with unmeasured():
                yield
        else:
            before = ways_seen(tracer)
            yield
            self._quiet[test] = self._quiet[test] + 1 if ways_seen(tracer) == before else 0
