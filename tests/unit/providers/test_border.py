from __future__ import annotations

import asyncio
import traceback

import pytest
import structlog

from adapter_api import Outcome, correlation_id
from openai_client import MalformedRequest, TooManyRequests
from providers import ProviderError, StreamRefused, guarded, refuse_stream
from tests.unit.providers.conftest import CHAT, COMPLETION


async def failing(error: Exception):
    """Fail inside of a call."""
    raise error


async def outcome_of(error: Exception, **options):
    """Return what leaves, and the log lines."""
    with structlog.testing.capture_logs() as lines, pytest.raises(ProviderError) as caught:
        await guarded(failing(error), provider="p", operation="list_models", **options)
    return caught.value, lines


@pytest.mark.requirement("PRV-06")
async def test_what_a_failure_was_is_in_the_log_and_nowhere_else():
    """The error has no cause and no context; the log has one line with what is known."""
    inside = TooManyRequests(
        "say what you like", http_status=429, upstream_request_id="req-9", outcome=Outcome.REJECTED
    )
    error, lines = await outcome_of(inside, request_id="r-1")
    assert "say what you like" not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    assert lines == [
        {
            "event": "provider_failed",
            "log_level": "warning",
            "human": "p fails: rate_limited",
            "provider": "p",
            "operation": "list_models",
            "correlation_id": "r-1",
            "reason": "rate_limited",
            "error": "TooManyRequests",
            "error_message": "say what you like",
            "http_status": 429,
            "outcome": Outcome.REJECTED,
            "param": None,
            "code": None,
            "upstream_request_id": "req-9",
            "attempts": 0,
        }
    ]


@pytest.mark.requirement("PRV-06")
async def test_of_a_foreign_error_only_kind_and_place_are_logged():
    """Its text may hold a prompt or a key."""
    error, (line,) = await outcome_of(KeyError("a prompt"))
    assert error.reason == "internal"
    assert (line["log_level"], line["error"]) == ("error", "KeyError")
    assert line["place"].startswith("test_border:") or ".test_border:" in line["place"]
    assert "a prompt" not in repr(line)


@pytest.mark.requirement("PRV-06")
async def test_a_provider_error_from_inside_loses_its_cause_and_where_it_came_from():
    """Providers that raise it themselves may do so from anything."""
    inside = ProviderError("overloaded")
    inside.__cause__ = MalformedRequest("say what you like")
    error, _ = await outcome_of(inside)
    assert error is inside
    assert error.__cause__ is None
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["outcome_of", "guarded"]
    assert "say what you like" not in "".join(traceback.format_exception(error))


@pytest.mark.requirement("PRV-07", "CF-33")
async def test_the_log_has_the_correlation_id_of_the_call_or_of_the_context():
    """The call's comes first."""
    token = correlation_id.set("from-context")
    try:
        _, (line,) = await outcome_of(KeyError())
        assert line["correlation_id"] == "from-context"
        _, (line,) = await outcome_of(KeyError(), request_id="from-call")
        assert line["correlation_id"] == "from-call"
    finally:
        correlation_id.reset(token)


@pytest.mark.requirement("PRV-03")
async def test_cancelling_is_no_failure():
    """It goes through, and nothing is logged."""
    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(guarded(asyncio.Event().wait(), provider="p", operation="o"))
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop, no time passes
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert lines == []


@pytest.mark.requirement("PRV-09")
@pytest.mark.parametrize("request_", [CHAT, COMPLETION])
def test_only_streams_are_refused(request_):
    """False and absent are the same."""
    refuse_stream(request_)
    refuse_stream(request_.model_copy(update={"stream": False}))
    with pytest.raises(StreamRefused) as caught:
        refuse_stream(request_.model_copy(update={"stream": True}), request_id="r-1")
    assert caught.value.request_id == "r-1"
