"""Both clients over a scripted upstream: requests, results, errors, retries, lifecycle."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from http_util.deadline import Deadline
from http_util.retry import AVAILABLE, BILLING_SAFE
from http_util.testing import Answer, Pause, ScriptedUpstream, Stall
from openai_client import AsyncClient, CallOptions, Client, errors
from openai_client._generated.operations.chat import create_chat_completion, list_chat_completions
from openai_client._generated.operations.models import delete_model, list_models, retrieve_model
from openai_client.config import ApiVersionConfig
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.unit.openai_client.conftest import BASE_URL, KEY, Pair

PairMaker = "Callable[..., Pair]"
MODEL = b'{"id": "m", "object": "model", "created": 1, "owned_by": "o", "extra": true}'
CHAT = b'{"id": "c", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}'
BODY = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])


@pytest.mark.requirement("CLI-03", "CLI-08", "CLI-09")
async def test_a_call_becomes_one_request_and_its_answer_a_typed_result(pair: PairMaker) -> None:
    """Method, path, key, media types; unknown fields are kept."""
    made = pair(Answer.json(MODEL))
    model = await made.call(lambda client: client.models.retrieve("m"))
    assert (model.id, model.owned_by, model.extra) == ("m", "o", True)
    (request,) = made.requests
    assert (request.method, request.url) == ("GET", f"{BASE_URL}/models/m")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert "content-type" not in request.headers
    assert request.content == b""


@pytest.mark.requirement("CLI-03", "CLI-09", "CLI-14")
async def test_a_body_is_sent_as_the_operation_writes_it(pair: PairMaker) -> None:
    """Only fields that were set, plus the vendor's own."""
    made = pair(Answer.json(CHAT))
    options = CallOptions(extra_body={"top_k": 5})
    result = await made.call(lambda client: client.chat.completions.create(BODY, options=options))
    assert result.choices[0].message.content == "Hi"
    (request,) = made.requests
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "top_k": 5,
    }


@pytest.mark.requirement("CLI-04", "CLI-11", "HTU-1004")
async def test_headers_of_the_client_and_of_the_call_are_merged(pair: PairMaker) -> None:
    """The call's win; an idempotency key has its own header."""
    made = pair(Answer.json(MODEL), default_headers={"X-Tenant": "a", "x-other": "o"}, organization="org-1")
    options = CallOptions(headers={"x-tenant": "b"}, idempotency_key="i-1")
    await made.call(lambda client: client.models.retrieve("m", options=options))
    headers = made.requests[0].headers
    assert (headers["x-tenant"], headers["x-other"]) == ("b", "o")
    assert (headers["idempotency-key"], headers["openai-organization"]) == ("i-1", "org-1")


@pytest.mark.requirement("HTU-1004", "SEC-18")
@pytest.mark.parametrize("headers", [{"x-a": "a\r\nx-evil: 1"}, {"authorization": "Bearer other"}, {"x a": "b"}])
async def test_a_bad_header_of_a_call_is_refused_before_anything_is_sent(pair: PairMaker, headers) -> None:
    """The error names the header."""
    made = pair()
    with pytest.raises(errors.InvalidConfiguration, match=next(iter(headers))):
        await made.call(lambda client: client.models.list(options=CallOptions(headers=headers)))
    assert made.requests == []


@pytest.mark.requirement("CLI-07")
async def test_query_parameters_are_encoded_and_win_over_the_clients(pair: PairMaker) -> None:
    """The client's default query fills in what the call leaves open."""
    made = pair(Answer.json(b"{}"), Answer.json(b"{}"), default_query={"api-version": "2024-10-21", "limit": "1"})
    await made.call(lambda client: client.request("GET", "/things", query={"limit": 5, "name": "a b&c"}))
    assert made.requests[0].url == f"{BASE_URL}/things?limit=5&name=a%20b%26c&api-version=2024-10-21"


@pytest.mark.requirement("CLI-01")
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_one_call_is_one_attempt(pair: PairMaker, status: int) -> None:
    """Nothing is retried that nobody asked to be."""
    made = pair(Answer.json(b"{}", status=status), Answer.json(MODEL))
    with pytest.raises(errors.OpenAIError) as caught:
        await made.call(lambda client: client.models.retrieve("m"))
    assert caught.value.http_status == status
    assert len(made.requests) == 1
    assert len(caught.value.attempts) == 1


@pytest.mark.requirement("RTY-01", "RTY-05")
async def test_a_policy_retries_and_obeys_retry_after(pair: PairMaker) -> None:
    """The server's pause wins over the computed one; the ledger has both attempts."""
    made = pair(
        Answer.json(b"{}", status=429, headers={"retry-after": "3"}),
        Answer.json(b"{}", status=503),
        Answer.json(MODEL),
        retry=BILLING_SAFE,
    )
    answer = await made.call(lambda client: client.with_metadata(retrieve_model("m")))
    assert answer.result.id == "m"
    assert made.sleeps == [3.0, pytest.approx(0.2)]
    assert [line.http_status for line in answer.metadata.attempts] == [429, 503, 200]


@pytest.mark.requirement("RTY-07")
async def test_a_policy_can_be_given_for_one_call(pair: PairMaker) -> None:
    """The next call is one attempt again."""
    made = pair(Answer.json(b"{}", status=503), Answer.json(MODEL), Answer.json(b"{}", status=503))
    options = CallOptions(retry=BILLING_SAFE)
    assert (await made.call(lambda client: client.models.retrieve("m", options=options))).id == "m"
    with pytest.raises(errors.ServiceUnavailable):
        await made.call(lambda client: client.models.retrieve("m"))
    assert len(made.requests) == 3


@pytest.mark.requirement("ERR-04", "HTU-07")
async def test_an_exhausted_quota_is_not_waited_for(pair: PairMaker) -> None:
    """The body is read before the retry is decided."""
    quota = b'{"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}}'
    made = pair(Answer.json(quota, status=429, headers={"retry-after": "1"}), retry=BILLING_SAFE)
    with pytest.raises(errors.QuotaExceeded):
        await made.call(lambda client: client.models.retrieve("m"))
    assert len(made.requests) == 1


@pytest.mark.requirement("RTY-06", "CF-06")
async def test_only_calls_that_may_be_repeated_are(pair: PairMaker) -> None:
    """After a 500 nobody knows what was done: generation may run again, creating something may not."""
    made = pair(Answer.json(b"{}", status=500), Answer.json(CHAT), Answer.json(b"{}", status=500), retry=AVAILABLE)
    await made.call(lambda client: client.execute(create_chat_completion(BODY)))
    with pytest.raises(errors.InternalServerError):
        await made.call(lambda client: client.request("POST", "/things", body={}))
    made.upstream.then(Answer.json(b"{}", status=500), Answer.json(b"{}"))
    keyed = CallOptions(idempotency_key="i-1")
    await made.call(lambda client: client.request("POST", "/things", body={}, options=keyed))
    assert len(made.requests) == 5


@pytest.mark.requirement("ERR-10", "RTY-03")
async def test_when_retries_are_used_up_the_last_real_error_is_raised(pair: PairMaker) -> None:
    """With every attempt on its ledger, and the upstream as its source."""
    made = pair(*[Answer.json(b"{}", status=503) for _ in range(4)], retry=BILLING_SAFE)
    with pytest.raises(errors.ServiceUnavailable) as caught:
        await made.call(lambda client: client.models.list())
    assert len(caught.value.attempts) == 4
    assert caught.value.source is errors.ErrorSource.UPSTREAM


@pytest.mark.requirement("CLI-11", "CF-38")
async def test_a_timeout_of_the_call_ends_its_retries(pair: PairMaker) -> None:
    """The pause that the server asks for does not fit into the time that is left."""
    made = pair(Answer.json(b"{}", status=503, headers={"retry-after": "5"}), retry=BILLING_SAFE)
    with pytest.raises(errors.ServiceUnavailable):
        await made.call(lambda client: client.models.list(options=CallOptions(timeout=2.0)))
    assert made.sleeps == []


@pytest.mark.requirement("CLI-11")
async def test_an_upstream_that_stays_silent_ends_in_a_timeout(pair: PairMaker) -> None:
    """The client's timeout covers the whole call."""
    made = pair(Answer(before_head=[Stall()]), timeout=5.0)
    waiting = asyncio.ensure_future(made.call(lambda client: client.models.list()))
    await made.clock.run_for(5.1)
    with pytest.raises(errors.Timeout) as caught:
        await waiting
    assert caught.value.category is errors.ErrorCategory.TIMEOUT


@pytest.mark.requirement("CLI-11", "ERR-05")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": 1}, "the call's timeout of 1 s passed"),
        ({"timeout": 9.0, "deadline": Deadline(1.0)}, "the deadline passed"),
        ({}, "the client's timeout of 1.5 s passed"),
    ],
)
async def test_a_call_that_is_out_of_time_names_the_bound_that_was_given(
    pair: PairMaker, options, sentence: str
) -> None:
    """And not a timer that nobody has set."""
    made = pair(Answer(before_head=[Pause(1.6), Stall()]), timeout=1.5)
    with pytest.raises(errors.Timeout, match=f"^{sentence}$") as caught:
        await made.call(lambda client: client.models.list(options=CallOptions(**options)))
    assert caught.value.reason == "deadline"


@pytest.mark.requirement("CLI-11", "ERR-05")
async def test_a_stream_that_does_not_begin_in_time_names_the_bound_that_was_given(pair: PairMaker) -> None:
    """As any call."""
    made = pair(Answer(before_head=[Pause(1.6), Stall()]))
    options = CallOptions(timeout=1.5)
    with pytest.raises(errors.Timeout, match=r"^the call's timeout of 1\.5 s passed$"):
        await made.stream(lambda client: client.chat.completions.stream(BODY, options=options))


@pytest.mark.requirement("CLI-11")
async def test_a_timer_that_was_set_and_is_shorter_than_the_call_keeps_its_name(pair: PairMaker) -> None:
    """There was time left."""
    made = pair(Answer(before_head=[Pause(1.1), Stall()]), http={"first_byte_timeout": 1.0})
    with pytest.raises(errors.Timeout, match="first_byte_timeout") as caught:
        await made.call(lambda client: client.models.list(options=CallOptions(timeout=9.0)))
    assert caught.value.reason == "first_byte_timeout"


@pytest.mark.requirement("CLI-11", "RTY-05")
async def test_a_call_is_repeated_by_a_policy_given_by_name(pair: PairMaker) -> None:
    """As the client's own `retry` may be."""
    made = pair(Answer.json(b"{}", status=503), Answer.json(b'{"data": []}'))
    await made.call(lambda client: client.models.list(options=CallOptions(retry="billing_safe")))
    assert len(made.requests) == 2


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize(
    "options", [{"timeout": 2.0}, {"deadline": Deadline(2.0)}, {"timeout": 9.0, "deadline": Deadline(2.0)}]
)
async def test_the_earliest_of_all_bounds_counts(options) -> None:
    """Client's timeout, call's timeout, deadline: none makes another one longer."""
    made = Pair("async", Answer(before_head=[Stall()]), timeout=60.0)
    waiting = asyncio.ensure_future(made.client.models.list(options=CallOptions(**options)))
    await made.clock.run_for(1.9)
    assert not waiting.done()
    await made.clock.run_for(0.2)
    with pytest.raises(errors.Timeout):
        await waiting


@pytest.mark.requirement("ERR-11")
async def test_cancelling_a_call_raises_cancelled_error_and_nothing_else() -> None:
    """It is never swallowed or turned into an error of the tree."""
    made = Pair("async", Answer(before_head=[Stall()]))
    waiting = asyncio.ensure_future(made.client.models.list())
    await made.clock.settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert made.upstream.cancelled_before_head == 1


@pytest.mark.requirement("CLI-09", "ERR-07")
@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (Answer.json(b"{}"), errors.DeserializationError),
        (Answer.json(b"not json"), errors.DeserializationError),
        (Answer.json(b'{"error": {"message": "cut'), errors.DeserializationError),
        (Answer.json(b""), errors.DeserializationError),
        (Answer(headers={"content-type": "text/html"}, body=[b"<html>"]), errors.InvalidContentType),
        (Answer.events(b'{"id": "m"}'), errors.InvalidContentType),
        (Answer.json(b'{"error": {"message": "no", "code": "model_not_found"}}'), errors.NotFound),
        (Answer.json(b"", status=302, headers={"location": f"{BASE_URL}/x"}), errors.UnexpectedResponse),
        (Answer.failing(httpx.ConnectError("refused")), errors.ConnectionFailed),
        (
            Answer(headers={"content-type": "application/json"}, body=[b"{", httpx.ReadError("x")]),
            errors.ConnectionFailed,
        ),
    ],
)
async def test_an_answer_that_cannot_be_used_is_one_error(pair: PairMaker, answer: Answer, leaf: type) -> None:
    """Broken JSON, other media types, errors in a 200, redirects, broken connections."""
    made = pair(answer)
    with pytest.raises(leaf) as caught:
        await made.call(lambda client: client.models.retrieve("m"))
    assert len(caught.value.attempts) == 1
    assert len(made.requests) == 1
    assert made.upstream.open_bodies == 0


@pytest.mark.requirement("ERR-07")
async def test_an_error_in_a_whole_answer_is_told_as_one(pair: PairMaker) -> None:
    """There is no stream in it."""
    made = pair(Answer.json(b'{"error": {"message": "no", "code": "server_error"}}'))
    with pytest.raises(errors.OpenAIError) as caught:
        await made.call(lambda client: client.models.retrieve("m"))
    assert str(caught.value) == "the upstream reports an error in an answer of status 200 (server_error): no"


async def test_json_under_another_name_is_still_json(pair: PairMaker) -> None:
    """Some servers call it text; what can be parsed is taken."""
    made = pair(Answer(headers={"content-type": "text/plain"}, body=[MODEL]))
    assert (await made.call(lambda client: client.models.retrieve("m"))).id == "m"


@pytest.mark.requirement("SEC-16", "SEC-01")
async def test_a_key_that_the_upstream_echoes_is_in_no_error(pair: PairMaker) -> None:
    """Neither in the text nor in its causes."""
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "code": KEY}}).encode()
    made = pair(Answer.json(echo, status=401))
    with pytest.raises(errors.InvalidApiKey) as caught:
        await made.call(lambda client: client.models.list())
    for error in (caught.value, caught.value.__cause__, caught.value.__context__):
        assert KEY not in f"{error} {error!r}"
    assert KEY not in repr(caught.value.attempts)


@pytest.mark.requirement("SEC-17")
async def test_a_key_provider_is_asked_once_per_call_not_per_attempt(pair: PairMaker) -> None:
    """A retried call keeps its key; the next call gets a new one."""
    keys = iter(["key-one", "key-two"])
    answers = Answer.json(b"{}", status=503), Answer.json(MODEL), Answer.json(MODEL)
    made = pair(*answers, api_key=lambda: next(keys), retry=AVAILABLE)
    await made.call(lambda client: client.models.retrieve("m"))
    await made.call(lambda client: client.models.retrieve("m"))
    assert [request.headers["authorization"] for request in made.requests] == [
        "Bearer key-one",
        "Bearer key-one",
        "Bearer key-two",
    ]


@pytest.mark.requirement("CLI-16", "FWD-05")
async def test_a_result_comes_with_its_metadata_on_request(pair: PairMaker) -> None:
    """Status, headers, ids, limits, version; the result keeps its type."""
    headers = {
        "x-request-id": "req-1",
        "openai-version": "2020-10-01",
        "openai-processing-ms": "12",
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-tokens": "many",
        "x-ratelimit-reset-requests": "1s",
        "set-cookie": "a=hidden",
    }
    made = pair(Answer.json(MODEL, headers=headers))
    answer = await made.call(lambda client: client.with_metadata(retrieve_model("m")))
    metadata = answer.metadata
    assert answer.result.id == "m"
    assert (metadata.status, metadata.upstream_request_id, metadata.http_version) == (200, "req-1", "HTTP/1.1")
    assert (metadata.api_version, metadata.processing_ms) == ("2020-10-01", 12)
    limits = metadata.rate_limits
    assert (limits.limit_requests, limits.remaining_tokens, limits.reset_requests) == (60, None, "1s")
    assert "hidden" not in repr(answer) + repr(metadata.headers)


@pytest.mark.requirement("CLI-16")
async def test_a_method_can_be_called_for_its_metadata(pair: PairMaker) -> None:
    """With its own arguments; streams carry their metadata themselves."""
    made = pair(Answer.json(MODEL, headers={"x-request-id": "req-1"}))
    answer = await made.call(lambda client: client.call_with_metadata(client.models.retrieve, "m"))
    assert (answer.result.id, answer.metadata.upstream_request_id) == ("m", "req-1")
    other = made.client.close if made.colour == "sync" else len
    for method, arguments in ((made.client.responses.stream_stored, ["r"]), (other, [])):
        with pytest.raises(errors.InvalidFieldValue, match="method: must be a method of a family"):
            await made.call(lambda client, method=method, given=arguments: client.call_with_metadata(method, *given))


@pytest.mark.requirement("CLI-19")
async def test_any_other_call_goes_through_the_same_door(pair: PairMaker) -> None:
    """Auth, errors and metadata are those of every call."""
    made = pair(Answer.json(b'{"a": 1}'), Answer.json(b"{}", status=404))
    answer = await made.call(lambda client: client.request("post", "/vector_stores/vs/search", body={"query": "é"}))
    assert json.loads(answer.result) == {"a": 1}
    (request,) = made.requests
    assert (request.method, request.url) == ("POST", f"{BASE_URL}/vector_stores/vs/search")
    assert request.content == '{"query":"é"}'.encode()
    assert request.headers["authorization"] == f"Bearer {KEY}"
    with pytest.raises(errors.NotFound):
        await made.call(lambda client: client.request("GET", "/nothing"))


@pytest.mark.requirement("CLI-18")
async def test_a_list_is_one_page_and_going_on_is_asked_for(pair: PairMaker) -> None:
    """No request is made until the next page is wanted."""
    chat = {"id": "c", "choices": []}
    first = json.dumps({"data": [chat, chat], "last_id": "c-2", "has_more": True}).encode()
    last = json.dumps({"data": [chat], "has_more": False}).encode()
    made = pair(Answer.json(first), Answer.json(last), Answer.json(last))
    page = await made.call(lambda client: client.chat.completions.list(limit=2))
    assert (len(page), page.has_next, len(made.requests)) == (2, True, 1)
    assert [item.id for item in page] == ["c", "c"]
    following = await made.call(lambda client: page.next_page())
    assert (len(following), following.has_next) == (1, False)
    assert made.requests[1].url == f"{BASE_URL}/chat/completions?limit=2&after=c-2"
    assert await made.call(lambda client: following.next_page()) is None if made.colour == "async" else True
    pages = page.pages()
    sizes = [len(p) async for p in pages] if made.colour == "async" else [len(p) for p in pages]
    assert sizes == [2, 1]
    assert page.metadata.status == 200
    assert repr(page).endswith("Page(2 items, has_next=True)")


@pytest.mark.requirement("CLI-15")
async def test_a_closed_client_says_so(pair: PairMaker) -> None:
    """Closing twice is fine; a call afterwards is a typed error and opens no socket."""
    made = pair(Answer.json(MODEL))
    close = (lambda c: c.aclose()) if made.colour == "async" else (lambda c: c.close())
    await made.call(close)
    await made.call(close)
    with pytest.raises(errors.InvalidState, match="closed") as caught:
        await made.call(lambda client: client.models.list())
    assert caught.value.reason == "closed"
    with pytest.raises(errors.InvalidState, match="closed"):
        await made.stream(lambda client: client.request_stream("POST", "/x", body={}))
    assert made.requests == []


@pytest.mark.requirement("CLI-04", "CLI-15")
async def test_a_transport_that_was_given_is_left_open(pair: PairMaker) -> None:
    """Who made it closes it, and then all its clients are closed."""
    made = pair(Answer.json(MODEL))
    borrowed = made.client.with_options(timeout=1.0)
    assert borrowed.config.timeout == 1.0
    transport = made.client._transport
    await made.call(lambda client: client.aclose() if made.colour == "async" else client.close())
    answer = borrowed.models.retrieve("m")
    assert (await answer if made.colour == "async" else answer).id == "m"
    assert not made.upstream.is_closed
    if made.colour == "async":
        await transport.aclose()
    else:
        transport.close()
    with pytest.raises(errors.InvalidState):
        await made.call(lambda client: borrowed.models.list())
    # the HTTP client inside was given too, and stays its owner's
    assert not made.upstream.is_closed


@pytest.mark.requirement("CLI-03")
def test_the_blocking_client_needs_no_event_loop() -> None:
    """A call, a page and a stream in a plain function."""
    stream = Answer.events(b'{"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}')
    client = Pair("sync", Answer.json(MODEL), Answer.json(b'{"data": []}'), stream).client
    assert client.models.retrieve("m").id == "m"
    assert list(client.chat.completions.list()) == []
    with client.chat.completions.stream(BODY) as chunks:
        assert [chunk.choices[0].delta.content for chunk in chunks] == ["Hi"]


@pytest.mark.requirement("CLI-15")
def test_a_client_closes_the_connections_it_made() -> None:
    """Leaving the block is enough."""
    with Client(base_url=BASE_URL, api_key=None) as client:
        transport = client._transport
        transport._ready()
        transport._transport = engine = ScriptedUpstream()
    assert engine.is_closed
    assert repr(transport) == f"HttpTransport('{BASE_URL}', closed=True)"


@pytest.mark.requirement("CLI-15")
async def test_an_async_client_closes_the_connections_it_made() -> None:
    """Leaving the block is enough."""
    async with AsyncClient(base_url=BASE_URL, api_key=None) as client:
        transport = client._transport
        transport._ready()
        transport._transport = engine = ScriptedUpstream()
    assert engine.is_closed
    assert repr(transport) == f"AsyncHttpTransport('{BASE_URL}', closed=True)"


@pytest.mark.requirement("CLI-12", "CF-08")
async def test_tenants_share_connections_and_nothing_else(pair: PairMaker) -> None:
    """Each request carries its own client's key, headers and organization."""
    made = pair(Answer.json(MODEL), Answer.json(MODEL), Answer.json(MODEL), default_headers={"x-tenant": "a"})
    other = made.client.with_options(api_key="other-key", default_headers={"x-tenant": "b"}, organization="org-b")
    for client in (made.client, other, made.client):
        await made.call(lambda _, client=client: client.models.retrieve("m"))
    names = ("authorization", "x-tenant", "openai-organization")
    seen = [tuple(request.headers.get(name) for name in names) for request in made.requests]
    assert seen == [
        (f"Bearer {KEY}", "a", None),
        ("Bearer other-key", "b", "org-b"),
        (f"Bearer {KEY}", "a", None),
    ]


def test_a_copy_cannot_move_to_another_place() -> None:
    """The connections are where they are, and so is the egress policy."""
    client = Client(base_url=BASE_URL, api_key=None)
    with pytest.raises(errors.InvalidConfiguration, match="base_url: belongs to the connections"):
        client.with_options(base_url="https://example.com")
    client.close()


@pytest.mark.requirement("FWD-04", "FWD-05")
async def test_beta_services_are_off_until_they_are_enabled(pair: PairMaker) -> None:
    """Enabled, the beta header is sent; so is the version, when one is configured."""
    from dataclasses import replace

    operation = replace(list_models(), beta="assistants=v2")
    closed = pair()
    with pytest.raises(errors.InvalidConfiguration, match=r"api_version\.enable_beta"):
        await closed.call(lambda client: client.execute(operation))
    listing = Answer.json(b'{"data": []}')
    opened = pair(listing, api_version=ApiVersionConfig(enable_beta=True, openai_version="2020-10-01"))
    await opened.call(lambda client: client.execute(operation))
    assert opened.requests[0].headers["openai-beta"] == "assistants=v2"
    assert opened.requests[0].headers["openai-version"] == "2020-10-01"


@pytest.mark.requirement("ERR-01")
async def test_a_body_that_cannot_be_written_is_refused_without_being_shown(pair: PairMaker) -> None:
    """Lone surrogates have no UTF-8 form."""
    made = pair()
    message = {"role": "user", "content": "\ud800secret"}
    body = CreateChatCompletionRequest.model_construct(model="m", messages=[message])
    with pytest.raises(errors.SerializationError) as caught:
        await made.call(lambda client: client.chat.completions.create(body))
    assert "secret" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
    assert made.requests == []


async def test_bodies_and_headers_have_a_limit(pair: PairMaker) -> None:
    """The error names the setting that sets it."""
    made = pair(http={"max_body_bytes": 10, "max_header_bytes": 1024})
    with pytest.raises(errors.SerializationError, match=r"http\.max_body_bytes allows 10"):
        await made.call(lambda client: client.request("POST", "/x", body={"a": "b" * 20}))
    with pytest.raises(errors.InvalidConfiguration, match=r"http\.max_header_bytes allows 1024"):
        await made.call(lambda client: client.models.list(options=CallOptions(headers={"x-a": "b" * 1024})))
    assert made.requests == []


@pytest.mark.requirement("CLI-04")
async def test_hooks_see_every_attempt(pair: PairMaker) -> None:
    """A hook is an object that the caller hands in."""
    seen: list[Any] = []

    class Hook:
        def on_attempt(self, record: Any) -> None:
            seen.append(record.attempt.http_status)

    made = pair(Answer.json(b"{}", status=503), Answer.json(MODEL), hooks=(Hook(),), retry=BILLING_SAFE)
    await made.call(lambda client: client.models.retrieve("m"))
    assert seen == [503, 200]


@pytest.mark.requirement("CLI-05")
def test_a_client_is_made_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both colours have the factory."""
    monkeypatch.setenv("OPENAI_BASE_URL", BASE_URL)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Client.from_env(timeout=3.0) as client:
        assert (client.config.base_url, client.config.timeout) == (BASE_URL, 3.0)
        assert repr(client) == f"Client('{BASE_URL}')"
    assert repr(AsyncClient.from_env()) == f"AsyncClient('{BASE_URL}')"


def test_settings_beside_a_config_win() -> None:
    """The config itself stays as it was."""
    made = Pair("sync", timeout=9.0)
    client = Client(made.config, timeout=1.0, transport=made.client._transport)
    assert (client.config.timeout, made.config.timeout) == (1.0, 9.0)


@pytest.mark.requirement("EP-MODELS-03")
async def test_a_delete_is_a_delete(pair: PairMaker) -> None:
    """The path parameter is encoded."""
    made = pair(Answer.json(b'{"id": "ft:m/1", "object": "model", "deleted": true}'))
    result = await made.call(lambda client: client.execute(delete_model("ft:m/1")))
    assert result.deleted
    assert (made.requests[0].method, made.requests[0].url) == ("DELETE", f"{BASE_URL}/models/ft%3Am%2F1")


async def test_options_handed_to_execute_win_over_the_operations(pair: PairMaker) -> None:
    """An operation is a value; how it is called may differ from call to call."""
    made = pair(Answer.json(b'{"data": []}'), Answer.json(b'{"data": []}'))
    await made.call(lambda client: client.execute(list_models(), CallOptions(headers={"x-a": "1"})))
    await made.call(lambda client: client.fetch_page(list_chat_completions(), CallOptions(headers={"x-a": "2"})))
    assert [request.headers["x-a"] for request in made.requests] == ["1", "2"]


async def test_the_correlation_id_of_the_context_is_sent(pair: PairMaker) -> None:
    """It follows a task through every floor, in a header and never in the body."""
    from adapter_api import correlation_id

    made = pair(Answer.json(MODEL))
    token = correlation_id.set("corr-1")
    try:
        await made.call(lambda client: client.models.retrieve("m"))
    finally:
        correlation_id.reset(token)
    assert made.requests[0].headers["x-correlation-id"] == "corr-1"


@pytest.mark.requirement("FWD-09")
async def test_an_answer_that_drips_is_read_within_its_timers(pair: PairMaker) -> None:
    """Pauses below the idle timer are fine."""
    made = pair(Answer(headers={"content-type": "application/json"}, body=[MODEL[:10], Pause(20.0), MODEL[10:]]))
    assert (await made.call(lambda client: client.models.retrieve("m"))).id == "m"


def test_the_scripted_upstream_is_a_transport_of_the_http_library() -> None:
    """What the fixture injects stands behind the egress guard like the real one."""
    assert isinstance(Pair("sync").upstream, ScriptedUpstream)
