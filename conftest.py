"""
What every test gets: no network but loopback, and requirement ids as markers, also from feature tags.

And what a run gets that is measured: nothing is lost, and little is measured twice.

The guard sits below the socket module, in the interpreter's audit events, so no library can go around it. It judges
this process only; a child process that a test starts has to keep to loopback by itself.
"""

from __future__ import annotations

import gc
import ipaddress
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from coverage import Coverage

from tests import measuring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIREMENT_TAG: Final = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-[0-9]+[a-z]?")
GUARDED_EVENTS: Final = {"socket.connect": 1, "socket.getaddrinfo": 0, "socket.sendto": 1}
"""Audit event, and which of its arguments is the address."""


class NetworkGuard:
    """An audit hook that fails whatever leaves this machine, unless a live test is running."""

    __cantrace__ = True
    """Lets coverage see the hook; the interpreter hides hooks from tracing by default."""

    def __init__(self) -> None:
        self.is_open = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one audit event; a refusal is no Exception, so the code under test cannot take it for a dead server."""
        position = GUARDED_EVENTS.get(event)
        if position is None or self.is_open or is_local(arguments[position]):
            return
        pytest.fail(
            f"{event} to {arguments[position]!r}: tests reach loopback only; "
            f"use a server on 127.0.0.1, or mark the test live and run it with -m live"
        )


def is_local(address: object) -> bool:
    """Tell whether *address* (a host, a socket address, a path, or None for any local one) stays on this machine."""
    host = address[0] if isinstance(address, tuple) else address
    if not isinstance(host, str | bytes):  # any local address, or a family without hosts (netlink)
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if text == "localhost" or text.endswith(".localhost") or text.startswith(("/", "\0")):
        return True
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


MEASURING: Final = measuring.Measuring()
GUARD: Final = NetworkGuard()
sys.addaudithook(GUARD)


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Open the guard for a live test, and for that test only."""
    GUARD.is_open = request.node.get_closest_marker("live") is not None
    yield
    GUARD.is_open = False


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Forget how a test configured structlog, if it did: capturing its lines does, and the next test would print."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage while the tests are read: everything stays, and each look goes through all of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure the cases of a test for as long as they show coverage something new, or as their mark says."""
    if item.get_closest_marker("unmeasured"):
        with measuring.unmeasured():
            return (yield)
    if not hasattr(item, "callspec") or item.get_closest_marker("measured"):
        return (yield)
    with MEASURING.case_of(item.nodeid.partition("[")[0]):
        return (yield)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what lives as long as the run: going through all tests stops one for 0.8 s."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Save what coverage saw in a worker: one that takes its time to leave is killed, and would take it along."""
    measuring = Coverage.current()
    if measuring is not None and hasattr(session.config, "workerinput"):
        measuring.save()


def pytest_bdd_apply_tag(tag: str, function: Callable[..., Any]) -> bool | None:
    """Turn a tag such as @ADP-20 into the requirement marker; leave other tags to pytest-bdd."""
    if not REQUIREMENT_TAG.fullmatch(tag):
        return None
    pytest.mark.requirement(tag)(function)
    return True
