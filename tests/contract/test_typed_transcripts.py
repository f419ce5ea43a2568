"""What real servers sent, read by the typed client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from http_util.sse import SseDecoder
from openai_client._generated.operations.chat import stream_chat_completion_with
from openai_client._generated.operations.completions import stream_completion_with
from openai_client._generated.operations.responses import stream_response_with

if TYPE_CHECKING:
    from tests.contract.conftest import Transcript

OPERATIONS: dict[str, Any] = {
    "chat": stream_chat_completion_with(model="m", messages=[{"role": "user", "content": "c"}]),
    "completions": stream_completion_with(model="m", prompt="p"),
    "responses": stream_response_with(model="m", input="i"),
}


@pytest.mark.requirement("FWD-01", "FWD-02", "FWD-03", "TYP-04")
def test_every_event_that_a_real_server_sent_is_understood_and_kept(stream: Transcript) -> None:
    """Errors and the closing mark are no chunks; everything else is one, and nothing of it is lost."""
    operation, decoder = OPERATIONS[stream.api], SseDecoder()
    for event in decoder.feed(stream.body):
        if not event.data or operation.end.is_sentinel(event.data) or b'"error":{' in event.data.replace(b" ", b""):
            continue
        try:
            document = json.loads(event.data)
        except ValueError:
            continue  # broken on purpose, by those that were written by hand
        if not isinstance(document.get("error"), str):
            assert json.loads(operation.parse_event(event.data).wire_bytes()) == document
