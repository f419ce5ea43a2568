from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog

from adapter_host import AdapterHost, InMemoryMetrics
from http_util.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def metrics() -> InMemoryMetrics:
    return InMemoryMetrics()


@pytest.fixture
def records() -> structlog.testing.LogCapture:
    return structlog.testing.LogCapture()


@pytest.fixture
def logger(records: structlog.testing.LogCapture) -> Any:
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
    return make_host()
