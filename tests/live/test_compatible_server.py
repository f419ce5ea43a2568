"""
A real OpenAI-compatible server, toured in both colours.

The settings come from the environment, and a test without them fails:

    LIVE_BASE_URL   such as http://127.0.0.1:8000/v1
    LIVE_MODEL      a model that it serves
    LIVE_API_KEY    its key; leave it out for a server without one
    LIVE_OFFERS     what it offers, such as `models chat completions responses embeddings realtime`
    LIVE_REFUSES    what it answers with an error, in the same words
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import AsyncClient, Client, OpenAIError
from tests.integration.openai_client.conftest import Caller
from tests.integration.openai_client.tour import Tour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.live

ALWAYS = ("leaving_early", "what_is_not_there", "what_is_malformed")
KNOWN = ("models", "chat", "completions", "responses", "response_events", "embeddings", "realtime")


def setting(name: str) -> str:
    """A setting that must be there."""
    value = os.environ.get(name)
    assert value, f"{name}: set it to test against a real server; see {__file__}"
    return value


@pytest.fixture(params=["sync", "async"])
async def tour(request: pytest.FixtureRequest) -> AsyncIterator[Tour]:
    """A visitor of one colour."""
    given: dict[str, Any] = {"base_url": setting("LIVE_BASE_URL"), "api_key": os.environ.get("LIVE_API_KEY")}
    if request.param == "async":
        async with AsyncClient(**given) as client:
            yield Tour(Caller(client), setting("LIVE_MODEL"))
    else:
        with Client(**given) as sync_client:
            yield Tour(Caller(sync_client), setting("LIVE_MODEL"))


async def test_what_the_server_offers_can_be_used(tour: Tour) -> None:
    """Each part of the tour that the server has, and what holds for every server."""
    offered = setting("LIVE_OFFERS").split()
    assert set(offered) <= set(KNOWN)
    for part in (*offered, *ALWAYS):
        await getattr(tour, part)()


async def test_what_the_server_does_not_offer_is_a_typed_error(tour: Tour) -> None:
    """Its own words for it do not matter."""
    for part in os.environ.get("LIVE_REFUSES", "").split():
        with pytest.raises(OpenAIError):
            await getattr(tour, part)()


async def test_a_wrong_key_is_a_typed_error(tour: Tour) -> None:
    """On a server that has keys."""
    if "LIVE_API_KEY" in os.environ:
        wrong = tour.caller.client.with_options(api_key="sk-wrong-0123456789")
        await Tour(Caller(wrong), tour.model).refusals(lambda client: client.models.list())
