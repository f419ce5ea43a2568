from __future__ import annotations

import subprocess
import sys

import pytest

import adapter_host


@pytest.mark.requirement("HST-16")
def test_ctrl_c_while_the_command_line_loads_is_silent(monkeypatch, capsys):
    """130, not a traceback through half of the imports."""

    class Interrupted:
        def find_spec(self, name, *_):
            if name == "adapter_host.commands.app":
                raise KeyboardInterrupt

    from adapter_host.cli import main

    monkeypatch.delitem(sys.modules, "adapter_host.commands.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.requirement("HST-16")
def test_the_entry_point_itself_loads_next_to_nothing():
    """Whatever takes time is loaded inside main, where an interrupt is caught."""
    code = "import sys, adapter_host.cli; print(sorted({'pydantic', 'httpx', 'structlog'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert result.stdout == "[]\n"


def test_every_public_name_is_there_and_no_other():
    """Loaded on demand; a name that is not there is an AttributeError."""
    for name in adapter_host.__all__:
        assert getattr(adapter_host, name).__name__ == name
    assert set(adapter_host.__all__) <= set(dir(adapter_host))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        adapter_host.nothing  # noqa: B018 - the access is the test
