"""What a status and its headers mean, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from adapter_api.reasons import REASONS, reason_row
from http_util.classify import (
    STATUS_TABLE,
    classify_status,
    lower_headers,
    reason_for_status,
    received_headers,
    retry_after_seconds,
    should_retry,
    upstream_request_id,
)
from http_util.errors import StatusFailure

NOW = 1_795_176_000.0  # Fri, 20 Nov 2026 12:00:00 GMT

ROWS = [
    (301, "redirect", Outcome.REJECTED),
    (304, "redirect", Outcome.REJECTED),
    (400, "malformed_request", Outcome.REJECTED),
    (401, "invalid_api_key", Outcome.REJECTED),
    (403, "permission_denied", Outcome.REJECTED),
    (404, "not_found", Outcome.REJECTED),
    (408, "request_timeout", Outcome.REJECTED),
    (409, "conflict", Outcome.UNKNOWN),
    (410, "deleted", Outcome.REJECTED),
    (418, "malformed_request", Outcome.REJECTED),
    (422, "malformed_request", Outcome.REJECTED),
    (425, "too_early", Outcome.REJECTED),
    (429, "rate_limited", Outcome.REJECTED),
    (500, "server_error", Outcome.UNKNOWN),
    (501, "server_error", Outcome.UNKNOWN),
    (502, "bad_gateway", Outcome.UNKNOWN),
    (503, "service_unavailable", Outcome.REJECTED),
    (504, "gateway_timeout", Outcome.UNKNOWN),
    (507, "server_error", Outcome.UNKNOWN),
    (520, "bad_gateway", Outcome.UNKNOWN),
    (522, "gateway_timeout", Outcome.UNKNOWN),
    (524, "gateway_timeout", Outcome.UNKNOWN),
    (529, "overloaded", Outcome.REJECTED),
    (530, "bad_gateway", Outcome.UNKNOWN),
    (204, "protocol", Outcome.UNKNOWN),
    (101, "protocol", Outcome.UNKNOWN),
    (0, "protocol", Outcome.UNKNOWN),
    (999, "protocol", Outcome.UNKNOWN),
]


@pytest.mark.requirement("ERR-03", "ERR-06", "HTU-07")
@pytest.mark.parametrize(("status", "reason", "outcome"), ROWS)
def test_each_status_has_its_reason_and_outcome(status: int, reason: str, outcome: Outcome) -> None:
    """The table is total: also statuses nobody assigned mean something."""
    failure = classify_status(status, {}, b"body", NOW)
    assert isinstance(failure, StatusFailure)
    assert (failure.reason, failure.outcome, failure.http_status, failure.body) == (reason, outcome, status, b"body")


def test_every_reason_of_the_table_is_a_reason_of_the_contract() -> None:
    """No status leads to a name that nobody knows."""
    assert {reason for reason, _ in STATUS_TABLE.values()} <= set(REASONS)
    assert {reason_for_status(status)[0] for status in range(1000)} <= set(REASONS)


def test_the_message_names_the_status_and_never_the_upstreams_own_phrase() -> None:
    """Known statuses get the standard phrase, others the number alone."""
    assert str(classify_status(503, {}, b"", NOW)) == "upstream answered 503 Service Unavailable"
    assert str(classify_status(529, {}, b"", NOW)) == "upstream answered 529"


@pytest.mark.requirement("HTU-06")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:10 GMT"}, 10.0),
        ({"retry-after": "Friday, 20-Nov-26 12:00:10 GMT"}, 10.0),
        ({"retry-after": "Fri Nov 20 12:00:10 2026"}, 10.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 13:00:10 +0100"}, 10.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "1500.5"}, 1.5005),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "9", "retry-after-ms": "soon"}, 9.0),
        *[
            ({"retry-after": bad}, None)
            for bad in [
                "",
                "-1",
                "nan",
                "inf",
                "1e3",
                "1_0",
                "\u0663",
                "soon",
                "9" * 400,
                "Fri, 99 Nov 2026 99:00:00 GMT",
                "1.2.3",
                ".",
            ]
        ],
    ],
)
def test_retry_after_is_read_as_seconds_milliseconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    """What cannot be understood counts as absent; a date that has passed means now."""
    assert retry_after_seconds(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.requirement("HTU-06")
@given(text=st.text(max_size=80))
def test_no_header_text_breaks_the_reading_of_retry_after(text: str) -> None:
    """Any text gives None or a finite number that is not negative."""
    seconds = retry_after_seconds({"retry-after": text, "retry-after-ms": text}, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize(("text", "word"), [("true", True), (" False ", False), ("maybe", None), ("", None)])
def test_the_upstreams_own_word_about_a_retry_is_read(text: str, word: object) -> None:
    """Only true and false are words."""
    assert should_retry({"x-should-retry": text}) is word
    assert should_retry({}) is None


def test_header_names_count_in_any_case_and_the_first_of_a_repeated_one_wins() -> None:
    """Mappings and pairs are both taken."""
    pairs = [("Retry-After", "1"), ("retry-after", "2"), ("X-Request-ID", "req-9")]
    failure = classify_status(429, pairs, b"", NOW)
    assert (failure.retry_after, failure.upstream_request_id) == (1.0, "req-9")
    assert lower_headers({"A": "b"}) == {"a": "b"}


def test_the_request_id_is_found_under_the_names_of_several_vendors() -> None:
    """An empty one does not count."""
    assert upstream_request_id({"x-request-id": "", "apim-request-id": "a-1"}) == "a-1"
    assert upstream_request_id({}) is None


@pytest.mark.requirement("HTU-ERR-4002")
@pytest.mark.parametrize(
    ("statuses", "code", "retriable"),
    [
        ((400, 422, 404, 418), "INVALID_PARAMS", False),
        ((401, 403), "POOL_UNAVAILABLE", False),
        ((409, 425, 429), "ADMISSION_REJECT", True),
        ((408, 500, 501, 502, 503, 504, 507, 520, 529), "POOL_UNAVAILABLE", True),
        ((410,), "MODEL_DEPRECATED", False),
        ((301, 308), "INTERNAL", False),
    ],
)
def test_each_status_reaches_the_orchestrator_as_the_code_of_its_reason(
    statuses: tuple[int, ...], code: str, retriable: bool
) -> None:
    """The reason carries a status into the contract's codes."""
    for status in statuses:
        row = reason_row(reason_for_status(status)[0])
        assert (row.code, row.retriable) == (code, retriable)


@pytest.mark.requirement("HTU-ERR-4002")
@pytest.mark.parametrize("reason", ["idle_timeout", "content_timeout"])
def test_a_timeout_is_the_pools_before_the_start_and_the_decoders_after_it(reason: str) -> None:
    """Both may be tried again."""
    rows = [reason_row(reason), reason_row(reason, streaming=True)]
    assert [(row.code, row.retriable) for row in rows] == [("POOL_UNAVAILABLE", True), ("DECODE_TIMEOUT", True)]


def test_received_headers_are_text_by_lower_case_name() -> None:
    """Of a repeated one the first counts; a value that is not ASCII is UTF-8, or else Latin-1."""
    raw = [(b"X-A", b"1"), (b"x-a", b"2"), (b"Utf", "é".encode()), (b"latin", b"caf\xe9")]
    assert received_headers(raw) == {"x-a": "1", "utf": "é", "latin": "café"}
