"""Starts the processes of the clients, asks them for figures, and ends them, also those that do not answer."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks.clients import Target
from benchmarks.measures import Measured

if TYPE_CHECKING:
    from benchmarks.clients import Kind, Wire
    from benchmarks.scenarios import Load
    from benchmarks.upstream import Upstream

COMMAND: Final = ("-m", "benchmarks.worker")
"""What follows the interpreter."""

PATIENCE: Final = 300.0
"""Seconds that one figure may take."""


class ClientFailed(Exception):
    """A client gave a wrong answer, raised, or did not come to an end. One line."""


def environment() -> dict[str, str]:
    """Our environment without proxies, which some clients obey."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


class Worker:
    """One client's process; use it as a context manager."""

    def __init__(self, kind: Kind, wire: Wire, upstream: Upstream, load: Load) -> None:
        """Start it; it says nothing before it is asked."""
        self._kind = kind
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(),
        )
        target = Target(
            base_url=upstream.http if wire == "http1" else upstream.https,
            ca_file=upstream.ca_file,
            wire=wire,
            streams=load.streams,
        )
        self._send({"client": kind.name, "board": str(upstream.board), "target": asdict(target)})

    def __enter__(self) -> Self:
        """The worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, kindly if it can be."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def measure(self, measure: str, load: Load, *, patience: float = PATIENCE) -> Measured:
        """
        One figure.

        Raises:
            ClientFailed: The client failed, or took longer than *patience* seconds; then it is killed.
        """
        self._send({"measure": measure, "load": asdict(load)})
        if not select.select([self._process.stdout], [], [], patience)[0]:
            self._process.kill()
            raise ClientFailed(f"{self._kind.name}: no figure within {patience:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise ClientFailed(f"{self._kind.name}: its process ended: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise ClientFailed(f"{self._kind.name}: {one_line(answer['error'])}")
        return Measured(answer["value"], answer["notes"])

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the answer that does not come tells it better
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _last_words(self) -> str:
        """The last line on its standard error: that of a traceback says what went wrong."""
        self._errors.seek(0)
        lines = [line for line in self._errors.read()[-2000:].splitlines() if line.strip()]
        return one_line(lines[-1]) if lines else "it said nothing"


def one_line(text: str) -> str:
    """*text* as it fits into a table: at most 300 characters on one line."""
    return " ".join(text.split())[:300]
