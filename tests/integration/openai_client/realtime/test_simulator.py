"""Sessions against the simulator, whose WebSocket shares no code with the client's, and the library against it."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect as library_connect
from websockets.exceptions import ConnectionClosed

import upstream_simulator
from openai_client.errors import InvalidApiKey, TooManyRequests
from tests.integration.openai_client.realtime.peers import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.openai_client.realtime.peers import Connecting
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """One upstream for the module, with a key, in the clear and over TLS."""
    with upstream_simulator.start(tls_port=0, api_key=KEY, tokens=5) as running:
        yield running


@pytest.mark.requirement("RT-01", "SIM-12")
@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
async def test_a_conversation_with_the_simulator(connect: Connecting, simulator: Simulator, secure: bool) -> None:
    """Typed in both directions, from the greeting to the end of a response; then both say goodbye."""
    settings = {"http": {"ca_file": simulator.ca_file}}
    async with connect(simulator.tls_base_url if secure else simulator.base_url, settings=settings) as session:
        assert (await session.do("recv")).session.model == "m"
        await session.do("conversation.item.create", item=ITEM)
        await session.do("response.create")
        events: list[Any] = []
        while not events or events[-1].type != "response.done":
            events.append(await session.do("recv"))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert len(deltas) == 5
        assert events[-2].text == "".join(deltas)
        assert session.connection.upstream_request_id == "req_realtime"
    assert simulator.seen(settle=2).open_connections == 0


@pytest.mark.requirement("RT-01", "SIM-12")
async def test_the_simulator_refuses_sessions_like_calls(connect: Connecting, simulator: Simulator) -> None:
    """A wrong key, and a fault that is asked for."""
    session = connect(simulator.base_url, settings={"api_key": "sk-wrong-0123456789"})
    with pytest.raises(InvalidApiKey):
        await session.do("open")
    session = connect(simulator.base_url, extra_headers={"x-simulate": json.dumps({"status": 429, "retry_after": 3})})
    with pytest.raises(TooManyRequests) as caught:
        await session.do("open")
    assert caught.value.retry_after == 3.0


@pytest.mark.requirement("SIM-12")
async def test_the_library_finds_the_simulator_correct(simulator: Simulator) -> None:
    """Pings, large messages, goodbyes and violations, judged by somebody else's client."""
    url = f"wss{simulator.tls_base_url.removeprefix('https')}/realtime"  # type: ignore[union-attr] - it has a TLS port
    context = ssl.create_default_context(cafile=simulator.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    headers = {"Authorization": f"Bearer {KEY}"}
    async with library_connect(url, ssl=context, additional_headers=headers, proxy=None) as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
        await (await socket.ping(b"x"))
        await socket.send(json.dumps({"type": "session.update", "session": {"instructions": "x" * 100_000}}))
        assert len(await socket.recv()) > 100_000
        await socket.send(["part", "s of ", "no event"])
        assert json.loads(await socket.recv())["type"] == "error"
        await socket.close(4000, "enough")
        assert socket.close_code == 4000
    async with library_connect(url, ssl=context, additional_headers=headers, proxy=None, max_size=None) as socket:
        await socket.recv()
        await socket.send(b"x" * (17 << 20))
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
