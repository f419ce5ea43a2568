"""
One caller for each client and colour: makes the calls of a task and reads all that a program would read.

The two makes are called alike, by keyword; only here and there a name is another one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from benchmarks.typed.documents import VECTORS, Task

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES: Final = [{"role": "user", "content": "Hello"}]
INPUTS: Final = ["some text"] * VECTORS
ENCODINGS: Final = {Task.FLOATS: "float", Task.BASE64: "base64"}


class Blocking:
    """Calls a blocking client of either make."""

    def __init__(self, client: Any) -> None:
        """Call through *client*."""
        # two makes, and only what both have is used
        self._client = client

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def run(self, task: Task, calls: int) -> list[int]:
        """Make the calls of *task*, one after the other; return what was read from each, summed up."""
        return [self._once(task) for _ in range(calls)]

    def _once(self, task: Task) -> int:
        client = self._client
        match task:
            case Task.LIST:
                return _files(client.files.list())
            case Task.COMPLETION:
                return _answer(client.chat.completions.create(model=task, messages=MESSAGES))
            case Task.FLOATS | Task.BASE64:
                return _vectors(client.embeddings.create(model=task, input=INPUTS, encoding_format=ENCODINGS[task]))
        read = 0
        with client.chat.completions.create(model=task, messages=MESSAGES, stream=True) as stream:
            for chunk in stream:
                for choice in chunk.choices:
                    read += len(choice.delta.content or "")
        return read


class Awaited:
    """Calls an awaited client of either make, on a loop of its own."""

    def __init__(self, make: Callable[[], Any]) -> None:
        """Call through what *make* returns."""
        self._runner = asyncio.Runner()
        self._client = make()

    def close(self) -> None:
        """Close the client, then the loop."""
        close = self._client.aclose if hasattr(self._client, "aclose") else self._client.close
        self._runner.run(close())
        self._runner.close()

    def run(self, task: Task, calls: int) -> list[int]:
        """See `Blocking`."""
        return self._runner.run(self._all(task, calls))

    async def _all(self, task: Task, calls: int) -> list[int]:
        return [await self._once(task) for _ in range(calls)]

    async def _once(self, task: Task) -> int:
        client = self._client
        match task:
            case Task.LIST:
                return _files(await client.files.list())
            case Task.COMPLETION:
                return _answer(await client.chat.completions.create(model=task, messages=MESSAGES))
            case Task.FLOATS | Task.BASE64:
                return _vectors(
                    await client.embeddings.create(model=task, input=INPUTS, encoding_format=ENCODINGS[task])
                )
        read = 0
        stream = await client.chat.completions.create(model=task, messages=MESSAGES, stream=True)
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    read += len(choice.delta.content or "")
        return read


def _files(page: Any) -> int:
    return sum(file.bytes for file in page.data)


def _answer(answer: Any) -> int:
    return len(answer.choices[0].message.content) + answer.usage.total_tokens


def _vectors(answer: Any) -> int:
    return sum(len(item.embedding) for item in answer.data)


def _ours(base_url: str) -> Blocking:
    from openai_client import Client

    return Blocking(Client(base_url=base_url, api_key="benchmark"))


def _ours_awaited(base_url: str) -> Awaited:
    from openai_client import AsyncClient

    return Awaited(lambda: AsyncClient(base_url=base_url, api_key="benchmark"))


def _official(base_url: str) -> Blocking:
    from openai import OpenAI

    return Blocking(OpenAI(base_url=base_url, api_key="benchmark", max_retries=0))


def _official_awaited(base_url: str) -> Awaited:
    from openai import AsyncOpenAI

    return Awaited(lambda: AsyncOpenAI(base_url=base_url, api_key="benchmark", max_retries=0))


CALLERS: Final[dict[str, dict[str, Callable[[str], Blocking | Awaited]]]] = {
    "blocking": {"ours": _ours, "official": _official},
    "awaited": {"ours": _ours_awaited, "official": _official_awaited},
}
"""By colour and make."""
