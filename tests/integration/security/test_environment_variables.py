"""The environment has no say: its proxies, passwords, authorities and key logs do nothing, shown at the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from http_util.client import build_async_client, build_client
from http_util.config import HttpConfig
from tests.integration.http_util.engine.listening import listening, server_context
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server
from tests.integration.security import proxies, upstreams
from tests.integration.security.callers import CALLERS, Where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.http_util.engine.real_servers import Papers
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("SEC-12", "HTU-EXP-1101")]

LOGIN: Final = "machine 127.0.0.1 login somebody password from-the-environment\n"

WAYS: Final = [("asyncio", "http"), ("asyncio", "h2"), ("httpx", "http"), ("httpx", "https")]


class Bystander:
    """A proxy that the environment names; counts who comes."""

    def __init__(self) -> None:
        self.connections = 0

    async def serve(self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Count a connection, and hang up."""
        self.connections += 1


@pytest.fixture
async def bystander(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Bystander]:
    """Set everything that HTTP and TLS libraries are known to read from the environment, all at once."""
    named = Bystander()
    (tmp_path / ".netrc").write_text(LOGIN)
    (tmp_path / "netrc").write_text(LOGIN)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other-ca.pem"))
    async with listening(named.serve) as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.lower(), url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "nowhere.example")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(tmp_path / "other-ca.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
        yield named


class Upstream:
    """A good upstream that keeps the credentials it is told."""

    def __init__(self, papers: Papers, protocol: str) -> None:
        self.told: list[str] = []
        self._answers1, self._answers2 = upstreams.http1("none"), upstreams.http2("none")
        context = server_context(papers, "h2" if protocol == "h2" else "http/1.1")
        server: Any = Http2Server(self._http2) if protocol == "h2" else Http1Server(self._http1)
        self.at = server.at(None if protocol == "http" else context)

    async def _http1(self, connection: Http1Connection) -> None:
        read = connection.request

        async def request() -> bytes:
            head = await read()
            lines = head.decode().split("\r\n")
            self.told += [line for line in lines if line.lower().startswith(("authorization", "proxy-"))]
            return head

        connection.request = request  # type: ignore[method-assign] # the script reads through it
        await self._answers1(connection)

    async def _http2(self, stream: Stream) -> None:
        names = ("authorization", "proxy-authorization")
        self.told += [f"{name}: {stream.headers[name]}" for name in names if name in stream.headers]
        await self._answers2(stream)


@pytest.mark.parametrize(("engine", "protocol"), WAYS)
@pytest.mark.parametrize("who", CALLERS)
async def test_nothing_that_the_environment_says_changes_a_call(
    papers: Papers, bystander: Bystander, tmp_path: Path, who: str, engine: str, protocol: str
) -> None:
    """No proxy sees a connection, the upstream sees our key and no password, and no TLS keys are written down."""
    upstream = Upstream(papers, protocol)
    async with upstream.at as url:
        caller = CALLERS[who](Where(url, ca_file=papers.ca_file, http2=protocol == "h2", engine=engine), patience=20.0)
        await caller.call()
        await caller.close()
    assert [line.lower().partition(" ")[2].partition(" ")[0] for line in upstream.told] == ["bearer"]
    assert bystander.connections == 0
    assert not (tmp_path / "keys.log").exists()


@pytest.mark.parametrize(("engine", "protocol"), WAYS)
async def test_nor_does_it_change_a_client_of_the_http_library_that_is_built_here(
    papers: Papers, bystander: Bystander, tmp_path: Path, engine: str, protocol: str
) -> None:
    """By itself such a client takes proxies and passwords from the environment; both colours."""
    upstream = Upstream(papers, protocol)
    async with upstream.at as url:
        config = HttpConfig(base_url=url, ca_file=papers.ca_file, http2=protocol == "h2", engine=engine)
        async with build_async_client(config) as client:
            assert (await client.get(url)).status_code == 200
        with build_client(config) as blocking:
            assert (await asyncio.to_thread(blocking.get, url)).status_code == 200
    assert upstream.told == []
    assert bystander.connections == 0
    assert not (tmp_path / "keys.log").exists()


@pytest.mark.parametrize("engine", ["asyncio", "httpx"])
@pytest.mark.parametrize("who", CALLERS)
async def test_an_authority_that_only_the_environment_names_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, papers: Papers, who: str, engine: str
) -> None:
    """Although it has signed the upstream's certificate."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(papers.ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(papers.ca_file.parent))
    upstream = Upstream(papers, "https")
    async with upstream.at as url:
        caller = CALLERS[who](Where(url, http2=False, engine=engine), patience=20.0)
        with pytest.raises(Exception, match="certificate was not accepted") as caught:
            await caller.call()
        await caller.close()
    assert caught.value.reason == "tls_failed"
    assert upstream.told == []


@pytest.mark.parametrize("engine", ["asyncio", "httpx"])
@pytest.mark.parametrize("who", CALLERS)
async def test_the_proxy_of_the_settings_is_used_whatever_the_environment_excepts(
    monkeypatch: pytest.MonkeyPatch, papers: Papers, who: str, engine: str
) -> None:
    """NO_PROXY is the environment's, too."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*,127.0.0.1,localhost")
    passed = 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal passed
        passed += 1
        await proxies.building(reader, writer)

    upstream = Upstream(papers, "https")
    async with listening(counting) as proxy, upstream.at as url:
        where = Where(url, ca_file=papers.ca_file, http2=False, proxy=proxy, engine=engine)
        caller = CALLERS[who](where, patience=20.0)
        await caller.call()
        await caller.close()
    assert passed == 1
    assert len(upstream.told) == 1
