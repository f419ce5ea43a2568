"""The same task through the host: pools by configuration, adapters by discovery."""

import asyncio
import sys

from adapter_api import TaskRequest
from adapter_host import AdapterHost, load_config


async def main(config_file: str) -> None:
    """Ask the pool `chat` of a configuration, and print the whole answer."""
    async with AdapterHost.from_config(load_config(config_file).config) as host:
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
        answer = await (await host.submit("chat", task)).collect()
        print(answer.text, answer.finish_reason)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
