"""What stands around the client's calls: named calls, failover with its own credentials, streams that are settled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util import BILLING_SAFE, Secret
from http_util.breaker import BreakerPolicy, Breakers
from http_util.failover import Endpoint, Failover
from http_util.resilience import Layer, Resilience
from http_util.secret_audit import SecretAudit
from http_util.testing import Answer
from openai_client import ApiVersionConfig, AsyncClient, CallOptions, Client, errors
from openai_client._generated.operations.chat import stream_chat_completion
from openai_client._generated.operations.embeddings import create_embedding
from openai_client._generated.operations.models import retrieve_model
from openai_client.auth import Auth, AuthScheme
from openai_client.types import (
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateEmbeddingRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

MODEL = json.dumps({"id": "m", "object": "model", "created": 0, "owned_by": "o"}).encode()
OK = Answer.json(MODEL)
BUSY = Answer.json(b"{}", status=503)
BROKEN = Answer.json(b"{}", status=500)
GET = retrieve_model("m")
CHAT = CreateChatCompletionRequest(
    model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")], max_tokens=20
)
NAMED = {
    "execute_with_retries": Layer.RETRY,
    "execute_with_circuit_breaker": Layer.CIRCUIT_BREAKER,
    "execute_with_rate_limiting": Layer.RATE_LIMITING,
}


class Limiter:
    """A limiter that notes what it is asked and told."""

    def __init__(self) -> None:
        self.asks: list[Any] = []
        self.settled: list[int | None] = []

    async def acquire_async(self, ask: Any, watch: Any, clock: Any) -> Limiter:
        return self.acquire(ask, watch, clock)

    def acquire(self, ask: Any, watch: Any, clock: Any) -> Limiter:
        self.asks.append(ask)
        return self

    def learn(self, ask: Any, status: int, headers: Any, now: float) -> None:
        """Nothing to learn."""

    def settle(self, tokens: int | None) -> None:
        self.settled.append(tokens)

    def abandon(self) -> None:
        self.settled.append(-1)


@pytest.mark.requirement("REL-02")
@pytest.mark.parametrize("name", sorted(NAMED))
async def test_a_named_call_needs_what_its_name_promises(pair: Callable[..., Pair], name: str) -> None:
    """Nothing is sent; the error names the setting."""
    made = pair()
    with pytest.raises(errors.InvalidConfiguration, match=f"{NAMED[name].value} is not enabled"):
        await made.call(lambda client: getattr(client, name)(GET))
    with pytest.raises(errors.InvalidConfiguration, match="no feature is enabled"):
        await made.call(lambda client: client.execute_with_enterprise_features(GET))
    assert made.requests == []


@pytest.mark.requirement("REL-01", "REL-02")
async def test_a_named_call_goes_through_its_layer_alone(pair: Callable[..., Pair]) -> None:
    """Retries do not ask the breaker, the breaker does not repeat, and the limiter does neither; all of them do all."""
    limiter, breakers = Limiter(), Breakers(BreakerPolicy(failure_threshold=2))
    resilience = Resilience(retry=BILLING_SAFE, breaker=breakers, limiter=limiter)
    made = pair(BUSY, OK, BUSY, BUSY, OK, BUSY, resilience=resilience)
    assert (await made.call(lambda client: client.execute_with_retries(GET))).id == "m"
    assert (len(made.requests), breakers.circuit("").stats.total_requests, limiter.asks) == (2, 0, [])
    for _ in range(2):
        with pytest.raises(errors.ServiceUnavailable):
            await made.call(lambda client: client.execute_with_circuit_breaker(GET))
    with pytest.raises(errors.ServiceUnavailable) as refused:
        await made.call(lambda client: client.execute_with_circuit_breaker(GET))
    assert (refused.value.source, len(made.requests)) == (errors.ErrorSource.CIRCUIT_BREAKER, 4)
    assert (await made.call(lambda client: client.execute_with_rate_limiting(GET))).id == "m"
    assert (len(limiter.asks), limiter.settled) == (1, [None])
    with pytest.raises(errors.ServiceUnavailable):
        await made.call(lambda client: client.execute_with_enterprise_features(GET))
    assert len(made.requests) == 5


@pytest.mark.requirement("REL-01")
async def test_a_plain_call_goes_through_all_that_the_client_was_given(pair: Callable[..., Pair]) -> None:
    """And through nothing when it was given nothing; the settings' own policy counts as given."""
    limiter = Limiter()
    made = pair(BUSY, OK, resilience=Resilience(retry=BILLING_SAFE, limiter=limiter))
    await made.call(lambda client: client.models.retrieve("m"))
    assert len(limiter.asks) == 2
    assert made.client.resilience.layers == {Layer.RETRY, Layer.RATE_LIMITING}
    plain = pair(BUSY)
    with pytest.raises(errors.ServiceUnavailable):
        await plain.call(lambda client: client.models.retrieve("m"))
    assert plain.client.resilience.layers == frozenset()
    assert pair(retry=BILLING_SAFE).client.resilience.layers == {Layer.RETRY}


@pytest.mark.requirement("RL-02", "RL-07")
async def test_the_limiter_is_told_the_family_the_guess_and_the_cost(pair: Callable[..., Pair]) -> None:
    """The guess: a quarter of the body's bytes, and what the answer may have; the cost: what the answer says."""
    limiter = Limiter()
    answer = {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    made = pair(Answer.json(json.dumps(answer).encode()), resilience=Resilience(limiter=limiter))
    await made.call(lambda client: client.execute(create_embedding(CreateEmbeddingRequest(model="m", input="x" * 400))))
    (ask,) = limiter.asks
    assert (ask.family, ask.endpoint) == ("embeddings", "http://localhost:8000")
    assert 100 < ask.tokens < 120
    assert limiter.settled == [3]


@pytest.mark.requirement("RL-02", "CB-06")
@pytest.mark.parametrize("ends", ["well", "badly", "left"])
async def test_a_stream_is_settled_at_its_end(pair: Callable[..., Pair], ends: str) -> None:
    """With its cost, as a failure of the upstream, or as nothing."""
    signals: list[str] = []

    class Hook:
        def on_outcome(self, record: Any) -> None:
            signals.append(record.signal.value)

    def chunk(finish: str | None = None, **extra: Any) -> bytes:
        choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": finish}
        named = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        return json.dumps({**named, "choices": [choice], **extra}).encode()

    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    end = [httpx.ReadError("x")] if ends == "badly" else [chunk("stop", usage=usage), b"[DONE]"]
    limiter = Limiter()
    resilience = Resilience(limiter=limiter, breaker=Breakers(hooks=(Hook(),)))
    made = pair(Answer.events(chunk(), *end), resilience=resilience)
    operation = stream_chat_completion(CHAT)
    if ends == "left":
        await _leave_at_once(made, operation)
    elif ends == "well":
        await made.stream(lambda client: client.open_stream(operation))
    else:
        with pytest.raises(errors.StreamInterrupted):
            await made.stream(lambda client: client.open_stream(operation))
    assert signals == [{"well": "success", "badly": "failure", "left": "abandoned"}[ends]]
    assert limiter.settled == [7 if ends == "well" else None]
    assert limiter.asks[0].tokens > 20


async def _leave_at_once(made: Pair, operation: Any) -> None:
    if made.colour == "async":
        async with made.client.open_stream(operation) as stream:
            await anext(stream)
    else:
        with made.client.open_stream(operation) as stream:
            next(stream)


@pytest.mark.requirement("FO-01", "FO-02", "SEC-16")
async def test_another_endpoint_gets_its_own_credential_and_nobody_elses(pair: Callable[..., Pair]) -> None:
    """The path and the query are the same; what an endpoint echoes of its key is masked as the client's own is."""
    other = "sk-other-endpoint-0123456789"
    auth = Auth(api_key=Secret(other), scheme=AuthScheme.API_KEY)
    failover = Failover([Endpoint(base_url="http://localhost:9000/openai", auth=auth)])
    echo = Answer.json(json.dumps({"error": {"message": f"bad key {other}"}}).encode(), status=401)
    made = pair(
        *[Answer.failing(httpx.ConnectError("")), OK, Answer.failing(httpx.ConnectError("")), echo],
        resilience=Resilience(failover=failover),
        organization="org-1",
        default_query={"v": "1"},
        default_headers={"x-mine": "1"},
    )
    reply = await made.call(lambda client: client.with_metadata(GET))
    first, second = made.requests
    assert (first.url, second.url) == (
        "http://localhost:8000/v1/models/m?v=1",
        "http://localhost:9000/openai/models/m?v=1",
    )
    assert first.headers["authorization"] == "Bearer local-test-key"
    assert second.headers["api-key"] == other
    assert not {"authorization", "openai-organization"} & set(second.headers)
    assert second.headers["x-mine"] == "1"
    assert reply.metadata.attempts[-1].endpoint == "http://localhost:9000"
    made.clock.advance(60)
    made.sync_clock.sleep(60)
    with pytest.raises(errors.InvalidApiKey) as caught:
        await made.call(lambda client: client.execute(GET))
    assert other not in str(caught.value)
    assert [line.endpoint for line in caught.value.attempts] == ["http://localhost:8000", "http://localhost:9000"]


@pytest.mark.requirement("FO-01", "SEC-06", "SEC-17")
async def test_an_endpoints_key_may_come_from_a_provider_of_the_clients_colour(pair: Callable[..., Pair]) -> None:
    """Read once for each call, also for one that does not need it, and in the client's audit."""
    given: list[str] = []
    audit = SecretAudit()

    def key() -> str:
        given.append(f"sk-rotated-0123456789-{len(given)}")
        return given[-1]

    async def later() -> str:
        return key()

    def listed(made: str) -> Failover:
        provider = later if made == "async" else key
        return Failover([Endpoint(base_url="http://localhost:9000/v1", auth=Auth(api_key=provider))])

    colour = pair().colour
    made = pair(
        *[OK, Answer.failing(httpx.ConnectError("")), OK], resilience=Resilience(failover=listed(colour)), audit=audit
    )
    for _ in range(2):
        await made.call(lambda client: client.execute(GET))
    assert made.requests[-1].headers["authorization"] == "Bearer sk-rotated-0123456789-1"
    assert len(given) == 2
    assert len({reading.secret_id for reading in audit.readings}) == 3


@pytest.mark.requirement("FO-01", "SEC-17")
async def test_a_provider_of_another_endpoint_that_fails_does_not_stop_a_call(pair: Callable[..., Pair]) -> None:
    """The call is made; it has one place less to go to."""

    def key() -> str:
        raise LookupError

    failover = Failover([Endpoint(base_url="http://localhost:9000/v1", auth=Auth(api_key=key))])
    made = pair(OK, Answer.failing(httpx.ConnectError("")), resilience=Resilience(failover=failover))
    assert (await made.call(lambda client: client.execute(GET))).id == "m"
    with pytest.raises(errors.ConnectionFailed) as caught:
        await made.call(lambda client: client.execute(GET))
    assert [line.endpoint for line in caught.value.attempts] == ["http://localhost:8000"]


@pytest.mark.requirement("SEC-11")
def test_what_the_failover_list_names_may_be_called_and_nothing_else() -> None:
    """The list is a grant: somebody wrote it."""
    failover = Failover([Endpoint(base_url="https://eu.example/v1")])
    with Client(base_url="http://localhost:8000/v1", api_key=None, resilience=Resilience(failover=failover)) as client:
        policy = client._transport._http.egress_policy  # type: ignore[attr-defined]
    assert policy.describe() == ["eu.example:443", "localhost:8000"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_transport_that_is_brought_along_brings_its_own_layers(kind: Any) -> None:
    """What would be dropped silently is refused."""
    for name, given in (("resilience", Resilience()), ("rng", object())):
        with pytest.raises(errors.InvalidConfiguration, match=f"{name}: belongs to the transport"):
            kind(base_url="http://localhost:8000/v1", api_key=None, transport=object(), **{name: given})


@pytest.mark.requirement("REL-02")
async def test_a_calls_own_policy_enables_its_retries(pair: Callable[..., Pair]) -> None:
    """The client needs none."""
    made = pair(BUSY, OK)
    options = CallOptions(retry=BILLING_SAFE)
    assert (await made.call(lambda client: client.execute_with_retries(GET, options))).id == "m"


@pytest.mark.requirement("FO-01")
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_is_no_other_endpoint_of_its_own(kind: Any) -> None:
    """A call that failed there would be put to it again; however the address is written."""
    failover = Failover([Endpoint(base_url="https://eu.example/v1"), Endpoint(base_url="https://API.example:443/v1/")])
    resilience = Resilience(failover=failover)
    said = r"^resilience\.failover: endpoints\.1: https://api\.example/v1 is the client's own base_url"
    with pytest.raises(errors.InvalidConfiguration, match=said):
        kind(base_url="https://api.example/v1", api_key="k", resilience=resilience)
    kind(base_url="https://api.example/v2", api_key="k", resilience=resilience)


@pytest.mark.requirement("RL-02")
async def test_the_limiter_is_told_what_a_run_of_an_assistant_has_used(pair: Callable[..., Pair]) -> None:
    """As the run says it at its end: what its steps have used is a part of that. One that waits has said nothing."""
    step = {"id": "s", "object": "thread.run.step", "usage": {"total_tokens": 4}}
    done = {"id": "r", "object": "thread.run", "status": "completed", "usage": {"total_tokens": 9}}
    waits = {"id": "r", "object": "thread.run", "status": "requires_action", "usage": None}

    def told(*events: tuple[str, dict[str, Any]]) -> Answer:
        frames = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events]
        return Answer(headers={"content-type": "text/event-stream"}, body=(*frames, b"event: done\ndata: [DONE]\n\n"))

    limiter = Limiter()
    made = pair(
        told(("thread.run.step.completed", step), ("thread.run.completed", done)),
        told(("thread.run.step.completed", step), ("thread.run.requires_action", waits)),
        Answer.json(json.dumps(done).encode()),
        resilience=Resilience(limiter=limiter),
        api_version=ApiVersionConfig(enable_beta=True),
    )
    for _ in range(2):
        chunks, _ = await made.stream(lambda client: client.beta.threads.runs.stream("t", assistant_id="a"))
        assert len(chunks) == 2
    await made.call(lambda client: client.beta.threads.runs.create("t", assistant_id="a"))
    assert limiter.settled == [9, None, 9]
    assert {ask.family for ask in limiter.asks} == {"threads"}
