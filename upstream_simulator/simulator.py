"""
A simulator as a child process: started, asked and stopped from tests, demos and command lines.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from upstream_simulator.exchange_log import Exchange, Seen
from upstream_simulator.options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from upstream_simulator.faults import Wish


_START_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 30.0


class SimulatorError(RuntimeError):
    """
    The simulator did not start, or refused a control request; the message says why.
    """


class Simulator:
    """
    A running simulator process. It dies with its starter: its standard input closes then.

    Safe for threads; the methods block for about a millisecond.

    Spec: SIM-11
    """

    def __init__(self, process: subprocess.Popen[bytes], ready: Mapping[str, object], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self.base_url = str(ready["base_url"])
        """`http://127.0.0.1:PORT/v1`."""
        self.tls_base_url = _text(ready["tls_base_url"])
        """`https://127.0.0.1:PORT/v1`, or None without a TLS port."""
        self.ca_file = _text(ready["ca_file"])
        """Certificate (PEM) to trust for `tls_base_url`, or None."""
        self.pid = process.pid

    def __repr__(self) -> str:
        return f"<Simulator pid={self.pid} {self.base_url}>"

    def __enter__(self) -> Self:
        """
        Give the running simulator; the end of the block stops it.
        """
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """
        Stop.
        """
        self.stop()

    def seen(self, *, since: int = 0, settle: float = 0.0) -> Seen:
        """
        Give exchanges and connection counts.

        Args:
            since: Leave out exchanges up to this number.
            settle: Wait up to this many seconds until no exchange is going on.

        Raises:
            SimulatorError: The process does not answer.
        """
        return msgspec.json.decode(self._ask("GET", f"/_sim/log?since={since}&settle={settle}"), type=Seen)

    def log(self, *, since: int = 0, settle: float = 0.0) -> list[Exchange]:
        """
        Give the exchanges in the order they came; arguments as for `seen`.

        Raises:
            SimulatorError: The process does not answer.
        """
        return self.seen(since=since, settle=settle).exchanges

    def script(self, *wishes: Wish, always: Wish = None) -> int:
        """
        Queue faults for the next requests.

        Args:
            wishes: One per request, as text or mapping (see `Faults`); None lets a request pass in peace.
            always: For every request for which the queue has nothing.

        Returns:
            How many wait now.

        Raises:
            SimulatorError: A wish is not understood.
        """
        answer = self._ask("POST", "/_sim/script", {"queue": wishes, "always": always})
        return int(json.loads(answer)["waiting"])

    def reset(self) -> None:
        """
        Forget the script and the log.

        Raises:
            SimulatorError: The process does not answer.
        """
        self._ask("POST", "/_sim/reset", {})

    def stop(self) -> None:
        """
        End the process and wait for it. May be called twice.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        place = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"connection": "close"})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise SimulatorError(f"{self!r} does not answer {method} {path}: {exc}") from exc
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise SimulatorError(f"{method} {path}: {json.loads(data)['error']}")
        return data


def start(**options: Any) -> Simulator:
    """
    Start a simulator as a child process and wait until it is ready (about 0.2 s, 0.4 s with TLS).

    Args:
        options: Fields of `Options`, such as `tls_port=0` or `tokens_per_second=50`.

    Returns:
        The running simulator; a context manager.

    Raises:
        InvalidOption: An option is out of range.
        TypeError: An option does not exist.
        SimulatorError: The process ended or said nothing for 15 s; the message holds what it wrote.

    Example:
        >>> with start(tokens_per_second=0) as simulator:
        ...     simulator.script("status=503;retry-after=1")
        1

    Spec: SIM-11
    """
    chosen = Options(**options)
    # The simulator owns the file until it is stopped.
    errors = tempfile.TemporaryFile()  # noqa: SIM115
    # Our own interpreter with our own module.
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "upstream_simulator", "--exit-with-stdin", *_arguments(chosen)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(),
    )
    line = _first_line(process)
    if not line:
        raise SimulatorError(f"the simulator did not start: {_last_words(process, errors)}")
    return Simulator(process, json.loads(line), errors)


def _last_words(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """
    End a process that did not get ready, and give what it wrote.
    """
    with process, errors:
        process.kill()
        process.wait()
        errors.seek(0)
        return errors.read(4096).decode("utf-8", "replace").strip() or "it said nothing"


def _arguments(options: Options) -> list[str]:
    """
    Turn options that differ from their defaults into a command line.
    """
    arguments: list[str] = []
    for each in fields(Options):
        value = getattr(options, each.name)
        if value == each.default:
            continue
        if each.name == "http2":
            arguments.append("--no-http2")
        elif each.name == "models":
            arguments += [f"--model={name}" for name in value]
        else:
            arguments.append(f"--{each.name.replace('_', '-')}={value}")
    return arguments


def _environment() -> dict[str, str]:
    """
    Let the child find this package where we found it, installed or not.
    """
    here = str(Path(__file__).resolve().parent.parent)
    paths = [here, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """
    Read the ready line; empty if the process ends or says nothing.
    """
    if process.stdout is None:
        return b""
    line, deadline = b"", time.monotonic() + _START_SECONDS
    while not line.endswith(b"\n"):
        if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return b""
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            return b""
        line += piece
    return line


def _text(value: object) -> str | None:
    return None if value is None else str(value)
