"""What the events that frame a stream say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer, Stall

if TYPE_CHECKING:
    from collections.abc import Callable


def chunk(text: str, finish: str | None = None) -> bytes:
    """The data of one chunk."""
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}).encode()


@pytest.mark.requirement("ADP-05")
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_the_end_tells_over_which_http_the_answer_came(
    rig: Callable[..., Any], task: Callable[..., Any], version: str
) -> None:
    """That of the answer, also when the task was cancelled in the middle of it."""
    whole = replace(Answer.events(chunk("a"), chunk("b", "stop")), http_version=version)
    cut = replace(Answer.events(chunk("a"), Stall(), done=False), http_version=version)
    adapter, _, _ = rig(whole, cut)
    *_, end = [event async for event in await adapter.submit(task())]
    assert end.data["http_version"] == version
    stream = await adapter.submit(task("t-2"))
    await anext(stream)
    await adapter.cancel("t-2")
    *_, end = [event async for event in stream]
    assert (end.data["finish_reason"], end.data["http_version"]) == ("cancelled", version)
