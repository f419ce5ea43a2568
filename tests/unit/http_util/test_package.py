"""The public face of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import http_util
from tests.measuring import unmeasured_environment


def test_every_public_name_is_there_and_the_list_is_sorted() -> None:
    """`__all__` is the list that people and tools read."""
    names = http_util.__all__
    assert names == sorted(set(names)) == dir(http_util)
    assert all(getattr(http_util, name) is not None for name in names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Like any module's."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = http_util.nothing


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import http_util", {"httpx", "pydantic", "tenacity", "structlog", "h2"}),
        ("from http_util import HttpFailure, RetryPolicy, redact_text", {"httpx", "pydantic", "tenacity", "structlog"}),
        ("from http_util import SseDecoder", {"httpx", "pydantic", "tenacity"}),
        ("from http_util import HttpConfig", {"httpx", "tenacity", "h2"}),
    ],
)
def test_a_name_loads_only_what_it_needs(code: str, absent: set[str]) -> None:
    """By module names, because milliseconds flicker."""
    probe = f"import sys; {code}; print(*sorted(name for name in {absent!r} if name in sys.modules))"
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=unmeasured_environment())
    assert done.stdout.split() == []
