"""The audit trail: which secret, where, for whom, how often; never what."""

from __future__ import annotations

import inspect
import threading

import pytest

from http_util.config import HttpConfig
from http_util.engine.proxies import Forwarding
from http_util.secret import Secret, bearer_headers
from http_util.secret_audit import SecretAudit

KEY = "Kanarie0123456789abcdef"


@pytest.mark.requirement("SEC-06")
def test_every_reading_is_recorded_with_the_line_that_read() -> None:
    """File, line and function of the call of `reveal`, and a number that only grows."""
    audit = SecretAudit()
    secret = Secret(KEY).audited(audit)
    assert secret.reveal() == KEY
    line = inspect.currentframe().f_lineno - 1
    secret.reveal()
    first, second = audit.readings
    assert (first.number, second.number, audit.count) == (1, 2, 2)
    here = "test_every_reading_is_recorded_with_the_line_that_read"
    assert (first.file, first.line, first.function) == (__file__, line, here)
    assert first.caller == f"{__file__}:{line} {here}"


@pytest.mark.requirement("SEC-06")
def test_what_the_library_reads_is_recorded_with_its_own_line_and_for_whom() -> None:
    """The header of a proxy is written deep inside; the trail names the place, and whose call it was."""
    audit = SecretAudit()
    Forwarding.of(Secret("user:password").audited(audit))
    (reading,) = audit.readings
    assert (reading.file.rpartition("/")[2], reading.function) == ("proxies.py", "_basic")
    assert reading.caller.startswith(f"{__file__}:")


@pytest.mark.requirement("SEC-06")
def test_a_helper_of_the_secrets_own_module_is_not_the_place() -> None:
    """Who asks for the header reads the key."""
    audit = SecretAudit()
    bearer_headers(Secret(KEY).audited(audit))
    assert audit.readings[0].file == __file__


@pytest.mark.requirement("SEC-06", "SEC-01")
def test_only_a_reading_is_one() -> None:
    """Printing, comparing, copying and hashing a secret shows its value to nobody, and is not recorded."""
    audit = SecretAudit()
    secret = Secret(KEY).audited(audit)
    assert f"{secret} {secret!r}" == "Secret(****) Secret(****)"
    assert secret == Secret(KEY)
    assert Secret(KEY) == secret
    assert hash(secret) == hash(Secret(KEY))
    Secret(secret)
    assert audit.count == 0


@pytest.mark.requirement("SEC-06")
def test_the_trail_goes_wherever_the_secret_goes() -> None:
    """Through copies and through settings; several trails may follow one secret, each once."""
    one, two = SecretAudit(), SecretAudit()
    secret = Secret(KEY).audited(one).audited(two).audited(one).audited(None)
    Secret(secret).reveal()
    assert (one.count, two.count) == (1, 1)
    config = HttpConfig(base_url="https://a.example", proxy="http://p.example", proxy_auth=Secret("a:b").audited(one))
    config.proxy_auth.reveal()
    # the settings look whether it has a colon
    assert {reading.function for reading in one.readings} >= {
        "_credential_lengths",
        "test_the_trail_goes_wherever_the_secret_goes",
    }


@pytest.mark.requirement("SEC-06")
def test_an_id_is_the_same_for_the_same_secret_within_one_trail_only() -> None:
    """It tells secrets apart, and tells nothing to who has another trail."""
    one, two = SecretAudit(), SecretAudit()
    for value in (KEY, KEY, f"{KEY}x"):
        Secret(value).audited(one).reveal()
    Secret(KEY).audited(two).reveal()
    first, again, other = (reading.secret_id for reading in one.readings)
    assert first == again != other
    assert two.readings[0].secret_id != first
    assert len(first) == 12


@pytest.mark.requirement("SEC-06")
def test_the_trail_is_bounded_and_counts_on() -> None:
    """The oldest readings go; the count does not."""
    audit = SecretAudit(capacity=2)
    secret = Secret(KEY).audited(audit)
    for _ in range(5):
        secret.reveal()
    assert [reading.number for reading in audit.readings] == [4, 5]
    assert repr(audit) == "SecretAudit(<5 readings>)"
    with pytest.raises(ValueError, match="capacity must be 1 or more, not 0"):
        SecretAudit(capacity=0)


@pytest.mark.requirement("SEC-06", "SEC-01")
def test_the_trail_holds_no_part_of_a_secret() -> None:
    """Neither in what it prints nor in what it keeps."""
    audit = SecretAudit()
    Secret(KEY).audited(audit).reveal()
    assert KEY[:8] not in repr(audit) + repr(audit.readings) + repr(vars(audit))


@pytest.mark.requirement("SEC-06")
def test_threads_may_share_a_trail() -> None:
    """No number is given twice, none is left out."""
    audit = SecretAudit(capacity=400)
    secret = Secret(KEY).audited(audit)
    threads = [threading.Thread(target=lambda: [secret.reveal() for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reading.number for reading in audit.readings] == list(range(1, 401))
