"""
Secrets stay: a key is seen in no output channel, whatever goes wrong and whatever the upstream says.

Over real sockets, for everybody who calls. The upstream repeats what it was told in each of its words.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from http_util.retry import RetryPolicy
from tests.integration.http_util.engine.listening import listening, server_context
from tests.integration.http_util.engine.refusing import unused_port
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server
from tests.integration.security import proxies, upstreams
from tests.integration.security.callers import CALLERS, PATIENCE, Where
from tests.integration.security.canary import PROXY_AUTH, shown_by, sightings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.http_util.engine.real_servers import Papers
    from tests.integration.security.callers import Caller
    from tests.integration.security.canary import Records

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.usefixtures("authorities"),
    pytest.mark.requirement("SEC-01", "SEC-07", "SEC-15", "SEC-16", "HTU-1004", "HTU-ERR-4001"),
]

GOOD: Final = "none"

SOME_FAULTS: Final = ("closed", "silent", "junk", "denied", "an error in the stream", "cut", GOOD)
"""One of each kind."""


@contextlib.asynccontextmanager
async def upstream(
    papers: Papers, protocol: str, fault: str, *, proxy: str | None = None, engine: str = "asyncio"
) -> AsyncIterator[Where]:
    """Run an upstream with one fault, and yield the way to it; *protocol* is http, https or h2 (over TLS)."""
    is_http2 = protocol == "h2"
    context = None if protocol == "http" else server_context(papers, "h2" if is_http2 else "http/1.1")
    server: Any = Http2Server(upstreams.http2(fault)) if is_http2 else Http1Server(upstreams.http1(fault))
    async with server.at(context) as url:
        where = f"{url.rpartition(':')[0]}:{unused_port()}" if fault == "refused" else url
        yield Where(where, ca_file=papers.ca_file, http2=is_http2, proxy=proxy, engine=engine)


def calling(who: str, where: Where, fault: str, **how: Any) -> Caller:
    """Return one who calls; only where nothing will come is its patience short."""
    return CALLERS[who](where, patience=PATIENCE if fault in {"silent", "held"} else 20.0, **how)


async def seen(caller: Caller, records: Records, failure: BaseException | None) -> list[str]:
    """Close *caller*, and return where a canary was seen."""
    await caller.close()
    shown = [*caller.shown(), *records.lines]
    if failure is not None:
        shown += shown_by(failure)
    return sightings(shown)


async def failure_of(caller: Caller) -> Exception | None:
    """Make a call, and return what it raised."""
    try:
        await caller.call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    return None


@pytest.mark.parametrize("fault", upstreams.FAULTS)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("who", CALLERS)
async def test_no_fault_shows_a_credential(
    papers: Papers, records: Records, who: str, protocol: str, fault: str
) -> None:
    """Not in an error or its causes, their locals, pickles and copies, a log of anybody's, or what a hook is told."""
    async with upstream(papers, protocol, fault) as where:
        caller = calling(who, where, fault)
        failure = await failure_of(caller)
        assert (failure is None) == (fault == GOOD)
        assert await seen(caller, records, failure) == []


@pytest.mark.parametrize("fault", SOME_FAULTS)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("who", CALLERS)
async def test_a_key_in_a_header_of_its_own_is_not_shown_either(
    papers: Papers, records: Records, who: str, protocol: str, fault: str
) -> None:
    """As Azure wants it."""
    async with upstream(papers, protocol, fault) as where:
        caller = calling(who, where, fault, scheme="api-key")
        failure = await failure_of(caller)
        assert (failure is None) == (fault == GOOD)
        assert await seen(caller, records, failure) == []


@pytest.mark.parametrize("fault", ["refused", "reset", "failed", "an error at once"])
@pytest.mark.parametrize("who", CALLERS)
async def test_a_call_that_is_repeated_shows_nothing_more(
    papers: Papers, records: Records, who: str, fault: str
) -> None:
    """Every attempt is told to hooks and logs, with its failure."""
    eager = RetryPolicy(name="eager", base=0.001, cap=0.001, retries_unknown=True)
    async with upstream(papers, "http", fault) as where:
        caller = calling(who, where, fault, retry=eager)
        failure = await failure_of(caller)
        assert failure is not None
        assert len(failure.attempts) == (1 if fault == "an error at once" else 4)
        assert await seen(caller, records, failure) == []


@pytest.mark.parametrize("fault", SOME_FAULTS)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("who", CALLERS)
async def test_through_a_proxy_its_credentials_are_not_shown_either(
    papers: Papers, records: Records, who: str, protocol: str, fault: str
) -> None:
    """In a tunnel, and with plain requests that it passes on together with its own credentials."""
    async with listening(proxies.building) as proxy, upstream(papers, protocol, fault, proxy=proxy) as where:
        caller = calling(who, where, fault)
        failure = await failure_of(caller)
        assert (failure is None) == (fault == GOOD)
        assert await seen(caller, records, failure) == []


@pytest.mark.parametrize("refusal", proxies.REFUSALS)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("who", CALLERS)
async def test_a_proxy_that_refuses_shows_nothing(
    papers: Papers, records: Records, who: str, protocol: str, refusal: str
) -> None:
    """It repeats its credentials in status line, header and body."""
    async with listening(proxies.refusing(refusal)) as proxy, upstream(papers, protocol, GOOD, proxy=proxy) as where:
        caller = calling(who, where, GOOD)
        failure = await failure_of(caller)
        assert failure is not None
        assert await seen(caller, records, failure) == []


@pytest.mark.parametrize("who", CALLERS)
async def test_a_socks_proxy_that_takes_no_password_shows_nothing(papers: Papers, records: Records, who: str) -> None:
    """The same for its own protocol."""
    async with listening(proxies.socks) as proxy, upstream(papers, "h2", GOOD) as where:
        where.settings |= {"proxy": proxy.replace("http", "socks5"), "proxy_auth": PROXY_AUTH}
        caller = calling(who, where, GOOD)
        failure = await failure_of(caller)
        assert "proxy_auth" in str(failure)
        assert await seen(caller, records, failure) == []


@pytest.mark.parametrize("fault", ["silent", "held"])
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("who", ["adapter", "async client"])
async def test_a_cancelled_call_shows_nothing(
    papers: Papers, records: Records, who: str, protocol: str, fault: str
) -> None:
    """The cancellation comes through every frame of ours, before the answer and in the middle of it."""
    async with upstream(papers, protocol, fault) as where:
        caller = CALLERS[who](where, patience=20.0)
        task = asyncio.ensure_future(caller.call())
        await asyncio.sleep(PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        assert await seen(caller, records, cancelled.value) == []


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("protocol", ["http", "h2"])
async def test_an_event_loop_that_tells_of_everything_it_does_shows_nothing(
    papers: Papers, records: Records, who: str, protocol: str
) -> None:
    """In its debug mode it logs what it calls, with the arguments."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    async with upstream(papers, protocol, "cut") as where:
        caller = calling(who, where, "cut")
        failure = await failure_of(caller)
        loop.set_debug(False)
        assert await seen(caller, records, failure) == []
    assert sum(1 for name, _ in records.lines if name == "log asyncio") > 10


@pytest.mark.parametrize("fault", SOME_FAULTS)
@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize("who", CALLERS)
async def test_the_other_engine_shows_nothing(
    papers: Papers, records: Records, who: str, protocol: str, fault: str
) -> None:
    """httpx's own, whose loggers tell of requests and headers, and whose frames hold them."""
    async with upstream(papers, protocol, fault, engine="httpx") as where:
        caller = calling(who, where, fault)
        failure = await failure_of(caller)
        assert (failure is None) == (fault == GOOD)
        assert await seen(caller, records, failure) == []
    assert any(name.startswith("log httpcore") for name, _ in records.lines)
