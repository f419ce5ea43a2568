"""
The rules that the options of one call keep; each refusal names the option.

Spec: CLI-11, FWD-11
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from http_util.retry import POLICIES, RetryPolicy, named_policy

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        ValueError: A number is NaN or infinite, the message names its place; or *value* is nested too deeply.
    """
    try:
        _walk(value, place)
    except RecursionError:
        problem = f"{place} is nested too deeply, or contains itself"
    else:
        return
    raise ValueError(problem)


def _walk(value: object, place: str) -> None:
    """Raise for the first number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} must be a finite number, because JSON has no others; got {value!r}")
    steps: Iterable[tuple[str, object]] = ()
    if isinstance(value, Mapping):
        steps = ((f"{place}.{key}", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        steps = ((f"{place}[{index}]", item) for index, item in enumerate(value))
    for step, item in steps:
        _walk(item, step)
