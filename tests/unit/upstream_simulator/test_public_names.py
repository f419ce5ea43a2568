from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import upstream_simulator
from upstream_simulator.__main__ import main
from upstream_simulator.faults import Faults

ROOT = Path(upstream_simulator.__file__).resolve().parent.parent


def test_every_public_name_exists_and_the_list_is_sorted() -> None:
    """__all__ is complete, sorted, and each name resolves."""
    names = upstream_simulator.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(getattr(upstream_simulator, name) is not None for name in names)
    with pytest.raises(AttributeError, match="nothing"):
        _ = upstream_simulator.nothing


@pytest.mark.requirement("SIM-11")
def test_importing_and_starting_need_no_server_in_the_parent() -> None:
    """Neither the package nor its start() loads the protocol rooms or their libraries."""
    code = (
        "import upstream_simulator, sys; upstream_simulator.start; "
        "print([name for name in ('h11', 'h2', 'trustme', 'asyncio') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


@pytest.mark.requirement("SIM-06")
def test_every_fault_and_every_option_is_documented() -> None:
    """docs/simulator.md names them all."""
    text = (ROOT / "docs" / "simulator.md").read_text()
    assert [name for name in Faults.__struct_fields__ if f"`{name}`" not in text] == []
    options = [f"--{each.name.replace('_', '-')}" for each in fields(upstream_simulator.Options)]
    options = [{"--models": "--model", "--http2": "--no-http2"}.get(option, option) for option in options]
    assert [option for option in options if f"`{option}`" not in text] == []


@pytest.mark.requirement("SIM-01")
def test_the_command_line_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 for an option that is refused, 1 where the server cannot start."""
    assert main(["--host", "192.0.2.1"]) == 2
    assert "loopback only" in capsys.readouterr().err
    assert main(["--tls-port", "0", "--ca-file", "/nonexistent/ca.pem"]) == 1
    assert "/nonexistent/ca.pem" in capsys.readouterr().err
