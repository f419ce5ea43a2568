"""
`OpenAIHttpAdapter`: the five verbs over the streaming service, plus what it must not have: a lifecycle.

Spec: OC-ADAPT-OAI-6000, OC-ADAPT-OAI-6003, ADP-30, ADP-32, ADP-35, ADP-42, ADP-43
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from adapter_api import (
    ADAPTER_API_VERSION,
    CORRELATION_HEADER,
    InvalidTask,
    Outcome,
    TaskCancelled,
    TaskRequest,
    TokenEvent,
    TokenStream,
    WorkerError,
    WorkerHealth,
    WorkerProps,
    current_correlation_id,
)
from http_util import AsyncWatch, Deadline, Interrupted, SystemClock, build_async_transport
from http_util.frames import without_frames
from http_util.log import get_logger
from http_util.resilience import Resilience
from worker_adapters.openai_http.adapter_parts import (
    auth_of,
    completed,
    exchange_of,
    operation_url,
    policy_of,
    timeouts_of,
)
from worker_adapters.openai_http.chat_reader import ChatReader
from worker_adapters.openai_http.config import OpenAIHttpConfig
from worker_adapters.openai_http.missing_path import with_hint
from worker_adapters.openai_http.request_body import check_task, private_texts, serialize
from worker_adapters.openai_http.responses_reader import ResponsesReader
from worker_adapters.openai_http.service import StreamingService
from worker_adapters.openai_http.service_call import CallContext
from worker_adapters.openai_http.service_hooks import SilentHooks
from worker_adapters.openai_http.task_log import TaskLog
from worker_adapters.openai_http.upstream_probe import UpstreamProbe
from worker_adapters.openai_http.upstream_words import UpstreamWords
from worker_adapters.openai_http.version_pin import VersionPin

if TYPE_CHECKING:
    import httpx

    from http_util import Clock
    from http_util.secret_audit import SecretAudit
    from worker_adapters.openai_http.request_body import SerializedPrompt
    from worker_adapters.openai_http.service_hooks import ServiceHooks
    from worker_adapters.openai_http.streamed_tokens import StreamedTokens
    from worker_adapters.openai_http.token_reader import TokenReader

ADAPTER_NAME: Final = "openai-http"
"""The plugin's name, and the origin of its streams."""


@dataclass(slots=True)
class _Running:
    """A task in flight."""

    watch: AsyncWatch
    log: TaskLog
    tokens: StreamedTokens | None = None
    """What streams, once the task has started."""
    released: asyncio.Event = field(default_factory=asyncio.Event)


class OpenAIHttpAdapter:
    """
    Streams tokens from one server that speaks the OpenAI HTTP API.

    For one event loop; any of its tasks may call any method at any time. Nothing is opened before the first call.

    Example:
        >>> from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig
        >>> adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1", model="m"))
        >>> adapter.policies["retry"]["name"]
        'billing_safe'

    Spec: OC-ADAPT-OAI-6000
    """

    def __init__(
        self,
        config: OpenAIHttpConfig,
        *,
        hooks: ServiceHooks | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        resilience: Resilience | None = None,
        audit: SecretAudit | None = None,
    ) -> None:
        """
        Build an adapter; no connection is made.

        Args:
            config: All its settings.
            hooks: Told of every call and measurement; by default nobody is.
            clock: Source of time; by default the system's.
            rng: Source of jitter; a seeded one makes the pauses repeatable.
            transport: In place of the HTTP engine, as tests do; the egress policy still stands before it.
            resilience: What stands around every call: failover, breaker, limiter, hooks. A policy or a budget in it
                replaces the adapter's own, which are those of the settings and a `RetryBudget` of its own.
            audit: Records every reading of the key, and of those of the failover list; adapters, clients and hosts may
                share one.

        Raises:
            ValueError: `ca_file` cannot be used.
            TypeError: *config* is no `OpenAIHttpConfig`.
        """
        if not isinstance(config, OpenAIHttpConfig):
            raise TypeError(f"config: expected an OpenAIHttpConfig, got {type(config).__name__}")
        self._config = config
        self._profile = config.profile
        self._clock = clock or SystemClock()
        self._resilience = completed(resilience or Resilience(), config)
        self._transport = build_async_transport(self._resilience.reaching(config.http), transport=transport)
        exchange = exchange_of(config, self._transport, self._clock, rng or Random(), self._resilience)
        auth, timeouts = auth_of(config, audit), timeouts_of(config)
        self._service = StreamingService(
            exchange=exchange,
            url=operation_url(config),
            auth=auth,
            policy=policy_of(config, timeouts, self._resilience),
            hooks=hooks or SilentHooks(),
            clock=self._clock,
            base_url=config.base_url,
            family=config.api,
            failover=self._resilience.failover,
            compression=None if config.compression is None else config.compression.build(),
            known_secrets=config.http.secrets,
        )
        self._probe = UpstreamProbe(exchange, auth, config, timeouts, self._clock, self._resilience.failover)
        self._pin = None if config.engine_version is None else VersionPin(config.engine_version, config, self._probe)
        self._running: dict[str, _Running] = {}
        # Held by their consumers. A stream may be over upstream, its slot free, and tokens of it still unread: a cancel
        # must find it all the same.
        self._streams: WeakValueDictionary[str, TokenStream] = WeakValueDictionary()
        self._words = UpstreamWords()
        self._is_closed = False
        get_logger("worker_adapters.openai_http").info(
            "adapter_built", human="An OpenAI HTTP adapter is ready to stream", **self.policies
        )

    def __repr__(self) -> str:
        """The address, the tasks in flight and the policies in force; no secret."""
        state = "closed" if self._is_closed else f"{len(self._running)} of {self._config.max_slots} slots taken"
        return f"<OpenAIHttpAdapter {self._service.url}: {state}; policies {self.policies!r}>"

    @property
    def policies(self) -> dict[str, Any]:
        """
        The policies in force: retry, timeouts, egress, proxy, TLS, and the layers around a call; secrets left out.

        Spec: ADP-35, REL-01
        """
        policies = self._config.policies()
        if self._resilience.failover is not None:
            policies["egress"] = self._resilience.reaching(self._config.http).egress_policy.describe()
        if self._resilience.retry is not None:
            policies["retry"] = asdict(self._resilience.retry)
        given: dict[str, object] = {
            "circuit_breaker": self._resilience.breaker,
            "rate_limit": self._resilience.limiter,
            "failover": self._resilience.failover,
        }
        # what stands in the settings is told in their words already
        return policies | {
            name: repr(layer) for name, layer in given.items() if layer is not None and name not in policies
        }

    async def health(self) -> WorkerHealth:
        """
        Ask the upstream's models listing, within `health_timeout`; reports, never raises.

        With a failover list the next endpoint is asked by the rules by which a task moves on to it.

        Spec: ADP-40, ADP-41
        """
        if self._is_closed:
            return WorkerHealth(live=False, ready=False, reason="closed", detail="the adapter is closed")
        health = await self._probe.health()
        if health.ready and len(self._running) >= self._config.max_slots:
            return WorkerHealth(live=True, ready=False, reason="slots_exhausted", detail="all slots are taken")
        return health

    async def props(self) -> WorkerProps:
        """
        Slots from the settings and the tasks in flight; the rest as far as it is known. Asks nobody.

        Spec: ADP-42, ORCH-3603
        """
        total = self._config.max_slots
        return WorkerProps(
            slots_total=total,
            slots_free=max(0, total - len(self._running)),
            engine=self._config.engine_label,
            engine_version=self._probe.known_version,
            model=self._config.model,
            workloads=("completion",),
            features=("chat", "tools", "reasoning", "usage"),
            contract_version=ADAPTER_API_VERSION,
        )

    async def engine_version(self) -> str:
        """
        The upstream's version: by the dialect's own path, else the model snapshot that answered last.

        Raises:
            WorkerError: The upstream cannot be asked, and nothing is known from before.

        Spec: OC-ADAPT-OAI-6010
        """
        if self._is_closed:
            raise WorkerError("closed", "the adapter is closed")
        return await self._probe.engine_version()

    async def submit(self, task: TaskRequest) -> TokenStream:
        """
        Send *task*; return its stream once the upstream's first valid chunk is there.

        Raises:
            InvalidTask: A field is wrong, or the id is in flight. Nothing was sent.
            TaskCancelled: `cancel` came first.
            WorkerError: Everything else that fails before `started`.

        Spec: OC-ADAPT-OAI-6001, ADP-13, ADP-31, ADP-32, OC-CTRL-2034
        """
        if not isinstance(task, TaskRequest):
            raise InvalidTask("task", f"expected a TaskRequest, got {type(task).__name__}")
        correlation_id = current_correlation_id()
        log = TaskLog(task, engine=self._config.engine_label, correlation_id=correlation_id)
        try:
            prompt = self._admissible(task)
        except WorkerError as error:
            log.failed(error)
            # the frames below hold the request
            raise without_frames(error) from error.__cause__
        deadline = Deadline(self._clock.monotonic() + task.deadline_ms / 1000)
        running = _Running(watch=AsyncWatch(self._clock, deadline), log=log)
        self._running[task.task_id] = running
        if task.task_id in self._streams:
            del self._streams[task.task_id]
        try:
            if self._pin is not None:
                await self._pin.check_before(task, running.watch, log)
            context = self._context(task, prompt, running, deadline, correlation_id)
            tokens = await self._service.stream(prompt, context)
            self._probe.snapshot = tokens.model or self._probe.snapshot
            if self._pin is not None:
                await self._pin.check_answer(task, tokens, log)
        except WorkerError as error:
            log.attempts(error.attempts)
            log.failed(with_hint(error, self._config.base_url))
            self._release(task.task_id)
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                log.failed(TaskCancelled())
            self._release(task.task_id)
            raise
        return self._streaming(task, running, tokens)

    async def cancel(self, task_id: str) -> None:
        """
        Stop the task wherever it is: waiting, connecting, between attempts, streaming. Unknown ids are fine.

        When it returns, no token of the task is handed out any more, and the upstream's connection is closed or its
        stream is reset.

        Spec: WA-INT-3002, ADP-30, AH-1004
        """
        stream = self._streams.get(task_id)
        if stream is not None:
            await stream.cancel()
            return
        running = self._running.get(task_id)
        if running is not None and running.tokens is not None:
            # its consumer has dropped the stream
            await running.tokens.cancel()
        elif running is not None:
            running.watch.break_off(Interrupted("cancelled", reason="cancelled", outcome=Outcome.UNKNOWN))
            await running.released.wait()

    async def aclose(self) -> None:
        """Cancel what is in flight, close every connection. Safe to call twice."""
        self._is_closed = True
        await asyncio.gather(*(self.cancel(task_id) for task_id in list(self._running)))
        await self._transport.aclose()

    def _admissible(self, task: TaskRequest) -> SerializedPrompt:
        """The request for *task*, if it may be sent now."""
        if self._is_closed:
            raise WorkerError("closed", "the adapter is closed")
        check_task(task)
        if task.task_id in self._running:
            raise InvalidTask("task_id", "a task of this id is in flight")
        prompt = serialize(task, self._config)
        if len(self._running) >= self._config.max_slots:
            raise WorkerError(
                "slots_exhausted", f"all {self._config.max_slots} slots are taken", outcome=Outcome.NOT_SENT
            )
        return prompt

    def _streaming(self, task: TaskRequest, running: _Running, tokens: StreamedTokens) -> TokenStream:
        """The stream of a task that has started; its slot is free again when the upstream is closed."""
        stream = TokenStream(tokens, task_id=task.task_id, origin=ADAPTER_NAME)
        self._streams[task.task_id] = stream
        running.tokens = tokens
        running.log.answered(tokens)

        def over(terminal: TokenEvent) -> None:
            self._release(task.task_id)
            running.log.ended(terminal)

        tokens.on_closed(over)
        return stream

    def _release(self, task_id: str) -> None:
        self._running.pop(task_id).released.set()

    def _reader(self) -> TokenReader:
        if self._config.api == "responses":
            return ResponsesReader()
        return ChatReader(done_is_evidence=self._profile.done_is_evidence)

    def _identity(self, task: TaskRequest, prompt: SerializedPrompt, correlation_id: str) -> dict[str, Any]:
        return {
            "engine_version": self._probe.version,
            "engine": self._config.engine_label,
            "model": prompt.model,
            "model_digest": self._config.model_digest,
            "seed": task.seed,
            "sampler_profile_version": task.sampler_profile_version,
            "correlation_id": correlation_id,
        }

    def _context(
        self, task: TaskRequest, prompt: SerializedPrompt, running: _Running, deadline: Deadline, correlation_id: str
    ) -> CallContext:
        return CallContext(
            trace_id=correlation_id,
            request_id=task.task_id,
            deadline=deadline,
            watch=running.watch,
            reader=self._reader(),
            headers={CORRELATION_HEADER: correlation_id},
            identity=self._identity(task, prompt, correlation_id),
            words=self._words,
            private=private_texts(task),
        )
