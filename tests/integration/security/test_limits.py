"""
Too much of anything ends in a typed error, or at the deadline, and costs little memory meanwhile.

What bounds what: a whole answer `max_response_bytes`, an event or a line `max_event_bytes`, a head 64 KiB, what one
read unfolds to 16 MiB. A stream has no bound but time, because a long answer is no fault: the deadline ends it, and
`content_timeout` where nothing but comments comes. Each case runs in a process of its own, whose memory is looked at.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.http_util.engine.listening import server_context
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server
from tests.integration.security import hostile
from tests.measuring import unmeasured_environment

if TYPE_CHECKING:
    from tests.integration.http_util.engine.real_servers import Papers

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.requirement("HTU-10", "HTU-13", "HTU-17"),
]

PROBE: Final = Path(__file__).with_name("limit_probe.py")
ROOT: Final = Path(__file__).parents[3]

GROWTH: Final = 64 * 1024 * 1024
"""Most bytes that a call may cost."""

WHO: Final = (("adapter", "http"), ("adapter", "h2"), ("async client", "h2"), ("client", "http"))
"""Who calls, and by which protocol."""

PATIENCE: Final = 1.5
"""Seconds of the deadline of a call that nothing else ends."""

LATE: Final = 3.0
"""Seconds by which such a call may be late on a busy machine."""

BOUNDED: Final = {
    "large": "content_type",
    "500 as large": "server_error",
    "folded": "content_type",
    "endless line": "protocol",
    "endless event of short lines": "protocol",
    "folded events": "protocol",
    "folded comments": "protocol",
    "folded line": "protocol",
    "endless headers": "protocol",
    "endless interim answers": "protocol",
}
"""What is too much for a stream, and the reason of the error that it ends in."""

ENDLESS: Final = ("endless events", "endless comments", "comments only", "endless blank lines")
"""What only time ends."""


async def probed(
    papers: Papers, protocol: str, who: str, fault: str, *, deadline: float = 60.0, pause: float = 0.0
) -> dict[str, Any]:
    """Let a process make a call to a hostile upstream, and return what it told."""
    is_http2 = protocol == "h2"
    context = server_context(papers, "h2" if is_http2 else "http/1.1") if protocol != "http" else None
    server: Any = Http2Server(hostile.http2) if is_http2 else Http1Server(hostile.http1)
    async with server.at(context) as url:
        wish = {"base_url": url, "ca_file": str(papers.ca_file), "deadline": deadline, "pause": pause}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROBE), who, f"/{fault.replace(' ', '-')}", json.dumps(wish)),
            cwd=ROOT,
            env=unmeasured_environment() | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told: dict[str, Any] = json.loads(out)
    assert told["growth"] < GROWTH
    return told


@pytest.mark.parametrize("fault", BOUNDED)
@pytest.mark.parametrize(("who", "protocol"), WHO)
async def test_a_stream_of_too_much_ends(papers: Papers, who: str, protocol: str, fault: str) -> None:
    """By its bound, long before the deadline."""
    told = await probed(papers, protocol, who, fault)
    assert told["reason"] == BOUNDED[fault]


@pytest.mark.parametrize("fault", ENDLESS)
@pytest.mark.parametrize(("who", "protocol"), WHO)
async def test_a_stream_without_an_end_ends_at_the_deadline(
    papers: Papers, who: str, protocol: str, fault: str
) -> None:
    """Although something comes all the time."""
    told = await probed(papers, protocol, who, fault, deadline=PATIENCE)
    assert told["reason"] == "deadline"
    assert told["seconds"] < PATIENCE + LATE


@pytest.mark.parametrize("fault", ["large", "folded"])
@pytest.mark.parametrize(("who", "protocol"), [("async client, whole", "h2"), ("client, whole", "http")])
async def test_a_whole_answer_of_too_much_ends(papers: Papers, who: str, protocol: str, fault: str) -> None:
    """A gigabyte, sent as it is or folded to a thousandth."""
    told = await probed(papers, protocol, who, fault)
    assert told["reason"] == "protocol"


@pytest.mark.parametrize(("who", "protocol"), WHO)
async def test_a_stream_that_nobody_reads_is_not_stored(papers: Papers, who: str, protocol: str) -> None:
    """The upstream is held up instead."""
    told = await probed(papers, protocol, who, "endless events", deadline=PATIENCE, pause=1.0)
    assert told["reason"] == "deadline"


@pytest.mark.parametrize("who", ["adapter", "async client", "client"])
async def test_a_head_that_unfolds_to_too_much_ends(papers: Papers, who: str) -> None:
    """Of HTTP/2, where a field may be named again in one byte."""
    told = await probed(papers, "h2", who, "folded headers")
    assert told["reason"] == "protocol"
