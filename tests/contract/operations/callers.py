"""A client of one colour, called by dotted names, and what comes back as plain documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic import BaseModel

from http_util.testing import FakeClock, FakeSyncClock
from openai_client import (
    ApiVersionConfig,
    AsyncClient,
    AsyncHttpTransport,
    Client,
    ClientConfig,
    HttpTransport,
    OpenAIError,
)
from openai_client.base_model import Unknown
from tests.contract.operations.facts import JSON
from tests.contract.operations.names import STREAMING, found, method_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.operations.asking import Asked

BASE_URL: Final = "http://localhost:8000/v1"
KEY: Final = "sk-contract-0123456789"
ADMIN_KEY: Final = "sk-admin-0123456789"
CONFIG: Final = ClientConfig(
    base_url=BASE_URL, api_key=KEY, admin_api_key=ADMIN_KEY, api_version=ApiVersionConfig(enable_beta=True)
)


class Caller:
    """Makes calls with a client, in its colour."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def is_async(self) -> bool:
        """The colour."""
        return isinstance(self.client, AsyncClient)

    async def call(self, asked: Asked, model: Any = None) -> Any:
        """Make a call, with the body as keywords or as *model*, and return what it gives."""
        arguments, named = asked.by_keyword() if model is None else asked.by_model(model)
        made = method_of(self.client, asked.fact)(*arguments, **named)
        return await made if self.is_async else made

    async def streamed(self, asked: Asked, model: Any = None) -> tuple[list[Any], OpenAIError | None]:
        """Make a call that streams; return the events, and the error that ended them."""
        stream = await self._opened(asked) if model is None else self._context(asked, model)
        events: list[Any] = []
        try:
            if self.is_async:
                async with stream as opened:
                    async for event in opened:
                        events.append(event)  # noqa: PERF401 - what came before an error is wanted
            else:
                with stream as opened:
                    for event in opened:
                        events.append(event)  # noqa: PERF402 - what came before an error is wanted
        except OpenAIError as error:
            return events, error
        return events, None

    def stream_operation(self, asked: Asked, model: Any) -> Any:
        """The call that the streaming method makes, unsent."""
        return self._context(asked, model)._operation

    async def _opened(self, asked: Asked) -> Any:
        """The stream that `stream=True` gives, which is open."""
        arguments, named = asked.by_keyword()
        made = method_of(self.client, asked.fact)(*arguments, **named, stream=True)
        opened = await made if self.is_async else made
        return _Open(opened)

    def _context(self, asked: Asked, model: Any) -> Any:
        """The stream of the streaming method, which makes the call on entering."""
        arguments, named = asked.by_model(model) if asked.fact.bodies else asked.arguments
        return found(self.client, STREAMING[asked.fact.operation_id])(*arguments, **named)


class _Open:
    """An open stream as a block that closes it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> Any:
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    async def __aenter__(self) -> Any:
        return self._stream

    async def __aexit__(self, *_: object) -> None:
        await self._stream.aclose()


class Upstream(httpx.AsyncBaseTransport, httpx.BaseTransport):
    """Keeps the last request, and answers each in the same way."""

    def __init__(self) -> None:
        self.request: httpx.Request
        self.answer: tuple[int, str, bytes] = (200, JSON, b"{}")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Read the request and answer it."""
        request.read()
        return self._answered(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Read the request and answer it."""
        await request.aread()
        return self._answered(request)

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        status, kind, content = self.answer
        return httpx.Response(status, headers={"content-type": kind}, content=content)


class ScriptedCaller(Caller):
    """A caller whose upstream answers as it is told, without a socket."""

    def __init__(self, colour: str) -> None:
        self.upstream = Upstream()
        clock, sync_clock, http = FakeClock(auto=True), FakeSyncClock(), CONFIG.http
        if colour == "async":
            given = httpx.AsyncClient(transport=self.upstream)
            transport = AsyncHttpTransport(http, clock=clock, http_client=given)
            super().__init__(AsyncClient(CONFIG, transport=transport, clock=clock))
        else:
            sync_given = httpx.Client(transport=self.upstream)
            sync_transport = HttpTransport(http, clock=sync_clock, http_client=sync_given)
            super().__init__(Client(CONFIG, transport=sync_transport, clock=sync_clock))

    def answers(self, content: bytes, *, kind: str = JSON, status: int = 200) -> None:
        """Say what comes from now on."""
        self.upstream.answer = (status, kind, content)

    @property
    def request(self) -> httpx.Request:
        """The last request."""
        return self.upstream.request


def document_of(result: Any) -> Any:
    """The document that a result was made from: of a page, the list it is a part of."""
    return json.loads(getattr(result, "document", result).wire_bytes())


def surprises(value: Any, place: str = "") -> Iterator[str]:
    """Where a decoded document has what its models do not know: variants without a name, and fields."""
    if isinstance(value, Unknown):
        yield f"{place}: {value.model_extra}"
    elif isinstance(value, BaseModel):
        # what a class puts together by itself, such as a response's output_text, is declared too
        extras = [
            name for name in value.model_extra or () if not isinstance(getattr(type(value), name, None), property)
        ]
        yield from (f"{place}.{name} is no field of {type(value).__name__}" for name in extras)
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield from surprises(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from surprises(item, f"{place}[{number}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from surprises(item, f"{place}[{key!r}]")
