"""From what upstreams and networks really do to the leaf that stands for it."""

from __future__ import annotations

import json
import ssl

import httpx
import pytest

from adapter_api.outcome import Attempt, Outcome
from adapter_api.reasons import REASONS
from http_util.classify import classify_status
from http_util.errors import (
    DeadlineExceeded,
    HttpFailure,
    Interrupted,
    PolicyFailure,
    ProtocolFailure,
    StatusFailure,
    TimeoutFailure,
    TransportFailure,
)
from http_util.retry import BILLING_SAFE
from http_util.secret import Secret
from http_util.transport_errors import Phase, classify_transport_error
from openai_client import errors
from openai_client.error_mapping import (
    LEAF_OF_REASON,
    from_failure,
    from_stream_error,
    is_stream_error,
    refine,
    refiner,
    stream_error_in,
)

PROMPT = "the quick brown fox"
KEY = Secret("local-key-without-a-known-shape")


def status(code: int, body: bytes | dict | list = b"", **headers: str) -> StatusFailure:
    """Return the failure of an answer with this status, body and headers."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify_status(code, named, content, 1_700_000_000.0)


def api(message: str = "it happened", *, kind: str | None = None, param: str | None = None, code=None) -> dict:
    """Return the error object of the API."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@pytest.mark.requirement("ERR-03", "ERR-06")
@pytest.mark.parametrize(
    ("code", "leaf", "retryable"),
    [
        (301, errors.UnexpectedResponse, False),
        (307, errors.UnexpectedResponse, False),
        (400, errors.MalformedRequest, False),
        (401, errors.InvalidApiKey, False),
        (403, errors.InsufficientPermissions, False),
        (404, errors.NotFound, False),
        (405, errors.MalformedRequest, False),
        (408, errors.Timeout, True),
        (409, errors.AlreadyExists, False),
        (410, errors.Deleted, False),
        (413, errors.MalformedRequest, False),
        (418, errors.MalformedRequest, False),
        (422, errors.MalformedRequest, False),
        (425, errors.InvalidState, False),
        (429, errors.TooManyRequests, True),
        (500, errors.InternalServerError, True),
        (501, errors.InternalServerError, True),
        (502, errors.BadGateway, True),
        (503, errors.ServiceUnavailable, True),
        (504, errors.Timeout, True),
        (520, errors.BadGateway, True),
        (529, errors.Overloaded, True),
        (599, errors.InternalServerError, True),
    ],
)
def test_every_status_has_its_leaf(code: int, leaf: type, retryable: bool) -> None:
    """Without a body, the status alone decides, and it is kept."""
    error = from_failure(status(code))
    assert type(error) is leaf
    assert error.http_status == code
    assert error.is_retryable is retryable
    assert isinstance(error, errors.ValidationError) is (code in {400, 405, 413, 418, 422})


@pytest.mark.requirement("ERR-01", "ERR-04")
@pytest.mark.parametrize(
    ("code", "body", "leaf"),
    [
        (429, api("You exceeded your current quota", code="insufficient_quota"), errors.QuotaExceeded),
        (429, api("You exceeded your current quota", kind="insufficient_quota"), errors.QuotaExceeded),
        (400, api("Budget has been exceeded!", kind="budget_exceeded", code="400"), errors.QuotaExceeded),
        (429, api("Rate limit reached", kind="requests", code="rate_limit_exceeded"), errors.TooManyRequests),
        (400, api("too long", param="messages", code="context_length_exceeded"), errors.TooManyTokens),
        (400, api("no", kind="exceed_context_size_error", code=400), errors.TooManyTokens),
        (
            400,
            api("This model's maximum context length is 2048 tokens.", kind="BadRequestError", code=400),
            errors.TooManyTokens,
        ),
        (
            400,
            api("Requested tokens (9000) exceed context window of 2048", kind="invalid_request_error"),
            errors.TooManyTokens,
        ),
        (400, api("no", code="content_policy_violation"), errors.ContentFiltered),
        (
            400,
            {"error": {"message": "no", "code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            errors.ContentFiltered,
        ),
        (400, api("no", kind="image_generation_user_error", code="moderation_blocked"), errors.SafetyViolation),
        (
            400,
            api("Missing required parameter", param="model", code="missing_required_parameter"),
            errors.MissingRequiredField,
        ),
        (
            422,
            {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]},
            errors.MissingRequiredField,
        ),
        (400, api("no", param="temperature", code="decimal_above_max_value"), errors.InvalidFieldValue),
        (400, api("no", param="n", code="invalid_type"), errors.InvalidFieldValue),
        (404, api("no such model", param="model", code="model_not_found"), errors.NotFound),
        (403, api("Project does not have access to model", code="model_not_found"), errors.NotFound),
        (400, api("The model has been deprecated", code="model_deprecated"), errors.Deleted),
        (
            400,
            api(
                "/chat/completions: Invalid model name passed in model=nope.", kind="invalid_request_error", code="400"
            ),
            errors.NotFound,
        ),
        (401, api("Incorrect API key provided", code="invalid_api_key"), errors.InvalidApiKey),
        (400, api("No connected db.", kind="no_db_connection", code="400"), errors.InvalidApiKey),
        (401, api("Your key has expired", code="expired_api_key"), errors.ExpiredApiKey),
        (401, {"error": "Unauthorized"}, errors.InvalidApiKey),
        (401, api("Missing scopes: model.read", code="missing_scope"), errors.InsufficientPermissions),
        (503, api("The engine is currently overloaded, please try again later"), errors.Overloaded),
        (503, api("no", kind="overloaded_error"), errors.Overloaded),
        (503, api("Loading model", kind="unavailable_error", code=503), errors.ServiceUnavailable),
        (
            429,
            api(
                "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 41234.",
                kind="tokens",
                code="rate_limit_exceeded",
            ),
            errors.TokenLimitExceeded,
        ),
        (409, api("no", code="conversation_locked"), errors.InvalidState),
        (409, api("no", code="already_exists"), errors.AlreadyExists),
        (400, api("no", code="refusal"), errors.RefusedByModel),
        (400, api("no", code="some_code_of_tomorrow"), errors.MalformedRequest),
        (500, api("no", code="some_code_of_tomorrow"), errors.InternalServerError),
        (500, b"Internal Server Error", errors.InternalServerError),
        (429, b"<html><head><title>429 Too Many Requests</title></head></html>", errors.TooManyRequests),
        (413, b"<html><h1>413 Request Entity Too Large</h1></html>", errors.MalformedRequest),
        (404, {"detail": "Not Found"}, errors.NotFound),
    ],
)
def test_the_body_refines_what_the_status_says(code: int, body, leaf: type) -> None:
    """Codes of the API and of compatible servers lead to the finer leaf; unknown codes keep the status' own."""
    assert type(from_failure(status(code, body))) is leaf


@pytest.mark.requirement("ERR-07")
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "  \n\n\t", "\u2028"])
def test_a_message_of_several_lines_becomes_one_line(line_break: str) -> None:
    """A line break is a space there, in the answer to a call and in a stream, and no escape."""
    said = api(f"first{line_break}second{line_break}", kind="t")
    assert str(from_failure(status(400, said))).endswith("(t): first second")
    assert str(from_stream_error(said)).endswith("(t): first second")


@pytest.mark.requirement("ERR-01", "ERR-09")
@pytest.mark.parametrize(
    ("failure", "leaf"),
    [
        (classify_transport_error(httpx.ConnectError("refused"), Phase.SENDING), errors.ConnectionFailed),
        (classify_transport_error(httpx.ConnectTimeout("late"), Phase.SENDING), errors.Timeout),
        (classify_transport_error(httpx.PoolTimeout("late"), Phase.SENDING), errors.Timeout),
        (classify_transport_error(httpx.WriteTimeout("late"), Phase.SENDING), errors.Timeout),
        (classify_transport_error(httpx.ReadTimeout("late"), Phase.SENDING), errors.Timeout),
        (classify_transport_error(httpx.ReadTimeout("late"), Phase.STREAMING), errors.Timeout),
        (classify_transport_error(httpx.ReadError("reset"), Phase.SENDING), errors.ConnectionFailed),
        (classify_transport_error(httpx.ReadError("reset"), Phase.STREAMING), errors.StreamInterrupted),
        (
            classify_transport_error(httpx.RemoteProtocolError("peer closed connection"), Phase.STREAMING),
            errors.StreamInterrupted,
        ),
        (classify_transport_error(httpx.RemoteProtocolError("bad line"), Phase.SENDING), errors.UnexpectedResponse),
        (classify_transport_error(httpx.DecodingError("bad gzip"), Phase.HEAD_RECEIVED), errors.DeserializationError),
        (classify_transport_error(httpx.LocalProtocolError("line break"), Phase.SENDING), errors.SerializationError),
        (classify_transport_error(httpx.UnsupportedProtocol("ftp"), Phase.SENDING), errors.InvalidBaseUrl),
        (DeadlineExceeded("late", reason="deadline", outcome=Outcome.UNKNOWN), errors.Timeout),
        (ProtocolFailure("html", reason="content_type", outcome=Outcome.UNKNOWN), errors.InvalidContentType),
        (PolicyFailure("no", reason="egress_denied", outcome=Outcome.NOT_SENT), errors.InvalidConfiguration),
        (PolicyFailure("no", reason="circuit_open", outcome=Outcome.NOT_SENT), errors.ServiceUnavailable),
        (Interrupted("closed", reason="cancelled", outcome=Outcome.PARTIAL), errors.StreamInterrupted),
        (Interrupted("closed", reason="closed", outcome=Outcome.UNKNOWN), errors.InvalidState),
        (TimeoutFailure("late", reason="of_tomorrow", outcome=Outcome.UNKNOWN), errors.UnexpectedResponse),
    ],
)
def test_what_the_network_does_has_its_leaf(failure: HttpFailure, leaf: type) -> None:
    """Every failure of the exchange becomes one leaf, an unknown reason included."""
    error = from_failure(failure)
    assert type(error) is leaf
    assert error.reason == failure.reason
    assert error.outcome is failure.outcome


def caused_by(cause: Exception) -> httpx.ConnectError:
    """Return a connect error as the engine raises it."""
    error = httpx.ConnectError("could not connect")
    error.__cause__ = cause
    return error


@pytest.mark.requirement("ERR-01", "ERR-09", "CF-53")
def test_connect_failures_are_told_apart_by_their_cause() -> None:
    """A name that does not exist, a certificate, a resolver's hiccup and a closed port are four things."""
    import socket

    def leaf(cause: Exception) -> type:
        return type(from_failure(classify_transport_error(caused_by(cause), Phase.SENDING)))

    assert leaf(socket.gaierror(socket.EAI_NONAME, "unknown name")) is errors.DnsResolutionFailed
    assert leaf(ssl.SSLCertVerificationError(1, "bad certificate")) is errors.SslError
    assert leaf(socket.gaierror(socket.EAI_AGAIN, "try again")) is errors.ConnectionFailed
    assert leaf(ConnectionRefusedError(111, "refused")) is errors.ConnectionFailed


@pytest.mark.requirement("ADAPT-3002")
def test_every_reason_has_a_leaf() -> None:
    """The table is total over the contract's list of reasons, and names nothing else."""
    assert LEAF_OF_REASON.keys() == REASONS.keys()
    assert all(leaf._is_leaf for leaf in LEAF_OF_REASON.values())


@pytest.mark.requirement("ERR-05")
@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry_after": "7"}, 7.0), ({"retry_after_ms": "1500"}, 1.5), ({}, None)]
)
def test_retry_after_comes_from_the_header(code: int, headers: dict[str, str], seconds: float | None) -> None:
    """Seconds or milliseconds, as the upstream writes it."""
    assert from_failure(status(code, **headers)).retry_after == seconds


@pytest.mark.requirement("ERR-06")
def test_a_status_that_has_no_name_is_shown_as_its_number() -> None:
    """Proxies invent some."""
    error = from_failure(status(599, b"no"))
    assert error.message == "upstream answered 599: no"


@pytest.mark.requirement("ERR-07")
def test_the_upstreams_own_words_are_kept_as_fields() -> None:
    """Type, param, code and request id are facts, and the message says what happened."""
    body = api("Invalid value for 'n'", kind="invalid_request_error", param="n", code="invalid_value")
    error = from_failure(status(400, body, x_request_id="req-7"))
    assert (error.type, error.param, error.code) == ("invalid_request_error", "n", "invalid_value")
    assert error.upstream_request_id == "req-7"
    assert error.message == "upstream answered 400 Bad Request (invalid_value): Invalid value for 'n'"


@pytest.mark.requirement("ERR-07")
@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (api("no", code=400), "upstream answered 400 Bad Request: no", "400"),
        ({"detail": "no"}, "upstream answered 400 Bad Request: no", None),
        ({"error": "no"}, "upstream answered 400 Bad Request: no", None),
        ({"error": "bad_thing", "message": "no"}, "upstream answered 400 Bad Request (bad_thing): no", "bad_thing"),
        ({"object": "error", "message": "no", "code": 40001}, "upstream answered 400 Bad Request: no", "40001"),
        ({"statusCode": 400, "message": "no"}, "upstream answered 400 Bad Request: no", None),
        (b"no", "upstream answered 400 Bad Request: no", None),
        (b'"no"', "upstream answered 400 Bad Request: no", None),
        (b"<html><title>no</title>", "upstream answered 400 Bad Request: an HTML page titled 'no'", None),
        (b"<html>", "upstream answered 400 Bad Request: an HTML page", None),
        (b"", "upstream answered 400 Bad Request", None),
        (b"\xff\xfe\x00", "upstream answered 400 Bad Request: \ufffd\ufffd\\u0000", None),
        (b"[1, 2]", "upstream answered 400 Bad Request: [1, 2]", None),
        (b"[" * 60_000, None, None),
        (b'{"error": {"message": "cut in the mid', "upstream answered 400 Bad Request: cut in the mid", None),
        ({"error": {"message": None, "code": True}}, "upstream answered 400 Bad Request", None),
        ({"error": {"message": ["no"], "code": {"a": 1}}}, "upstream answered 400 Bad Request", None),
        ({"detail": {"error": {"message": "no"}}}, "upstream answered 400 Bad Request: no", None),
        ({"detail": [1, 2]}, "upstream answered 400 Bad Request", None),
        ({"detail": [{"loc": "x"}]}, "upstream answered 400 Bad Request: request: refused", None),
    ],
)
def test_every_form_of_error_body_is_read(body, message: str | None, code: str | None) -> None:
    """The forms that compatible servers, proxies and crashes use end in a message, never in another exception."""
    error = from_failure(status(400, body))
    assert message is None or error.message == message
    assert error.code == code
    assert len(error.message) <= 512


def test_fastapi_details_name_the_field_and_leave_out_the_input() -> None:
    """The list repeats what was sent; only places and reasons are taken from it."""
    detail = [
        {"type": "string_type", "loc": ["body", "messages", 0, "content"], "msg": "not a string", "input": PROMPT}
    ]
    error = from_failure(status(422, {"detail": detail}))
    assert error.param == "messages.0.content"
    assert PROMPT not in repr(error)
    assert "messages.0.content: not a string" in error.message


@pytest.mark.requirement("ERR-04")
def test_the_token_budget_and_the_missing_permissions_become_fields() -> None:
    """Numbers and names that the upstream gives are facts of their leaf."""
    large = from_failure(status(429, api("Request too large: Limit 30000, Requested 41234")))
    assert isinstance(large, errors.TokenLimitExceeded)
    assert large.limit == 30_000
    denied = from_failure(status(403, api("You have insufficient permissions. Missing scopes: model.read.")))
    assert isinstance(denied, errors.InsufficientPermissions)
    assert denied.required == "model.read"


@pytest.mark.requirement("ERR-04", "HTU-07")
def test_a_quota_is_told_from_a_rate_before_a_retry_is_decided() -> None:
    """Refined, the same 429 is no longer one that the policy repeats."""
    quota = status(429, api("no", code="insufficient_quota"), retry_after="1")
    assert BILLING_SAFE.retries(quota)
    assert not BILLING_SAFE.retries(refine(quota))
    assert BILLING_SAFE.retries(refine(status(429, api("no", code="rate_limit_exceeded"))))


def test_a_refusal_hidden_in_a_500_proves_that_nothing_was_processed() -> None:
    """A code that names a refusal wins over a status that says nothing."""
    refined = refine(status(500, api("no", code="context_length_exceeded")))
    assert (refined.reason, refined.outcome) == ("context_length", Outcome.REJECTED)
    overloaded = refine(status(500, api("no", kind="overloaded_error")))
    assert (overloaded.reason, overloaded.outcome) == ("overloaded", Outcome.UNKNOWN)


def test_refining_twice_changes_nothing_and_keeps_the_facts() -> None:
    """What the exchange knows stays as it is."""
    failure = status(429, api("no", code="insufficient_quota"), x_should_retry="false", x_request_id="r")
    once = refine(failure)
    assert refine(once) == once
    assert once.body == failure.body
    assert (once.http_status, once.should_retry, once.upstream_request_id) == (429, False, "r")


@pytest.mark.requirement("SEC-16")
def test_a_key_that_the_upstream_echoes_is_removed_wherever_it_stands() -> None:
    """Also one that looks like no key: the call's own credentials are known."""
    body = api(f"bad key {KEY.reveal()}", kind=KEY.reveal(), param=KEY.reveal(), code=KEY.reveal())
    error = from_failure(refiner([KEY])(status(401, body)), [KEY])
    assert KEY.reveal() not in repr(vars(error))
    assert KEY.reveal() not in repr(from_stream_error(body, [KEY]))
    plain = from_failure(status(500, KEY.reveal().encode()), [KEY])
    assert KEY.reveal() not in plain.message


@pytest.mark.requirement("REL-05", "HTU-05")
def test_the_ledger_travels_with_the_error() -> None:
    """After retries the last real failure is raised, with every attempt."""
    lines = tuple(
        Attempt(
            number=n, outcome=Outcome.UNKNOWN, reason="server_error", http_status=500, delay=0, elapsed=0, endpoint="a"
        )
        for n in (1, 2)
    )
    error = from_failure(status(500).replace(attempts=lines))
    assert error.attempts == lines
    assert error.source is errors.ErrorSource.UPSTREAM


def test_x_should_retry_becomes_the_advice_before_the_first_token_only() -> None:
    """The upstream knows best, except about what was handed out already."""
    assert from_failure(status(500, x_should_retry="false")).is_retryable is False
    assert from_failure(status(400, x_should_retry="true")).is_retryable is True
    late = TransportFailure("cut", reason="reset", outcome=Outcome.PARTIAL, should_retry=False)
    assert from_failure(late).is_retryable is True


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"error": {"message": "no", "type": "server_error", "code": None}}, "server_error"),
        ({"error": {"message": "no", "type": None, "param": None, "code": "500"}}, "server_error"),
        ({"error": {"message": "no", "code": 429}}, "rate_limited"),
        ({"error": {"message": "no", "code": 503}}, "service_unavailable"),
        ({"error": {"message": "no", "type": "rate_limit_error"}}, "rate_limited"),
        ({"error": {"message": "no", "type": "invalid_request_error"}}, "malformed_request"),
        ({"error": {"message": "no", "code": "insufficient_quota"}}, "quota_exceeded"),
        ({"error": "text of a server"}, "server_error"),
        ({"error": "This model's maximum context length is 9"}, "context_length"),
        ({"type": "error", "code": "server_error", "message": "no", "param": None}, "server_error"),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "no"}, "rate_limited"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, "overloaded"),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "no"}}}, "server_error"),
        ({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}, "malformed_request"),
        ("only text", "server_error"),
        (None, "server_error"),
        (b'{"error": {"message": "no", "code": "content_filter"}}', "content_filtered"),
    ],
)
def test_an_error_inside_a_stream_has_its_leaf_too(payload, reason: str) -> None:
    """All forms that servers put into a stream with status 200 are understood."""
    error = from_stream_error(payload, upstream_request_id="r")
    assert error.reason == reason
    assert type(error) is LEAF_OF_REASON[reason]
    assert (error.http_status, error.outcome, error.upstream_request_id) == (200, Outcome.UNKNOWN, "r")


def test_an_error_is_told_from_a_chunk() -> None:
    """A null error, an error in the text and a nested one are chunks."""
    assert is_stream_error({"error": {"message": "no"}})
    assert is_stream_error({"error": "no"})
    assert is_stream_error({"type": "error", "message": "no"})
    assert not is_stream_error({"error": None, "choices": []})
    assert not is_stream_error({"type": "response.created", "response": {"error": None}})
    assert not is_stream_error(["error"])
    assert stream_error_in(b'{"choices": [{"delta": {"content": "\\"error\\""}}]}') is None
    assert stream_error_in(b'{"error"') is None
    assert stream_error_in(b'{"error": {"message": "no"}}') == {"error": {"message": "no"}}
