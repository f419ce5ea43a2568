from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from adapter_host import AdapterHost, InMemoryMetrics
from http_util.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told to."""
    return FakeClock()


@pytest.fixture
def metrics() -> InMemoryMetrics:
    """What the host counts."""
    return InMemoryMetrics()


@pytest.fixture
def records() -> structlog.testing.LogCapture:
    """What the host tells."""
    return structlog.testing.LogCapture()


@pytest.fixture
def logger(records: structlog.testing.LogCapture) -> Any:
    """A logger into `records`."""
    return structlog.wrap_logger(None, processors=[records], wrapper_class=structlog.make_filtering_bound_logger(0))


@pytest.fixture
async def make_host(clock, metrics, logger) -> AsyncIterator[Callable[..., AdapterHost]]:
    """Hosts on a fake clock that are closed after the test, without grace."""
    hosts: list[AdapterHost] = []

    def make(**options: Any) -> AdapterHost:
        hosts.append(AdapterHost(**({"clock": clock, "metrics": metrics, "logger": logger} | options)))
        return hosts[-1]

    yield make
    for host in hosts:
        await host.aclose(grace=0.0)


@pytest.fixture
def host(make_host: Callable[..., AdapterHost]) -> AdapterHost:
    """A host without pools."""
    return make_host()
