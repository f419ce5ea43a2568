from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from importlib.metadata import version

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEY = "sk-commandline-abcdefgh12345678"
ECHO = "[pools.chat]\nadapter = 'echo'\n"


@pytest.mark.requirement("HST-15")
def test_run_without_anything_streams_from_the_embedded_upstream(adapter_host):
    """Tokens on standard output, plain; what it does and the summary on standard error."""
    result = adapter_host("run", "--max-tokens", "5")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.split()) == 5
    assert b"\x1b" not in result.stdout + result.stderr
    first, last = result.stderr.decode().splitlines()
    assert first == "adapter-host: no configuration found: starting the embedded upstream, a simulator on loopback"
    assert last.startswith("5 tokens, first after ")
    assert last.endswith("length (evidence: finish_reason), 1 attempt, HTTP/1.1")


@pytest.mark.requirement("HST-14", "HST-15")
def test_run_json_is_one_event_a_line(adapter_host):
    """started, tokens, end; nothing else on standard output, and the same seed gives the same tokens."""
    runs = [adapter_host("run", "--json", "--seed", "7", "--max-tokens", "4", "Hello") for _ in range(2)]
    lines = [[json.loads(line) for line in run.stdout.splitlines()] for run in runs]
    assert [event["kind"] for event in lines[0]] == ["started", "token", "token", "token", "token", "end"]
    assert [event["data"] for event in lines[0][1:-1]] == [event["data"] for event in lines[1][1:-1]]
    assert lines[0][-1]["data"]["usage"]["source"] == "upstream"


@pytest.mark.requirement("HST-14", "ADP-64")
def test_run_uses_the_configuration(adapter_host, sample_site, tmp_path):
    """By --config, by the variable, or by its place; the prompt from the argument, standard input or a file."""
    (tmp_path / "hosts.toml").write_text(ECHO)
    (tmp_path / "prompt.txt").write_text("from a file\n")
    one = adapter_host("run", "--config", "hosts.toml", "Grüße an alle", site=sample_site)
    assert (one.returncode, one.stdout.decode()) == (0, "Grüße an alle\n")
    two = adapter_host("run", "-", site=sample_site, stdin=b"from standard input", ADAPTER_HOST_CONFIG="hosts.toml")
    assert two.stdout == b"from standard input\n"
    (tmp_path / "hosts.toml").rename(tmp_path / "adapter-host.toml")
    three = adapter_host("run", "--pool", "chat", "--file", "prompt.txt", site=sample_site)
    assert three.stdout == b"from a file\n"


def test_run_takes_an_adapter_and_its_settings_from_the_command_line(command):
    """Numbers as TOML writes them."""
    result = command("run", "--adapter", "echo", "--set", "delay=0.001", "--set", "slots=1", "a b")
    assert (result.returncode, result.stdout) == (0, b"a b\n")


@pytest.mark.requirement("HST-13")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "--config", "hosts.toml"], 2, "PROMPT: expected a text, - for standard input, or --file"),
        (["run", "--config", "nowhere.toml", "x"], 2, "nowhere.toml: cannot be read: No such file or directory"),
        (["run", "--config", "hosts.toml", "--pool", "other", "x"], 3, "hosts.toml has no pool 'other'; it has: chat"),
        (["run", "--pool", "chat", "x"], 3, "--pool: there is no configuration"),
        (["run", "--adapter", "nobody", "x"], 3, "no adapter is installed as 'nobody'; installed: echo, openai-http"),
        (["run", "--adapter", "echo", "--set", "slots=0", "x"], 2, "--set slots: expected a whole number of"),
        (["run", "--adapter", "echo", "--set", "slots", "x"], 2, "--set: expected key=value, got 'slots'"),
        (["run", "--adapter", "echo", "--config", "hosts.toml", "x"], 2, "--config cannot stand beside --adapter"),
        (["run", "--base-url", "http://a.example/v1", "x"], 2, "--model: name the model to ask the upstream for"),
        (["run", "--base-url", "http://a.example/v1", "--model", "m", "x"], 2, "adapter-host: --base-url: must be"),
        (["run", "--base-url", "http://127.0.0.1:1/v1", "--api-key-env", "NO_KEY", "x"], 2, "'NO_KEY' is not set"),
        (["run", "--base-url", "http://127.0.0.1:1/v1", "--model", "m", "x"], 1, ": the upstream is not ready: no con"),
        (["run", "--config", "empty.toml", "x"], 2, "empty.toml names no pool; add a table such as [pools.chat]"),
        (["check", "--config", "empty.toml"], 2, "empty.toml names no pool; add a table such as [pools.chat]"),
        (["run", "--config", "hosts.toml", "--file", "prompt.txt", "x"], 2, "give a prompt or --file, not both"),
        (["run", "--config", "hosts.toml", "--file", "missing.txt"], 2, "--file: 'missing.txt' cannot be read"),
        (["run", "--config", "hosts.toml", "--file", "bad.txt"], 2, "the file 'bad.txt' is not UTF-8 (at byte 1)"),
        (["run", "--config", "hosts.toml", "-"], 2, "standard input is empty; expected a prompt"),
        (["run", "--config", "hosts.toml", ""], 2, "PROMPT: expected a text, got an empty one"),
        (["run", "--config", "hosts.toml", "a\x07b"], 2, "prompt: expected no control characters"),
        (["run", "--config", "hosts.toml", "--temperature", "9", "x"], 2, "temperature: expected a number from 0 to 2"),
        (["run", "--max-tokens", "0", "x"], 2, "--max-tokens"),
        (["run", "--no-such-option"], 2, "--no-such-option"),
        (["check"], 2, "no configuration: name one with --config or ADAPTER_HOST_CONFIG"),
        (["check", "--config", "hosts.toml", "--pool", "other"], 3, "hosts.toml has no pool 'other'"),
        (
            ["config", "--config", "wrong.toml"],
            2,
            "wrong.toml: pools.chat.settings.slots: expected a whole number of at least 1, got a text",
        ),
        (
            ["config", "--config", "unknown.toml"],
            3,
            "unknown.toml: pools.chat.adapter: no adapter",
        ),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(command, tmp_path, arguments, code, says):
    """No traceback, nothing on standard output."""
    (tmp_path / "hosts.toml").write_text(ECHO)
    (tmp_path / "empty.toml").touch()
    (tmp_path / "wrong.toml").write_text(ECHO + "settings = { slots = 'x' }")
    (tmp_path / "unknown.toml").write_text("[pools.chat]\nadapter = 'nope'")
    (tmp_path / "prompt.txt").write_text("x")
    (tmp_path / "bad.txt").write_bytes(b"a\xffb")
    result = command(*arguments)
    text = result.stderr.decode()
    assert says in text
    assert (result.returncode, result.stdout) == (code, b"")
    assert "Traceback" not in text


def test_a_failed_task_in_json_is_an_error_event(command):
    """With its code, and exit code 1."""
    result = command("run", "--json", "--base-url", "http://127.0.0.1:1/v1", "--model", "m", "x")
    (line,) = result.stdout.splitlines()
    assert result.returncode == 1
    assert json.loads(line)["kind"] == "error"


@pytest.mark.requirement("HST-16")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_cancel_the_task(sample_site, tmp_path, number, code):
    """130 and 143; the end of a cancelled task is shown; the process does not linger."""
    (tmp_path / "adapter-host.toml").write_text(ECHO + "settings = { delay = 0.05 }")
    command = [sys.executable, "-c", "from adapter_host.cli import main; main()", "run", "--json", "word " * 60]
    environment = os.environ | {"PYTHONPATH": str(sample_site)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
    assert json.loads(lines[0])["kind"] == "started"
    end = json.loads(rest.splitlines()[-1])
    assert (end["kind"], end["data"]["finish_reason"]) == ("end", "cancelled")
    assert process.returncode == code
    assert errors == b""


@pytest.mark.requirement("HST-16")
def test_a_reader_that_leaves_is_no_crash(sample_site, tmp_path):
    """As `| head -1` does: exit code 141 and not a word."""
    command = [sys.executable, "-c", "from adapter_host.cli import main; main()", "run", "--adapter", "echo"]
    with subprocess.Popen(
        [*command, "--json", "--max-tokens", "8192", "--set", "delay=0.001", "word " * 3000],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(sample_site)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=20)
    assert (process.returncode, errors) == (141, b"")


@pytest.mark.requirement("HST-16")
@pytest.mark.parametrize(
    ("where", "said"), [(">&-", b"standard output is closed"), ("> /dev/full", b"standard output cannot be written")]
)
def test_an_output_that_takes_nothing_is_one_line(sample_site, tmp_path, where, said):
    """Closed by the shell, or full: exit code 141, and no traceback."""
    command = f'exec "$0" -c "from adapter_host.cli import main; main()" run --adapter echo hello {where}'
    ran = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(sample_site)},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 141
    assert ran.stderr.count(b"\n") == 1
    assert said in ran.stderr


@pytest.mark.requirement("HST-14")
def test_on_a_terminal_tokens_come_one_by_one_and_control_characters_are_shown(sample_site, tmp_path):
    """The first word is there long before the last; an escape sequence does not reach the terminal."""
    (tmp_path / "p.txt").write_text("one two\u202ethree four five six")
    main, child = pty.openpty()
    command = [sys.executable, "-c", "from adapter_host.cli import main; main()", "run", "--adapter", "echo"]
    with subprocess.Popen(
        [*command, "--set", "delay=0.1", "--file", "p.txt"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(sample_site)},
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=child,
    ) as process:
        os.close(child)
        pieces: list[tuple[float, bytes]] = []
        while piece := _read(main):
            pieces.append((time.monotonic(), piece))
    os.close(main)
    text = b"".join(piece for _, piece in pieces).decode()
    assert process.returncode == 0
    assert "two\\u202ethree" in text
    assert "\x1b[2m5 tokens, first after " in text
    assert pieces[-1][0] - pieces[0][0] > 0.2


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # what Linux says when the other side has closed
        return b""


@pytest.mark.requirement("HST-17")
def test_check_asks_every_pool(command, tmp_path):
    """0 when all are ready, 1 when one is not; with --json one object for each replica."""
    (tmp_path / "good.toml").write_text(ECHO)
    good = command("check", "--config", "good.toml", "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["replicas"] == [
        {
            "pool_id": "chat",
            "replica_id": "0",
            "adapter": "echo",
            "live": True,
            "ready": True,
            "slots_free": 8,
            "slots_total": 8,
            "engine_version": "echo-1",
            "detail": "",
        }
    ]
    down = "[pools.down]\nadapter = 'openai-http'\nsettings = { base_url = 'http://127.0.0.1:1/v1' }\n"
    (tmp_path / "mixed.toml").write_text(ECHO + down)
    mixed = command("check", "--config", "mixed.toml")
    assert mixed.returncode == 1
    header, chat, other = (line.split("\t") for line in mixed.stdout.decode().splitlines())
    assert header[:5] == ["pool", "replica", "adapter", "live", "ready"]
    assert header[5:] == ["free slots", "slots", "engine version", "detail"]
    assert chat[:8] == ["chat", "0", "echo", "True", "True", "8", "8", "echo-1"]
    assert other[:5] == ["down", "0", "openai-http", "False", "False"]
    assert command("check", "--config", "mixed.toml", "--pool", "chat").returncode == 0


@pytest.mark.requirement("HST-17", "AH-3001")
def test_config_prints_the_policies_in_force_and_no_secret(command, tmp_path):
    """Offline; warnings on standard error."""
    settings = f"settings = {{ base_url = 'https://a.example/v1', api_key = '{KEY}' }}"
    path = tmp_path / "hosts.toml"
    path.write_text(f"[pools.chat]\nadapter = 'openai-http'\n{settings}")
    path.chmod(0o600)
    plain = command("config", "--config", "hosts.toml")
    as_json = command("config", "--config", "hosts.toml", "--json")
    assert (plain.returncode, as_json.returncode) == (0, 0)
    assert b'pools.chat.replicas.0.retry.name = "billing_safe"\n' in plain.stdout
    assert b"host.breaker.failure_threshold = 5\n" in plain.stdout
    policies = json.loads(as_json.stdout)["pools"]["chat"]["replicas"]["0"]
    assert policies["base_url"] == "https://a.example/v1"
    assert b"warning: hosts.toml: pools.chat.settings.api_key: a secret stands in the file itself" in plain.stderr
    assert KEY.encode() not in plain.stdout + plain.stderr + as_json.stdout + as_json.stderr
    assert policies["api_key"] == "set"
    path.write_text("[pools.chat]\nadapter = 'openai-http'\nsettings = { base_url = 'https://a.example/v1' }")
    assert b"pools.chat.replicas.0.api_key = null\n" in command("config", "--config", "hosts.toml").stdout


@pytest.mark.requirement("HST-10", "HST-17", "ADP-14")
def test_config_tells_everything_that_can_be_seen_at_once(command, tmp_path):
    """What the file shows and what the adapters say; files that settings name included. One line each, offline."""
    (tmp_path / "hosts.toml").write_text(
        "[host]\nstricter = true\n"
        "[pools.a]\nadapter = 'openai_http'\n[pools.a.settings]\nbase_url = 'https://a.example/v1'\nhttp_2 = true\n"
        "[pools.b]\nadapter = 'openai-http'\n[pools.b.settings]\nbase_url = 'https://b.example/v1'\n"
        "api_key = { env = 'NO_KEY' }\negress = 'localhost'\nproxy_auth = 'nobody'\n"
        "[pools.c]\nadapter = 'openai-http'\n[pools.c.settings]\nbase_url = 'https://c.example/v1'\n"
        "ca_file = 'no.pem'\nclient_cert_file = 'no.pem'\nmodl = 'x'\n"
        "[pools.d]\nadapter = 'openai-http'\n[pools.d.settings]\nbase_url = 'https://d.example/openai'\n"
        "dialect = 'azure'\ndeployment = 'd'\n"
    )
    result = command("config", "--config", "hosts.toml")
    assert (result.returncode, result.stdout) == (2, b"")
    lines = result.stderr.decode().splitlines()
    assert [line.split(": ")[2] for line in lines] == [
        "pools.b.settings.api_key",
        "host.stricter",
        "pools.a.adapter",
        "pools.a.settings.http_2",
        "pools.b.settings.proxy_auth",
        "pools.b.settings.egress",
        "pools.c.settings.modl",
        "pools.c.settings.ca_file",
        "pools.c.settings.client_cert_file",
        "pools.d.settings.api_version",
    ]
    assert all(line.startswith("adapter-host: hosts.toml: ") for line in lines)


@pytest.mark.requirement("HST-17")
def test_config_warns_of_a_file_without_pools(command, tmp_path):
    """It is no mistake: pools may be bound by hand."""
    (tmp_path / "hosts.toml").touch()
    result = command("config", "--config", "hosts.toml")
    assert result.returncode == 0
    assert result.stderr.startswith(b"adapter-host: warning: hosts.toml names no pool")


@pytest.mark.requirement("HST-13")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("run --max-tokens 0 x", "--max-tokens: expected an integer of 1 or more, got '0'"),
        ("run --max-tokens a x", "--max-tokens: expected an integer of 1 or more, got 'a'"),
        ("run --deadline 0 x", "--deadline: expected 0.001 or more seconds, got '0'"),
        ("run --deadline nan x", "--deadline: expected 0.001 or more seconds, got 'nan'"),
        ("run --seed 1.5 x", "--seed: expected an integer, got '1.5'"),
        ("run --temperature warm x", "--temperature: expected a number, got 'warm'"),
        ("run --temperature 3 x", None),
        ("rum", "No such command 'rum'"),
        ("run --modle m", "No such option"),
    ],
)
def test_a_wrong_command_line_is_one_line(command, arguments, says):
    """Which option, and what it takes; in the manner of everything else that is wrong."""
    result = command(*arguments.split())
    (line,) = result.stderr.decode().splitlines()[-1:]
    assert result.returncode == 2
    assert result.stdout == b""
    if says is None:  # a field of the task, which says so itself
        assert "temperature: expected a number from 0 to 2" in line
    else:
        assert result.stderr.startswith(f"adapter-host: {says}".encode())
        assert result.stderr.count(b"\n") == 1


@pytest.mark.requirement("HST-13")
@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list", "-h"]])
def test_help_has_examples_and_exit_codes(command, arguments):
    """What a script has to know is in the help."""
    text = command(*arguments).stdout.decode()
    assert "Exit codes:" in text
    assert "130  interrupted by Ctrl-C" in text
    assert text.count("Examples:") <= 1
    assert "..." not in text.replace("[ARGS]...", "")
    if "list" not in arguments:
        assert "adapter-host run --pool chat" in text


def test_the_version_is_told(command):
    """On one line."""
    result = command("--version")
    assert (result.returncode, result.stdout) == (0, f"adapter-host {version('worker-adapters')}\n".encode())


@pytest.mark.requirement("HST-12")
def test_without_the_extra_it_says_how_to_get_it(tmp_path):
    """One line and exit code 2, on the bare install."""
    code = "import sys; sys.modules['typer'] = None\nfrom adapter_host.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert result.returncode == 2
    assert result.stderr == (
        "adapter-host: the command line needs typer; install it with: pip install 'worker-adapters[host]'\n"
    )


@pytest.mark.requirement("HST-17")
def test_list_on_standard_output_is_separated_by_tabs(command, install):
    """Good ones, and bad ones with their reason; strict makes bad ones a failure."""
    install("broken-dist", "raise RuntimeError('no')")
    rows = [line.split("\t") for line in command("list").stdout.decode().splitlines()]
    assert rows[0] == ["adapter", "version", "contract", "distribution", "state"]
    assert ["echo", "1.0.0", "1.0", "echo-adapter 1.0.0", "usable"] in rows
    bad = ["broken-dist", "-", "-", "broken-dist 1.0", "QUARANTINED: loading it raised RuntimeError: no"]
    assert bad in rows
    strict = command("list", "--json", "--strict")
    assert strict.returncode == 1
    assert json.loads(strict.stdout)["quarantined"][0]["distribution_version"] == "1.0"


@pytest.mark.requirement("AH-1003", "LOG-05")
def test_verbose_tells_the_story_on_standard_error(adapter_host):
    """JSON records with one correlation id; standard output has the answer only."""
    result = adapter_host("run", "--verbose", "--max-tokens", "2", "Hello")
    records = [json.loads(line) for line in result.stderr.splitlines() if line.startswith(b"{")]
    events = [record["event"] for record in records]
    assert {"task_submitted", "task_started", "task_ended"} <= set(events)
    assert len({record["correlation_id"] for record in records if "correlation_id" in record}) == 1
    assert len(result.stdout.split()) == 2
    assert "Hello" not in str(records)
