"""
The rules that the options of one call keep; each refusal names the option.

Spec: CLI-11, FWD-11
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from http_util.deadline import Deadline
from http_util.frames import without_frames
from http_util.retry import POLICIES, RetryPolicy, named_policy
from openai_client.auth import header_problem
from openai_client.errors import InvalidConfiguration, InvalidFieldValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openai_client.operation import CallOptions

J = TypeVar("J", str, bytes)


def checked_policy(retry: object) -> RetryPolicy | None:
    """
    Return the policy that *retry*, a policy, a name or None, stands for.

    Raises:
        ValueError: There is no policy of that name.
        TypeError: It is something else.
    """
    if isinstance(retry, str):
        return named_policy(retry)
    if retry is None or isinstance(retry, RetryPolicy):
        return retry
    raise TypeError(
        f"retry must be a RetryPolicy, one of {', '.join(sorted(POLICIES))}, or None; got {type(retry).__name__}"
    )


def policy_of_call(retry: object) -> RetryPolicy | None:
    """
    Return the policy that *retry* stands for, as an option of a call.

    Raises:
        InvalidFieldValue: It stands for none.
    """
    try:
        return checked_policy(retry)
    except (TypeError, ValueError) as problem:
        said = str(problem).replace("retry must", "retry: must", 1)
    raise InvalidFieldValue(said, param="retry")


def check_options(options: CallOptions) -> None:
    """
    Make sure that the options of a call can be used, but for its policy.

    Raises:
        InvalidFieldValue: One of them cannot; `param` names it.
        InvalidConfiguration: A header is malformed.
    """
    # what it says of its types is what is looked into here
    given: Any = options
    _check_timeout(given.timeout)
    if not isinstance(given.deadline, Deadline | None):
        _refuse("deadline", f"a Deadline, such as Deadline.after(5.0, SystemClock()), not {_kind(given.deadline)}")
    if not isinstance(given.idempotency_key, str | None) or given.idempotency_key == "":
        _refuse("idempotency_key", "text that is not empty; leave it out to send none")
    if given.on_progress is not None and not callable(given.on_progress):
        _refuse("on_progress", f"a function of two numbers, not {_kind(given.on_progress)}")
    for name in ("headers", "query", "extra_body"):
        if not isinstance(value := getattr(options, name), Mapping):
            _refuse(name, f"a mapping, not {_kind(value)}")
    for name, value in given.headers.items():
        if problem := header_problem(name, value):
            raise InvalidConfiguration(f"headers: {problem}", param="headers")
    check_finite(options.extra_body, "extra_body")


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        _refuse(
            "timeout",
            f"seconds, or None for the client's; got {_kind(timeout)}. Timers of the connection belong to the client: "
            "http={...}",
        )
    elif not timeout > 0:
        _refuse("timeout", f"above 0 seconds, or None for the client's; got {timeout!r}")


def _refuse(name: str, accepted: str) -> None:
    raise InvalidFieldValue(f"{name}: must be {accepted}", param=name)


def _kind(value: object) -> str:
    return type(value).__name__


def check_finite(value: object, place: str) -> None:
    """
    Make sure that JSON can write every number in *value*, lists and mappings in it included.

    Args:
        value: Anything.
        place: What the message calls it.

    Raises:
        InvalidFieldValue: A number is NaN or infinite, `param` is its place; or *value* is nested too deeply.
    """
    try:
        _walk(value, place)
    except RecursionError:
        problem = f"{place}: is nested too deeply, or contains itself"
    else:
        return
    raise InvalidFieldValue(problem, param=place)


def checked_json(data: J, fields: Callable[[], Mapping[str, object]]) -> J:
    """
    Return *data*, the JSON of a body, unless a number that JSON has not stands in it.

    Args:
        data: Written with `NaN` and `Infinity` where they are.
        fields: Gives what was written, by name; asked only when those words are in it, which a prompt may also say.

    Raises:
        InvalidFieldValue: A number is NaN or infinite; `param` is its place.
    """
    if not _may_be_lax(data):
        return data
    try:
        _check_each(fields())
    except InvalidFieldValue as problem:
        failure = without_frames(problem)
    else:
        return data
    # the frame may be shown in a traceback
    del data
    raise failure


def _may_be_lax(data: str | bytes) -> bool:
    """Tell whether *data* has the words for numbers that JSON has not, in a text perhaps."""
    if isinstance(data, str):
        return "NaN" in data or "Infinity" in data
    return b"NaN" in data or b"Infinity" in data


def _check_each(fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        check_finite(value, name)


def _walk(value: object, place: str) -> None:
    """Raise for the first number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidFieldValue(
            f"{place}: must be a finite number, because JSON has no others; got {value!r}", param=place
        )
    steps: Iterable[tuple[str, object]] = ()
    if isinstance(value, Mapping):
        steps = ((f"{place}.{key}", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        steps = ((f"{place}[{index}]", item) for index, item in enumerate(value))
    for step, item in steps:
        _walk(item, step)
