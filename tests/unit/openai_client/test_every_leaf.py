"""Every leaf of the error tree, raised by a client for what an upstream, a network or a caller really does."""

from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

import openai_client
from http_util.testing import Answer
from openai_client import Client, ClientConfig, OpenAIError, errors, require_answer
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.unit.openai_client.conftest import chat_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

BODY: Final = CreateChatCompletionRequest(
    model="m", messages=[ChatCompletionRequestUserMessage(content="Tell me of the sea.")]
)
URL: Final = "http://localhost:8000/v1"


def refused(status: int, message: str, *, kind: str | None = None, code: str | None = None) -> Answer:
    """An error object, as the API writes it."""
    document = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Answer.json(json.dumps(document).encode(), status=status)


def unconnected(cause: Exception) -> Answer:
    """A connection that cannot be made, as the engine says it."""
    error = httpx.ConnectError("no connection")
    error.__cause__ = cause
    return Answer.failing(error)


HTML: Final = Answer(headers={"content-type": "text/html"}, body=(b"<html>Sign in</html>",))
FILTERED: Final = b'{"choices": [{"index": 0, "finish_reason": "content_filter", "message": {"role": "assistant"}}]}'

ANSWERS: Final[dict[type[OpenAIError], Answer]] = {
    errors.InvalidApiKey: refused(401, "Incorrect API key provided", code="invalid_api_key"),
    errors.ExpiredApiKey: refused(401, "The key has expired", code="expired_api_key"),
    errors.InsufficientPermissions: refused(403, "You have insufficient permissions. Missing scopes: model.request"),
    errors.MissingRequiredField: refused(400, "Missing required parameter: 'model'", code="missing_required_parameter"),
    errors.InvalidFieldValue: refused(400, "temperature must be at most 2", code="decimal_above_max_value"),
    errors.MalformedRequest: refused(400, "We could not parse the JSON body of your request."),
    errors.TooManyTokens: refused(400, "maximum context length is 8192 tokens", code="context_length_exceeded"),
    errors.ConnectionFailed: unconnected(ConnectionRefusedError(111, "Connection refused")),
    errors.DnsResolutionFailed: unconnected(socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    errors.SslError: unconnected(ssl.SSLCertVerificationError(1, "certificate verify failed")),
    errors.Timeout: Answer(status=504, body=(b"upstream request timeout",)),
    errors.TooManyRequests: refused(429, "Rate limit reached for requests", code="rate_limit_exceeded"),
    errors.QuotaExceeded: refused(429, "You exceeded your current quota", code="insufficient_quota"),
    errors.TokenLimitExceeded: refused(
        429, "Request too large on tokens per min (TPM): Limit 30000, Requested 41234.", code="rate_limit_exceeded"
    ),
    errors.InternalServerError: refused(500, "The server had an error while processing your request."),
    errors.ServiceUnavailable: Answer(status=503, headers={"retry-after": "7"}, body=(b"Service Unavailable",)),
    errors.BadGateway: Answer(status=502, body=(b"<html><h1>502 Bad Gateway</h1></html>",)),
    errors.Overloaded: refused(529, "Overloaded", kind="overloaded_error"),
    errors.DeserializationError: Answer.json(b'{"choices": "none'),
    errors.UnexpectedResponse: Answer(status=302, headers={"location": "https://login.example/"}),
    errors.InvalidContentType: HTML,
    errors.NotFound: refused(404, "The model `m` does not exist", code="model_not_found"),
    errors.AlreadyExists: refused(409, "A resource of this name exists", code="already_exists"),
    errors.Deleted: refused(410, "The model has been retired", code="model_retired"),
    errors.InvalidState: refused(409, "The conversation is in use", code="conversation_locked"),
    errors.ContentFiltered: refused(400, "The response was filtered", code="content_filter"),
    errors.SafetyViolation: refused(400, "Your request was rejected by the safety system", code="moderation_blocked"),
}
"""What an upstream, or the way to it, does to a call that is answered by one document."""


def no_key() -> object:
    """Call the official service without one."""
    return Client(base_url="https://api.openai.com/v1", api_key=None)


def not_a_url() -> object:
    """Write the address without its scheme."""
    return ClientConfig(base_url="localhost:8000", api_key=None)


def a_wrong_timeout() -> object:
    """Write seconds as a text."""
    wrong: Any = "soon"
    return ClientConfig(base_url=URL, api_key=None, timeout=wrong)


CONFIGURATIONS: Final[dict[type[OpenAIError], Callable[[], object]]] = {
    errors.MissingApiKey: no_key,
    errors.InvalidBaseUrl: not_a_url,
    errors.InvalidConfiguration: a_wrong_timeout,
}
"""What is wrong before there is a client."""

ELSEWHERE: Final = {errors.SerializationError, errors.StreamInterrupted, errors.RefusedByModel}
"""Those with a test of their own below."""


def public_leaves() -> set[type[OpenAIError]]:
    """Return every class of the tree that is public and can be raised; kinds of a leaf that carry an object are it."""
    public = (getattr(openai_client, name) for name in openai_client.__all__)
    kinds = (kind for kind in public if isinstance(kind, type) and issubclass(kind, OpenAIError) and kind._is_leaf)
    return {kind for kind in kinds if kind.__module__ == errors.__name__}


@pytest.mark.requirement("ERR-01")
def test_every_public_leaf_has_a_case() -> None:
    """One that is added without an input that raises it fails here."""
    assert {*ANSWERS, *CONFIGURATIONS, *ELSEWHERE} == public_leaves()
    assert len(public_leaves()) == 33


@pytest.mark.requirement("ERR-01", "ERR-02")
@pytest.mark.parametrize("leaf", ANSWERS, ids=lambda leaf: leaf.__name__)
async def test_what_an_upstream_does_raises_its_leaf(pair: Callable[..., Pair], leaf: type[OpenAIError]) -> None:
    """In both colours, with the upstream's status where there was one, and a line in the ledger."""
    made = pair(ANSWERS[leaf])
    with pytest.raises(OpenAIError) as caught:
        await made.call(lambda client: client.chat.completions.create(BODY))
    error = caught.value
    assert type(error) is leaf
    answered = ANSWERS[leaf].before_head == ()
    assert error.http_status == (ANSWERS[leaf].status if answered else None)
    assert len(error.attempts) == 1


@pytest.mark.requirement("ERR-01", "ERR-02")
@pytest.mark.parametrize("leaf", CONFIGURATIONS, ids=lambda leaf: leaf.__name__)
def test_what_is_configured_wrong_raises_its_leaf(leaf: type[OpenAIError]) -> None:
    """Before anything is sent."""
    with pytest.raises(OpenAIError) as caught:
        CONFIGURATIONS[leaf]()
    assert type(caught.value) is leaf
    assert (caught.value.http_status, caught.value.attempts) == (None, ())


@pytest.mark.requirement("ERR-01")
async def test_a_request_that_no_json_can_hold_is_a_serialization_error(pair: Callable[..., Pair]) -> None:
    """It holds an object of the program's own; nothing is sent."""
    made = pair()
    body = BODY.model_copy(update={"metadata": {"a": object()}})
    with pytest.raises(errors.SerializationError) as caught:
        await made.call(lambda client: client.chat.completions.create(body))
    assert (caught.value.attempts, made.requests) == ((), [])


@pytest.mark.requirement("ERR-01")
async def test_a_stream_that_breaks_off_is_interrupted(pair: Callable[..., Pair]) -> None:
    """Behind the first chunk, which was handed out."""
    made = pair(Answer.events(chat_chunk("Hel"), httpx.ReadError("reset"), done=False))
    chunks: list[Any] = []
    with pytest.raises(errors.StreamInterrupted):
        await made.collect(lambda client: client.chat.completions.stream(BODY), chunks)
    assert len(chunks) == 1


@pytest.mark.requirement("ERR-01")
async def test_a_model_that_refuses_is_an_error_to_who_asks_for_one(pair: Callable[..., Pair]) -> None:
    """The answer has the words; a filtered one is told from it."""
    document = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": None, "refusal": "No."}}]}
    made = pair(Answer.json(json.dumps(document).encode()), Answer.json(FILTERED))
    for leaf in (errors.RefusedByModel, errors.ContentFiltered):
        answer = await made.call(lambda client: client.chat.completions.create(BODY))
        with pytest.raises(leaf):
            require_answer(answer)
