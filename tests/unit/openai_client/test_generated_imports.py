from __future__ import annotations

import json
import subprocess
import sys

import pytest

from openai_client import types
from openai_client._generated.families import FAMILIES


def modules_after(statement: str) -> set[str]:
    """The names of the modules that are loaded after a statement in a fresh interpreter."""
    script = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def generated(modules: set[str]) -> set[str]:
    """Those of the modules that hold operations or models."""
    return {name for name in modules if name.startswith(("openai_client._generated.m", "openai_client._generated.o"))}


@pytest.mark.slow
@pytest.mark.requirement("CLI-02")
@pytest.mark.parametrize(
    "statement", ["import openai_client", "import openai_client._generated.families", "import openai_client.types"]
)
def test_importing_the_client_loads_no_family(statement: str) -> None:
    """Nobody pays for what is not used."""
    assert generated(modules_after(statement)) == set()


@pytest.mark.slow
@pytest.mark.requirement("CLI-02")
def test_a_family_loads_its_own_models_and_the_shared_ones_only() -> None:
    """Chat does not pay for responses."""
    loaded = generated(modules_after("import openai_client._generated.operations.chat"))
    assert loaded == {
        "openai_client._generated.models",
        "openai_client._generated.models.chat",
        "openai_client._generated.models.shared",
        "openai_client._generated.operations",
        "openai_client._generated.operations.chat",
    }


@pytest.mark.requirement("CLI-02", "CLI-03")
@pytest.mark.parametrize("family", FAMILIES)
def test_both_colours_of_a_family_have_the_same_operations(family: str) -> None:
    """A method that one client has, the other has too."""
    entry = FAMILIES[family]
    module = __import__(entry.module, fromlist=["_"])
    blocking, awaited = getattr(module, entry.sync_class), getattr(module, entry.async_class)
    assert [name for name in dir(blocking) if name[0] != "_"] == [name for name in dir(awaited) if name[0] != "_"]


def test_every_model_is_found_by_its_name_alone() -> None:
    """`openai_client.types` loads it when it is first asked for."""
    assert len(dir(types)) > 400
    for name in dir(types):
        assert getattr(types, name) is not None
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = types.Nonsense


def test_a_star_import_gives_every_model() -> None:
    """Sessions at a prompt begin like that."""
    names: dict[str, object] = {}
    exec("from openai_client.types import *", names)
    assert set(types.__all__) <= set(names)
    assert {"CreateChatCompletionRequest", "CreateEmbeddingRequest", "Response", "Unknown"} <= set(names)
