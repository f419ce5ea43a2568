"""What the package is made of, and what it must not be made of."""

from __future__ import annotations

import ast
import re
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from http_util.testing import Answer, ScriptedUpstream
from worker_adapters import openai_http
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig
from worker_adapters.openai_http.request_body import SerializedPrompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

FOLDER: Final = Path(openai_http.__file__).parent
ROOT: Final = FOLDER.parent.parent


def imports(path: Path) -> Iterator[str]:
    """Modules that *path* imports at run time, those for type checkers left out."""
    tree = ast.parse(path.read_text())
    for_checkers = {
        id(below)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for below in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_checkers:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


@pytest.mark.requirement("WA-INT-3005", "OC-ADAPT-OAI-6003")
def test_no_module_makes_a_client_or_a_server_of_its_own() -> None:
    """Neither the HTTP library nor a socket nor a server framework is imported; the client is http_util's."""
    private = {
        "httpx",
        "httpcore",
        "h2",
        "h11",
        "tenacity",
        "socket",
        "ssl",
        "http.server",
        "starlette",
        "fastapi",
        "aiohttp",
    }
    found = {name for path in FOLDER.glob("*.py") for name in imports(path)}
    assert not {name for name in found if name in private or name.partition(".")[0] in private}
    assert "asyncio" in found
    adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1"))
    assert type(adapter._transport).__module__ == "http_util.client"


@pytest.mark.requirement("SVC-21")
def test_the_service_knows_neither_settings_nor_tasks() -> None:
    """Prompts are assembled and policies are owned elsewhere."""
    names = set(imports(FOLDER / "service.py"))
    for foreign in ("config", "request_body", "dialects", "adapter"):
        assert f"worker_adapters.openai_http.{foreign}" not in names


@pytest.mark.requirement("SVC-22")
def test_nothing_is_marked_as_unfinished() -> None:
    """No such word in any module."""
    marks = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X{3}|HACK|NotImplemented\w*)\b")
    assert [path.name for path in FOLDER.glob("*.py") if marks.search(path.read_text())] == []


@pytest.mark.requirement("ADP-63")
def test_the_packages_stand_side_by_side() -> None:
    """With what is beside them."""
    for name in ("pyproject.toml", "worker_adapters", "adapter_api", "http_util", "features", "tests", "specs"):
        assert (ROOT / name).exists()


@pytest.mark.requirement("OQ-16")
def test_a_serialized_prompt_is_frozen() -> None:
    """API, model, body."""
    prompt = SerializedPrompt(api="chat", model="m", body=b"{}")
    with pytest.raises(FrozenInstanceError):
        prompt.body = b""  # type: ignore[misc]


@pytest.mark.requirement("OQ-13")
async def test_without_a_key_no_credential_is_sent(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Nothing is made up for servers that ask for none."""
    adapter, upstream, _ = rig(Answer.events(b'{"choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]}'))
    await (await adapter.submit(task())).collect()
    assert not {"authorization", "api-key", "cookie"} & upstream.requests[0].headers.keys()


@pytest.mark.requirement("SSE-1004")
async def test_a_slow_consumer_slows_the_upstream_down(task: Callable[..., Any]) -> None:
    """No piece is read before the one in front of it was taken."""
    pulled = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal pulled
            while True:
                pulled += 1
                yield b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'

    class Upstream(ScriptedUpstream):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Endless())

    adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1"), transport=Upstream())
    async with await adapter.submit(task()) as stream:
        for taken in range(1, 50):
            assert pulled <= taken
            await anext(stream)
