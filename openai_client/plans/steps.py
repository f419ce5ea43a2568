"""
The steps of a plan that takes several calls.

A plan is a generator: it yields what is to be done, and is sent what came of it.

Spec: CLI-20
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

from openai_client.operation import Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait; whoever takes the step adds a random part."""

    seconds: float
    """The least."""
    spread: float = 0.0
    """Seconds of which a random part is added."""


@dataclass(frozen=True, slots=True)
class Together:
    """Make several calls; at the same time where that costs no threads. The answers come in the order of the calls."""

    operations: Sequence[Operation[Any]]
    """The calls."""
    at_once: int
    """How many may be under way at the same time, one or more."""
    keeps_errors: bool = False
    """Whether a call that fails leaves its error in place of its answer, and does not touch the others."""


class Seen(NamedTuple):
    """What came of a step."""

    result: Any
    """The result of a call, a list of those of several, None after a pause."""
    now: float
    """The monotonic time at which it was there."""


Step: TypeAlias = Operation[Any] | Pause | Together
"""One thing to do."""

Steps: TypeAlias = Generator[Step, Seen, T]
"""A plan that ends with a T. Errors of a call are raised where it was asked for."""
