"""Hooks: foreign code that is told, and cannot break what it watches."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from http_util.telemetry import notify


class Answering:
    """Answers what it was told."""

    def on_retry(self, record: object) -> object:
        """Answer."""
        return record


class Failing:
    """A hook with a bug."""

    def on_retry(self, record: object) -> object:
        """Fail."""
        raise RuntimeError("the key is sk-abcdefgh12345678")


class Cancelling:
    """A hook that runs into a cancellation."""

    def on_retry(self, record: object) -> object:
        """Be cancelled."""
        raise asyncio.CancelledError


@pytest.mark.requirement("HTU-15", "REL-05")
def test_a_hook_that_raises_is_logged_by_class_and_skipped() -> None:
    """The others are still asked; the text of the error, which may hold anything, is not logged."""
    with structlog.testing.capture_logs() as lines:
        assert notify([Failing(), Answering()], "on_retry", "record") == ["record"]
    assert lines == [
        {
            "event": "hook_failed",
            "log_level": "warning",
            "hook": "Failing",
            "method": "on_retry",
            "error": "RuntimeError",
        },
    ]


def test_hooks_are_asked_only_for_what_they_have() -> None:
    """A missing method and an answer of None leave nothing."""
    assert notify([object(), Answering()], "on_attempt", "record") == []
    assert notify([Answering()], "on_retry", None) == []


@pytest.mark.requirement("ERR-11")
def test_a_cancellation_passes_through_a_hook() -> None:
    """It is never swallowed."""
    with pytest.raises(asyncio.CancelledError):
        notify([Cancelling()], "on_retry", "record")
