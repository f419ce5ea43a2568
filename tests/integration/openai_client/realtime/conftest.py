"""Sessions of both colours, and an authority for certificates."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.integration.http_util.engine.connect.peers import Authority
from tests.integration.openai_client.realtime.peers import Connecting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make one authority for all tests."""
    return Authority(tmp_path_factory.mktemp("realtime"))


@pytest.fixture(params=["sync", "async"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connecting]:
    """Make sessions of both colours, one colour after the other."""
    async with AsyncExitStack() as stack:
        yield Connecting(str(request.param), stack)
