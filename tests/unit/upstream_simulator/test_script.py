from __future__ import annotations

import pytest

from upstream_simulator.faults import NO_FAULTS, InvalidFault
from upstream_simulator.script import Script, read_script


@pytest.mark.requirement("SIM-06", "TST-08")
def test_entries_are_used_up_in_order_by_posts_only() -> None:
    """A sequence of failures is decided beforehand; a GET does not disturb it."""
    script = Script()
    assert script.add(["status=500", None, {"status": 503, "times": 2}]) == 3
    assert script.take("GET", "/v1/models") == NO_FAULTS
    assert [script.take("POST", "/x").status for _ in range(5)] == [500, None, 503, 503, None]
    assert repr(script) == "<Script 0 waiting>"


@pytest.mark.requirement("SIM-06")
def test_an_entry_with_a_path_waits_for_it() -> None:
    """Other requests pass by; the method does not matter."""
    script = Script()
    script.add(["path=/v1/models;status=500", "status=501"])
    assert script.take("POST", "/x").status == 501
    assert script.take("POST", "/x").status is None
    assert script.take("GET", "/v1/models").status == 500


@pytest.mark.requirement("SIM-06")
def test_always_holds_until_it_is_cleared() -> None:
    """What always applies gives way to the queue only."""
    script = Script()
    script.add(["status=501"], always="status=500")
    script.add([])
    assert [script.take("POST", "/x").status for _ in range(3)] == [501, 500, 500]
    script.clear()
    assert script.take("POST", "/x") == NO_FAULTS


@pytest.mark.requirement("SIM-06")
def test_a_wrong_entry_adds_nothing() -> None:
    """All or none."""
    script = Script()
    with pytest.raises(InvalidFault):
        script.add(["status=500", "nonsense"])
    assert script.take("POST", "/x") == NO_FAULTS


@pytest.mark.requirement("SIM-06")
def test_a_script_is_a_list_or_a_queue_with_an_always() -> None:
    """Both forms are read, anything else is refused."""
    assert read_script(b'["crlf",null]') == (["crlf", None], None)
    assert read_script(b'{"queue":[],"always":"crlf"}') == ([], "crlf")
    for wrong in (b"3", b'{"q":[]}', b"[", b"[1]"):
        with pytest.raises(InvalidFault, match="script"):
            read_script(wrong)
