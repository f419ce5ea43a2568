"""The same task through the host: pools by configuration, adapters by discovery."""

import asyncio
import sys

from adapter_api import TaskRequest, WorkerError
from adapter_host import AdapterHost, ConfigError, load_config


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
    if not sys.argv[1:]:
        sys.exit("usage: python through_the_host.py adapter-host.toml")
    try:
        asyncio.run(main(sys.argv[1]))
    except (ConfigError, WorkerError) as error:
        sys.exit(str(error))
