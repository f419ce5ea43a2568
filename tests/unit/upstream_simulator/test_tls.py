from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from upstream_simulator.tls import MissingExtra, make_identity

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.requirement("SIM-10")
def test_without_trustme_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear sentence says what to install."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingExtra, match=r"worker-adapters\[simulator\]"):
        make_identity()


@pytest.mark.requirement("SIM-10")
def test_a_temporary_certificate_is_discarded_and_a_named_one_kept(tmp_path: Path) -> None:
    """Only what nobody asked for by name is removed."""
    temporary, named = make_identity(), make_identity(str(tmp_path / "ca.pem"), http2=False)
    assert temporary.ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    temporary.discard()
    named.discard()
    assert not temporary.ca_file.exists()
    assert named.ca_file.exists()
