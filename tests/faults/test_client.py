"""The matrix against the typed client: what it raises for the same faults, in both colours."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any, Final

import pytest

from openai_client import AsyncClient, Client
from openai_client.errors import OpenAIError, Timeout
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.faults.case import H1
from tests.faults.footprint import SOON, Footprint, Stopwatch, told
from tests.faults.matrix import CASES
from tests.faults.run import BILLING_SAFE, KEY, SETTINGS, TOLERANCE, undisturbed
from tests.faults.upstreams import simulated
from tests.lateness import in_time, late_only_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.case import Case
    from tests.faults.upstreams import Place, Stage

pytestmark = pytest.mark.integration

BODY: Final = CreateChatCompletionRequest(
    model="m", messages=[ChatCompletionRequestUserMessage(content="Tell me of the sea.")], max_tokens=8
)
TIMERS: Final = ("connect_timeout", "pool_timeout", "first_byte_timeout", "idle_timeout")


def http_settings(case: Case, place: Place) -> dict[str, Any]:
    """Settings of the client: those of the adapter, each in its room."""
    given = {**{name: SETTINGS[name] for name in TIMERS}, **place.settings, **case.client}
    base_url, retry = given.pop("base_url"), given.pop("retry", BILLING_SAFE)
    if case.attempts == 1 and "connect_timeout" in case.client:
        retry = None
    return {"base_url": base_url, "api_key": KEY, "retry": retry, "timeout": 5.0, "http": given}


def blocking(settings: dict[str, Any], use: Callable[[Client], object], watch: Stopwatch) -> object:
    """Make a client for threads and use it; the time is stopped while its threads are still there to be asked."""
    with Client(**settings) as client:
        try:
            return use(client)
        finally:
            watch.stop()


def whole(client: Client) -> object:
    """Ask for a whole answer."""
    return client.chat.completions.create(BODY)


def streamed(client: Client) -> object:
    """Ask for a stream and read it."""
    with client.chat.completions.stream(BODY) as stream:
        return list(stream)


async def async_whole(settings: dict[str, Any], watch: Stopwatch) -> object:
    """Ask for a whole answer, on the loop."""
    async with AsyncClient(**settings) as client:
        return await client.chat.completions.create(BODY)


async def async_streamed(settings: dict[str, Any], watch: Stopwatch) -> object:
    """Ask for a stream and read it, on the loop."""
    async with AsyncClient(**settings) as client, client.chat.completions.stream(BODY) as stream:
        return [chunk async for chunk in stream]


async def sync_whole(settings: dict[str, Any], watch: Stopwatch) -> object:
    """Ask for a whole answer, beside the loop in which the upstream may live."""
    return await asyncio.get_running_loop().run_in_executor(None, blocking, settings, whole, watch)


async def sync_streamed(settings: dict[str, Any], watch: Stopwatch) -> object:
    """Ask for a stream and read it, beside the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, blocking, settings, streamed, watch)


WAYS: Final = {
    "async": async_whole,
    "async-stream": async_streamed,
    "sync": sync_whole,
    "sync-stream": sync_streamed,
}

FEWER: Final = ("async-stream", "sync")
"""For groups in which all that can differ lies behind the answer's head: each colour and each kind of call once."""


def ways(case: Case) -> tuple[str, ...]:
    """How the client is used in a case."""
    return FEWER if case.group in ("status", "retry-after") else tuple(WAYS)


def protocol_of(case: Case, way: str) -> str:
    """Whole answers come over the case's first protocol, streams over its last: both colours see both."""
    return case.protocols[-1 if way.endswith("stream") else 0]


PLAYS = [
    pytest.param(case, protocol_of(case, way), way, id=f"{case}-{protocol_of(case, way)}-{way}")
    for case in CASES
    if case.leaf is not None
    for way in ways(case)
]


@pytest.fixture
async def before() -> Footprint:
    """What is there once the loop has a thread of its own to run blocking code in."""
    await asyncio.get_running_loop().run_in_executor(None, int)
    return Footprint.taken()


@pytest.mark.requirement("ERR-01", "ERR-02", "ERR-03", "ERR-04", "ERR-05", "ERR-06", "ERR-07", "ERR-09", "ERR-12")
@pytest.mark.parametrize(("case", "protocol", "way"), PLAYS)
async def test_every_fault_is_one_leaf_of_the_tree(
    case: Case, protocol: str, way: str, stage: Stage, before: Footprint
) -> None:
    """The leaf, reason, outcome and number of requests are the row's, in time, and nothing is left behind."""
    await undisturbed(stage, lambda: play(case, protocol, way, stage, before))


async def play(case: Case, protocol: str, way: str, stage: Stage, before: Footprint) -> None:
    """Play a case in one way."""
    async with case.upstream.open(stage, protocol) as place:
        settings = http_settings(case, place)
        watch = Stopwatch(stage.pids)
        with pytest.raises(OpenAIError) as caught:
            await asyncio.wait_for(WAYS[way](settings, watch), case.hangs_after)
        watch.stop()
        check(case, caught.value)
        in_time(watch.took - watch.denied, case.within + TOLERANCE, "the ending")
        assert watch.took >= case.after - 0.001
        await told(lambda: not place.is_open(), lambda: "the upstream still sees a connection or an exchange", SOON)
        assert place.posts() == case.posts
    await before.restored()


@late_only_once
async def test_blocking_code_gives_up_in_time_on_an_upstream_that_sends_no_head(
    stage: Stage, before: Footprint
) -> None:
    """`first_byte_timeout` bounds the head in either colour, whatever `idle_timeout` says."""
    async with simulated(always="stall=30").open(stage, H1) as place:
        http = {"first_byte_timeout": 0.2, "idle_timeout": 1.0}
        settings = {"base_url": place.settings["base_url"], "api_key": KEY, "http": http}
        watch = Stopwatch(stage.pids)
        with pytest.raises(Timeout, match="first_byte_timeout"):
            await sync_streamed(settings, watch)
        watch.stop()
        in_time(watch.took - watch.denied, 0.2 + TOLERANCE, "the ending")


def check(case: Case, error: OpenAIError) -> None:
    """Hold an error to the row: the client says what the adapter says."""
    failure = case.failure
    assert failure is not None
    assert type(error) is case.leaf
    is_retryable = failure.retriable if case.client_retriable is None else case.client_retriable
    assert (error.reason, error.outcome, error.is_retryable) == (failure.reason, failure.outcome, is_retryable)
    assert len(error.attempts) == case.ledger
    assert KEY not in f"{error!r} {error} {vars(error)}"
    assert pickle.loads(pickle.dumps(error)) == error == copy.deepcopy(error)
