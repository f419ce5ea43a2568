"""
Makes one call to a hostile upstream and prints, as one line of JSON, how it ended and what it cost.

A program of its own, so that neither the test tool's memory nor the upstream's is in its figures.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapter_api import WorkerError
from adapter_api.testing import make_task
from openai_client import AsyncClient, CallOptions, Client, OpenAIError
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY: Final = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])


class Wish(NamedTuple):
    """What call is made."""

    base_url: str
    ca_file: str
    pause: float
    """Seconds that nobody reads."""
    deadline: float
    """Seconds that the call may take."""


def peak() -> int:
    """Return the most bytes that were ever resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def stream_with_adapter(wish: Wish) -> None:
    """Run a task to its end; it raises how that was."""
    adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url=wish.base_url, ca_file=wish.ca_file, model="m"))
    task = make_task(
        max_tokens=8,
        deadline_ms=int(wish.deadline * 1000),
        prompt=None,
        messages=[{"role": "user", "content": "Hello"}],
    )
    try:
        async with await adapter.submit(task) as stream:
            await asyncio.sleep(wish.pause)
            async for _ in stream:
                pass
            stream.raise_for_error()
    finally:
        await adapter.aclose()


async def stream_with_async_client(wish: Wish) -> None:
    """Read a stream to its end."""
    options = CallOptions(timeout=wish.deadline)
    async with AsyncClient(**settings(wish)) as client, client.chat.completions.stream(BODY, options=options) as stream:
        await asyncio.sleep(wish.pause)
        async for _ in stream:
            pass


async def stream_with_client(wish: Wish) -> None:
    """Read a stream to its end, in a thread."""

    def read() -> None:
        options = CallOptions(timeout=wish.deadline)
        with Client(**settings(wish)) as client, client.chat.completions.stream(BODY, options=options) as stream:
            time.sleep(wish.pause)
            for _ in stream:
                pass

    await asyncio.to_thread(read)


async def whole_with_async_client(wish: Wish) -> None:
    """Read a whole answer."""
    async with AsyncClient(**settings(wish)) as client:
        await client.chat.completions.create(BODY, options=CallOptions(timeout=wish.deadline))


async def whole_with_client(wish: Wish) -> None:
    """Read a whole answer, in a thread."""

    def read() -> None:
        with Client(**settings(wish)) as client:
            client.chat.completions.create(BODY, options=CallOptions(timeout=wish.deadline))

    await asyncio.to_thread(read)


def settings(wish: Wish) -> dict[str, Any]:
    """Return the settings of a client."""
    return {"base_url": wish.base_url, "api_key": None, "http": {"ca_file": wish.ca_file}}


CALLS: Final[dict[str, Callable[[Wish], Awaitable[None]]]] = {
    "adapter": stream_with_adapter,
    "async client": stream_with_async_client,
    "client": stream_with_client,
    "async client, whole": whole_with_async_client,
    "client, whole": whole_with_client,
}


async def main(who: str, path: str, wish: Wish) -> None:
    """Make a good call of the same kind, then the hostile one, and compare."""
    await CALLS[who](wish._replace(base_url=f"{wish.base_url}/good", pause=0.0, deadline=60.0))
    before, began = peak(), time.monotonic()
    reason = None
    try:
        await CALLS[who](wish._replace(base_url=wish.base_url + path))
    except (OpenAIError, WorkerError) as error:
        reason = error.reason
    json.dump({"reason": reason, "seconds": time.monotonic() - began, "growth": peak() - before}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Wish(**json.loads(sys.argv[3]))))
