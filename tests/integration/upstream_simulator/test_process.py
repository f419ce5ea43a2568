"""The simulator as a process: how it starts, what it prints, when it ends."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import upstream_simulator
from tests.lateness import in_time, late_only_once
from upstream_simulator import InvalidOption, SimulatorError

pytestmark = [pytest.mark.integration, pytest.mark.requirement("SIM-11")]
COMMAND = [sys.executable, "-m", "upstream_simulator"]


def test_the_ready_line_names_what_a_client_needs_and_stdin_ends_the_process() -> None:
    """One JSON line on stdout; with --exit-with-stdin the process ends with its starter, and its CA file goes too."""
    with subprocess.Popen(
        [*COMMAND, "--tls-port", "0", "--exit-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        ready = json.loads(child.stdout.readline())
        assert set(ready) == {"base_url", "tls_base_url", "ca_file", "pid"}
        assert ready["pid"] == child.pid
        assert ready["base_url"].startswith("http://127.0.0.1:")
        assert "BEGIN CERTIFICATE" in Path(ready["ca_file"]).read_text()
        child.stdin.close()
        assert child.wait(5) == 0
        assert not Path(ready["ca_file"]).exists()


def test_a_terminate_signal_ends_it_in_order() -> None:
    """SIGTERM is an orderly end, exit code 0."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
        assert child.wait(5) == 0


@pytest.mark.requirement("SIM-01")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--port", "99999"], "port 99999"),
        (["--tokens-per-second", "-1"], "tokens_per_second"),
        (["--flavour", "petunia"], "petunia"),
    ],
)
def test_an_option_that_cannot_work_is_refused(arguments: list[str], said: str) -> None:
    """Exit code 2 and one line that names the option; nothing on stdout."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr


def test_ctrl_c_leaves_a_simulator_to_its_starter() -> None:
    """SIGINT reaches everything in a terminal; a simulator tied to stdin goes on serving until that closes."""
    with upstream_simulator.start() as simulator:
        os.kill(simulator.pid, signal.SIGINT)
        assert simulator.log() == []


def test_a_taken_port_is_said(simulator: Any) -> None:
    """start() raises with what the child wrote."""
    port = int(simulator.base_url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(SimulatorError, match="address already in use"):
        upstream_simulator.start(port=port)


@pytest.mark.requirement("SIM-01")
def test_start_refuses_options_before_it_starts_anything() -> None:
    """Wrong values raise in the caller's process, unknown names too."""
    with pytest.raises(InvalidOption, match=r"host '192\.168\.0\.1'"):
        upstream_simulator.start(host="192.168.0.1")
    with pytest.raises(TypeError, match="speed"):
        upstream_simulator.start(speed=3)


def test_options_reach_the_child_and_stop_ends_it(tmp_path: Path) -> None:
    """Every option given to start() shapes the server; after stop() nobody answers, and stopping twice is fine."""
    ca_file = tmp_path / "ca.pem"
    simulator = upstream_simulator.start(
        api_key="sk-right", models=("a", "b/c"), flavour="vllm", tokens=3, tls_port=0, ca_file=str(ca_file)
    )
    with simulator, httpx.Client(base_url=simulator.base_url, trust_env=False) as client:
        assert client.get("/models").json() == {"error": "Unauthorized"}
        right = {"authorization": "Bearer sk-right"}
        listed = client.get("/models", headers=right).json()["data"]
        assert [model["id"] for model in listed] == ["a", "b/c"]
        assert client.get("/models/b%2Fc", headers=right).json()["owned_by"] == "vllm"
        unknown = client.post("/chat/completions", headers=right, json={"model": "x", "messages": [{"role": "user"}]})
        assert unknown.status_code == 404
        known = client.post("/chat/completions", headers=right, json={"model": "a", "messages": [{"role": "user"}]})
        assert known.json()["usage"]["completion_tokens"] == 3
        assert ca_file.exists()
        assert str(simulator.pid) in repr(simulator)
    simulator.stop()
    assert ca_file.exists()
    with pytest.raises(SimulatorError, match="does not answer"):
        simulator.log()


@late_only_once
def test_it_starts_fast() -> None:
    """A plain server is ready in well under a second, so a demo or a test need not share one."""
    started = time.monotonic()
    with upstream_simulator.start():
        seconds = time.monotonic() - started
    in_time(seconds, 1.5, "the start")


def test_it_dies_with_its_starter() -> None:
    """A starter that is killed leaves no simulator behind."""
    code = "import upstream_simulator, sys; s = upstream_simulator.start(); print(s.pid, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        handle = os.pidfd_open(pid)
        starter.kill()
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(5000), "the simulator is still there"
        os.close(handle)


def test_a_terminal_gets_a_greeting() -> None:
    """Beside the ready line, a person reads where it is and how to stop it."""
    person, terminal = pty.openpty()
    with subprocess.Popen([*COMMAND, "--tls-port", "0"], stdout=subprocess.PIPE, stderr=terminal) as child:
        assert child.stdout is not None
        ready = json.loads(child.stdout.readline())
        seen = b""
        while b"Ctrl-C" not in seen:
            seen += os.read(person, 4096)
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == 0
    os.close(person)
    os.close(terminal)
    assert ready["base_url"].encode() in seen
    assert ready["tls_base_url"].encode() in seen
