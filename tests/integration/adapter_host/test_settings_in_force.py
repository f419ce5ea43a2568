"""Settings of a configuration file that show only on the wire and in the log: over real sockets, through the host."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from adapter_api import TaskRequest, WorkerError
from adapter_api.testing import make_task
from adapter_host import AdapterHost, load_config
from tests.integration.http_util.engine.listening import listening

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.slow]

OWN, OF_ENV, OF_FILE = "Kanarie-own-0123456789", "Kanarie-env-0123456789", "Kanarie-file-0123456789"
PROMPT = "the tide comes in and goes out, " * 100
EVENTS = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "Kanarie-file-0123456789 aye"}}]}\n\n'
    b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


class Upstream:
    """Answers every request in the same way, and keeps what it was sent."""

    def __init__(self, *, status: int = 200) -> None:
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self._status = status

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer; a question of the host about readiness, that there is no such path."""
        question, *head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        if question.startswith("GET"):
            writer.write(b"HTTP/1.1 404 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head if line)}
        self.headers.append(fields)
        self.bodies.append(await reader.readexactly(int(fields["content-length"])))
        body = EVENTS if self._status == 200 else b"{}"
        lines = [
            f"HTTP/1.1 {self._status} X",
            f"content-type: {'text/event-stream' if self._status == 200 else 'application/json'}",
            f"content-length: {len(body)}",
            "connection: close",
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()


def task() -> TaskRequest:
    """A task with a prompt that packs well."""
    return make_task(max_tokens=8, deadline_ms=20_000, prompt=PROMPT)


def config_file(folder: Path, settings: str) -> Path:
    """A configuration of one pool with *settings*."""
    path = folder / "host.toml"
    path.write_text(f"[pools.chat]\nadapter = 'openai-http'\n[pools.chat.settings]\nmodel = 'm'\n{settings}", "utf-8")
    return path


async def answered(path: Path, **environment: str) -> tuple[str, list[Any]]:
    """The text that the pool of a configuration answers with, and what was logged about bodies of its task."""
    with structlog.testing.capture_logs() as lines:
        async with AdapterHost.from_config(load_config(path, environment).config) as host:
            text = (await (await host.submit("chat", task())).collect()).text
    told = {"bodies_are_logged", "request_body", "response_body"}
    return text, [line for line in lines if line["event"] in told and line.get("method") != "GET"]


@pytest.mark.requirement("FO-01", "HST-11")
async def test_every_endpoint_gets_its_own_key_from_where_the_file_says(tmp_path: Path) -> None:
    """Of the environment and of a file, as the adapter's own; no endpoint sees another one's."""
    (tmp_path / "third").write_text(f"{OF_FILE}\n")
    (tmp_path / "third").chmod(0o600)
    upstreams = Upstream(status=503), Upstream(status=503), Upstream()
    async with listening(upstreams[0]) as one, listening(upstreams[1]) as two, listening(upstreams[2]) as three:
        settings = f"""
            base_url = "{one}/v1"
            api_key = {{ env = "OWN" }}
            retry = "none"
            [[pools.chat.settings.failover.endpoints]]
            base_url = "{two}/v1"
            api_key = {{ env = "SECOND" }}
            [[pools.chat.settings.failover.endpoints]]
            base_url = "{three}/v1"
            api_key = {{ file = "third" }}
        """
        text, _ = await answered(config_file(tmp_path, settings), OWN=OWN, SECOND=OF_ENV)
    assert text.endswith(" aye")
    sent = [[headers["authorization"] for headers in upstream.headers] for upstream in upstreams]
    assert sent == [[f"Bearer {OWN}"], [f"Bearer {OF_ENV}"], [f"Bearer {OF_FILE}"]]


@pytest.mark.requirement("CMP-01")
async def test_request_bodies_are_packed_where_the_file_says_so(tmp_path: Path) -> None:
    """The upstream unpacks what it would have got otherwise."""
    bodies = []
    for table in ("", "[pools.chat.settings.compression]\nmin_bytes = 1000\n"):
        upstream = Upstream()
        async with listening(upstream) as url:
            await answered(config_file(tmp_path, f'base_url = "{url}/v1"\n{table}'))
        assert upstream.headers[0].get("content-encoding") == ("gzip" if table else None)
        bodies += upstream.bodies
    plain, packed = bodies
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 5
    assert json.loads(plain)["messages"][0]["content"] == PROMPT


@pytest.mark.requirement("SEC-13", "SEC-14", "SEC-16")
async def test_bodies_are_in_the_log_where_the_file_says_so(tmp_path: Path) -> None:
    """With a warning before them, up to the length, without the key, masked by the patterns; otherwise not at all."""
    async with listening(Upstream()) as url:
        where = f'base_url = "{url}/v1"\napi_key = "{OF_FILE}"\n'
        assert (await answered(config_file(tmp_path, where)))[1] == []
        switches = "log_request_bodies = true\nlog_response_bodies = true\nmax_body_log_length = 120\n"
        _, lines = await answered(config_file(tmp_path, f"{where}{switches}redaction_patterns = ['t[i]de']\n"))
    warning, request, response = lines
    assert (warning["event"], warning["log_level"], warning["bodies"]) == (
        "bodies_are_logged",
        "warning",
        ["request", "answer"],
    )
    assert (request["event"], request["log_level"], len(request["body"])) == ("request_body", "info", 120)
    assert "the **** comes in" in request["body"]
    assert (response["event"], response["is_complete"]) == ("response_body", True)
    assert response["body"].startswith('data: {"choices": [{"index": 0, "delta": {"content": "**** aye"}}]}')
    assert OF_FILE not in str(lines)


@pytest.mark.requirement("SEC-11")
async def test_a_name_that_leads_inside_is_refused_where_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name and address pass without the switch, as far as the connection."""

    async def getaddrinfo(_loop: Any, _host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    upstream = Upstream()
    async with listening(upstream) as url:
        port = url.rpartition(":")[2]
        where = f"base_url = 'http://up.example:{port}/v1'\nplain_http_hosts = ['up.example']\nretry = 'none'\n"
        ranges = "egress_networks = ['127.0.0.0/8']\n"
        assert (await answered(config_file(tmp_path, where + ranges)))[0].endswith(" aye")
        with pytest.raises(WorkerError, match="egress_public_only is set") as caught:
            await answered(config_file(tmp_path, f"{where}{ranges}egress_public_only = true\n"))
    assert (caught.value.reason, caught.value.outcome.value) == ("egress_denied", "NOT_SENT")
    assert len(upstream.bodies) == 1
