"""The rules of every other call hold for sessions: egress, proxies, certificates, and what is written where."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import InvalidConfiguration
from openai_client.errors import OpenAIError, StreamInterrupted
from tests.integration.http_util.engine.connect.peers import NAME, listening
from tests.integration.http_util.engine.connect.proxies import HTTP_OK, SOCKS_OK, Proxy
from tests.integration.openai_client.realtime.peers import CREATED, KEY, serving

if TYPE_CHECKING:
    from tests.integration.http_util.engine.connect.peers import Authority
    from tests.integration.openai_client.realtime.peers import Connecting

pytestmark = pytest.mark.integration


async def greet(socket: Any) -> None:
    """Say hello and wait for the end."""
    await socket.send(json.dumps(CREATED))
    await socket.wait_closed()


@pytest.mark.requirement("RT-01", "SEC-11")
async def test_a_session_is_refused_where_any_call_would_be(connect: Connecting) -> None:
    """By its host before anything is resolved, and by the address that its name leads to."""
    async with serving(greet) as base_url:
        port = base_url.rsplit(":", 1)[1].removesuffix("/v1")
        for settings, text in (
            ({"http": {"egress": ["localhost:1"]}, "realtime_base_url": f"ws://127.0.0.1:{port}/x"}, "egress"),
            ({"http": {"egress_networks": ["10.0.0.0/8"]}}, "in none of egress_networks"),
        ):
            named = base_url.replace("127.0.0.1", "localhost")
            session = connect("http://localhost:1/v1" if "realtime_base_url" in settings else named, settings=settings)
            with pytest.raises(InvalidConfiguration, match=text) as caught:
                await session.do("open")
            assert caught.value.reason == "egress_denied"


@pytest.mark.requirement("RT-01", "SEC-12")
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
async def test_a_session_goes_through_the_proxy_of_the_settings(
    connect: Connecting, authority: Authority, scheme: str, secure: bool
) -> None:
    """Always by a tunnel, also to a server without TLS; the proxy learns the name and not the key."""
    proxy = Proxy(SOCKS_OK if scheme == "socks5" else HTTP_OK)
    handle = proxy.socks if scheme == "socks5" else proxy.http
    async with (
        serving(greet, authority.server(NAME) if secure else None) as base_url,
        listening(handle, authority.server("127.0.0.1") if scheme == "https" else None) as at,
    ):
        proxy.target = int(base_url.rsplit(":", 1)[1].removesuffix("/v1"))
        http = {
            "proxy": f"{scheme}://127.0.0.1:{at}",
            "proxy_auth": "user:hunter2",
            "ca_file": authority.file,
            "plain_http_hosts": [NAME],
        }
        target = f"{'https' if secure else 'http'}://{NAME}:4443/v1"
        async with connect(target, settings={"http": http}) as session:
            assert (await session.do("recv")).type == "session.created"
    seen = b"".join(proxy.heads)
    assert NAME.encode() in seen
    assert KEY.encode() not in seen


@pytest.mark.requirement("RT-01", "SEC-12")
async def test_no_proxy_of_the_environment_is_used(connect: Connecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that every other library obeys mean nothing."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "socks_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    async with serving(greet) as base_url, connect(base_url) as session:
        assert (await session.do("recv")).type == "session.created"


@pytest.mark.requirement("RT-01", "SEC-09")
async def test_a_client_certificate_is_shown(connect: Connecting, authority: Authority) -> None:
    """The settings for it are those of every other call."""
    tls = authority.server("127.0.0.1")
    authority.ca.configure_trust(tls)
    tls.verify_mode = 2
    async with serving(greet, tls) as base_url:
        http = {"ca_file": authority.file, "client_cert_file": authority.client_file()}
        async with connect(base_url, settings={"http": http}) as session:
            assert (await session.do("recv")).type == "session.created"


@pytest.mark.requirement("RT-01", "SEC-15")
async def test_no_log_holds_a_key_or_a_message(connect: Connecting, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever level is set, the library under it writes nothing."""
    caplog.set_level(logging.DEBUG)
    async with serving(greet) as base_url, connect(base_url) as session:
        await session.do("recv")
        await session.do("send", {"type": "response.create", "response": {"instructions": "my prompt"}})
    assert KEY not in caplog.text
    assert "my prompt" not in caplog.text
    assert "session.created" not in caplog.text


@pytest.mark.requirement("RT-02", "SEC-16")
async def test_no_frame_of_an_error_holds_a_key_or_a_message(connect: Connecting) -> None:
    """What a reporter of exceptions shows of a session that broke off is nobody's secret."""

    async def peer(socket: Any) -> None:
        await socket.recv()
        await socket.close(1011, f"your key is {KEY}")

    async with serving(peer) as base_url, connect(base_url) as session:
        await session.do("send_raw", "{}")
        with pytest.raises(StreamInterrupted):
            await session.rest()
        told = {"instructions": "my prompt"}
        errors = [
            await _error(session.do("send", {"type": "response.create", "response": told})),
            await _error(session.do("send", {"type": "response.create", "response": told, "x": 1})),
            await _error(session.do("response.create", response=told)),
            await _error(session.do("response.create", response=told, x=1)),
            await _error(session.do("send_raw", "my prompt")),
            await _error(session.do("send_raw", {"instructions": "my prompt"})),
        ]
    shown = "".join(map(_shown, errors))
    assert KEY not in shown
    assert "my prompt" not in shown


async def _error(work: Any) -> BaseException:
    """Return what *work* raises."""
    with pytest.raises(OpenAIError) as caught:
        await work
    return caught.value


def _shown(error: BaseException) -> str:
    """Return every local variable of our own frames that a reporter would show."""
    found, links = [], [error]
    while links:
        link = links.pop()
        links += [other for other in (link.__cause__, link.__context__) if other is not None]
        trace = link.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if "/tests/" not in name and ("/openai_client/" in name or "/http_util/" in name):
                found += [repr(value) for value in trace.tb_frame.f_locals.values()]
            trace = trace.tb_next
    return "\n".join(found)


MISSING = """
import sys
sys.modules["websockets"] = None
from openai_client import Client, ConfigurationError
client = Client(base_url="http://127.0.0.1:1/v1", api_key=None)
connection = client.realtime.connect(model="m")
try:
    connection.open()
except ConfigurationError as error:
    print(error)
client.close()
"""


@pytest.mark.requirement("RT-03")
def test_without_the_extra_the_client_works_and_a_session_names_it() -> None:
    """Importing, making a client and asking for a session need nothing; opening it says what to install."""
    done = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, check=True, env=os.environ, timeout=60
    )
    assert done.stdout == "realtime sessions need the package websockets: install worker-adapters[realtime]\n"
