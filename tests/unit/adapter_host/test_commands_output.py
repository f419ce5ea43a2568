from __future__ import annotations

import io
import json

import pytest

from adapter_api import Attempt, Outcome, TokenEvent, WorkerError, token
from adapter_api.testing import answer
from adapter_host.commands import embedded, prompt, show
from adapter_host.commands.exit_codes import FAILED, USAGE, CommandError, exit_code_of
from adapter_host.commands.output import JsonOutput, TextOutput, described, summary

pytestmark = pytest.mark.requirement("HST-14")


def aside(text: str, index: int, channel: str, **more: object) -> TokenEvent:
    """A token of another channel than text."""
    return TokenEvent("token", {"t": text, "i": index, "channel": channel} | more)


def test_reasoning_and_tool_calls_go_beside_the_answer(capsys):
    """Standard output is the answer and nothing else; refusals are part of it."""
    output = TextOutput()
    call = {"index": 0, "id": "c-1", "name": "look"}
    output.batch([aside("hm", 0, "reasoning"), aside(" yes", 1, "reasoning"), token("Well", 2)])
    output.batch([aside("{}", 3, "tool_call", tool_call=call), aside(" no", 4, "refusal")])
    output.end("5 tokens")
    out, err = capsys.readouterr()
    assert out == "Well\n no\n"
    assert err == "[reasoning] hm yes\n[tool_call look] {}\n[refusal]\n5 tokens\n"


def test_each_tool_call_has_a_header_of_its_own(capsys):
    """Where its index changes; not where its text goes on."""
    output = TextOutput()
    calls = [(0, "look", "{"), (0, None, "}"), (1, "find", "{}"), (0, None, "!")]
    for number, (index, name, text) in enumerate(calls):
        output.batch([aside(text, number, "tool_call", tool_call={"index": index, "name": name})])
    output.end("4 tokens")
    assert capsys.readouterr().err == "[tool_call look] {}\n[tool_call find] {}\n[tool_call] !\n4 tokens\n"


def test_an_answer_that_ends_its_line_gets_no_second_line_end(capsys):
    """What is written is what came."""
    output = TextOutput()
    output.batch([token("a\n", 0)])
    output.failure(WorkerError("reset", "the connection broke\x1b[2J"))
    out, err = capsys.readouterr()
    assert out == "a\n"
    assert err == "adapter-host: POOL_UNAVAILABLE (reset): the connection broke\\x1b[2J\n".replace("\\x1b", "\\u001b")


def test_json_shows_an_error_once(capsys):
    """An error event is not repeated; one that was raised becomes an event."""
    error = WorkerError("truncated", "cut", streaming=True)
    streamed, raised = JsonOutput(), JsonOutput()
    streamed.batch([*answer("a")[:2], TokenEvent("error", error.payload())])
    streamed.failure(error)
    raised.failure(error)
    raised.end("nothing")
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["started", "token", "error", "error"]


def test_a_failure_is_described_on_one_line():
    """With attempts, outcome and when to try again, where they are known."""
    attempt = Attempt(
        number=1, outcome=None, reason=None, http_status=429, delay=0.0, elapsed=0.1, endpoint="http://a:1"
    )
    error = WorkerError(
        "rate_limited", "429", retry_after_ms=500, outcome=Outcome.REJECTED, attempts=[attempt, attempt]
    )
    assert (
        described(error) == "ADMISSION_REJECT (rate_limited): 429; 2 attempts; outcome REJECTED; try again after 0.5 s"
    )


def test_a_summary_leaves_out_what_is_not_known():
    """No token, no time to the first."""
    assert summary({"finish_reason": "stop", "evidence": "done"}, first_token=None, seconds=1.0) == (
        "0 tokens, stop (evidence: done), 1 attempt"
    )
    one = {"tokens_out": 1, "finish_reason": "stop", "evidence": "done", "attempts": [{}, {}]}
    line = "1 token, first after 500 ms, stop (evidence: done), 2 attempts"
    assert summary(one, first_token=0.5, seconds=1.0) == line
    assert summary(one | {"http_version": "HTTP/2"}, first_token=0.5, seconds=1.0) == f"{line}, HTTP/2"


@pytest.mark.requirement("HST-13")
def test_the_users_mistakes_have_their_own_exit_code():
    """A wrong task or setting is usage, a failing pool is a failure."""
    assert [exit_code_of(WorkerError(reason, "x")) for reason in ("invalid_task", "egress_denied", "reset")] == [
        2,
        2,
        1,
    ]
    assert exit_code_of(WorkerError("pool_unknown", "x")) == 3
    assert CommandError("x").code == USAGE


def test_a_prompt_larger_than_its_bound_is_refused(monkeypatch):
    """One byte more than allowed, and not read to its end."""
    monkeypatch.setattr(prompt, "MAX_PROMPT_BYTES", 4)
    stdin = io.TextIOWrapper(io.BytesIO(b"12345678"))
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(CommandError, match="standard input is larger than 4 bytes"):
        prompt.read_prompt("-", None)
    assert stdin.buffer.read() == b"678"


@pytest.mark.slow
@pytest.mark.requirement("HST-15")
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit('no port is free')", "did not start: no port is free"),
        ("print('not json')", "did not start: it said nothing"),
    ],
)
async def test_an_embedded_upstream_that_does_not_start_is_one_line(code: str, says: str):
    """The last thing it said is told."""
    with pytest.raises(CommandError, match=says) as caught:
        async with embedded.embedded_upstream(("-c", code)):
            pass
    assert caught.value.code == FAILED


@pytest.mark.slow
@pytest.mark.requirement("HST-15")
async def test_an_embedded_upstream_that_hangs_is_bounded_and_ended(monkeypatch):
    """At its start, and at its end."""
    monkeypatch.setattr(embedded, "START_TIMEOUT", 0.2)
    monkeypatch.setattr(embedded, "STOP_TIMEOUT", 0.2)
    hanging = "import signal; signal.pause()"
    with pytest.raises(CommandError, match="it said nothing"):
        async with embedded.embedded_upstream(("-c", hanging)):
            pass


@pytest.mark.requirement("HST-17")
def test_on_a_terminal_a_table_is_drawn(monkeypatch, capsys):
    """Cells are shown, not obeyed."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show._print_table(("a", "b"), [("x", "[bold]\x1b[2J")])
    text = capsys.readouterr().out
    assert "[bold]\\u001b[2J" in text
    assert "┃" in text
