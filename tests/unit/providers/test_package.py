"""What importing the package loads, what it offers, and what knows of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import openai_client
import providers
from tests.measuring import unmeasured_environment

SHOW = "import sys; print(' '.join(sorted(sys.modules)))"


def loaded_after(code: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has after *code*."""
    command = [sys.executable, "-c", f"{code}\n{SHOW}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=unmeasured_environment())
    return set(told.stdout.split())


@pytest.mark.slow
@pytest.mark.requirement("PRV-13")
def test_importing_the_package_loads_nothing_else():
    """Not even its own modules."""
    loaded = loaded_after("import providers")
    assert not {name for name in loaded if name.startswith(("providers.", "openai_client", "pydantic", "httpx"))}


@pytest.mark.slow
@pytest.mark.requirement("PRV-13")
def test_a_fake_provider_needs_no_http_library():
    """Tests of services start fast."""
    loaded = loaded_after(
        "from providers import ProviderConfig, make_provider\nmake_provider(ProviderConfig(provider='fake'))"
    )
    assert not loaded & {"httpx", "h2", "httpcore", "tenacity"}


@pytest.mark.requirement("PRV-13", "CF-22")
def test_the_client_knows_nothing_of_providers():
    """The dependency goes one way."""
    sources = [path.read_text("utf-8") for path in Path(openai_client.__file__).parent.rglob("*.py")]
    assert sources
    assert not [source for source in sources if "import providers" in source or "from providers" in source]


def test_every_public_name_exists_and_is_sorted():
    """`__all__` is the list that people and tools read."""
    names = providers.__all__
    assert names == sorted(set(names)) == dir(providers)
    assert all(getattr(providers, name) is not None for name in names)


def test_an_unknown_name_is_an_attribute_error():
    """As for every module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = providers.nothing
