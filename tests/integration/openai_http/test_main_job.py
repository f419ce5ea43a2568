"""The main job over real sockets: a task in, an ordered stream out."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import correlation_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from upstream_simulator import Simulator

KINDS = ["started", *["token"] * 8, "end"]


@pytest.mark.requirement("OC-ADAPT-OAI-6001", "OC-ADAPT-OAI-6011", "ADP-10", "WA-INT-3001", "HTU-02")
@pytest.mark.parametrize("api", ["chat", "completions", "responses"])
async def test_every_api_streams_started_tokens_end_over_both_protocols(
    adapters: Any, simulator: Simulator, protocol: str, api: str, task: Callable[..., Any]
) -> None:
    """Whatever the API and the protocol, the events are the same, and the protocol is the one that was offered."""
    async with adapters(protocol, api=api) as adapter, await adapter.submit(task()) as stream:
        events = [event async for event in stream]
    assert [event.kind for event in events] == KINDS
    assert [event.index for event in events[1:-1]] == list(range(8))
    end = events[-1].data
    assert end["finish_reason"] == "length"
    assert end["usage"]["source"] == "upstream"
    assert end["usage"]["completion_tokens"] == end["tokens_out"] == 8
    assert end["attempts"][0]["http_status"] == 200
    assert {exchange.protocol for exchange in simulator.log()} == {protocol}


@pytest.mark.requirement("WA-INT-3006", "ADP-12")
async def test_the_same_task_gives_the_same_bytes_and_the_same_tokens(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """Body bytes and tokens do not depend on when or how often a task is sent."""
    texts = []
    async with adapters() as adapter:
        for number in range(3):
            stream = await adapter.submit(task(f"t-{number}", seed=7, determinism="strict"))
            texts.append((await stream.collect()).text)
    assert len(set(texts)) == 1
    assert len({exchange.body_sha256 for exchange in simulator.log()}) == 1


@pytest.mark.requirement("ADP-21")
async def test_the_first_token_comes_while_the_upstream_still_generates(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """The body is not collected first: a stream that stalls after two tokens has handed both out."""
    simulator.script("stall=30;stall-at=2")
    async with adapters(protocol) as adapter, await adapter.submit(task()) as stream:
        first = [await anext(stream) for _ in range(3)]
        assert [event.kind for event in first] == ["started", "token", "token"]
        assert simulator.log()[0].left == "open"


@pytest.mark.requirement("AH-1003", "CF-54")
async def test_the_correlation_id_travels_in_a_header_and_not_in_the_body(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """The id of the context reaches the upstream's headers and the `started` event."""
    token = correlation_id.set("corr-42")
    try:
        async with adapters() as adapter, await adapter.submit(task()) as stream:
            started = await anext(stream)
    finally:
        correlation_id.reset(token)
    assert started.data["correlation_id"] == "corr-42"
    exchange = simulator.log()[0]
    assert ("x-correlation-id", "corr-42") in exchange.headers
    assert "corr-42" not in exchange.body


@pytest.mark.requirement("ADP-22", "ADP-28")
async def test_text_survives_split_characters_crlf_and_line_separators(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """Tokens are the upstream's text, whatever way the bytes were cut and the lines were ended."""
    async with adapters(protocol) as adapter:
        simulator.script("words=hostile")
        plain = await (await adapter.submit(task("t-1"))).collect()
        simulator.script("words=hostile;split-utf8;crlf;drip=3;drip-ms=0")
        cut = await (await adapter.submit(task("t-2"))).collect()
    assert cut.text == plain.text
    assert cut.tokens == plain.tokens == 8


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
async def test_reasoning_refusals_and_tool_calls_come_on_their_own_channels(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """Nothing that the upstream generated is dropped, and nothing but text is in the text channel."""
    async with adapters() as adapter:
        simulator.script("reasoning=3", "refusal", "tool-calls=2;tool-style=repeated")
        thought = await (await adapter.submit(task("t-1"))).collect()
        refused = await (await adapter.submit(task("t-2"))).collect()
        stream = await adapter.submit(task("t-3", max_tokens=64))
        calls = [event.data async for event in stream if event.channel == "tool_call"]
    assert thought.channels["reasoning"]
    assert thought.text
    assert refused.channels["refusal"]
    assert not refused.text
    names = {call["tool_call"]["index"]: call["tool_call"]["name"] for call in calls if "name" in call["tool_call"]}
    assert set(names) == {0, 1}
    for index in names:
        json.loads("".join(call["t"] for call in calls if call["tool_call"]["index"] == index))


@pytest.mark.requirement("HTU-PERF-1301", "SVC-15")
async def test_streams_at_once_do_not_mix(adapters: Any, protocol: str, task: Callable[..., Any]) -> None:
    """Fifty tasks over one adapter give each its own answer."""
    async with adapters(protocol) as adapter:

        async def answer(number: int) -> str:
            stream = await adapter.submit(task(f"t-{number}", prompt=f"Say {number}.", max_tokens=20))
            return (await stream.collect()).text

        together = await asyncio.gather(*(answer(number) for number in range(50)))
        alone = [await answer(number) for number in range(0, 50, 7)]
    assert together[::7] == alone
    assert len(set(together)) > 25


@pytest.mark.requirement("ADP-40", "ADP-42", "OC-ADAPT-OAI-6010")
async def test_health_props_and_version_come_from_the_upstream(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """Health asks the listing, props counts slots, and the version is the snapshot that answered."""
    async with adapters(dialect="vllm", max_slots=3) as adapter:
        health = await adapter.health()
        assert health.live
        version = await adapter.engine_version()
        async with await adapter.submit(task()) as stream:
            started = await anext(stream)
            props = await adapter.props()
    assert version.startswith("vllm/")
    assert started.data["engine_version"] == version
    assert (props.slots_total, props.slots_free) == (3, 2)
    paths = [exchange.path for exchange in simulator.log()]
    assert paths[:2] == ["/v1/models", "/version"]
