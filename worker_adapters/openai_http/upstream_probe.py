"""
Questions to the upstream that cost nothing: is it there, does it have the model, which version is it.

Where there is a failover list, whether a task would be served is asked by the rules by which it would be: the next
endpoint is asked when the first cannot be reached, or says that it will not answer.

Spec: ADP-40, ADP-41, FO-01, OC-ADAPT-OAI-6010, OQ-11
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from adapter_api import WorkerError, WorkerHealth
from http_util.call import HttpCall
from http_util.deadline import Deadline
from http_util.errors import HttpFailure
from http_util.frames import without_frames
from http_util.resilience import Layer
from http_util.watch import AsyncWatch
from openai_client.auth import MaskedHeaders
from openai_client.endpoint_keys import open_endpoints_async, written_for
from openai_client.error_mapping import from_failure, refiner
from openai_client.errors import OpenAIError
from worker_adapters.openai_http.missing_path import missing_path, with_hint
from worker_adapters.openai_http.token_reader import UNREADABLE
from worker_adapters.openai_http.upstream_words import shown_word
from worker_adapters.openai_http.worker_errors import worker_error

if TYPE_CHECKING:
    from http_util import AsyncExchange, Clock, Secret, Timeouts
    from http_util.failover import Failover
    from openai_client.auth import Auth, Authorization
    from openai_client.endpoint_keys import OpenEndpoint
    from worker_adapters.openai_http.config import OpenAIHttpConfig

_NO_LISTING: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_LONGEST_VERSION: Final = 128


class _Told(NamedTuple):
    """What the upstream has answered, who may have repeated the credentials that it was shown."""

    body: bytes
    secrets: tuple[Secret, ...]

    def word(self, told: str) -> str:
        """A word of the answer, as it may be shown."""
        return shown_word(told, self.secrets)


class UpstreamProbe:
    """Asks one upstream, or those that stand in for it. Remembers the version that was told last, and nothing else."""

    def __init__(
        self,
        exchange: AsyncExchange,
        auth: Auth,
        config: OpenAIHttpConfig,
        timeouts: Timeouts,
        clock: Clock,
        failover: Failover | None = None,
    ) -> None:
        """
        Ask by means of *exchange*.

        Args:
            exchange: Sends the questions; one attempt each.
            auth: The credentials.
            config: Where to ask, and how long to wait.
            timeouts: Of one attempt.
            clock: Tells the time.
            failover: The endpoints that a task may go to instead.
        """
        self._exchange = exchange
        self._auth = auth
        self._config = config
        self._timeouts = timeouts
        self._clock = clock
        self._failover = failover
        self.version: str | None = None
        """The version as the upstream told it last, by the dialect's own path; None where there is none."""
        self.snapshot: str | None = None
        """The model that answered last, as the upstream names it."""

    @property
    def known_version(self) -> str | None:
        """What stands for the engine's version, without asking: its own word, else the model that answered last."""
        return self.version or self.snapshot

    async def health(self) -> WorkerHealth:
        """
        Whether the upstream answers, and whether it would take a task as far as it can tell.

        Never raises for an upstream that is not well.

        Spec: ADP-40, ADP-41
        """
        try:
            listing = await self._get(self._config.base_url + self._config.health_path, self._failover)
        except WorkerError as error:
            return self._unwell(error)
        missing = self._missing_model(listing.body)
        if missing is not None:
            return WorkerHealth(live=True, ready=False, reason="model_missing", detail=missing)
        if self.version is None:
            await self.learn_version()
        return WorkerHealth(live=True, ready=True, detail=self._other_version())

    async def learn_version(self) -> None:
        """Ask the dialect's own path for the version, where it has one; not to be told is no failure."""
        probe = self._config.profile.version
        if probe is None:
            return
        with suppress(WorkerError):
            told = await self._get(_root(self._config.base_url) + probe.path)
            version = _field(told.body, probe.field)
            if version is not None:
                self.version = probe.prefix + told.word(version)[:_LONGEST_VERSION]

    async def engine_version(self) -> str:
        """
        The upstream's version: of its own path where the dialect has one, else of the model that answered last.

        Raises:
            WorkerError: The upstream cannot be asked, and nothing is known from before.

        Spec: OC-ADAPT-OAI-6010
        """
        await self.learn_version()
        return self.known_version or await self._listed_model()

    async def _listed_model(self) -> str:
        """The model that the upstream lists: the configured one, or the only one."""
        listing = await self._get(self._config.base_url + "/models", self._failover)
        names = model_names(listing.body)
        wanted = self._config.model
        if wanted is not None:
            return wanted
        if len(names) == 1:
            return listing.word(names[0])
        raise WorkerError("not_found", "the upstream tells no version, and no model has answered yet")

    async def _get(self, url: str, failover: Failover | None = None) -> _Told:
        """A good answer to a question, which may go to the endpoints of *failover* as well."""
        watch = AsyncWatch(self._clock, Deadline.after(self._config.health_timeout, self._clock))
        endpoints: tuple[OpenEndpoint, ...] = ()
        try:
            authorization = await watch.guard(self._auth.authorize_async())
            if failover is not None:
                endpoints = await watch.guard(open_endpoints_async(failover, self._auth.audit))
        except OpenAIError as error:
            raise worker_error(error, streaming=False) from without_frames(error)
        except HttpFailure as failure:
            raise worker_error(from_failure(failure), streaming=False) from without_frames(failure)
        call = self._question(url, authorization, endpoints)
        try:
            reply = await self._exchange.send(call, watch=watch)
        except HttpFailure as failure:
            refused = worker_error(from_failure(failure, call.secrets), streaming=False)
            raise with_hint(refused, self._config.base_url) from without_frames(failure)
        return _Told(reply.body, call.secrets)

    def _question(self, url: str, authorization: Authorization, endpoints: tuple[OpenEndpoint, ...]) -> HttpCall:
        """The call, written for every endpoint that it may go to."""
        url += self._query(url)
        headers = MaskedHeaders({"accept": "application/json", "accept-encoding": "identity"})
        headers.update(authorization.headers)
        path = url.removeprefix(self._config.base_url)
        alternatives, others = written_for(endpoints, path, headers, self._auth.written_headers())
        secrets = authorization.secrets + others + self._config.http.secrets
        # an endpoint that takes no connection leaves the others their part of the time
        patience = min(self._config.connect_timeout, self._config.health_timeout / (1 + len(alternatives)))
        return HttpCall(
            method="GET",
            url=url,
            headers=headers,
            timeouts=replace(self._timeouts, connect=patience),
            refine=refiner(secrets),
            secrets=secrets,
            # a question about the upstream is no work for it: no breaker, no limiter counts it
            layers=frozenset({Layer.FAILOVER}) if alternatives else frozenset(),
            alternatives=alternatives,
        )

    def _query(self, url: str) -> str:
        version = self._config.api_version
        return f"?api-version={version}" if version is not None and url.startswith(self._config.base_url) else ""

    def _unwell(self, error: WorkerError) -> WorkerHealth:
        if error.http_status in _NO_LISTING and self._config.ready_without_listing:
            detail = f"no {self._config.health_path} to ask"
            hint = missing_path(self._config.base_url) if error.http_status == HTTPStatus.NOT_FOUND else ""
            return WorkerHealth(live=True, ready=True, detail="; ".join(filter(None, (detail, hint))))
        return WorkerHealth(live=error.http_status is not None, ready=False, reason=error.reason, detail=error.message)

    def _other_version(self) -> str:
        """What to say when the version is known and is not the expected one."""
        expected = self._config.engine_version
        if expected is None or self.version is None or self.version == expected:
            return ""
        return f"engine version {self.version!r}, expected {expected!r}: strict tasks are refused"

    def _missing_model(self, body: bytes) -> str | None:
        """What to say when the listing is meaningful and does not have the model; None otherwise."""
        wanted = self._config.model
        if wanted is None or not self._config.profile.listing_is_meaningful or self._config.health_path != "/models":
            return None
        names = model_names(body)
        return None if not names or wanted in names else f"the upstream does not list {wanted!r}"


def model_names(listing: bytes) -> list[str]:
    """
    The ids of a models listing; empty when it is no listing.

    Example:
        >>> model_names(b'{"object": "list", "data": [{"id": "m"}]}')
        ['m']
    """
    try:
        rows: Any = msgspec.json.decode(listing)
    except UNREADABLE:
        return []
    data = rows.get("data") if isinstance(rows, dict) else rows
    if not isinstance(data, list):
        return []
    return [row["id"] for row in data if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _field(body: bytes, name: str) -> str | None:
    try:
        answer: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    value = answer.get(name) if isinstance(answer, dict) else None
    return str(value) if value is not None else None


def _root(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"
