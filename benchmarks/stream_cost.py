"""
CPU per token through `OpenAIHttpAdapter.submit`, against a bare asyncio protocol that does the same work.

    python -m benchmarks.stream_cost [--rounds 5]

Two situations, over HTTP/1.1 and loopback: one stream whose reads bring dozens of tokens, and 64 streams at 50 tokens
a second, where every token is a read of its own. The upstream is a process of its own; only this one's CPU is counted.
Both clients read the same text, which is compared. Goal: at most 2.0 times the floor in both.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from adapter_api import TaskRequest
from benchmarks.raw_client import read_raw
from benchmarks.table import show, show_goal
from benchmarks.upstream import upstream
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GOAL_RATIO: Final = 2.0
PROMPT: Final = "Tell me about the sea."
Answer = tuple[str, int, str | None]
"""Text, tokens, finish reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How many streams at once, how long, and how the upstream writes."""

    name: str
    streams: int
    tokens: int
    tokens_per_write: int
    tokens_per_second: float


SITUATIONS: Final = (
    Situation(name="1 stream, coalesced", streams=1, tokens=20_000, tokens_per_write=32, tokens_per_second=0),
    Situation(name="64 streams, own reads", streams=64, tokens=200, tokens_per_write=1, tokens_per_second=50),
)


class Clients:
    """Both ways to read one answer of a situation."""

    def __init__(self, situation: Situation, base_url: str) -> None:
        self._situation = situation
        self._base_url = base_url
        self._adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url=base_url, model="m", max_slots=situation.streams))

    async def raw(self, _: int) -> Answer:
        """By the bare protocol."""
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": PROMPT}],
            "stream": True,
            "max_tokens": self._situation.tokens,
        }
        return await read_raw(self._base_url, body)

    async def adapter(self, number: int) -> Answer:
        """By the adapter, event by event, as an orchestrator does."""
        task = TaskRequest(
            task_id=f"t-{number}",
            session_id="s",
            workload="completion",
            model_ref="m",
            engine="openai",
            ctx=1_000_000,
            priority="batch",
            max_tokens=self._situation.tokens,
            deadline_ms=600_000,
            prompt=PROMPT,
        )
        texts: list[str] = []
        finish_reason: str | None = None
        async with await self._adapter.submit(task) as stream:
            async for event in stream:
                if event.kind == "token":
                    texts.append(event.text)
                elif event.kind == "end":
                    finish_reason = event.data["finish_reason"]
            stream.raise_for_error()
        return "".join(texts), len(texts), finish_reason

    async def aclose(self) -> None:
        """Close the adapter."""
        await self._adapter.aclose()


async def cost(read: Callable[[int], Awaitable[Answer]], situation: Situation) -> tuple[float, set[Answer]]:
    """CPU microseconds of this process per token, and the answers."""
    began = time.process_time()
    answers = await asyncio.gather(*(read(number) for number in range(situation.streams)))
    spent = time.process_time() - began
    return spent / (situation.streams * situation.tokens) * 1e6, set(answers)


async def measure(situation: Situation, base_url: str, rounds: int) -> dict[str, list[float]]:
    """The costs of every round, the clients in turn; the first round warms up and is left out."""
    clients = Clients(situation, base_url)
    costs: dict[str, list[float]] = {"raw": [], "adapter": []}
    try:
        for number in range(rounds + 1):
            raw, expected = await cost(clients.raw, situation)
            adapter, got = await cost(clients.adapter, situation)
            if got != expected or {tokens for _, tokens, _ in got} != {situation.tokens}:
                raise RuntimeError(f"{situation.name}: the clients read different answers")
            if number:
                costs["raw"].append(raw)
                costs["adapter"].append(adapter)
    finally:
        await clients.aclose()
    return costs


def main() -> None:
    """Measure each situation and print medians, and the median of the rounds' ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each situation (default 5)")
    rounds = parser.parse_args().rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    ratios: dict[str, float] = {}
    rows = []
    for situation in SITUATIONS:
        with upstream(
            tokens=situation.tokens,
            tokens_per_write=situation.tokens_per_write,
            tokens_per_second=situation.tokens_per_second,
        ) as base_url:
            costs = asyncio.run(measure(situation, base_url, rounds))
        pairs = zip(costs["adapter"], costs["raw"], strict=True)
        ratios[situation.name] = statistics.median(adapter / raw for adapter, raw in pairs)
        raw, adapter = statistics.median(costs["raw"]), statistics.median(costs["adapter"])
        rows.append([situation.name, f"{raw:.2f}", f"{adapter:.2f}", f"{ratios[situation.name]:.2f}"])
    show([f"CPU us/token, median of {rounds}", "raw", "adapter", "ratio"], rows)
    for name, ratio in ratios.items():
        show_goal(f"adapter over raw, {name},", measured=ratio, goal=GOAL_RATIO, unit="x")


if __name__ == "__main__":
    main()
