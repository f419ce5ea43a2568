"""The simulator, toured by keyword calls: both colours, HTTP/1.1 in the clear and HTTP/2 over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openai_client import InvalidApiKey
from tests.integration.openai_client.tour import Tour

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller

pytestmark = pytest.mark.integration


@pytest.mark.requirement("CLI-09", "CLI-10", "CLI-19")
@pytest.mark.parametrize(
    "visit",
    [
        Tour.models,
        Tour.chat,
        Tour.completions,
        Tour.responses,
        Tour.response_events,
        Tour.embeddings,
        Tour.realtime,
        Tour.leaving_early,
        Tour.what_is_not_there,
        Tour.what_is_malformed,
    ],
)
async def test_what_the_simulator_offers_can_be_used(caller: Caller, visit: Callable[[Tour], object]) -> None:
    """As a user writes it."""
    await visit(Tour(caller, "simulated-small"))


@pytest.mark.requirement("ERR-03")
async def test_a_wrong_key_is_one_typed_error(callers: Callable[..., Caller]) -> None:
    """Over both protocols."""
    error = await Tour(callers(api_key="sk-wrong-0123456789"), "m").refusals(lambda client: client.models.list())
    assert isinstance(error, InvalidApiKey)
