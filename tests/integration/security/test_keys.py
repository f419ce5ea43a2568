"""Keys over their life: rotated between calls, waited for, and each reading of one written down."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from http_util.retry import RetryPolicy
from http_util.secret import Secret
from http_util.secret_audit import SecretAudit
from openai_client.errors import InvalidConfiguration
from tests.integration.http_util.engine.listening import listening
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.security import proxies, upstreams
from tests.integration.security.callers import CALLERS, Where
from tests.integration.security.canary import BEARER, PROXY_AUTH, shown_by, sightings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.http_util.engine.scripted_http1 import Http1Connection

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EAGER = RetryPolicy(name="eager", base=0.001, cap=0.001, retries_unknown=True)


class Keys:
    """A provider that gives another key each time, at once or when it is awaited."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self) -> str:
        """Give the next key."""
        self.given.append(f"key-{len(self.given)}-0123456789")
        return self.given[-1]

    async def later(self) -> str:
        """Give it after a while."""
        await asyncio.sleep(0.01)
        return self()


class Listening:
    """An upstream that answers by a script and keeps the keys it was shown."""

    def __init__(self, *faults: str) -> None:
        self.shown: list[str] = []
        self._faults = list(faults)
        self.at = Http1Server(self._serve).at()

    async def _serve(self, connection: Http1Connection) -> None:
        read = connection.request

        async def request() -> bytes:
            head = await read()
            lines = head.decode().split("\r\n")
            self.shown += [line.split(" ")[-1] for line in lines if line.lower().startswith("authorization")]
            return head

        connection.request = request  # type: ignore[method-assign] # the script reads through it
        await upstreams.http1(self._faults.pop(0) if self._faults else "none")(connection)


def with_key(key: Any) -> Callable[..., Any]:
    """Return how to make a caller whose key is *key*."""

    def make(who: str, where: Where, **how: Any) -> Any:
        caller = CALLERS[who](where, patience=20.0, key=key, **how)
        assert BEARER not in repr(caller.subject)
        return caller

    return make


@pytest.mark.requirement("SEC-17")
@pytest.mark.parametrize("who", CALLERS)
async def test_each_call_reads_the_key_once_and_repeats_itself_with_it(who: str) -> None:
    """A rotation takes effect with the next call, not in the middle of one."""
    keys, upstream = Keys(), Listening("reset", "reset", "none")
    async with upstream.at as url:
        caller = with_key(keys)(who, Where(url, http2=False), retry=EAGER)
        await caller.call()
        await caller.call()
        await caller.close()
    first, second = keys.given
    assert upstream.shown == [first, first, first, second]


@pytest.mark.requirement("SEC-17")
@pytest.mark.parametrize("who", ["adapter", "async client"])
async def test_a_provider_may_have_to_be_awaited(who: str) -> None:
    """Once for each call as well."""
    keys, upstream = Keys(), Listening("reset", "none")
    async with upstream.at as url:
        caller = with_key(keys.later)(who, Where(url, http2=False), retry=EAGER)
        await caller.call()
        await caller.call()
        await caller.close()
    first, second = keys.given
    assert upstream.shown == [first, first, second]


@pytest.mark.requirement("SEC-17")
async def test_blocking_code_says_that_it_cannot_wait_for_one() -> None:
    """Before anything is sent."""
    upstream = Listening()
    async with upstream.at as url:
        caller = with_key(Keys().later)("client", Where(url, http2=False))
        with pytest.raises(InvalidConfiguration, match="has to be awaited"):
            await caller.call()
        await caller.close()
    assert upstream.shown == []


@pytest.mark.requirement("SEC-17", "ADP-30", "ADP-33")
async def test_a_task_whose_key_does_not_come_ends_at_its_deadline_or_with_its_cancel() -> None:
    """The provider is cancelled; nothing was sent."""
    ended: list[str] = []

    async def never() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("provider")
        return ""

    async with Listening().at as url:
        caller = with_key(never)("adapter", Where(url, http2=False))
        began = time.monotonic()
        with pytest.raises(Exception, match="deadline") as late:
            await caller.call(deadline_ms=200)
        assert time.monotonic() - began < 5.0
        calling = asyncio.ensure_future(caller.call())
        await asyncio.sleep(0.05)
        await caller.subject.cancel("t-1")
        with pytest.raises(Exception, match="cancel") as cancelled:
            await calling
        await caller.close()
    assert [error.value.outcome.value for error in (late, cancelled)] == ["NOT_SENT", "NOT_SENT"]
    assert ended == ["provider", "provider"]


@pytest.mark.requirement("SEC-16", "SEC-17")
@pytest.mark.parametrize("who", CALLERS)
async def test_a_provider_that_fails_shows_nothing_of_what_it_said(who: str) -> None:
    """Its class and its line; its words and its frames may hold the key."""

    def broken() -> str:
        answer = f"vault says {BEARER}"
        raise OSError(answer)

    async with Listening().at as url:
        caller = with_key(broken)(who, Where(url, http2=False))
        with pytest.raises(Exception, match=r"api_key: its provider failed with OSError at test_keys.py:\d+") as caught:
            await caller.call()
        await caller.close()
    assert caught.value.reason == "missing_api_key"
    assert sightings(shown_by(caught.value)) == []


@pytest.mark.requirement("SEC-06")
async def test_one_trail_sees_every_reading_of_everybody_who_shares_it() -> None:
    """Of the key and of the proxy's password; with the line that read it, and no part of it."""
    trail = SecretAudit()
    upstream = Listening("denied", "denied", "denied")
    async with listening(proxies.building) as proxy, upstream.at as url:
        for who in CALLERS:
            where = Where(url, http2=False, proxy=proxy)
            where.settings["proxy_auth"] = Secret(PROXY_AUTH).audited(trail)
            caller = with_key(Secret(BEARER).audited(trail))(who, where)
            with pytest.raises(Exception, match="401"):
                await caller.call()
            await caller.close()
    readings = [(reading.file.rpartition("/")[2], reading.function, reading.secret_id) for reading in trail.readings]
    keys = {secret_id for file, function, secret_id in readings if (file, function) == ("auth.py", "_with")}
    passwords = {secret_id for file, function, secret_id in readings if (file, function) == ("proxies.py", "_basic")}
    # one key, one password, whoever read them
    assert (len(keys), len(passwords), len(keys | passwords)) == (1, 1, 2)
    assert sum(1 for reading in readings if reading[:2] == ("auth.py", "_with")) == 3
    # those who kept the key out of the message read it, too
    assert any(file == "error_mapping.py" for file, _, _ in readings)
    assert [reading.number for reading in trail.readings] == list(range(1, trail.count + 1))
    assert sightings([("trail", repr(trail.readings))]) == []


@pytest.mark.requirement("SEC-06")
async def test_a_trail_may_be_handed_to_the_adapter_and_to_the_clients() -> None:
    """Who cannot get at the secret itself, because it comes from a file or from a provider."""
    trail = SecretAudit()
    async with Listening().at as url:
        for who in CALLERS:
            caller = with_key(Keys())(who, Where(url, http2=False), audit=trail)
            await caller.call()
            await caller.close()
    assert [reading.function for reading in trail.readings if reading.file.endswith("auth.py")] == ["_with"] * 3
