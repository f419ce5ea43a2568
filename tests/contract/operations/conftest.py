"""A caller of each colour, made once: what it is answered is said call by call."""

from __future__ import annotations

from functools import cache

import pytest

from tests.contract.operations.callers import ScriptedCaller


@cache
def scripted(colour: str) -> ScriptedCaller:
    """The caller of a colour; it opens no socket, so there is nothing to close."""
    return ScriptedCaller(colour)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> ScriptedCaller:
    """Both colours, one after the other."""
    return scripted(request.param)
