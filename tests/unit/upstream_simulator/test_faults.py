from __future__ import annotations

import pytest

from upstream_simulator.faults import NO_FAULTS, InvalidFault, read_faults


@pytest.mark.requirement("SIM-06")
def test_both_spellings_mean_the_same() -> None:
    """JSON and the compact form, dashes and underscores, numbers and their text."""
    compact = read_faults("status=429; retry-after=2;crlf;omit=done,finish;stall_at=5;stall=0.5")
    spelled = read_faults(
        '{"status":429,"retry_after":"2","crlf":true,"omit":["done","finish"],"stall_at":5,"stall":0.5}'
    )
    assert compact == spelled
    assert spelled == read_faults({"status": 429, "retry-after": "2", "crlf": True, "omit": ["done", "finish"],
                                   "stall_at": 5, "stall": 0.5})  # fmt: skip


@pytest.mark.requirement("SIM-06")
@pytest.mark.parametrize("nothing", [None, "", " ; ", {}, "{}"])
def test_no_wish_means_no_faults(nothing: str | dict[str, object] | None) -> None:
    """Nothing asked for, nothing done."""
    assert read_faults(nothing) == NO_FAULTS


@pytest.mark.requirement("SIM-06")
@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ("statuss=1", "statuss"),
        ("status=99", "status"),
        ("cut=-1", "cut"),
        ("cut_by=axe", "cut_by"),
        ("stall_at=middle", "stall_at"),
        ("omit=done,bread", "omit"),
        ('{"status":', "JSON"),
        ("ping_every=0", "ping_every"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_name(wish: str, named: str) -> None:
    """The message says which fault, and what it would take."""
    with pytest.raises(InvalidFault, match=named):
        read_faults(wish)


@pytest.mark.requirement("SIM-06")
@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("cut_by=axe", "cut_by: expected one of reset, close, goaway"),
        ("goaway=no", "goaway: expected one of below, allowed"),
        ("omit=done,bread", "omit: expected one of role, finish, done, usage, created"),
        ("stattus=1", "unknown fault 'stattus'; did you mean 'status'?"),
        ("zzz", "unknown fault 'zzz'; there are: path, times, status, "),
        ("stall_at=middle", "stall_at: "),
        ("status=99", "status: Expected `int` >= 200"),
    ],
)
def test_a_refused_wish_says_what_would_be_accepted(wish: str, says: str) -> None:
    """Words that a fault takes are listed, and names that are nearly right are found."""
    with pytest.raises(InvalidFault) as caught:
        read_faults(wish)
    assert str(caught.value).startswith(f"fault not understood: {says}")


@pytest.mark.requirement("SIM-06")
def test_a_body_may_be_text_or_anything_json_has() -> None:
    """Compact wishes give text, JSON wishes whatever they hold; values may contain an equals sign."""
    assert read_faults("body=a=b").body == "a=b"
    assert read_faults('{"body":{"a":[1]}}').body == {"a": [1]}
