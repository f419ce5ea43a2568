"""Questions that cost nothing: health, the listing, the version."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api import WorkerError, WorkerHealth
from http_util.secret import Secret
from http_util.testing import Answer, Stall

if TYPE_CHECKING:
    from collections.abc import Callable

LISTING = Answer.json(b'{"object": "list", "data": [{"id": "m"}, {"id": "other"}]}')


@pytest.mark.requirement("ADP-40")
async def test_health_asks_the_listing_with_the_credentials(rig: Callable[..., Any]) -> None:
    """GET /models by default, another path by config; live is answered, ready is authorised and listed."""
    adapter, upstream, _ = rig(LISTING, LISTING, api_key="sk-k")
    health = await adapter.health()
    assert (health.live, health.ready, health.reason) == (True, True, None)
    request = upstream.requests[0]
    assert (request.method, request.url) == ("GET", "http://127.0.0.1:8000/v1/models")
    assert request.headers["authorization"] == "Bearer sk-k"
    other, upstream, _ = rig(LISTING, health_path="/health")
    await other.health()
    assert upstream.requests[0].url == "http://127.0.0.1:8000/v1/health"


@pytest.mark.requirement("ADP-40")
@pytest.mark.parametrize(
    ("dialect", "model", "answer", "ready"),
    [
        ("vllm", "gone", LISTING, False),
        ("openai", "gone", LISTING, False),
        ("ollama", "m", LISTING, True),
        ("generic", "gone", LISTING, True),
        ("llamacpp", "gone", LISTING, True),
        ("vllm", None, LISTING, True),
        ("vllm", "m", Answer.json(b'{"object": "list", "data": []}'), True),
        ("vllm", "m", Answer.json(b'[{"id": "x"}]'), False),
        ("vllm", "m", Answer.json(b"<html>"), True),
    ],
)
async def test_a_model_must_be_listed_where_the_listing_means_something(
    rig: Callable[..., Any], dialect: str, model: str | None, answer: Answer, ready: bool
) -> None:
    """By dialect; an empty or unreadable listing says nothing."""
    adapter, _, _ = rig(answer, Answer.json(b"{}", status=404), dialect=dialect, model=model)
    health = await adapter.health()
    assert (health.live, health.ready) == (True, ready)
    assert health.reason == (None if ready else "model_missing")


@pytest.mark.requirement("ADP-41", "OQ-11")
@pytest.mark.parametrize(
    ("answer", "settings", "live", "ready", "reason"),
    [
        (Answer.failing(httpx.ConnectError("refused")), {}, False, False, "connection_failed"),
        (Answer.json(b'{"error": "Unauthorized"}', status=401), {}, True, False, "invalid_api_key"),
        (Answer.json(b"{}", status=503), {}, True, False, "service_unavailable"),
        (Answer.json(b'{"detail": "Not Found"}', status=404), {}, True, True, None),
        (Answer.json(b"{}", status=405), {}, True, True, None),
        (Answer.json(b"{}", status=404), {"ready_without_listing": False}, True, False, "not_found"),
        (Answer(headers={}, body=(b"x" * 70_000_000,)), {}, True, False, "protocol"),
    ],
    ids=["refused", "401", "503", "404", "405", "404 by config", "too large"],
)
async def test_health_reports_and_never_raises(
    rig: Callable[..., Any], answer: Answer, settings: Any, live: bool, ready: bool, reason: str | None
) -> None:
    """Live when something answered; one question, no retry."""
    adapter, upstream, _ = rig(answer, auto=True, **settings)
    health = await adapter.health()
    assert (health.live, health.ready, health.reason) == (live, ready, reason)
    assert len(upstream.requests) == 1


@pytest.mark.requirement("ADP-41")
@pytest.mark.parametrize(
    ("base_url", "hint"),
    [
        ("http://127.0.0.1:8000", "; base_url has no /v1 in its path, below which most servers have the API"),
        ("http://127.0.0.1:8000/api", "; base_url has no /v1 in its path, below which most servers have the API"),
        ("http://127.0.0.1:8000/v1beta/openai", ""),
        ("http://127.0.0.1:8000/openai", ""),
        ("http://127.0.0.1:8000/v1", ""),
    ],
)
async def test_a_404_where_the_address_has_no_path_says_so(rig: Callable[..., Any], base_url: str, hint: str) -> None:
    """Ready or not; what has the path already is not doubted, and neither is another status."""
    missing = Answer.json(b"{}", status=404)
    adapter, _, _ = rig(missing, base_url=base_url)
    assert await adapter.health() == WorkerHealth(live=True, ready=True, detail=f"no /models to ask{hint}")
    adapter, _, _ = rig(missing, base_url=base_url, ready_without_listing=False)
    assert (await adapter.health()).detail == f"upstream answered 404 Not Found{hint}"
    adapter, _, _ = rig(Answer.json(b"{}", status=405), base_url=base_url)
    assert (await adapter.health()).detail == "no /models to ask"


@pytest.mark.requirement("ADP-40")
async def test_health_is_bounded_in_time(rig: Callable[..., Any]) -> None:
    """Whatever the upstream does with its head or its body."""
    for answer in (Answer(before_head=(Stall(),)), Answer(body=(b"{", Stall()))):
        adapter, upstream, clock = rig(answer, health_timeout=2.0)
        asked = asyncio.ensure_future(adapter.health())
        await clock.run_for(1.9)
        assert not asked.done()
        await clock.run_for(0.2)
        health = await asked
        assert (health.ready, health.reason) == (False, "deadline")
        assert upstream.open_bodies == 0


@pytest.mark.requirement("OC-ADAPT-OAI-6010", "ADP-40")
@pytest.mark.parametrize(
    ("dialect", "path", "body", "version"),
    [
        ("vllm", "/version", b'{"version": "0.32.0"}', "vllm/0.32.0"),
        ("llamacpp", "/props", b'{"build_info": "b1-0c1e570", "total_slots": 4}', "llama.cpp/b1-0c1e570"),
        ("ollama", "/api/version", b'{"version": "0.12"}', "ollama/0.12"),
    ],
)
async def test_the_version_comes_from_the_dialects_own_path(
    rig: Callable[..., Any], dialect: str, path: str, body: bytes, version: str
) -> None:
    """From the root of the server; remembered when it cannot be asked any more."""
    gone = Answer.failing(httpx.ConnectError(""))
    adapter, upstream, _ = rig(Answer.json(body), gone, dialect=dialect)
    assert await adapter.engine_version() == version
    assert upstream.requests[0].url == f"http://127.0.0.1:8000{path}"
    assert await adapter.engine_version() == version
    assert (await adapter.props()).engine_version == version


@pytest.mark.requirement("OC-ADAPT-OAI-6010")
async def test_without_such_a_path_the_model_stands_for_the_version(rig: Callable[..., Any]) -> None:
    """The configured one, or the only one listed; an upstream that cannot be asked is an error."""
    adapter, _, _ = rig(LISTING)
    assert await adapter.engine_version() == "m"
    single = Answer.json(b'{"data": [{"id": "only"}]}')
    adapter, _, _ = rig(single, model=None)
    assert await adapter.engine_version() == "only"
    adapter, _, _ = rig(LISTING, model=None)
    with pytest.raises(WorkerError) as caught:
        await adapter.engine_version()
    assert caught.value.reason == "not_found"
    for dialect in ("generic", "vllm"):
        gone = [Answer.failing(httpx.ConnectError("")) for _ in range(2)]
        adapter, _, _ = rig(*gone, dialect=dialect)
        with pytest.raises(WorkerError) as caught:
            await adapter.engine_version()
        assert caught.value.reason == "connection_failed"
    adapter, _, _ = rig(Answer.json(b"not json"), LISTING, dialect="vllm")
    assert await adapter.engine_version() == "m"


@pytest.mark.requirement("OQ-12")
async def test_azure_questions_carry_the_api_version(rig: Callable[..., Any]) -> None:
    """As its calls do."""
    adapter, upstream, _ = rig(LISTING, dialect="azure", api_version="2024-10-21", api_key="k")
    await adapter.health()
    assert upstream.requests[0].url.endswith("/v1/models?api-version=2024-10-21")
    assert upstream.requests[0].headers["api-key"] == "k"


@pytest.mark.requirement("OC-ADAPT-OAI-6020", "SEC-16")
async def test_a_key_that_the_upstream_repeats_is_in_no_version(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """Neither in the version, nor in what is said of it, nor in the only model that is listed."""
    key = "hush-hush-4711-hush"
    told = Answer.json(b'{"version": "%s/' % key.encode() + b"\\u001b" + b"x" * 500 + b'"}')
    adapter, _, _ = rig(told, LISTING, dialect="vllm", engine_version="vllm/1", api_key=key)
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task(determinism="strict"))
    version = (await adapter.props()).engine_version
    assert version.startswith("vllm/****/\\u001bxxx")
    assert len(version) <= 140
    listed = Answer.json(b'{"data": [{"id": "m-%s"}]}' % key.encode())
    other, _, _ = rig(listed, model=None, api_key=key)
    assert await other.engine_version() == "m-****"
    assert key not in f"{caught.value!r} {await adapter.health()}"


OTHER = "http://127.0.0.1:8001/v1"
SPARE = {"failover": {"endpoints": [{"base_url": OTHER, "api_key": Secret("sk-other-0123456789")}]}}
REFUSED = Answer.failing(httpx.ConnectError("refused"))


@pytest.mark.requirement("ADP-40", "FO-01")
@pytest.mark.parametrize("answer", [REFUSED, Answer.json(b"{}", status=503)], ids=["refused", "503"])
async def test_health_asks_the_endpoint_that_a_task_would_go_to(rig: Callable[..., Any], answer: Answer) -> None:
    """Each with its own key; the one that failed is asked last from then on, by tasks as well."""
    adapter, upstream, _ = rig(answer, LISTING, LISTING, api_key="sk-first-0123456789", **SPARE)
    assert (await adapter.health()).ready
    assert [(request.url, request.headers["authorization"]) for request in upstream.requests] == [
        ("http://127.0.0.1:8000/v1/models", "Bearer sk-first-0123456789"),
        (f"{OTHER}/models", "Bearer sk-other-0123456789"),
    ]
    assert (await adapter.health()).ready
    assert upstream.requests[2].url == f"{OTHER}/models"


@pytest.mark.requirement("ADP-40", "ADP-41", "FO-01")
@pytest.mark.parametrize(
    ("answers", "live", "reason", "asked"),
    [
        ((REFUSED, REFUSED), False, "connection_failed", 2),
        ((Answer.json(b"{}", status=401),), True, "invalid_api_key", 1),
        ((REFUSED, Answer.json(b'{"data": [{"id": "other"}]}')), True, "model_missing", 2),
    ],
    ids=["all gone", "401", "model missing"],
)
async def test_health_goes_no_further_than_a_task_would(
    rig: Callable[..., Any], answers: Any, live: bool, reason: str, asked: int
) -> None:
    """A key that is wrong is wrong, and the last endpoint speaks for all."""
    adapter, upstream, _ = rig(*answers, dialect="vllm", **SPARE)
    health = await adapter.health()
    assert (health.live, health.ready, health.reason) == (live, False, reason)
    assert len(upstream.requests) == asked


@pytest.mark.requirement("ADP-40", "FO-01")
@pytest.mark.parametrize(("settings", "patience"), [(SPARE, 2.0), ({}, 4.0)], ids=["one of two", "alone"])
async def test_an_endpoint_that_takes_no_connection_leaves_time_for_the_next(
    rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, settings: Any, patience: float
) -> None:
    """Its part of `health_timeout`, however long a task would wait for a connection."""
    adapter, upstream, _ = rig(LISTING, health_timeout=4.0, connect_timeout=60.0, **settings)
    answer, seen = upstream.handle_async_request, []

    async def noting(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"]["connect"])
        return await answer(request)

    monkeypatch.setattr(upstream, "handle_async_request", noting)
    assert (await adapter.health()).ready
    assert seen == [patience]
