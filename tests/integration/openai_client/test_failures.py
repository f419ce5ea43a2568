"""What goes wrong over real sockets, and the error that the client raises for it."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import Outcome
from http_util.retry import AVAILABLE, BILLING_SAFE
from openai_client import AsyncClient, CallOptions, Client, errors
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.integration.openai_client.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

BODY = CreateChatCompletionRequest(
    model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")], max_tokens=20
)
FIELDS: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2000}


def create(client: Any) -> Any:
    """Ask for a whole chat completion."""
    return client.chat.completions.create(BODY)


def stream(client: Any) -> Any:
    """Ask for a streamed one."""
    return client.chat.completions.stream(BODY)


@pytest.mark.requirement("ERR-01", "ERR-03", "ERR-04", "ERR-05")
@pytest.mark.parametrize(
    ("wish", "leaf"),
    [
        ("status=400", errors.MalformedRequest),
        ("status=400;error_code=context_length_exceeded", errors.TooManyTokens),
        ("status=401", errors.InvalidApiKey),
        ("status=403", errors.InsufficientPermissions),
        ("status=404;error_form=detail", errors.NotFound),
        ("status=429;retry_after=2", errors.TooManyRequests),
        ("status=429;error_code=insufficient_quota", errors.QuotaExceeded),
        ("status=500;error_form=text", errors.InternalServerError),
        ("status=502;error_form=html", errors.BadGateway),
        ("status=503;error_form=string;error_message=loading", errors.ServiceUnavailable),
        ("status=503;error_message=overloaded", errors.Overloaded),
        ("status=504;error_form=empty", errors.Timeout),
        ("status=529", errors.Overloaded),
        ("redirect=http://127.0.0.1:1/v1/models", errors.UnexpectedResponse),
        ("instead=html", errors.InvalidContentType),
        ("instead=text", errors.InvalidContentType),
        ("instead=json", errors.OpenAIError),
        ("instead=empty", errors.OpenAIError),
        ("drop=reset", errors.ConnectionFailed),
        ("drop=close", errors.ConnectionFailed),
    ],
)
async def test_every_fault_of_a_whole_answer_is_one_error(
    caller: Caller, simulator: Simulator, wish: str, leaf
) -> None:
    """Status, body form, media type, broken connection; one request each."""
    simulator.script(wish)
    with pytest.raises(leaf) as caught:
        await caller.call(create)
    assert len(caught.value.attempts) == 1
    assert len([line for line in simulator.log(settle=1.0) if line.method == "POST"]) == 1


@pytest.mark.requirement("ERR-01", "CLI-10")
@pytest.mark.parametrize(
    ("wish", "leaf"),
    [
        ("cut_after_tokens=3", errors.StreamInterrupted),
        ("cut_after_tokens=3;cut_by=close", errors.StreamInterrupted),
        ("omit=done,finish", errors.StreamInterrupted),
        ("stream_error=openai;stream_error_after=3", errors.OpenAIError),
        ("stream_error=string;stream_error_after=3", errors.InternalServerError),
        ("stream_error=flat;stream_error_after=3", errors.OpenAIError),
        ("stream_error=litellm;stream_error_after=3", errors.InternalServerError),
        ("malformed=text;malformed_after=3", errors.DeserializationError),
        ("malformed=cut;malformed_after=3", errors.DeserializationError),
        ("malformed=latin1;malformed_after=3", errors.DeserializationError),
    ],
)
async def test_every_fault_inside_a_stream_comes_after_what_was_good(
    caller: Caller, simulator: Simulator, wish: str, leaf
) -> None:
    """The chunks that came are handed out, then one error says that a part was received."""
    simulator.script(wish)
    chunks: list[Any] = []
    with pytest.raises(leaf) as caught:
        await caller.stream(stream, chunks)
    assert chunks
    assert caught.value.outcome is Outcome.PARTIAL


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize(
    "wish", ["omit=done", "omit=finish", "crlf", "split_utf8;words=unicode", "drip=3;drip_ms=0", "encoding=gzip"]
)
async def test_odd_but_complete_streams_are_complete(caller: Caller, simulator: Simulator, wish: str) -> None:
    """One piece of evidence is enough, and bytes may be cut anywhere."""
    simulator.script(wish)
    chunks, metadata = await caller.stream(stream)
    assert len(chunks) > 20
    assert metadata.status == 200


@pytest.mark.requirement("SEC-16")
async def test_a_key_that_the_upstream_echoes_is_not_shown(caller: Caller, simulator: Simulator) -> None:
    """Neither in the error nor in what led to it."""
    simulator.script("status=401;echo_key")
    with pytest.raises(errors.InvalidApiKey) as caught:
        await caller.call(create)
    assert KEY not in f"{caught.value!r}{caught.value}{caught.value.__cause__!r}"


@pytest.mark.requirement("RTY-01")
async def test_a_policy_carries_a_call_over_a_bad_moment(callers: Callable[..., Caller], simulator: Simulator) -> None:
    """Refusals are repeated, with a ledger."""
    caller = callers(retry="billing_safe")
    simulator.script("status=503", "status=429;retry_after_ms=10")
    chunks, metadata = await caller.stream(stream)
    assert chunks
    assert [line.http_status for line in metadata.attempts] == [503, 429, 200]


@pytest.mark.requirement("HTU-03")
async def test_what_may_have_been_processed_is_repeated_only_when_asked(
    callers: Callable[..., Caller], simulator: Simulator
) -> None:
    """`billing_safe` raises a 500, `available` tries again."""
    simulator.script("status=500", "status=500")
    with pytest.raises(errors.InternalServerError):
        await callers(retry=BILLING_SAFE).call(create)
    result = await callers(retry=AVAILABLE).call(create)
    assert result.choices[0].message.content


@pytest.mark.requirement("CLI-11")
async def test_a_timeout_of_the_call_holds(caller: Caller, simulator: Simulator) -> None:
    """A silent upstream is given up in time."""
    simulator.script("stall=3")
    began = time.monotonic()
    options = CallOptions(timeout=0.2)
    with pytest.raises(errors.Timeout, match=r"^the call's timeout of 0\.2 s passed$"):
        await caller.call(lambda client: client.chat.completions.create(BODY, options=options))
    assert time.monotonic() - began < 1.0


@pytest.mark.requirement("CLI-10", "CLI-15")
async def test_leaving_a_stream_early_stops_the_upstream(caller: Caller, simulator: Simulator) -> None:
    """The upstream sees the answer being given up."""
    simulator.script("tokens=2000;tokens_per_second=200")
    if caller.is_async:
        async with stream(caller.client) as opened:
            await anext(opened)
    else:
        with stream(caller.client) as opened:
            next(opened)
    (line,) = [line for line in simulator.log(settle=3.0) if line.method == "POST"]
    assert line.left in {"disconnected", "reset"}
    assert line.tokens < 1000


@pytest.mark.requirement("CLI-10")
async def test_a_stream_that_is_dropped_open_gives_its_place_back(
    callers: Callable[..., Caller], simulator: Simulator
) -> None:
    """One connection serves one dropped stream after the other, unread and half read."""
    caller = callers(http={"max_connections": 1, "pool_timeout": 5.0, "ca_file": simulator.ca_file})
    for is_read in (False, True, False):
        simulator.script("tokens=2000;tokens_per_second=200")
        if caller.is_async:
            opened = await caller.client.chat.completions.create(**FIELDS, stream=True)
            if is_read:
                await anext(opened)
        else:
            opened = await asyncio.to_thread(caller.client.chat.completions.create, **FIELDS, stream=True)
            if is_read:
                next(opened)
        del opened
        # a reader that failed may stand in a cycle
        gc.collect()


@pytest.mark.requirement("CLI-10")
async def test_who_closes_a_stream_under_its_reader_is_not_the_upstream(caller: Caller, simulator: Simulator) -> None:
    """The reader is told that it was this side."""
    simulator.script("tokens=2000;tokens_per_second=200")
    opened = stream(caller.client)

    async def read() -> None:
        async with opened:
            async for _ in opened:
                pass

    def read_in_thread() -> None:
        with opened:
            for _ in opened:
                pass

    reading = asyncio.ensure_future(read() if caller.is_async else asyncio.to_thread(read_in_thread))
    await asyncio.sleep(0.3)
    await (opened.aclose() if caller.is_async else asyncio.to_thread(opened.close))
    with pytest.raises(errors.InvalidState, match="closed before its end") as ended:
        await reading
    assert ended.value.source is errors.ErrorSource.CLIENT


@pytest.mark.requirement("ERR-09", "ERR-01")
async def test_nobody_there_and_nobody_trusted_are_told_apart(simulator: Simulator) -> None:
    """A closed port and an unknown authority."""
    async with AsyncClient(base_url="http://127.0.0.1:9/v1", api_key=None) as client:
        with pytest.raises(errors.ConnectionFailed) as refused:
            await client.models.list()
    assert refused.value.outcome is Outcome.NOT_SENT
    with Client(base_url=simulator.tls_base_url or "", api_key=None) as distrustful, pytest.raises(errors.SslError):
        distrustful.models.list()


@pytest.mark.requirement("CLI-03")
async def test_many_calls_at_once_get_their_own_answers(callers: Callable[..., Caller]) -> None:
    """Tasks of one loop share a client; threads share the other."""
    caller = callers()

    def body(n: int) -> CreateChatCompletionRequest:
        return CreateChatCompletionRequest(
            model=f"model-{n}", messages=[ChatCompletionRequestUserMessage(content="Hello")], max_tokens=3
        )

    def ask(n: int) -> Any:
        return caller.client.chat.completions.create(body(n))

    asked = [ask(n) if caller.is_async else asyncio.to_thread(ask, n) for n in range(20)]
    answers = await asyncio.gather(*asked)
    assert [answer.model for answer in answers] == [f"model-{n}" for n in range(20)]


@pytest.mark.requirement("CLI-11", "CLI-10")
async def test_a_stream_whose_time_is_up_is_stopped_at_the_upstream_then(caller: Caller, simulator: Simulator) -> None:
    """And not when its block is left."""
    simulator.script("tokens_per_second=20")
    operation = long_stream(caller.client, timeout=0.3)
    if caller.is_async:
        async with operation as chunks:
            with pytest.raises(errors.Timeout):
                await drain(chunks)
            assert await left(simulator) in ("disconnected", "reset")
    else:
        with operation as chunks:
            with pytest.raises(errors.Timeout):
                list(chunks)
            assert await left(simulator) in ("disconnected", "reset")


@pytest.mark.requirement("CLI-11", "CLI-10")
async def test_a_stream_that_nobody_reads_any_more_is_stopped_when_its_time_is_up(
    simulator: Simulator, protocol: str
) -> None:
    """On an event loop a timer sees to it; whoever reads on then hears of it."""
    where: dict[str, Any] = {"base_url": simulator.base_url}
    if protocol == "h2":
        where = {"base_url": simulator.tls_base_url, "http": {"ca_file": simulator.ca_file}}
    simulator.script("tokens_per_second=20")
    async with AsyncClient(api_key=KEY, **where) as client, long_stream(client, timeout=0.3) as chunks:
        await anext(chunks)
        assert await left(simulator) in ("disconnected", "reset")
        with pytest.raises(errors.Timeout):
            await drain(chunks)


def long_stream(client: Any, timeout: float) -> Any:
    """A stream that takes longer than it may."""
    body = BODY.model_copy(update={"max_tokens": 60})
    return client.chat.completions.stream(body, options=CallOptions(timeout=timeout))


async def drain(chunks: Any) -> None:
    """Read to the end."""
    async for _ in chunks:
        pass


async def left(simulator: Simulator) -> str:
    """How the client has left the one request, once it has; `open` when it does not."""
    for _ in range(50):
        (exchange,) = await asyncio.to_thread(simulator.log)
        if exchange.left != "open":
            break
        await asyncio.sleep(0.02)
    return str(exchange.left)
