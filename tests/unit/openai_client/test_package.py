"""What importing the client loads, and what it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import openai_client
from openai_client import streaming
from tests.measuring import unmeasured_environment

SHOW = "import sys; print(' '.join(sorted(sys.modules)))"


def loaded_after(code: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has after *code*."""
    command = [sys.executable, "-c", f"{code}\n{SHOW}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=unmeasured_environment())
    return set(told.stdout.split())


@pytest.mark.slow
@pytest.mark.requirement("CLI-01")
def test_importing_the_package_loads_nothing_else() -> None:
    """No family, no model library, no HTTP library."""
    loaded = loaded_after("import openai_client")
    assert not loaded & {"httpx", "h2", "httpcore", "tenacity", "pydantic", "msgspec", "structlog"}
    assert {name for name in loaded if name.startswith("openai_client.")} == set()


@pytest.mark.slow
@pytest.mark.requirement("CLI-01")
def test_a_client_that_has_called_nothing_has_no_family_and_no_http_library() -> None:
    """Both come with the first use."""
    loaded = loaded_after(
        "from openai_client import AsyncClient, Client\n"
        "Client(base_url='http://localhost/v1', api_key=None)\n"
        "AsyncClient(base_url='http://localhost/v1', api_key=None)"
    )
    assert not loaded & {"httpx", "h2", "httpcore", "tenacity", "structlog"}
    assert not {
        name for name in loaded if name.startswith(("openai_client._generated.models.", "openai_client.streaming"))
    }


@pytest.mark.slow
@pytest.mark.requirement("CLI-02")
def test_using_one_family_loads_no_other() -> None:
    """Two of the families share schemas with nobody."""
    loaded = loaded_after(
        "from openai_client import Client\nClient(base_url='http://localhost/v1', api_key=None).models.list"
    )
    families = {name for name in loaded if name.startswith("openai_client._generated.operations.")}
    assert families == {"openai_client._generated.operations.models"}


@pytest.mark.slow
@pytest.mark.requirement("ERR-01")
def test_errors_can_be_caught_without_loading_the_client() -> None:
    """Whoever handles errors needs no models."""
    loaded = loaded_after("from openai_client import NotFound, OpenAIError")
    assert not loaded & {"httpx", "openai_client.client", "openai_client.operation"}


@pytest.mark.requirement("ERR-01", "CLI-02")
def test_every_public_name_exists_and_is_sorted() -> None:
    """`__all__` is the list that people and tools read."""
    names = openai_client.__all__
    assert names == sorted(set(names)) == dir(openai_client)
    assert all(getattr(openai_client, name) is not None for name in names)


@pytest.mark.parametrize("module", [openai_client, streaming])
def test_an_unknown_name_is_an_attribute_error(module) -> None:
    """As for every module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


def test_every_leaf_is_public() -> None:
    """Errors are caught by name."""
    from openai_client import errors

    leaves = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert leaves <= set(openai_client.__all__)
