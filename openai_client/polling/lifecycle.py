"""
How work goes and how it ends, kind by kind: data, and what it means. Pure.

Spec: CLI-20
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from openai_client.errors import ErrorSource, InvalidState, Timeout

if TYPE_CHECKING:
    from typing import Unpack

    from openai_client.errors import ErrorFacts

_HOUR: Final = 3600.0


class _WithResult:
    """An error that has the object which it is about; repr, comparison, copies and pickles leave the object out."""

    def _keep(self, result: Any) -> None:
        # what begins with two underscores is none of an error's facts
        vars(self)["__result"] = result

    @property
    def result(self) -> Any:
        """The object as it was last seen; None after pickling or copying."""
        return vars(self).get("__result")


class WorkFailed(_WithResult, InvalidState):
    """
    The work ended, and not well: it failed, expired or was cancelled. `result` is the object, `code` its error's code.

    Spec: CLI-20
    """

    def __init__(self, message: str, *, result: Any = None, **facts: Unpack[ErrorFacts]) -> None:
        """Describe the error; *result* is the object."""
        super().__init__(message, **facts)
        self._keep(result)

    def payload(self) -> dict[str, Any]:
        """The error as JSON holds it: the leaf that it is."""
        return super().payload() | {"error": InvalidState.__name__}


class WorkUnfinished(_WithResult, Timeout):
    """
    The time to wait ran out; the work goes on. `result` is the object as it was last seen.

    Spec: CLI-20
    """

    def __init__(self, message: str, *, result: Any = None, **facts: Unpack[ErrorFacts]) -> None:
        """Describe the error; *result* is the object."""
        super().__init__(message, **facts)
        self._keep(result)

    def payload(self) -> dict[str, Any]:
        """The error as JSON holds it: the leaf that it is."""
        return super().payload() | {"error": Timeout.__name__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """
    The states of one kind of work. A state that is not listed, known or not, is one in which the work goes on.

    Example:
        >>> FINE_TUNING_JOB.has_ended("running"), FINE_TUNING_JOB.has_ended("succeeded")
        (False, True)

    Spec: CLI-20, FWD-02
    """

    name: str
    """What people call it."""
    done: frozenset[str]
    """States in which it has ended, or waits for its owner, and is returned."""
    failed: frozenset[str] = frozenset()
    """States in which it has ended otherwise."""
    patience: float
    """Seconds for which it is waited for when nothing else is said."""

    def has_ended(self, state: str | None) -> bool:
        """Tell whether nothing more will happen by itself; an object without a state is no work."""
        return state is None or state in self.done or state in self.failed

    def ended(self, result: Any) -> None:
        """
        Check how *result* has ended.

        Raises:
            WorkFailed: Not well.
        """
        state = state_of(result)
        if state not in self.failed:
            return
        error = _error_of(result)
        code, message = getattr(error, "code", None), getattr(error, "message", None)
        why = "" if message is None else f": {message}"
        raise WorkFailed(
            f"{self.name} {getattr(result, 'id', None)} is {state}{why}",
            result=result,
            code=None if code is None else str(code),
            source=ErrorSource.UPSTREAM,
        )

    def unfinished(self, result: Any, waited: float) -> WorkUnfinished:
        """Return the error for work that was not done when the time ran out."""
        return WorkUnfinished(
            f"{self.name} {getattr(result, 'id', None)} is still {state_of(result)} after {waited:.0f} s; it goes on",
            result=result,
            reason="deadline",
        )


def _error_of(result: Any) -> Any:
    """Return what *result* says went wrong: its error, or the first of them; None when it says nothing."""
    if (error := getattr(result, "error", None) or getattr(result, "last_error", None)) is not None:
        return error
    return next(iter(getattr(getattr(result, "errors", None), "data", None) or ()), None)


def state_of(result: Any) -> str | None:
    """Return the state of the work that *result* describes."""
    status = getattr(result, "status", None)
    return None if status is None else str(status)


def _kind(name: str, done: str, failed: str, patience: float) -> Lifecycle:
    return Lifecycle(name=name, done=frozenset(done.split()), failed=frozenset(failed.split()), patience=patience)


# a batch has a window of 24 hours, a run ends itself after ten minutes
BATCH: Final = _kind("batch", "completed", "failed expired cancelled", 25 * _HOUR)
EVAL_RUN: Final = _kind("evaluation run", "completed", "failed canceled cancelled", 24 * _HOUR)
FILE: Final = _kind("file", "processed", "error deleted", 0.5 * _HOUR)
FINE_TUNING_JOB: Final = _kind("fine-tuning job", "succeeded", "failed cancelled", 7 * 24 * _HOUR)
RESPONSE: Final = _kind("response", "completed incomplete", "failed cancelled", _HOUR)
RUN: Final = _kind("run", "completed incomplete requires_action", "failed cancelled expired", 0.25 * _HOUR)
VECTOR_STORE: Final = _kind("vector store", "completed", "expired", _HOUR)
VECTOR_STORE_FILE: Final = _kind("vector store file", "completed", "failed cancelled", _HOUR)
VECTOR_STORE_FILE_BATCH: Final = _kind("vector store file batch", "completed", "failed cancelled", _HOUR)
VIDEO: Final = _kind("video", "completed", "failed", _HOUR)
