"""Secrets stay: also when the upstream repeats them."""

from __future__ import annotations

import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from upstream_simulator import Simulator

KEY = "sk-live-0123456789abcdefSECRET"
PROMPT = "The treasure lies under the old oak."


@pytest.mark.requirement("OC-ADAPT-OAI-6020", "SEC-16", "ADP-50", "HTU-ERR-4001", "SEC-15")
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_key_that_the_upstream_repeats_is_shown_nowhere(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Error, repr, traceback, pickle and every log down to DEBUG: no key, no prompt."""
    simulator.script(always=f"status={status};echo-key;error-message=bad key")
    with caplog.at_level(logging.DEBUG):
        async with adapters(api_key=KEY, retry=None) as adapter:
            with pytest.raises(WorkerError) as caught:
                await adapter.submit(task(prompt=PROMPT))
            shown = [repr(adapter), str(adapter.policies)]
    assert ("authorization", f"Bearer {KEY}") not in simulator.log()[0].headers
    assert simulator.log()[0].has_authorization
    error = caught.value
    shown += [str(error), repr(error), str(error.payload()), str(pickle.dumps(error))]
    shown += traceback.format_exception(error)
    shown += [str(vars(record)) for record in caplog.records]
    for text in shown:
        assert KEY not in text
        assert "SECRET" not in text
        assert "treasure" not in text


@pytest.mark.requirement("OC-ADAPT-OAI-6020", "SEC-16")
async def test_a_key_repeated_inside_the_stream_is_not_in_the_error_event(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """The same for an error object under a 200."""
    simulator.script(always=f"stream-error=openai;error-message=Incorrect key {KEY} given")
    async with adapters(api_key=KEY) as adapter:
        stream = await adapter.submit(task())
        events = [event async for event in stream]
    assert events[-1].kind == "error"
    assert KEY not in str(events[-1].data)
