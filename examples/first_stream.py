"""The smallest program that streams: the embedded upstream, one adapter, one task."""

import asyncio

import upstream_simulator
from adapter_api import TaskRequest
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig


async def main() -> None:
    """Ask, and print the answer as it comes."""
    with upstream_simulator.start() as upstream:
        adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url=upstream.base_url, model="demo"))
        task = TaskRequest(
            task_id="t-1",
            session_id="s-1",
            workload="completion",
            model_ref="demo",
            engine="openai",
            ctx=8192,
            priority="interactive",
            max_tokens=12,
            deadline_ms=30_000,
            prompt="Tell me of the sea.",
        )
        async with await adapter.submit(task) as stream:
            async for event in stream:
                if event.kind == "token":
                    print(event.text, end="")
                elif event.kind == "end":
                    print(f"\n{event.data['tokens_out']} tokens, evidence: {event.data['evidence']}")
        stream.raise_for_error()
        await adapter.aclose()


asyncio.run(main())
