"""Everybody who calls an upstream with a key: the adapter and both clients, as one kind of thing."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Self

from adapter_api.testing import make_task
from http_util.config import HttpConfig
from http_util.resilience import Resilience
from openai_client import AsyncClient, AuthScheme, Client
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.integration.security.canary import BEARER, GATEWAY, PROXY_AUTH, QUERY, Listener
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE: Final = 0.15
"""Seconds for each timer of a call that will run into one."""

BODY: Final = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])


class Where:
    """An upstream, and the way to it."""

    def __init__(
        self, url: str, *, ca_file: Path | None = None, http2: bool, proxy: str | None = None, engine: str = "asyncio"
    ) -> None:
        self.base_url = f"{url}/v1"
        self.engine = engine
        self.settings: dict[str, Any] = {"ca_file": ca_file, "http2": http2, "max_event_bytes": 1024}
        if proxy is not None:
            self.settings |= {"proxy": proxy, "proxy_auth": PROXY_AUTH}


class Caller(ABC):
    """Somebody who calls; `call` makes one streamed call and reads it to its end."""

    def __init__(
        self,
        where: Where,
        *,
        scheme: str = "bearer",
        patience: float = PATIENCE,
        retry: Any = None,
        key: Any = BEARER,
        audit: Any = None,
    ) -> None:
        self.where = where
        self.key = key
        self.audit = audit
        self.scheme = scheme
        self.patience = patience
        self.retry = retry
        self.hooks = Listener()
        self.told: list[tuple[str, str]] = []
        """What was streamed, as far as it is ours and not the upstream's own document."""
        self.subject: Any = self.make()

    @abstractmethod
    def make(self) -> Any:
        """Return the one who calls."""

    @abstractmethod
    async def call(self) -> None:
        """Make the call."""

    async def close(self) -> None:
        """Close."""
        await self.subject.aclose()

    def shown(self) -> list[tuple[str, str]]:
        """Return what it says of itself, what it streamed, and what its hooks were told."""
        return [("repr", repr(self.subject)), *self.told, *self.hooks.told]


class AdapterCaller(Caller):
    """The adapter."""

    def make(self) -> OpenAIHttpAdapter:
        """Return an adapter; its dialect decides how the key is sent."""
        config = OpenAIHttpConfig(
            base_url=self.where.base_url,
            api_key=self.key,
            dialect="azure" if self.scheme == "api-key" else "generic",
            retry=self.retry,
            http_engine=self.where.engine,
            first_byte_timeout=self.patience,
            idle_timeout=self.patience,
            **self.where.settings,
        )
        audited = {} if self.audit is None else {"audit": self.audit}
        return OpenAIHttpAdapter(config, hooks=self.hooks, resilience=Resilience(hooks=(self.hooks,)), **audited)

    async def call(self, deadline_ms: int = 20_000) -> None:
        """Run a task."""
        task = make_task(
            max_tokens=8, deadline_ms=deadline_ms, prompt=None, messages=[{"role": "user", "content": "Hello"}]
        )
        async with await self.subject.submit(task) as stream:
            async for event in stream:
                self.told.append(("event", f"{event!r} {event.data}"))
            stream.raise_for_error()

    def shown(self) -> list[tuple[str, str]]:
        """Return also the policies."""
        return [("policies", str(self.subject.policies)), *super().shown()]


class ClientCaller(Caller):
    """What both clients have in common."""

    def settings(self) -> dict[str, Any]:
        """Return what both are given: the key, and one more of each kind that goes out beside it."""
        http = {"engine": self.where.engine, "first_byte_timeout": self.patience, "idle_timeout": self.patience}
        return {
            "base_url": self.where.base_url,
            "api_key": self.key,
            "audit": self.audit,
            "auth_scheme": AuthScheme(self.scheme),
            "default_headers": {"x-gateway-token": GATEWAY},
            "default_query": {"subscription-key": QUERY},
            "timeout": self.patience * 4,
            "retry": self.retry,
            "http": http | self.where.settings,
            "resilience": Resilience(hooks=(self.hooks,)),
        }

    def through(self, transport: Any, clock: Any, brought: Any, *, http: Where | None = None) -> Self:
        """
        Call through somebody's own client of the HTTP library instead.

        Args:
            transport: The class of the transport.
            clock: Its clock.
            brought: The client.
            http: Whose settings the transport has; the caller's by default.
        """
        where = http or self.where
        config = HttpConfig(base_url=where.base_url, **where.settings)
        settings = self.settings()
        del settings["resilience"]
        self.subject = type(self.subject)(**settings, transport=transport(config, clock=clock, http_client=brought))
        return self

    def shown(self) -> list[tuple[str, str]]:
        """Return also the settings."""
        config = self.subject.config
        return [("config", f"{config!r} {config.auth!r} {config.http!r}"), *super().shown()]


class AsyncClientCaller(ClientCaller):
    """The client for event loops."""

    def make(self) -> AsyncClient:
        """Return a client."""
        return AsyncClient(**self.settings())

    async def call(self) -> None:
        """Stream a completion."""
        async with self.subject.chat.completions.stream(BODY) as stream:
            async for _ in stream:
                pass


class BlockingClientCaller(ClientCaller):
    """The client for threads."""

    def make(self) -> Client:
        """Return a client."""
        return Client(**self.settings())

    async def call(self) -> None:
        """Stream a completion, in a thread."""
        await asyncio.to_thread(self._stream)

    def _stream(self) -> None:
        with self.subject.chat.completions.stream(BODY) as stream:
            for _ in stream:
                pass

    async def close(self) -> None:
        """Close, in a thread."""
        await asyncio.to_thread(self.subject.close)


CALLERS: Final[dict[str, type[Caller]]] = {
    "adapter": AdapterCaller,
    "async client": AsyncClientCaller,
    "client": BlockingClientCaller,
}
