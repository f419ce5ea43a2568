"""A simulator process for these tests, and clients that hide nothing: bare sockets and bare HTTP/2."""

from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import pytest

import upstream_simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upstream_simulator import Exchange, Simulator

CHAT = {"model": "m", "stream": True, "max_tokens": 6, "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Heard:
    """What came back over a bare socket, until it ended."""

    head: bytes = b""
    framed: bytes = b""
    reads: list[bytes] = field(default_factory=list)
    end: str = ""
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.head.split(b" ")[1])

    @property
    def headers(self) -> dict[str, str]:
        """Header values by lower-case name."""
        lines = self.head.decode().split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines if line)

    @property
    def body(self) -> bytes:
        """The body without its chunk framing, as far as it came."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.framed
        rest, body = self.framed, b""
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return body

    @property
    def is_complete(self) -> bool:
        """The chunked body has its end."""
        return self.framed.endswith(b"0\r\n\r\n")

    @property
    def events(self) -> list[str]:
        """The data of every event."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """Every event that is a JSON object."""
        return [json.loads(event) for event in self.events if event.startswith("{")]

    @property
    def text(self) -> str:
        """All content of a chat stream."""
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


def encode(body: object, wish: str | None, path: str, *, close: bool = True, **headers: str) -> bytes:
    """Write a request down."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "host: simulator", f"content-length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["connection: close"] if close else []
    lines += [f"x-simulate: {wish}"] if wish else []
    return "\r\n".join([*lines, "", ""]).encode() + data


def listen(sock: socket.socket, started: float) -> Heard:
    """Read until the connection ends, and note how it did."""
    heard, data = Heard(), b""
    try:
        while piece := sock.recv(65536):
            heard.reads.append(piece)
            data += piece
        heard.end = "close"
    except ConnectionResetError:
        heard.end = "reset"
    heard.seconds = time.monotonic() - started
    heard.head, _, heard.framed = data.partition(b"\r\n\r\n")
    return heard


@pytest.fixture(scope="session")
def process() -> Iterator[Simulator]:
    """Give one simulator process to all tests."""
    with upstream_simulator.start(tls_port=0) as running:
        yield running


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    """Give the simulator with an empty script and log."""
    process.reset()
    return process


@pytest.fixture
def arrived(simulator: Simulator) -> Callable[[], Exchange]:
    """Give a function that waits until a request has reached the simulator, and gives its record."""

    def wait() -> Exchange:
        deadline = time.monotonic() + 5
        while not (exchanges := simulator.log(settle=0.05)):
            assert time.monotonic() < deadline, "no request came"
        return exchanges[-1]

    return wait


@pytest.fixture
def connect(simulator: Simulator) -> Iterator[Callable[[], socket.socket]]:
    """Give a function that opens a socket to the simulator; all are closed at the end."""
    place = urlsplit(simulator.base_url)
    opened: list[socket.socket] = []

    def open_socket() -> socket.socket:
        sock = socket.create_connection((place.hostname, place.port), timeout=5)
        opened.append(sock)
        return sock

    yield open_socket
    for sock in opened:
        sock.close()


@pytest.fixture
def ask(connect: Callable[[], socket.socket]) -> Callable[..., Heard]:
    """Give a function that sends one request and reads all that comes back."""

    def send(
        wish: str | None = None, *, body: object = None, path: str = "/v1/chat/completions", **headers: str
    ) -> Heard:
        sock, started = connect(), time.monotonic()
        sock.sendall(encode(CHAT if body is None else body, wish, path, **headers))
        return listen(sock, started)

    return send


class H2Client:
    """One HTTP/2 connection, driven by hand."""

    def __init__(self, sock: ssl.SSLSocket, window: int | None) -> None:
        self.sock = sock
        self.has_ended = False
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        if window is not None:
            self.h2.local_settings = h2.settings.Settings(
                client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            )
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what h2 has to say."""
        self.sock.sendall(self.h2.data_to_send())

    def ask(self, wish: str | None = None, body: object = None, path: str = "/v1/chat/completions") -> int:
        """Send a request on a stream of its own, and give its number."""
        stream_id = self.h2.get_next_available_stream_id()
        data = json.dumps(CHAT if body is None else body).encode()
        headers = [(":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "localhost")]
        headers += [("x-simulate", wish)] if wish else []
        self.h2.send_headers(stream_id, headers)
        self.h2.send_data(stream_id, data, end_stream=True)
        self.flush()
        return stream_id

    def read(self) -> list[h2.events.Event]:
        """One read's worth of events, which may be none: half a frame, or one of a stream that we have reset."""
        data = self.sock.recv(65536)
        self.has_ended = not data
        return self.h2.receive_data(data) if data else []

    def rest(self) -> list[h2.events.Event]:
        """All events to the end of the connection."""
        events: list[h2.events.Event] = []
        while not self.has_ended:
            events += self.read()
        return events

    def until(self, kind: type[h2.events.Event], *, acknowledge: bool = True) -> list[h2.events.Event]:
        """Read until an event of a kind has come; all events up to there."""
        events: list[h2.events.Event] = []
        while not any(isinstance(event, kind) for event in events):
            fresh = self.read()
            assert not self.has_ended, f"the connection ended after {events}"
            events += fresh
            for event in fresh:
                if acknowledge and isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()
        return events


@pytest.fixture
def h2_client(simulator: Simulator) -> Iterator[Callable[..., H2Client]]:
    """Give a function that opens an HTTP/2 connection; all are closed at the end."""
    place = urlsplit(str(simulator.tls_base_url))
    context = ssl.create_default_context(cafile=simulator.ca_file)
    context.set_alpn_protocols(["h2"])
    opened: list[ssl.SSLSocket] = []

    def connect_h2(window: int | None = None) -> H2Client:
        raw = socket.create_connection((place.hostname, place.port), timeout=5)
        sock = context.wrap_socket(raw, server_hostname=place.hostname)
        opened.append(sock)
        assert sock.selected_alpn_protocol() == "h2"
        return H2Client(sock, window)

    yield connect_h2
    for sock in opened:
        sock.close()
