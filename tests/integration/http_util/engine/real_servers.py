"""
HTTP servers that others wrote, started as child processes on loopback: hypercorn (Python), granian (Rust), and, where
they are installed, nginx and node (C).

Each listens with TLS, offers h2 and http/1.1, and serves `upstream_app` (node: the same paths of its own).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization

from tests.measuring import unmeasured_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import trustme

HERE: Final = Path(__file__).parent
APPLICATION: Final = "upstream_app:application"
LIMIT: Final = 100
"""Requests that a connection of a limited server serves before it is closed, or says GOAWAY."""
NGINX: Final = shutil.which("nginx")
NODE: Final = shutil.which("node")


@dataclass(frozen=True)
class Papers:
    """A certificate for 127.0.0.1, its key and the authority that made it, as files."""

    certificate: Path
    key: Path
    ca_file: Path

    @classmethod
    def write(cls, ca: trustme.CA, folder: Path) -> Papers:
        """Have *ca* issue a certificate and write everything into *folder*."""
        issued = ca.issue_cert("localhost", "127.0.0.1")
        papers = cls(folder / "server.pem", folder / "server.key", folder / "ca.pem")
        papers.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        # granian reads PKCS#8 only
        papers.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        ca.cert_pem.write_to_path(str(papers.ca_file))
        return papers


@dataclass(frozen=True)
class RealServer:
    """A running server."""

    name: str
    port: int
    ca_file: Path
    plain_port: int | None = None

    @property
    def url(self) -> str:
        """Where it is called, with TLS."""
        return f"https://127.0.0.1:{self.port}"

    def ask(self, path: str) -> Any:
        """Ask *path* for JSON, on a connection of its own and without the engine."""
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.load(connection.getresponse())

    def memory(self, name: str) -> dict[str, Any]:
        """Return what the application remembers of one id."""
        told: dict[str, Any] = self.ask(f"/memory?id={name}")
        return told

    def totals(self, prefix: str) -> dict[str, Any]:
        """Return how many ids came, how often at most, and how many streams are open."""
        told: dict[str, Any] = self.ask(f"/totals?prefix={prefix}")
        return told


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(command: Callable[[int], Sequence[str | Path]], folder: Path) -> Iterator[int]:
    """
    Run a server until the block ends and yield its port, once it listens there.

    Args:
        command: The command line for a port. Tried again with another one when somebody else took it meanwhile.
        folder: Where the server's words go, for whoever looks for the cause of a failure.
    """
    for _ in range(3):
        port = free_port()
        with (folder / f"log-{port}").open("wb") as log:
            child = subprocess.Popen(
                [str(p) for p in command(port)], cwd=HERE, env=unmeasured_environment(), stdout=log, stderr=log
            )
        if listens(child, port):
            break
    else:
        raise RuntimeError(f"a server did not start: {(folder / f'log-{port}').read_text()}")
    try:
        yield port
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def listens(child: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the child accepts connections, or has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.01)
    return False


@contextlib.contextmanager
def hypercorn(papers: Papers, folder: Path, *, limit: int = 1_000_000) -> Iterator[RealServer]:
    """Run hypercorn; a plain port is there for a proxy in front of it."""
    plain = free_port()

    def command(port: int) -> Sequence[str | Path]:
        settings = folder / f"hypercorn-{port}.toml"
        settings.write_text(
            f'bind = "127.0.0.1:{port}"\ninsecure_bind = "127.0.0.1:{plain}"\nworkers = 0\nbacklog = 1024\n'
            f'certfile = "{papers.certificate}"\nkeyfile = "{papers.key}"\n'
            f"keep_alive_max_requests = {limit}\nkeep_alive_timeout = 60\ngraceful_timeout = 0.2\n"
        )
        return (sys.executable, "-m", "hypercorn", "--config", settings, APPLICATION)

    with running(command, folder) as port:
        yield RealServer("hypercorn", port, papers.ca_file, plain)


@contextlib.contextmanager
def granian(papers: Papers, folder: Path) -> Iterator[RealServer]:
    """Run granian."""

    def command(port: int) -> Sequence[str | Path]:
        return (
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--loop", "asyncio"),
            *("--ssl-certificate", papers.certificate, "--ssl-keyfile", papers.key, "--backlog", "1024"),
            *("--workers-kill-timeout", "2", "--log-level", "warning", APPLICATION),
        )

    with running(command, folder) as port:
        yield RealServer("granian", port, papers.ca_file)


@contextlib.contextmanager
def nginx(papers: Papers, folder: Path, behind: RealServer, *, limit: int = 1_000_000) -> Iterator[RealServer]:
    """Run nginx as a proxy in front of another server; buffering is off, as one has it in front of a token stream."""

    def command(port: int) -> Sequence[str | Path]:
        settings = folder / f"nginx-{port}.conf"
        settings.write_text(NGINX_SETTINGS.format(port=port, limit=limit, papers=papers, behind=behind, folder=folder))
        return (str(NGINX), "-c", settings, "-p", folder, "-e", folder / "nginx-error.log")

    with running(command, folder) as port:
        yield RealServer("nginx", port, papers.ca_file)


NGINX_SETTINGS: Final = """
daemon off;
pid {folder}/nginx-{port}.pid;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream behind {{ server 127.0.0.1:{behind.plain_port}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {papers.certificate};
        ssl_certificate_key {papers.key};
        keepalive_requests {limit};
        client_max_body_size 0;
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Client-Port $remote_port;
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"""


@contextlib.contextmanager
def node(papers: Papers, folder: Path, *, limit: int = 1_000_000) -> Iterator[RealServer]:
    """Run node's HTTP/2 server."""

    def command(port: int) -> Sequence[str | Path]:
        return (str(NODE), HERE / "upstream_node.mjs", str(port), papers.certificate, papers.key, str(limit))

    with running(command, folder) as port:
        yield RealServer("node", port, papers.ca_file)
