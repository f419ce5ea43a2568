"""
The rules that the options of one call keep; each refusal names the option.

Spec: CLI-11, FWD-11
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from http_util.frames import without_frames
from http_util.retry import POLICIES, RetryPolicy, named_policy
from openai_client.errors import InvalidFieldValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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
