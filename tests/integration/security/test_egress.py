"""Who may be called: no way around the policy, whoever's client it is, and wherever a name is made to lead."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util.clock import SystemClock, SystemSyncClock
from http_util.config import HttpConfig
from http_util.failover import Endpoint, Failover
from http_util.resilience import Resilience
from openai_client import AsyncClient, AsyncHttpTransport, HttpTransport
from openai_client.errors import InvalidConfiguration
from tests.integration.http_util.engine.listening import listening
from tests.integration.security.callers import CALLERS, AsyncClientCaller, BlockingClientCaller, Where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("SEC-11")]

NAME = "upstream.example"

REBOUND = {
    "loopback": ["127.0.0.1"],
    "loopback over IPv6": ["::1"],
    "loopback inside IPv6": ["::ffff:127.0.0.1"],
    "link-local": ["169.254.10.10"],
    "link-local over IPv6": ["fe80::1"],
    "metadata": ["169.254.169.254"],
    "metadata inside IPv6": ["::ffff:169.254.169.254"],
    "metadata behind NAT64": ["64:ff9b::a9fe:a9fe"],
    "metadata of AWS over IPv6": ["fd00:ec2::254"],
    "metadata of Alibaba": ["100.100.100.200"],
    "metadata of Azure": ["168.63.129.16"],
    "unspecified": ["0.0.0.0"],
    "one good, one not": ["203.0.113.7", "127.0.0.1"],
}
PRIVATE = {"10/8": ["10.1.2.3"], "172.16/12": ["172.20.0.1"], "192.168/16": ["192.168.0.1"], "fc00::/7": ["fd12::1"]}


class Door:
    """A port of this machine that nobody should find; counts who does."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def serve(self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Count a connection."""
        self.connections += 1


@contextlib.asynccontextmanager
async def door() -> AsyncIterator[Door]:
    """Listen on loopback."""
    opened = Door()
    async with listening(opened.serve) as url:
        opened.port = int(url.rpartition(":")[2])
        yield opened


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """Let every name of every event loop lead to *addresses*; return what was asked for, as it is asked."""
    asked: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        found = zip(families, addresses, strict=True)
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in found]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def denied(caller: Any) -> str:
    """Call, and return the words of the refusal, which nothing preceded."""
    with pytest.raises(Exception, match="egress") as caught:
        await caller.call()
    await caller.close()
    error = caught.value
    assert (error.reason, error.outcome.value) == ("egress_denied", "NOT_SENT")
    assert len(error.attempts) == 1
    return str(error)


@pytest.mark.parametrize("kind", REBOUND)
@pytest.mark.parametrize("who", CALLERS)
async def test_a_name_that_is_made_to_lead_inside_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, who: str, kind: str
) -> None:
    """The name is allowed; the address is refused before a socket is opened, and no policy repeats the call."""
    asked = resolve_to(monkeypatch, REBOUND[kind])
    async with door() as inside:
        where = Where(f"https://{NAME}:{inside.port}", http2=True)
        said = await denied(CALLERS[who](where, patience=20.0, retry="available"))
        await asyncio.sleep(0.01)
    assert NAME in said
    assert asked == [NAME]
    assert inside.connections == 0


@pytest.mark.parametrize("kind", PRIVATE)
@pytest.mark.parametrize("who", CALLERS)
async def test_private_addresses_are_refused_where_ranges_are_listed_and_they_are_in_none(
    monkeypatch: pytest.MonkeyPatch, who: str, kind: str
) -> None:
    """By default inference servers may live there; `egress_networks` says where they do."""
    resolve_to(monkeypatch, PRIVATE[kind])
    where = Where(f"https://{NAME}", http2=True)
    where.settings["egress_networks"] = ("203.0.113.0/24", "2001:db8::/32")
    assert "in none of egress_networks" in await denied(CALLERS[who](where, patience=20.0))


NOT_PUBLIC = {**PRIVATE, "100.64/10": ["100.64.0.1"], "multicast": ["224.0.0.1"], "10/8 in 6to4": ["2002:a00:1::"]}


@pytest.mark.parametrize("kind", [*REBOUND, *NOT_PUBLIC])
@pytest.mark.parametrize("who", CALLERS)
async def test_no_name_leads_to_an_address_that_is_not_public_where_that_is_the_rule(
    monkeypatch: pytest.MonkeyPatch, who: str, kind: str
) -> None:
    """`egress_public_only` holds for every class of them, also where ranges are listed that hold the address."""
    resolve_to(monkeypatch, {**REBOUND, **NOT_PUBLIC}[kind])
    async with door() as inside:
        where = Where(f"https://{NAME}:{inside.port}", http2=True)
        where.settings |= {"egress_public_only": True, "egress_networks": ("0.0.0.0/0", "::/0")}
        assert "egress_public_only is set" in await denied(CALLERS[who](where, patience=20.0, retry="available"))
        await asyncio.sleep(0.01)
    assert inside.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_an_address_that_is_written_itself_is_no_exception_to_that_rule(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A failover list grants hosts; it grants no address inside, and nothing is resolved to find that out."""
    asked: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, _port: int, **_: Any) -> list[Any]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    async with door() as inside:
        resilience = Resilience(failover=Failover([Endpoint(base_url=f"https://{host}:{inside.port}/v1")]))
        http = {"egress_public_only": True}
        async with AsyncClient(base_url=f"https://{NAME}", api_key=None, http=http, resilience=resilience) as client:
            with pytest.raises(Exception, match="a loopback address, and egress_public_only is set") as caught:
                await client.models.list()
    assert caught.value.reason == "egress_denied"
    assert [line.reason for line in caught.value.attempts] == ["dns_failed", "egress_denied"]
    assert (asked, inside.connections) == ([NAME], 0)


@pytest.mark.parametrize("who", CALLERS)
async def test_a_name_that_leads_elsewhere_the_next_time_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """The first lookup gives a public address, which takes no connection; the second one gives one inside."""
    answers = [["192.0.1.1"], ["127.0.0.1"], ["10.0.0.1"]]
    connected: list[Any] = []

    async def getaddrinfo(_loop: Any, _host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers[len(connected)]]

    async def sock_connect(_loop: Any, _sock: Any, address: Any) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", sock_connect)
    where = Where(f"https://{NAME}", http2=True)
    where.settings["egress_public_only"] = True
    caller = CALLERS[who](where, patience=20.0)
    with pytest.raises(Exception, match="connect") as first:
        await caller.call()
    assert first.value.reason == "connection_failed"
    assert "egress_public_only is set" in await denied(caller)
    assert connected == ["192.0.1.1"]


async def test_a_client_that_was_brought_cannot_keep_that_rule() -> None:
    """It resolves names by itself, so the two are refused together, in both colours."""
    http = HttpConfig(base_url="https://upstream.example", egress_public_only=True)
    async with httpx.AsyncClient() as brought:
        with pytest.raises(
            InvalidConfiguration, match=r"^http\.egress_public_only: cannot be kept with an http_client"
        ):
            AsyncHttpTransport(http, clock=SystemClock(), http_client=brought)
    with httpx.Client() as blocking, pytest.raises(InvalidConfiguration, match=r"^http\.egress_public_only"):
        HttpTransport(http, clock=SystemSyncClock(), http_client=blocking)


@pytest.mark.parametrize("kind", [*REBOUND, *PRIVATE])
async def test_a_proxy_is_no_way_around(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Its own name is held to the rules for addresses, as it is what is connected to."""
    resolve_to(monkeypatch, {**REBOUND, **PRIVATE}[kind])
    async with door() as inside:
        where = Where("https://elsewhere.example", http2=True, proxy=f"http://{NAME}:{inside.port}")
        where.settings["egress_networks"] = ("203.0.113.0/24",)
        assert NAME in await denied(CALLERS["adapter"](where, patience=20.0))
    assert inside.connections == 0


async def test_a_client_that_was_brought_stands_behind_the_same_policy() -> None:
    """A shared transport calls the hosts of its own settings, and no others, in both colours."""
    async with door() as inside, door() as meant:
        where, own = (Where(f"http://127.0.0.1:{at.port}", http2=False) for at in (inside, meant))
        async with httpx.AsyncClient() as brought:
            caller = AsyncClientCaller(where, patience=20.0)
            await denied(caller.through(AsyncHttpTransport, SystemClock(), brought, http=own))
        with httpx.Client() as blocking:
            caller = BlockingClientCaller(where, patience=20.0)
            await denied(caller.through(HttpTransport, SystemSyncClock(), blocking, http=own))
    assert (inside.connections, meant.connections) == (0, 0)


async def test_a_client_that_was_brought_is_held_to_the_limits_of_a_request() -> None:
    """Also those of the transport that it is brought to, which may be stricter than the caller's own."""
    async with door() as meant:
        where = Where(f"http://127.0.0.1:{meant.port}", http2=False)
        narrow = Where(f"http://127.0.0.1:{meant.port}", http2=False)
        narrow.settings["max_body_bytes"] = 8
        async with httpx.AsyncClient() as brought:
            caller = AsyncClientCaller(where, patience=20.0)
            caller.through(AsyncHttpTransport, SystemClock(), brought, http=narrow)
            with pytest.raises(Exception, match="max_body_bytes is 8") as caught:
                await caller.call()
    assert caught.value.reason == "malformed_request"
    assert not isinstance(caught.value, InvalidConfiguration)
    assert meant.connections == 0
