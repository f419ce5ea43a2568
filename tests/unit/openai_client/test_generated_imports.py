from __future__ import annotations

import json
import subprocess
import sys

import pytest

from openai_client import types
from openai_client._generated.families import FAMILIES
from tests.measuring import unmeasured_environment


def modules_after(statement: str) -> set[str]:
    """The names of the modules that are loaded after a statement in a fresh interpreter."""
    script = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=unmeasured_environment())
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
def test_a_family_loads_no_models_before_its_first_call() -> None:
    """To look at what a family can do costs nothing."""
    loaded = generated(modules_after("import openai_client._generated.operations.chat"))
    assert loaded == {"openai_client._generated.operations", "openai_client._generated.operations.chat"}


@pytest.mark.slow
@pytest.mark.requirement("CLI-02")
def test_a_call_loads_the_models_that_it_needs_only() -> None:
    """Chat does not pay for responses, nor for what only others share; a whole answer pays for no stream."""
    statement = (
        "from openai_client._generated.operations.chat import create_chat_completion_with;"
        "create_chat_completion_with(model='m', messages=[{'role': 'user', 'content': 'Hello'}])"
    )
    models = {name for name in generated(modules_after(statement)) if "_generated.models" in name}
    assert models == {
        "openai_client._generated.models",
        "openai_client._generated.models.chat",
        "openai_client._generated.models.chat.completion",
        "openai_client._generated.models.shared",
        "openai_client._generated.models.shared.generation",
        "openai_client._generated.models.shared.values",
        "openai_client._generated.models.shared.voices",
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


# The description gives these families schemas of others: an evaluation runs responses, a job is graded like one.
BORROWED = {
    "fine_tuning": {"evals", "responses"},
    "evals": {"responses"},
    "vector_stores": {"responses"},
    "conversations": {"responses"},
    "containers": {"responses"},
    "realtime": {"responses"},
}
EVERY_FAMILY = """
import json, sys
from openai_client import Client
from openai_client._generated.families import FAMILIES
from tests.measuring import unmeasured_environment
client = Client(base_url="http://localhost/v1", api_key=None)
found = {}
for family in FAMILIES:
    getattr(client, family)
    found[family] = [name for name in sys.modules if name.startswith("openai_client._generated.")]
    for name in found[family]:
        if name.startswith(("openai_client._generated.models", "openai_client._generated.operations")):
            del sys.modules[name]
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.requirement("CLI-02", "CLI-PERF-01")
def test_no_family_loads_the_models_of_another() -> None:
    """But for those that the API describes with them; and no family loads operations of another."""
    command = [sys.executable, "-c", EVERY_FAMILY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=unmeasured_environment())
    found = json.loads(done.stdout)
    assert found.keys() == FAMILIES.keys()
    for family, modules in found.items():
        parts = [name.split(".")[2:4] for name in modules]
        models = {part[1] for part in parts if part[0] == "models" and len(part) > 1}
        assert models <= {family, "shared", *BORROWED.get(family, ())}, family
        assert {part[1] for part in parts if part[0] == "operations" and len(part) > 1} == {family}


@pytest.mark.slow
@pytest.mark.requirement("CLI-01", "CLI-02")
def test_what_a_client_and_its_first_family_load() -> None:
    """The model library with the client, the HTTP library with the first call; nothing is there for later."""
    made = "from openai_client import Client; client = Client(base_url='http://localhost/v1', api_key=None)"
    known = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "msgspec"}
    known |= {"openai_client", "http_util", "adapter_api", "idna"}
    # the table of names is one of http_util, which loads none of its own either
    assert installed(modules_after("import openai_client")) == {"openai_client", "http_util"}
    assert installed(modules_after(made)) <= known
    used = modules_after(f"{made}; client.chat.completions")
    assert installed(used) <= known
    later = ("httpx", "openai_client.downloads", "openai_client.polling", "openai_client.realtime.opening")
    assert not [name for name in later if name in used]


def installed(modules: set[str]) -> set[str]:
    """The packages that the modules belong to, without those of Python itself and those that any interpreter has."""
    packages = {name.partition(".")[0] for name in modules - modules_after("")}
    standard = {name for name in packages if name in sys.stdlib_module_names or name.startswith("_sysconfigdata")}
    return packages - standard
