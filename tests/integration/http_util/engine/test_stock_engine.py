"""httpx's own transport stays selectable, and test tools that replace httpx's transports replace the engine too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from http_util.client import build_async_client, build_client
from http_util.config import HttpConfig
from tests.integration.http_util.engine.scripted_http1 import Http1Server, answering, by_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpx import HTTPXMock

    from tests.integration.http_util.engine.real_servers import Papers, RealServer

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-10", "HTU-1001")]


async def test_the_stock_transport_makes_calls_and_streams(start: Callable[..., RealServer], papers: Papers) -> None:
    """Basic calls with engine "httpx": over TLS, with a body, and a stream that is left early."""
    server = start("hypercorn")
    config = HttpConfig(base_url=server.url, ca_file=papers.ca_file, engine="httpx")
    async with build_async_client(config) as http:
        answer = await http.post(f"{server.url}/echo", content=b"body")
        assert (answer.text, answer.http_version) == ("body", "HTTP/1.1")
        async with http.stream("GET", f"{server.url}/stream") as stream:
            assert await anext(stream.aiter_raw())
        assert "http_util.body" not in answer.extensions


async def test_the_stock_transport_makes_calls_in_threads() -> None:
    """The blocking twin."""
    server = Http1Server(by_path)

    def scenario(url: str) -> str:
        with build_client(HttpConfig(base_url=url, engine="httpx")) as http:
            return http.get(f"{url}/ok").text

    async with server.at() as url:
        assert await asyncio.to_thread(scenario, url) == "ok"


async def test_the_engine_is_what_is_used_unless_told_otherwise() -> None:
    """An answer of the engine has the piecewise reader."""
    async with Http1Server(answering()).at() as url, build_async_client(HttpConfig(base_url=url)) as http:
        assert "http_util.body" in (await http.get(f"{url}/ok")).extensions


@pytest.mark.parametrize("engine", ["asyncio", "httpx"])
async def test_pytest_httpx_intercepts_the_engine(engine: str, httpx_mock: HTTPXMock) -> None:
    """No request leaves; the answer is the one that the test made."""
    httpx_mock.add_response(url="https://upstream.example/v1", text="made up")
    config = HttpConfig(base_url="https://upstream.example", engine=engine)
    async with build_async_client(config) as http:
        assert (await http.get("https://upstream.example/v1")).text == "made up"


@pytest.mark.parametrize("engine", ["asyncio", "httpx"])
def test_pytest_httpx_intercepts_the_engine_in_threads(engine: str, httpx_mock: HTTPXMock) -> None:
    """The blocking twin."""
    httpx_mock.add_response(url="https://upstream.example/v1", text="made up")
    httpx_mock.add_exception(httpx.ReadTimeout("made up"), url="https://upstream.example/v2")
    config = HttpConfig(base_url="https://upstream.example", engine=engine)
    with build_client(config) as http:
        assert http.get("https://upstream.example/v1").text == "made up"
        with pytest.raises(httpx.ReadTimeout):
            http.get("https://upstream.example/v2")
