"""Certificates, upstreams that fail, and everything that is logged."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
import structlog
import trustme

from http_util.tls import build_ssl_context
from tests.integration.http_util.engine.real_servers import Papers
from tests.integration.security.canary import Records

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """One certificate for all servers of a run."""
    return Papers.write(trustme.CA(), tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def authorities() -> Iterator[None]:
    """Read all the public authorities once: it takes longer than most calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("http_util.client.build_ssl_context", lru_cache(build_ssl_context))
        yield


@pytest.fixture
def records() -> Iterator[Records]:
    """Everything that any logger says at any level, and every line of structlog's as its chain gets it."""
    kept = Records()
    root = logging.getLogger()
    before = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    structlog.configure(processors=[kept.take])
    try:
        yield kept
    finally:
        structlog.reset_defaults()
        root.setLevel(before)
        root.removeHandler(kept)
