"""Sockets: their options, and what becomes of the ones that are not needed."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from http_util.engine import sockets
from http_util.engine.sockets import first_connected, resolve, socket_options
from http_util.urls import literal_address


@pytest.mark.requirement("HTU-01")
def test_sockets_send_at_once_and_probe_a_silent_peer() -> None:
    """TCP_NODELAY and keep-alive with the configured silence; no keep-alive when it is off."""
    assert socket_options(None) == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    options = socket_options(60.0)
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60) in options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60) in options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1) in socket_options(0.2)


async def test_an_address_leads_to_itself_and_a_name_to_what_the_resolver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they are tried."""

    async def answer(host: str, port: int, **how: Any) -> list[Any]:
        assert (host, port, how) == ("a.example", 443, {"type": socket.SOCK_STREAM})
        addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        return [(None, None, None, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
    assert [str(address) for address in await resolve("2001:db8::2", 443)] == ["2001:db8::2"]
    found = [str(address) for address in await resolve("a.example", 443)]
    assert found == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]


class FakeSocket:
    """What an attempt leaves behind."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Attempts:
    """In place of connecting: each address answers when it is told to."""

    def __init__(self) -> None:
        self.answers: dict[str, asyncio.Future[FakeSocket]] = {}
        self.sockets: list[FakeSocket] = []
        self.slow_to_end = False

    async def connected(self, address: object, port: int, options: object) -> FakeSocket:
        """Wait for the address's answer."""
        answer = self.answers[str(address)] = asyncio.get_running_loop().create_future()
        try:
            return await answer
        except asyncio.CancelledError:
            if self.slow_to_end:
                await asyncio.Event().wait()
            raise

    def made(self) -> FakeSocket:
        """Return a socket that somebody has to close."""
        self.sockets.append(FakeSocket())
        return self.sockets[-1]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Attempts:
    """Connect to nobody, without waiting between the addresses."""
    made = Attempts()
    monkeypatch.setattr(sockets, "_connected", made.connected)
    race = sockets.Race
    monkeypatch.setattr(sockets, "Race", lambda addresses: race(addresses, stagger=0.0))
    return made


ADDRESSES = [literal_address(f"192.0.2.{n}") for n in (1, 2)]


async def racing(attempts: Attempts) -> asyncio.Task[Any]:
    """Start a race of two addresses, both of them under way."""
    task = asyncio.create_task(first_connected(ADDRESSES, 443, []))
    for _ in range(20):
        await asyncio.sleep(0)  # noqa: TID251 - turns of the loop, no time
        if len(attempts.answers) == 2:
            break
    return task


async def test_when_two_addresses_answer_at_the_same_moment_one_socket_is_kept(attempts: Attempts) -> None:
    """The other one is closed."""
    task = await racing(attempts)
    for answer in attempts.answers.values():
        answer.set_result(attempts.made())
    kept = await task
    assert [sock.is_closed for sock in attempts.sockets] == [sock is not kept for sock in attempts.sockets]


async def test_a_race_that_is_cancelled_when_it_is_won_closes_what_it_won(attempts: Attempts) -> None:
    """Also while it sees the loser out."""
    task = await racing(attempts)
    winner, loser = attempts.answers.values()
    attempts.slow_to_end = True
    winner.set_result(attempts.made())
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - turns of the loop, no time
    assert loser.cancelled()
    assert not task.done()
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - turns of the loop, no time
    assert not task.done()
    for waiting in asyncio.all_tasks() - {asyncio.current_task(), task}:
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [sock.is_closed for sock in attempts.sockets] == [True]


async def test_a_fault_of_our_own_ends_the_race(attempts: Attempts) -> None:
    """It is not taken for an address that does not answer."""
    task = await racing(attempts)
    first, second = attempts.answers.values()
    first.set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await task
    assert second.cancelled()


async def test_the_last_of_several_failures_is_told_with_its_number_and_as_the_cause(attempts: Attempts) -> None:
    """For whoever asks what kind of failure it was."""
    task = await racing(attempts)
    first, second = attempts.answers.values()
    first.set_exception(ConnectionRefusedError(111, "Connection refused"))
    second.set_exception(cause := OSError(101, "Network is unreachable"))
    with pytest.raises(OSError, match=r"none of 2 addresses could be reached; the last: ") as caught:
        await task
    assert caught.value.__cause__ in (cause, first.exception())
