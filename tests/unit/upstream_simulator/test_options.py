from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from upstream_simulator import InvalidOption, Options
from upstream_simulator.options import _KINDS


@pytest.mark.requirement("SIM-01")
@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_addresses_are_accepted(host: str) -> None:
    """Everything that stays on this machine will do."""
    assert Options(host=host).host == host


@pytest.mark.requirement("SIM-01")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_other_addresses_are_refused(host: str) -> None:
    """What could be reached from outside is not listened on."""
    with pytest.raises(InvalidOption, match="loopback only"):
        Options(host=host)


@pytest.mark.requirement("SIM-01")
@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65536},
        {"tls_port": 65536},
        {"flavour": "none"},
        {"words": "rude"},
        {"tokens": -1},
        {"tokens_per_second": float("nan")},
        {"tokens_per_write": 0},
        {"first_token_delay": -0.1},
        {"context": 0},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    """The message names the option and its value."""
    (name,) = wrong
    with pytest.raises(InvalidOption, match=name):
        Options(**wrong)


@pytest.mark.requirement("SIM-01")
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"port": "x"}, "port: expected an integer, got str"),
        ({"port": True}, "port: expected an integer, got bool"),
        ({"tls_port": "0"}, "tls_port: expected an integer, or None, got str"),
        ({"http2": 1}, "http2: expected True or False, got int"),
        ({"tokens_per_second": "20"}, "tokens_per_second: expected a number, got str"),
        ({"models": "m"}, "models: expected a tuple of texts, got str"),
        ({"flavour": ["vllm"]}, "flavour: expected a text, got list"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(wrong: dict[str, Any], says: str) -> None:
    """Before it is compared with anything."""
    with pytest.raises(InvalidOption) as caught:
        Options(**wrong)
    assert str(caught.value) == says
    assert {each.name for each in fields(Options)} == set(_KINDS)


@pytest.mark.requirement("SIM-01")
def test_values_at_the_limits_are_accepted() -> None:
    """The ends of every range belong to it."""
    options = Options(port=65535, tls_port=0, tokens=0, tokens_per_second=0, tokens_per_write=1, context=1)
    assert (options.port, options.context) == (65535, 1)
