"""What every attack must come to: a typed error, soon, in little memory, and a client that goes on working."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import MIB, Watch
from tests.process import resident

if TYPE_CHECKING:
    from http_util.errors import HttpFailure

SOON: Final = 2.0
"""Seconds in which an attack is over; far below any timeout of the client."""
GROWTH: Final = 24 * MIB
"""Bytes that an attack may cost, what the scripted server holds included."""


async def ends_in_a_protocol_error(http: httpx.AsyncClient, url: str, *, method: str = "GET") -> HttpFailure:
    """
    Call the attacker and return the failure, classified.

    The call ends soon, with one of httpx's protocol errors, without the memory having grown; then ``/ok`` is answered.
    """
    before, watch = resident(), Watch()
    begun = asyncio.Event()
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await asyncio.wait_for(read(http, method, url, begun), 10)
    assert watch.seconds < SOON
    assert resident() - before < GROWTH
    assert caught.value.request.url == httpx.URL(http.base_url).join(url)
    failure = classify_transport_error(caught.value, Phase.HEAD_RECEIVED if begun.is_set() else Phase.SENDING)
    assert failure.reason in {"protocol", "reset"}
    # our own words: nothing that an attacker sends may reach a log through them
    assert not re.search(r"evil", f"{caught.value!s}{failure!s}", re.IGNORECASE)
    answer = await http.get("/ok")
    assert answer.text == "ok"
    return failure


async def read(http: httpx.AsyncClient, method: str, url: str, begun: asyncio.Event) -> None:
    """Read an answer to its end; *begun* tells that its head came."""
    async with http.stream(method, url) as answer:
        begun.set()
        async for _ in answer.aiter_raw():
            pass
