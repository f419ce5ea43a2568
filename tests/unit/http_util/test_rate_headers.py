"""What an upstream says about its limits: durations, counts, and values that nobody sent in good faith."""

from __future__ import annotations

import pytest

from http_util.rate_headers import Allowance, RateHeaders, asked_pause, duration_seconds, whole_number


@pytest.mark.requirement("RL-05")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1d2h3m4.5s", 93_784.5),
        ("2m59.56s", 179.56),
        ("1h", 3600.0),
        ("1s250ms", 1.25),
        ("7.5ms", 0.0075),
        ("0s", 0.0),
        ("366d", 31_622_400.0),
        ("60", 60.0),
        ("0.25", 0.25),
        (" 1s ", 1.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    """Each unit by itself and with others, fractions, and the plain seconds of other servers."""
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.requirement("RL-05")
@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "s",
        "soon",
        "-1s",
        "+1s",
        "1s1m",
        "1m1m",
        "1.5m",
        "1 s",
        "1e3s",
        "1_000s",
        "nan",
        "NaNs",
        "inf",
        "1e12",
        "\u0661s",
        "\uff11s",
        "1s\n1s",
        "367d",
        "99999999999999999999999999s",
        "9" * 400,
        "9" * 400 + "s",
        ".5s",
        "5.s",
        "2023-11-14T22:13:20Z",
    ],
)
def test_what_is_no_duration_counts_as_not_said(text: str | None) -> None:
    """Negative, not a number, out of order, too long, absurdly large, another script's digits: None, and no error."""
    assert duration_seconds(text) is None


@pytest.mark.requirement("RL-05")
@pytest.mark.parametrize("text", [None, "", "-1", "1.0", "1e3", "\u0661", "1_0", "9" * 19, "0x10", "many"])
def test_what_is_no_count_counts_as_not_said(text: str | None) -> None:
    """None, and no error."""
    assert whole_number(text) is None


@pytest.mark.requirement("RL-05")
def test_requests_and_tokens_are_told_apart() -> None:
    """Three values each; a bad one hides only itself."""
    told = RateHeaders.of(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "minus one",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )
    assert told == RateHeaders(requests=Allowance(60, 59, 1.0), tokens=Allowance(150_000, None, 360.0))


@pytest.mark.requirement("RL-05")
@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"x-ratelimit-limit-requests": "none"}])
def test_an_answer_without_limits_says_nothing(headers: dict[str, str]) -> None:
    """Not six times None."""
    assert RateHeaders.of(headers) is None


def _asked(headers: dict[str, str]) -> float | None:
    return asked_pause(headers, RateHeaders.of(headers))


@pytest.mark.requirement("RL-04")
def test_a_refusal_says_how_long_it_holds() -> None:
    """In seconds, in milliseconds, as a date beside its own date; or by the reset of what is used up."""
    written = {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}
    used_up = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12s"}
    assert _asked({"retry-after": "7"}) == 7.0
    assert _asked({"retry-after": "7", "retry-after-ms": "250"}) == 0.25
    assert _asked({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", **written}) == 30.0
    assert _asked({"retry-after": "7", **used_up}) == 7.0
    assert _asked(used_up) == 12.0
    assert _asked({**used_up, "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"}) == 20.0


@pytest.mark.requirement("RL-04")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "12s"},
        {"x-ratelimit-remaining-tokens": "0"},
        {"retry-after": "NaN"},
        {"retry-after": "-3"},
    ],
)
def test_a_refusal_may_say_nothing(headers: dict[str, str]) -> None:
    """What is not used up does not count, and a senseless value is none."""
    assert _asked(headers) is None


def test_a_date_without_a_date_beside_it_means_now() -> None:
    """There is nothing to compare it with."""
    assert _asked({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}) == 0.0
    assert _asked({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "date": "yesterday"}) == 0.0
