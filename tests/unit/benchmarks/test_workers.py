from __future__ import annotations

import pytest

from benchmarks import workers
from benchmarks.clients import BY_NAME
from benchmarks.scenarios import Load
from benchmarks.workers import ClientFailed, Worker, one_line


class NoUpstream:
    """An address that nobody calls."""

    http = https = "http://127.0.0.1:9/v1"
    ca_file = board = "nowhere"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def f(:", "raw: its process ended: SyntaxError: invalid syntax"),
        ("raise RuntimeError('two\\nlines')", "raw: its process ended: lines"),
        ("pass", "raw: its process ended: it said nothing"),
        ('print(\'{"error": "Wrong: a\\\\n  b"}\', flush=True); input()', "raw: Wrong: a b"),
    ],
)
def test_a_client_that_fails_is_told_on_one_line(monkeypatch, code, says):
    """Also one whose code was being edited: the last line of its traceback goes into the table, and no more."""
    monkeypatch.setattr(workers, "COMMAND", ("-c", code))
    with Worker(BY_NAME["raw"], "http1", NoUpstream(), Load()) as worker, pytest.raises(ClientFailed) as caught:
        worker.measure("cpu_per_token", Load(), patience=20)
    assert str(caught.value) == says


def test_a_long_line_is_cut():
    """A table has an end."""
    assert one_line("a\n b" + "c" * 400) == "a b" + "c" * 297
