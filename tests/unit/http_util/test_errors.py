"""The tree of failures: facts as fields, values that compare, nothing secret on paper."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from adapter_api.outcome import Attempt, Outcome
from http_util import errors
from http_util.errors import HttpFailure, StatusFailure, TransportFailure

LEAVES = [
    errors.TransportFailure,
    errors.TimeoutFailure,
    errors.StatusFailure,
    errors.ProtocolFailure,
    errors.PolicyFailure,
    errors.DeadlineExceeded,
    errors.Interrupted,
]

ATTEMPT = Attempt(
    number=1,
    outcome=Outcome.REJECTED,
    reason="rate_limited",
    http_status=429,
    delay=0.0,
    elapsed=0.25,
    endpoint="https://a:443",
)


def full(kind: type[HttpFailure] = StatusFailure) -> HttpFailure:
    """Return a failure with every fact set."""
    return kind(
        "upstream answered 429",
        reason="rate_limited",
        outcome=Outcome.REJECTED,
        http_status=429,
        retry_after=1.5,
        should_retry=True,
        upstream_request_id="req-1",
        body=b'{"echo": "my secret prompt"}',
        attempts=(ATTEMPT,),
    )


@pytest.mark.parametrize("kind", LEAVES)
def test_each_leaf_can_be_raised_and_caught_at_the_root(kind: type[HttpFailure]) -> None:
    """Every leaf is an HttpFailure with its own facts."""
    with pytest.raises(HttpFailure) as caught:
        raise full(kind)
    assert caught.value.reason == "rate_limited"
    assert str(caught.value) == "upstream answered 429"


def test_the_root_itself_cannot_be_made() -> None:
    """Only leaves say what happened."""
    with pytest.raises(TypeError, match="one of its subclasses"):
        HttpFailure("x", reason="internal", outcome=Outcome.UNKNOWN)


@pytest.mark.requirement("ERR-12", "HTU-05")
@pytest.mark.parametrize("kind", LEAVES)
def test_failures_survive_pickle_and_copy_by_value(kind: type[HttpFailure]) -> None:
    """A pickled or copied failure equals the original, its ledger included."""
    failure = full(kind)
    for twin in (pickle.loads(pickle.dumps(failure)), copy.copy(failure), copy.deepcopy(failure)):
        assert twin == failure
        assert hash(twin) == hash(failure)
        assert twin.attempts == (ATTEMPT,)


def test_failures_differ_by_class_message_and_facts() -> None:
    """Equality is by value, never between classes or with something else."""
    failure = full()
    assert failure != full(TransportFailure)
    assert failure != failure.replace(message="another")
    assert failure != failure.replace(retry_after=2.0)
    assert failure != "upstream answered 429"


@pytest.mark.requirement("ERR-12", "HTU-ERR-4001")
def test_the_body_is_in_no_text_and_in_no_pickle() -> None:
    """An upstream may echo a prompt, so the excerpt stays out of repr, str and pickles."""
    failure = full()
    assert b"my secret prompt" in failure.body
    for text in (repr(failure), str(failure), repr(failure.args)):
        assert "prompt" not in text
    assert b"prompt" not in pickle.dumps(failure)


def test_replace_keeps_class_and_body_and_changes_the_named_facts() -> None:
    """Whoever reads the body may say a finer reason."""
    finer = full().replace(reason="quota_exceeded", message="quota is used up")
    assert isinstance(finer, StatusFailure)
    assert (finer.reason, str(finer), finer.body, finer.http_status) == (
        "quota_exceeded",
        "quota is used up",
        full().body,
        429,
    )


@pytest.mark.requirement("HTU-ERR-4001", "HTU-ERR-4003", "SEC-16")
def test_messages_are_redacted_escaped_and_short_when_they_are_made() -> None:
    """Upstream text cannot carry a key, a line break or a megabyte into a message."""
    text = "bad key sk-abcdefgh12345678\r\n\x1b[31m" + "x" * 100_000
    failure = TransportFailure(text, reason="reset", outcome=Outcome.UNKNOWN, upstream_request_id="id\n" + "y" * 999)
    assert "sk-abc" not in failure.message
    assert failure.message.isprintable()
    assert len(failure.message) <= 512
    assert len(failure.upstream_request_id or "") <= 128


def test_the_body_excerpt_is_bounded() -> None:
    """No more than 64 KiB of an error answer is kept."""
    assert len(full().replace(body=b"x" * 100_000).body) == errors.BODY_EXCERPT_BYTES


@pytest.mark.requirement("ERR-12")
@pytest.mark.parametrize("kind", LEAVES)
def test_a_failure_survives_json(kind: type[HttpFailure]) -> None:
    """With every fact but the body; the ledger to the millisecond."""
    failure = full(kind)
    assert HttpFailure.from_payload(json.loads(json.dumps(failure.payload()))) == failure


@pytest.mark.requirement("ERR-12")
@pytest.mark.parametrize("named", [None, "HttpFailure", "Exception", 5])
def test_a_payload_that_names_no_failure_is_refused(named: object) -> None:
    """The root is none."""
    with pytest.raises(ValueError, match="must name one of DeadlineExceeded, Interrupted"):
        HttpFailure.from_payload(full().payload() | {"failure": named})
