"""A key is read when a call needs it: once, from wherever it comes, and shown to nobody when that fails."""

from __future__ import annotations

import asyncio

import pytest

from http_util.secret import Secret
from openai_client.errors import InvalidConfiguration, MissingApiKey
from openai_client.key_reading import read_key, read_key_async
from tests.shown_errors import with_locals

KEY = "Kanarie0123456789abcdef"


async def turn() -> None:
    """Let others go on, once."""
    gone_on = asyncio.Event()
    asyncio.get_running_loop().call_soon(gone_on.set)
    await gone_on.wait()


async def rotated() -> str:
    """Give a key, after a turn of the loop."""
    await turn()
    return KEY


@pytest.mark.requirement("SEC-17")
async def test_a_key_comes_fixed_or_from_a_provider_of_either_colour() -> None:
    """Text or secret, at once or to be awaited; none is none."""
    for key in (Secret(KEY), lambda: KEY, lambda: Secret(KEY)):
        assert read_key("api_key", key) == Secret(KEY)
        assert await read_key_async("api_key", key) == Secret(KEY)
    assert await read_key_async("api_key", rotated) == Secret(KEY)
    assert await read_key_async("api_key", lambda: asyncio.ensure_future(rotated())) == Secret(KEY)
    assert read_key("api_key", None) is None
    assert await read_key_async("api_key", None) is None


@pytest.mark.requirement("SEC-17")
def test_blocking_code_refuses_a_provider_that_has_to_be_awaited() -> None:
    """It says who takes such a provider, and no coroutine is left that nobody awaits."""
    with pytest.raises(InvalidConfiguration, match=r"api_key: its provider has to be awaited.*AsyncClient"):
        read_key("api_key", rotated)


class Promise:
    """Something to be awaited that is no coroutine."""

    def __await__(self):
        """Give a key at once."""
        return (yield from rotated().__await__())


@pytest.mark.requirement("SEC-17")
async def test_whatever_can_be_awaited_is() -> None:
    """Blocking code refuses it as well."""
    assert await read_key_async("api_key", Promise) == Secret(KEY)
    with pytest.raises(InvalidConfiguration, match="has to be awaited"):
        read_key("api_key", Promise)


def broken() -> str:
    """A provider that says too much."""
    answer = f"vault says {KEY}"
    raise OSError(answer)


async def broken_later() -> str:
    """The same, to be awaited."""
    await turn()
    return broken()


@pytest.mark.requirement("SEC-16", "SEC-17")
@pytest.mark.parametrize("provider", [broken, broken_later])
async def test_of_a_provider_that_fails_class_and_line_are_told_and_nothing_else(provider) -> None:
    """Its message and its frames may hold the key, so they are no cause."""
    said = r"api_key: its provider failed with OSError at test_key_reading.py:\d+$"
    with pytest.raises(MissingApiKey, match=said) as caught:
        await read_key_async("api_key", provider)
    assert KEY not in with_locals(caught.value)


class Giving:
    """A provider that does not show what it gives."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self):
        """Give it at once."""
        return self.value

    async def later(self):
        """Give it when it is awaited."""
        return self.value


@pytest.mark.requirement("SEC-01", "SEC-16", "SEC-17")
@pytest.mark.parametrize("bad", ["{}\n", "{} x", "{}é", "", 7, None])
async def test_what_is_no_key_is_refused_without_being_with_locals(bad) -> None:
    """In both colours, and in no frame of ours."""
    giving = Giving(bad.format(KEY) if isinstance(bad, str) else bad)
    problem = "admin_api_key: its provider gave something else than a key"
    with pytest.raises(InvalidConfiguration, match=problem) as at_once:
        read_key("admin_api_key", giving)
    with pytest.raises(InvalidConfiguration, match=problem) as later:
        await read_key_async("admin_api_key", giving.later)
    assert KEY not in with_locals(at_once.value) + with_locals(later.value)


@pytest.mark.requirement("SEC-17")
async def test_an_error_that_is_already_ours_stays_what_it_is() -> None:
    """A provider may be one of our own loaders, whose message gives the reasons."""

    def missing() -> str:
        raise MissingApiKey("environment variable NO_KEY: not set")

    with pytest.raises(MissingApiKey, match=r"^environment variable NO_KEY: not set$"):
        await read_key_async("api_key", missing)
    with pytest.raises(MissingApiKey, match=r"^environment variable NO_KEY: not set$"):
        read_key("api_key", missing)


@pytest.mark.requirement("SEC-17", "ERR-11")
async def test_a_cancellation_goes_through_a_provider() -> None:
    """It is no failure of the provider."""
    began = asyncio.Event()

    async def slow() -> str:
        began.set()
        await asyncio.Event().wait()
        return KEY

    reading = asyncio.ensure_future(read_key_async("api_key", slow))
    await began.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
