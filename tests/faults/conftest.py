"""The stage on which all cases play: two simulators, one certificate, and nothing that is done twice."""

from __future__ import annotations

from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

import upstream_simulator
from http_util.tls import build_ssl_context
from tests.faults.upstreams import Stage
from tests.integration.http_util.engine.real_servers import Papers
from tests.measuring import unmeasured_children

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Simulators in processes of their own, an authority, and TLS settings that are read from disk once."""
    authority = trustme.CA()
    folder = tmp_path_factory.mktemp("papers")
    papers = Papers.write(authority, folder)
    with ExitStack() as running:
        with unmeasured_children():
            simulator = running.enter_context(upstream_simulator.start(tls_port=0))
            second = running.enter_context(upstream_simulator.start(tls_port=0))
        patch = running.enter_context(pytest.MonkeyPatch.context())
        # reading all the public authorities takes longer than most cases
        patch.setattr("http_util.client.build_ssl_context", lru_cache(build_ssl_context))
        trusted = folder / "all.pem"
        known = (papers.ca_file, Path(str(simulator.ca_file)), Path(str(second.ca_file)))
        trusted.write_bytes(b"".join(file.read_bytes() for file in known))
        yield Stage(simulator, second, authority, papers, trusted)
