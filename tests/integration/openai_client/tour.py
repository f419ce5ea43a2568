"""
A tour of what an OpenAI-compatible server offers, by keyword calls, as a user would write them.

It knows no server: what a server answers differs, what must hold is that the typed client understands it. The simulator
is toured in every run, and by `-m live` whichever server is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import ChatAccumulator, CompletionAccumulator, OpenAIError, ResponseAccumulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller

PROMPT = "hello world"
MESSAGES = [{"role": "user", "content": PROMPT}]


@dataclass
class Tour:
    """One visitor: a caller of one colour, and the model to ask for."""

    caller: Caller
    model: str

    async def call(self, make: Callable[[Any], Any]) -> Any:
        """Make one call."""
        return await self.caller.call(make)

    async def streamed(self, make: Callable[[Any], Any], collected: Any) -> Any:
        """Read what `stream=True` gives to its end, and return what was collected."""
        stream = await self.caller.call(make)
        if self.caller.is_async:
            async for event in stream:
                collected.add(event)
        else:
            for event in stream:
                collected.add(event)
        return collected

    async def models(self) -> None:
        """Each has an id; some servers list none, and answer to any name."""
        found = await self.call(lambda client: client.models.list())
        assert all(item.id for item in found.data)

    async def chat(self) -> None:
        """An answer in one piece, and the same in pieces."""
        given = {"model": self.model, "messages": MESSAGES, "max_tokens": 8, "temperature": 0.0}
        whole = await self.call(lambda client: client.chat.completions.create(**given))
        found = await self.streamed(lambda c: c.chat.completions.create(**given, stream=True), ChatAccumulator())
        assert found.is_finished
        answer = found.result().choices[0]
        assert answer.message.content == whole.choices[0].message.content
        assert answer.finish_reason == whole.choices[0].finish_reason

    async def completions(self) -> None:
        """The legacy way, whole and in pieces."""
        given = {"model": self.model, "prompt": PROMPT, "max_tokens": 6, "temperature": 0.0}
        whole = await self.call(lambda client: client.completions.create(**given))
        found = await self.streamed(lambda c: c.completions.create(**given, stream=True), CompletionAccumulator())
        assert found.text == whole.choices[0].text

    async def responses(self) -> None:
        """A response in one piece."""
        given = {"model": self.model, "input": PROMPT, "max_output_tokens": 16}
        whole = await self.call(lambda client: client.responses.create(**given))
        assert whole.id
        assert whole.output

    async def response_events(self) -> None:
        """A response in typed events."""
        given = {"model": self.model, "input": PROMPT, "max_output_tokens": 16}
        found = await self.streamed(lambda c: c.responses.create(**given, stream=True), ResponseAccumulator())
        assert found.is_finished
        assert found.result().output

    async def embeddings(self) -> None:
        """One vector a text, in their order."""
        answer = await self.call(lambda client: client.embeddings.create(model=self.model, input=["a", "b"]))
        assert [item.index for item in answer.data] == [0, 1]

    async def realtime(self) -> None:
        """A session: what the server says first, one response in typed events, and a normal end."""
        connection = await self.call(lambda client: client.realtime.connect(model=self.model).open())
        first = await self.call(lambda _: connection.recv())
        await self.call(lambda _: connection.response.create())
        kinds = [first.type]
        while kinds[-1] != "response.done":
            kinds.append((await self.call(lambda _: connection.recv())).type)
        await self.call(lambda _: connection.close())
        assert first.type == "session.created"
        assert "response.output_text.delta" in kinds
        assert connection.close_code == 1000

    async def leaving_early(self) -> None:
        """A stream that is left closes its connection, and the next call works."""
        given = {"model": self.model, "messages": MESSAGES, "max_tokens": 64}
        stream = await self.call(lambda client: client.chat.completions.create(**given, stream=True))
        if self.caller.is_async:
            async with stream:
                assert await anext(stream)
        else:
            with stream:
                assert next(stream)
        await self.chat()

    async def refusals(self, make: Callable[[Any], Any]) -> OpenAIError:
        """What a server refuses is one error of the tree, with the status it was refused with."""
        with pytest.raises(OpenAIError) as caught:
            await self.call(make)
        assert caught.value.http_status is not None
        assert caught.value.http_status >= 400
        return caught.value

    async def what_is_not_there(self) -> None:
        """A path that no server has."""
        await self.refusals(lambda client: client.request("GET", "/no/such/path"))

    async def what_is_malformed(self) -> None:
        """A chat without messages."""
        await self.refusals(lambda client: client.request("POST", "/chat/completions", body={"model": self.model}))
