from __future__ import annotations

import pytest

from upstream_simulator.exchange_log import Exchange, ExchangeLog, carries_key, masked, shown_body


def exchange(number: int) -> Exchange:
    """A record with nothing remarkable in it."""
    return Exchange(
        number=number,
        connection=1,
        protocol="h2",
        method="POST",
        path="/",
        headers=[],
        has_authorization=False,
        body="",
        body_bytes=0,
        body_sha256="",
        faults={},
        received_at=1.0,
    )


@pytest.mark.requirement("SIM-08")
def test_who_waits_is_woken_by_the_last_exchange_to_end() -> None:
    """Not by the first; at once if nothing goes on."""
    log, woken = ExchangeLog(), []
    first, second = exchange(1), exchange(2)
    log.add(first)
    log.add(second)
    log.when_settled(lambda: woken.append("later"))
    log.end(first, "completed", 2.0)
    assert woken == []
    assert repr(log) == "<ExchangeLog 2 exchanges, 1 open>"
    log.end(second, "reset", 3.0)
    log.when_settled(lambda: woken.append("at once"))
    assert woken == ["later", "at once"]
    assert (second.left, second.ended_at) == ("reset", 3.0)


@pytest.mark.requirement("SIM-08")
def test_records_are_given_by_number_and_forgotten_on_demand() -> None:
    """Clearing forgets the records, not what still goes on."""
    log = ExchangeLog()
    for number in (1, 2, 3):
        log.add(exchange(number))
    assert [one.number for one in log.since(1)] == [2, 3]
    log.clear()
    assert log.since(0) == []
    assert not log.is_settled


@pytest.mark.requirement("SIM-08")
def test_credentials_become_fingerprints() -> None:
    """The same key has the same fingerprint; other headers stay; a cookie is secret but no key."""
    headers = [("authorization", "Bearer k"), ("api-key", "Bearer k"), ("accept", "*/*"), ("cookie", "c")]
    (_, first), (_, second), third, (_, cookie) = masked(headers)
    assert first == second != cookie
    assert first.startswith("sha256:")
    assert third == ("accept", "*/*")
    assert carries_key(headers)
    assert not carries_key(headers[2:])


@pytest.mark.requirement("SIM-08")
def test_a_long_body_is_shown_in_part() -> None:
    """64 KiB are enough to look at."""
    assert len(shown_body(b"x" * 100_000)) == 65_536
    assert shown_body(b"\xff") == "\ufffd"
