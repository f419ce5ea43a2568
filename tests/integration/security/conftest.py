"""Certificates, upstreams that fail, and everything that is logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog
import trustme

from tests.integration.http_util.engine.real_servers import Papers
from tests.integration.security.canary import Records

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """One certificate for all servers of a run."""
    return Papers.write(trustme.CA(), tmp_path_factory.mktemp("papers"))


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
