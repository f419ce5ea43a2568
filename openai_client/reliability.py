"""
Calls whose names say what stands around them.

A plain call goes through every layer that the client has. These methods let exactly one layer stand around a call, or
all that there are, and refuse to be called when what their name promises is not there.

Spec: REL-02
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, TypeVar

from http_util.resilience import Layer
from openai_client.errors import InvalidConfiguration

if TYPE_CHECKING:
    from openai_client.metadata import Answer
    from openai_client.operation import CallOptions, Operation

T = TypeVar("T")

_MISSING: Final = {
    Layer.RETRY: "retry: set a policy as the client's `retry`, the call's, or in `resilience`",
    Layer.CIRCUIT_BREAKER: "resilience: give the client one with a `breaker`",
    Layer.RATE_LIMITING: "resilience: give the client one with a `limiter`",
}


def check_enabled(wanted: Layer | None, enabled: frozenset[Layer]) -> frozenset[Layer]:
    """
    Return the layers that a call goes through.

    Args:
        wanted: The only one; None for all.
        enabled: Those that there are.

    Raises:
        InvalidConfiguration: *wanted* is not there, or nothing is.
    """
    if wanted is None:
        if not enabled:
            raise InvalidConfiguration("resilience: no feature is enabled; give the client one, or call `execute`")
        return enabled
    if wanted not in enabled:
        raise InvalidConfiguration(f"{wanted.value} is not enabled: {_MISSING[wanted]}")
    return frozenset({wanted})


class ReliableCalls(ABC):
    """
    The named calls of the blocking client.

    Spec: REL-02
    """

    @abstractmethod
    def _through(self, wanted: Layer | None, operation: Operation[T], options: CallOptions | None) -> Answer[T]:
        """Make a call through one layer, or through all that there are."""

    def execute_with_retries(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call that is repeated by its policy, and nothing else. Arguments and errors as `execute`.

        Raises:
            InvalidConfiguration: There is no retry policy.
        """
        return self._through(Layer.RETRY, operation, options).result

    def execute_with_circuit_breaker(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call that the breaker may refuse, once. Arguments and errors as `execute`.

        Raises:
            InvalidConfiguration: There is no breaker.
            ServiceUnavailable: The breaker is open.
        """
        return self._through(Layer.CIRCUIT_BREAKER, operation, options).result

    def execute_with_rate_limiting(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call at the limiter's pace, once. Arguments and errors as `execute`.

        Raises:
            InvalidConfiguration: There is no limiter.
            TooManyRequests: The limit is reached and the limiter does not queue.
        """
        return self._through(Layer.RATE_LIMITING, operation, options).result

    def execute_with_enterprise_features(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call through every layer that the client has. Arguments and errors as `execute`.

        Raises:
            InvalidConfiguration: It has none.
        """
        return self._through(None, operation, options).result


class AsyncReliableCalls(ABC):
    """
    The named calls of the asynchronous client; each as its namesake of `ReliableCalls`.

    Spec: REL-02
    """

    @abstractmethod
    async def _through(self, wanted: Layer | None, operation: Operation[T], options: CallOptions | None) -> Answer[T]:
        """Make a call through one layer, or through all that there are."""

    async def execute_with_retries(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call that is repeated by its policy, and nothing else."""
        return (await self._through(Layer.RETRY, operation, options)).result

    async def execute_with_circuit_breaker(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call that the breaker may refuse, once."""
        return (await self._through(Layer.CIRCUIT_BREAKER, operation, options)).result

    async def execute_with_rate_limiting(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call at the limiter's pace, once."""
        return (await self._through(Layer.RATE_LIMITING, operation, options)).result

    async def execute_with_enterprise_features(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call through every layer that the client has."""
        return (await self._through(None, operation, options)).result
