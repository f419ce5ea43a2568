"""
The plan of waiting: ask, judge, pause, ask again. Pure: a generator that is told the time.

Pauses grow, so that short work is noticed soon and long work costs few calls, and vary, so that many who wait do not
ask in step. The upstream's own wish (`openai-poll-after-ms`) comes first, unless the caller fixed the interval.

Spec: CLI-20
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from openai_client.calling import CallKeywords
from openai_client.errors import InvalidFieldValue, OpenAIError
from openai_client.metadata import ResponseMetadata
from openai_client.operation import CallOptions
from openai_client.plans.steps import Pause
from openai_client.polling.lifecycle import state_of
from openai_client.remembering import heard_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai_client.operation import Operation
    from openai_client.plans.steps import Seen, Steps
    from openai_client.polling.lifecycle import Lifecycle

T = TypeVar("T")

_FRESH: Final = {"cache-control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Progress(Generic[T]):
    """
    What is known of work that is under way, for whoever watches it.

    Spec: CLI-20
    """

    result: T
    """The object as it was just seen."""
    state: str | None
    """Its state."""
    asked: int
    """How often it was asked for, this time included."""
    waited: float
    """Seconds since it was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How long the pauses are. Immutable.

    Example:
        >>> [Pace().after(asked).seconds for asked in (1, 2, 3, 20)]
        [1.0, 1.5, 2.25, 30.0]

    Spec: CLI-20
    """

    first: float = 1.0
    """Seconds of the first pause, above 0."""
    growth: float = 1.5
    """Factor from one pause to the next, 1 or more."""
    most: float = 30.0
    """Seconds of the longest pause, without its random part."""
    jitter: float = 0.1
    """The largest random part that is added, as a share of the pause, 0 or more."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        if not 0 < self.first <= self.most:
            raise ValueError(f"first must be above 0 and at most {self.most!r} seconds, not {self.first!r}")
        if not self.growth >= 1:
            raise ValueError(f"growth must be 1 or more, not {self.growth!r}")
        if not self.jitter >= 0:
            raise ValueError(f"jitter must be 0 or more, not {self.jitter!r}")

    def after(self, asked: int, wish: float | None = None) -> Pause:
        """
        Return the pause after asking for the *asked*-th time.

        Args:
            asked: 1 or more.
            wish: Seconds that the upstream wants to be left alone.
        """
        # a large number of doublings is no float any more
        grown = self.first * self.growth ** min(asked - 1, 64)
        seconds = min(self.most, grown) if wish is None else wish
        return Pause(seconds, seconds * self.jitter)


class PollKeywords(CallKeywords, total=False):
    """
    What every method that waits takes, beside what belongs to its calls.

    `poll_interval_ms` fixes the pauses; else `pace` makes them, as far as the upstream has no wish. `max_wait_seconds`
    is the time to wait, counted from the moment at which the work was first seen; a call that is under way then is not
    cut short. `on_poll` is called each time that the work was seen, with a `Progress`; what it raises ends the
    waiting.
    """

    poll_interval_ms: float | None
    max_wait_seconds: float | None
    pace: Pace
    on_poll: Callable[[Progress[Any]], object] | None


_OWN: Final = ("poll_interval_ms", "max_wait_seconds", "pace", "on_poll")


def split_keywords(given: dict[str, Any]) -> tuple[dict[str, Any], PollKeywords]:
    """
    Split the arguments of a method that begins something and waits for it.

    Returns:
        What the first call takes, and what the waiting does: the key against repeating the first call, and what was
        added to its body, are not for the calls that ask.

    Raises:
        InvalidFieldValue: An argument of the waiting makes no sense; nothing was begun.
    """
    _check(given)
    how: dict[str, Any] = {name: given[name] for name in _OWN if name in given}
    for name in ("timeout", "extra_headers", "extra_query"):
        if name in given:
            how[name] = given[name]
    if isinstance(given.get("options"), CallOptions):
        how["options"] = replace(given["options"], idempotency_key=None, extra_body={})
    # a TypedDict made of another one's items
    return {name: value for name, value in given.items() if name not in _OWN}, how  # type: ignore[return-value]


def asking(how: PollKeywords) -> CallKeywords:
    """Return what belongs to the calls that ask; raises as `split_keywords`."""
    _check(how)
    # a TypedDict made of another one's items
    return {name: value for name, value in how.items() if name not in _OWN}  # type: ignore[return-value]


def until_done(ask: Operation[T], lifecycle: Lifecycle, how: PollKeywords, begun: Seen | None = None) -> Steps[T]:
    """
    Ask for work until it has ended, and return it.

    Args:
        ask: The call that retrieves the work.
        lifecycle: How such work goes.
        how: How it is waited for; what belongs to calls is already in *ask*.
        begun: What came of the call that began it, if that was just now.

    Raises:
        WorkFailed: It ended, and not well.
        WorkUnfinished: The time to wait ran out.
        InvalidFieldValue: A setting makes no sense.
        OpenAIError: A call failed.

    Spec: CLI-20
    """
    wait = _Wait(lifecycle, how)
    # an answer that was kept would never change
    ask = replace(ask, headers={**ask.headers, **_FRESH})
    seen = begun
    while True:
        if seen is None:
            try:
                seen = yield ask
            except OpenAIError as error:
                if error.reason == "deadline" and wait.last is not None:
                    raise wait.unfinished() from error
                raise
        if (pause := wait.saw(*seen)) is None:
            return seen.result  # type: ignore[no-any-return] # a call returns what its operation says
        yield pause
        seen = None


class _Wait:
    """What was seen so far."""

    def __init__(self, lifecycle: Lifecycle, how: PollKeywords) -> None:
        self.last: Any = None
        self._lifecycle = lifecycle
        self._pace = how.get("pace") or Pace()
        self._interval = _interval(how.get("poll_interval_ms"))
        self._most = _most(how.get("max_wait_seconds"), lifecycle.patience)
        self._on_progress = how.get("on_poll")
        self._asked = 0
        self._began = self._now = 0.0

    def saw(self, result: Any, now: float) -> Pause | None:
        """Judge the work as it is now; return the pause, or None when it has ended well."""
        self._began = now if self.last is None else self._began
        self.last, self._now = result, now
        self._asked += 1
        waited, state = now - self._began, state_of(result)
        if self._on_progress is not None:
            self._on_progress(Progress(result, state, self._asked, waited))
        if self._lifecycle.has_ended(state):
            self._lifecycle.ended(result)
            return None
        if waited >= self._most:
            raise self.unfinished()
        return self._pause(result, self._most - waited)

    def unfinished(self) -> OpenAIError:
        """Return the error for work that took too long."""
        return self._lifecycle.unfinished(self.last, self._now - self._began)

    def _pause(self, result: Any, left: float) -> Pause:
        """Return the pause that the caller, the upstream or the pace wants, within what is left."""
        if self._interval is not None:
            return Pause(min(self._interval, left))
        heard = heard_with(result)
        # a wish for no pause at all is none: nobody is asked without end
        wish = None if heard is None else ResponseMetadata.of(*heard).poll_after or None
        pause = self._pace.after(self._asked, wish)
        seconds = min(pause.seconds, left)
        return Pause(seconds, min(pause.spread, left - seconds))


def _check(how: Mapping[str, Any]) -> None:
    """Refuse arguments of the waiting that make no sense, before anything is sent."""
    _interval(how.get("poll_interval_ms"))
    _most(how.get("max_wait_seconds"), 0.0)
    if not isinstance(pace := how.get("pace"), Pace | None):
        raise InvalidFieldValue(f"pace: must be a Pace, not {type(pace).__name__}", param="pace")
    if (on_poll := how.get("on_poll")) is not None and not callable(on_poll):
        raise InvalidFieldValue(
            f"on_poll: must be a function of a Progress, not {type(on_poll).__name__}", param="on_poll"
        )


def _interval(poll_interval_ms: object) -> float | None:
    if poll_interval_ms is None:
        return None
    if isinstance(poll_interval_ms, bool) or not isinstance(poll_interval_ms, int | float) or not poll_interval_ms > 0:
        raise InvalidFieldValue(
            f"poll_interval_ms: must be milliseconds above 0, not {poll_interval_ms!r}", param="poll_interval_ms"
        )
    return poll_interval_ms / 1000


def _most(max_wait_seconds: object, default: float) -> float:
    if max_wait_seconds is None:
        return default
    if isinstance(max_wait_seconds, bool) or not isinstance(max_wait_seconds, int | float) or not max_wait_seconds >= 0:
        raise InvalidFieldValue(
            f"max_wait_seconds: must be seconds, 0 or more, not {max_wait_seconds!r}", param="max_wait_seconds"
        )
    return float(max_wait_seconds)
