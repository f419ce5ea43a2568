"""The error tree: its shape, and what every error can do."""

from __future__ import annotations

import copy
import inspect
import json
import pickle

import pytest

from adapter_api.outcome import Attempt, Outcome
from openai_client import errors
from openai_client.errors import ErrorCategory, ErrorSource, OpenAIError

BRANCHES = {
    "ConfigurationError": ("OPENAI_CONFIG", {"MissingApiKey", "InvalidBaseUrl", "InvalidConfiguration"}),
    "AuthenticationError": ("OPENAI_AUTH", {"InvalidApiKey", "ExpiredApiKey", "InsufficientPermissions"}),
    "RequestError": (
        "OPENAI_REQUEST",
        {"MissingRequiredField", "InvalidFieldValue", "MalformedRequest", "SerializationError", "TooManyTokens"},
    ),
    "NetworkError": ("OPENAI_NETWORK", {"ConnectionFailed", "Timeout", "DnsResolutionFailed", "SslError"}),
    "RateLimitError": ("OPENAI_RATE_LIMIT", {"TooManyRequests", "QuotaExceeded", "TokenLimitExceeded"}),
    "ServerError": ("OPENAI_SERVER", {"InternalServerError", "ServiceUnavailable", "BadGateway", "Overloaded"}),
    "ResponseError": (
        "OPENAI_RESPONSE",
        {"DeserializationError", "UnexpectedResponse", "InvalidContentType", "StreamInterrupted"},
    ),
    "ResourceError": ("OPENAI_RESOURCE", {"NotFound", "AlreadyExists", "Deleted", "InvalidState"}),
    "ContentPolicyError": ("OPENAI_CONTENT_POLICY", {"ContentFiltered", "SafetyViolation", "RefusedByModel"}),
}
RETRYABLE = {
    "ConnectionFailed",
    "Timeout",
    "TooManyRequests",
    "InternalServerError",
    "ServiceUnavailable",
    "BadGateway",
    "Overloaded",
    "StreamInterrupted",
}
LEAVES = [getattr(errors, name) for _, names in BRANCHES.values() for name in sorted(names)]
KEY = "sk-secret-0123456789abcdef"
ATTEMPT = Attempt(
    number=1,
    outcome=Outcome.REJECTED,
    reason="rate_limited",
    http_status=429,
    delay=0.0,
    elapsed=0.2,
    endpoint="https://a:443",
)


def full(leaf: type[OpenAIError] = errors.TooManyRequests) -> OpenAIError:
    """Return an error with every fact set."""
    return leaf(
        "upstream answered 429",
        reason="rate_limited",
        outcome=Outcome.REJECTED,
        http_status=429,
        retry_after=1.5,
        upstream_request_id="req-1",
        type="requests",
        param="model",
        code="rate_limit_exceeded",
        attempts=(ATTEMPT,),
    )


@pytest.mark.requirement("ERR-01")
def test_the_tree_has_nine_branches_and_thirty_three_leaves() -> None:
    """The classes of the module are exactly those of the requirement, each below its branch."""
    found = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, OpenAIError) and value._is_leaf
    }
    assert found == {leaf.__name__ for leaf in LEAVES}
    assert len(found) == 33
    for branch, (code, names) in BRANCHES.items():
        kind = getattr(errors, branch)
        assert kind.error_code == code
        assert all(issubclass(getattr(errors, name), kind) for name in names)
        assert all(getattr(errors, name).error_code == code for name in names)
        # who catches one leaf catches no other
        assert all(getattr(errors, name).__bases__[0] in {kind, errors.ValidationError} for name in names)


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize("leaf", LEAVES)
def test_every_leaf_can_be_caught_at_every_level(leaf: type[OpenAIError]) -> None:
    """An except clause for the leaf, its branch or the root takes it."""
    for level in leaf.__mro__[: leaf.__mro__.index(Exception)]:
        with pytest.raises(level):
            raise leaf("it happened")


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize("name", [*BRANCHES, "OpenAIError", "ValidationError"])
def test_a_branch_cannot_be_instantiated(name: str) -> None:
    """Only leaves say what happened."""
    with pytest.raises(TypeError, match="is a branch of the error tree"):
        getattr(errors, name)("it happened")


def test_the_tree_is_drawn_where_people_look() -> None:
    """The docstring of the module names every class of the tree."""
    assert errors.__doc__ is not None
    assert all(leaf.__name__ in errors.__doc__ for leaf in LEAVES)
    assert all(branch in errors.__doc__ for branch in [*BRANCHES, "ValidationError"])


@pytest.mark.requirement("ERR-02")
@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_has_the_four_facts_and_the_right_advice(leaf: type[OpenAIError]) -> None:
    """A bare error says what it is and whether it may pass; the rest is None."""
    error = leaf("it happened")
    assert error.error_code.startswith("OPENAI_")
    assert error.is_retryable is (leaf.__name__ in RETRYABLE)
    assert error.retry_after is None
    assert error.http_status is None


@pytest.mark.requirement("ERR-02")
@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_keeps_the_facts_that_it_is_given(leaf: type[OpenAIError]) -> None:
    """Whatever the leaf; what the upstream calls final is no advice to retry."""
    error = leaf("it happened", http_status=418, retry_after=1.5, retryable=False)
    assert (error.http_status, error.retry_after, error.is_retryable) == (418, 1.5, False)


def test_the_upstreams_own_word_overrides_the_advice() -> None:
    """x-should-retry wins over what class and reason say."""
    assert errors.BadGateway("no", retryable=False).is_retryable is False
    assert errors.NotFound("no", retryable=True).is_retryable is True


def test_a_cancelled_stream_is_no_advice_to_retry() -> None:
    """A reason that cannot pass wins over a class that can."""
    assert errors.StreamInterrupted("gone", reason="cancelled").is_retryable is False
    assert errors.Timeout("late", reason="deadline").is_retryable is True


@pytest.mark.requirement("ERR-08", "ERR-12")
@pytest.mark.parametrize(
    "clone",
    [
        copy.copy,
        copy.deepcopy,
        lambda e: pickle.loads(pickle.dumps(e)),
        lambda e: OpenAIError.from_payload(json.loads(json.dumps(e.payload()))),
    ],
    ids=["copy", "deepcopy", "pickle", "json"],
)
@pytest.mark.parametrize("leaf", LEAVES)
def test_errors_survive_copying_and_pickling_with_all_facts(leaf: type[OpenAIError], clone) -> None:
    """A copy is equal, of the same class, and hashes alike."""
    error = full(leaf)
    other = clone(error)
    assert type(other) is leaf
    assert other == error
    assert hash(other) == hash(error)
    assert str(other) == str(error)
    assert other.attempts == (ATTEMPT,)


@pytest.mark.requirement("ERR-12")
def test_facts_of_single_leaves_survive_pickling_too() -> None:
    """What only one leaf has is copied as well."""
    for error, name, value in (
        (errors.InvalidBaseUrl("no", url="ftp://a"), "url", "ftp://a"),
        (errors.InsufficientPermissions("no", required="model.read"), "required", "model.read"),
        (errors.TokenLimitExceeded("no", limit=30_000), "limit", 30_000),
    ):
        assert getattr(pickle.loads(pickle.dumps(error)), name) == value
        assert OpenAIError.from_payload(json.loads(json.dumps(error.payload()))) == error


@pytest.mark.requirement("ERR-12")
@pytest.mark.parametrize("named", [None, "OpenAIError", "RateLimitError", "Exception", "ErrorSource", 5])
def test_a_payload_that_names_no_leaf_is_refused(named: object) -> None:
    """Nothing else of the module can be made by it."""
    payload = errors.NotFound("no").payload() | {"error": named}
    with pytest.raises(ValueError, match="must name a leaf"):
        OpenAIError.from_payload(payload)


@pytest.mark.requirement("ERR-12")
def test_a_cause_is_left_behind_when_an_error_is_pickled() -> None:
    """Sockets and tracebacks hang on causes, and stay where they are."""
    error = full()
    error.__cause__ = OSError("socket 7")
    error.add_note("seen while testing")
    pickled = pickle.dumps(error)
    assert b"socket 7" not in pickled
    other = pickle.loads(pickled)
    assert other.__cause__ is None
    assert other == full()


@pytest.mark.requirement("ERR-08")
def test_errors_differ_when_a_fact_differs() -> None:
    """Equality is by value and by class."""
    assert full() != errors.TooManyRequests("upstream answered 429")
    assert full(errors.QuotaExceeded) != full(errors.TooManyRequests)
    assert full() != "upstream answered 429"


@pytest.mark.requirement("ERR-07", "ERR-12", "SEC-16")
def test_no_secret_gets_into_an_error() -> None:
    """Messages and the upstream's fields are redacted before they are kept."""
    error = errors.MalformedRequest(
        f"Incorrect API key provided: {KEY}", param=KEY, code=KEY, type=KEY, upstream_request_id=KEY
    )
    url = errors.InvalidBaseUrl("no", url=f"https://user:{KEY}@host/?api_key={KEY}")
    for text in (str(error), repr(error), repr(vars(error)), repr(vars(url)), str(pickle.dumps(error))):
        assert KEY not in text


@pytest.mark.requirement("ERR-07")
def test_messages_are_short_and_cannot_repaint_a_terminal() -> None:
    """512 characters at most, control and bidirectional characters escaped."""
    error = errors.NotFound("a\x1b[2J\u202e" + "x" * 10_000)
    assert len(error.message) <= 512
    assert "\x1b" not in error.message
    assert "\u202e" not in error.message


@pytest.mark.requirement("ERR-08")
@pytest.mark.parametrize(
    ("error", "category"),
    [
        (errors.NotFound("no", http_status=404, code="model_not_found"), ErrorCategory.API),
        (errors.NotFound("no", http_status=404), ErrorCategory.HTTP),
        (errors.InternalServerError("no", http_status=500), ErrorCategory.HTTP),
        (errors.ConnectionFailed("no"), ErrorCategory.NETWORK),
        (errors.SslError("no"), ErrorCategory.NETWORK),
        (errors.Timeout("no"), ErrorCategory.TIMEOUT),
        (errors.Timeout("no", http_status=504), ErrorCategory.TIMEOUT),
        (errors.StreamInterrupted("no", http_status=200), ErrorCategory.DECODE),
        (errors.MissingApiKey("no"), ErrorCategory.INVALID_ARGUMENT),
        (errors.SerializationError("no"), ErrorCategory.INVALID_ARGUMENT),
        (errors.ServiceUnavailable("no", reason="circuit_open"), ErrorCategory.REJECTED),
        (errors.TooManyRequests("no"), ErrorCategory.REJECTED),
        (errors.TokenLimitExceeded("no"), ErrorCategory.REJECTED),
        (errors.TokenLimitExceeded("no", http_status=429), ErrorCategory.HTTP),
    ],
)
def test_the_flat_view_has_one_category_for_everything(error: OpenAIError, category: ErrorCategory) -> None:
    """Callers who do not want the tree get one word."""
    assert error.category is category


@pytest.mark.requirement("REL-05", "ERR-10")
@pytest.mark.parametrize(
    ("error", "source"),
    [
        (errors.ServiceUnavailable("no", http_status=503), ErrorSource.UPSTREAM),
        (errors.ServiceUnavailable("no", reason="circuit_open"), ErrorSource.CIRCUIT_BREAKER),
        (errors.TooManyRequests("no", http_status=429), ErrorSource.UPSTREAM),
        (errors.TooManyRequests("no"), ErrorSource.RATE_LIMITING),
        (errors.TooManyRequests("no", reason="queue_full"), ErrorSource.RATE_LIMITING),
        (errors.TokenLimitExceeded("no", http_status=429), ErrorSource.UPSTREAM),
        (errors.TokenLimitExceeded("no"), ErrorSource.RATE_LIMITING),
        (errors.Timeout("no", reason="deadline"), ErrorSource.DEADLINE),
        (errors.InvalidConfiguration("no", reason="egress_denied"), ErrorSource.EGRESS_POLICY),
        (errors.ConnectionFailed("no"), ErrorSource.NETWORK),
        (errors.ConnectionFailed("no", source=ErrorSource.FAILOVER), ErrorSource.FAILOVER),
        (errors.DeserializationError("no"), ErrorSource.UPSTREAM),
        (errors.InvalidState("no", reason="closed"), ErrorSource.CLIENT),
    ],
)
def test_an_error_says_which_feature_caused_it(error: OpenAIError, source: ErrorSource) -> None:
    """A rejection by a feature of this side is told from one by the upstream."""
    assert error.source is source
