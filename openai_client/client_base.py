"""
What both clients are, whoever waits: their settings, the transport that they call through, and where times come from.

Spec: CLI-03, CLI-04, CLI-05
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from http_util.frames import shows_no_arguments
from openai_client.client_settings import check_transport, merged, moved
from openai_client.config import ClientConfig
from openai_client.deprecation import deprecations_told, tell
from openai_client.resource_methods import shows_fields
from openai_client.transport import check_failover, resilience_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random
    from typing import Unpack

    from http_util.call import ReplyHead
    from http_util.resilience import Resilience
    from openai_client.config import ClientSettings
    from openai_client.request_writing import PreparedCall

AnyTransport = TypeVar("AnyTransport")
AnyClock = TypeVar("AnyClock")


_BESIDE: Final = ("config", "transport", "clock", "rng", "resilience", "middleware")
"""What a client takes beside its settings."""


class ClientBase(ABC, Generic[AnyTransport, AnyClock]):
    """
    The part of a client that does not wait.

    Spec: CLI-03
    """

    @shows_fields
    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        transport: AnyTransport | None = None,
        clock: AnyClock | None = None,
        rng: Random | None = None,
        resilience: Resilience | None = None,
        middleware: Sequence[object] = (),
        **settings: Unpack[ClientSettings],
    ) -> None:
        """
        Make a client. No socket is opened before the first call.

        Args:
            config: The settings.
            transport: Used instead of one made here, and left open when the client is closed.
            clock: Source of times and pauses; by default the system's.
            rng: Source of the retries' jitter.
            resilience: What stands around every call: retries, failover, breaker, limiter, and hooks. Several clients
                may share one. By default nothing is there but the retry policy in the settings, if one is set.
            middleware: Sees every call before it is sent and every answer before it is read; see
                `openai_client.call_middleware`. The first sees a call first and its answer last.
            settings: Settings, or replacements of some in *config*: see `ClientConfig`.

        Raises:
            ConfigurationError: A setting is wrong, or *transport* is given together with what belongs to one.
        """
        self.config: ClientConfig = merged(config, settings, *_BESIDE)
        """The settings in force."""
        check_transport(transport, resilience, rng)
        self._clock: AnyClock = clock or self._system_clock()
        self._owns_transport = transport is None
        self._transport: AnyTransport = transport or self._http_transport(rng, resilience)
        check_failover(self._transport, self.config.base_url)
        if middleware:
            self._transport = self._behind(middleware)
        self._is_closed = False

    @abstractmethod
    def _system_clock(self) -> AnyClock:
        """Return where times come from when nobody says."""

    @abstractmethod
    def _http_transport(self, rng: Random | None, resilience: Resilience | None) -> AnyTransport:
        """Return the transport of a client that was given none."""

    @abstractmethod
    def _behind(self, middleware: Sequence[object]) -> AnyTransport:
        """Return the transport with *middleware* in front of it."""

    @classmethod
    @shows_no_arguments
    def from_env(
        cls,
        *,
        env: Mapping[str, str] | None = None,
        secret_file: Path | None = None,
        **settings: Unpack[ClientSettings],
    ) -> Self:
        """
        Return a client with the settings that the process's environment describes (see `Environment.from_env`).

        Spec: CLI-05
        """
        return cls(ClientConfig.from_env(env=env, secret_file=secret_file, **settings))

    @property
    def clock(self) -> AnyClock:
        """Where its times and pauses come from."""
        return self._clock

    @property
    def resilience(self) -> Resilience:
        """
        What stands around every call: what was given, with the retry policy of the settings.

        Spec: REL-01
        """
        return resilience_of(self._transport, self.config)

    def __repr__(self) -> str:
        """Return where the client calls."""
        # a half-made client is shown in the traceback of its constructor
        config = getattr(self, "config", None)
        return f"{type(self).__name__}({None if config is None else config.base_url!r})"

    @shows_fields
    def with_options(self, **settings: Unpack[ClientSettings]) -> Self:
        """
        Return a client with some settings replaced, over the same connections. Closing it leaves them open.

        Raises:
            InvalidConfiguration: A setting is wrong, or says where to call: that takes a client of its own.
        """
        return type(self)(moved(self.config, settings), transport=self._transport, clock=self._clock)

    def _heed(self, prepared: PreparedCall, head: ReplyHead) -> None:
        """Tell of what the upstream says is deprecated."""
        tell(deprecations_told(prepared.operation_id, head.headers), self.config.deprecations)
