"""The structlog processor that keeps secrets out of our own lines."""

from __future__ import annotations

import logging

import pytest
import structlog

from http_util.log import RedactSecrets, get_logger, is_taken
from http_util.secret import Secret


@pytest.mark.requirement("LOG-05", "HTU-1004", "SEC-07")
def test_a_line_is_masked_by_name_by_value_and_by_shape() -> None:
    """Known secrets, sensitive names, shapes, nested values and control characters."""
    line = {
        "event": "sent Bearer hunter2hunter2\n",
        "authorization": "x",
        "api_key": None,
        "note": "my-plain-passphrase here",
        "headers": {"cookie": "a=b"},
        "attempt": 1,
    }
    assert RedactSecrets([Secret("my-plain-passphrase")])(None, "info", line) == {
        "event": "sent Bearer ****\\n",
        "authorization": "****",
        "api_key": None,
        "note": "**** here",
        "headers": {"cookie": "****"},
        "attempt": 1,
    }


@pytest.mark.requirement("LOG-05")
def test_without_a_configured_structlog_lines_go_redacted_to_the_standard_loggers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Below a warning they say nothing unless asked; nothing is printed."""
    structlog.reset_defaults()
    log = get_logger("http_util.test")
    log.info("quiet")
    log.warning("loud", api_key="hunter2", note="line\nbreak")
    assert [record.getMessage() for record in caplog.records] == [
        "event='loud' api_key='****' note='line\\\\nbreak'",
    ]


@pytest.mark.requirement("LOG-05")
def test_a_configured_structlog_gets_the_lines_through_its_own_chain() -> None:
    """Also when it was configured after the module was loaded."""
    with structlog.testing.capture_logs() as lines:
        get_logger("http_util.test").warning("loud", attempt=1)
    assert lines == [{"event": "loud", "attempt": 1, "log_level": "warning"}]


@pytest.mark.requirement("LOG-05")
def test_a_line_is_taken_unless_it_is_certain_that_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard logger's level, the level of a filtering logger; anybody else's chain may want every line."""
    structlog.reset_defaults()
    logger = logging.getLogger("http_util.test")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    logger.setLevel(logging.WARNING)
    assert [is_taken("http_util.test", level) for level in (logging.INFO, logging.WARNING)] == [False, True]
    logger.setLevel(logging.INFO)
    assert is_taken("http_util.test", logging.INFO)
    try:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        assert [is_taken("http_util.test", level) for level in (logging.WARNING, logging.ERROR)] == [False, True]
        structlog.configure(wrapper_class=structlog.BoundLogger)
        assert is_taken("http_util.test", logging.DEBUG)
    finally:
        structlog.reset_defaults()
