import ast
import subprocess
import sys
from pathlib import Path

import pytest

import adapter_api

HEAVY = {"asyncio", "h2", "httpcore", "httpx", "pluggy", "pydantic", "requests", "socket", "ssl", "tenacity"}
ROOM = Path(adapter_api.__file__).parent
PURE = sorted(path.stem for path in ROOM.glob("*.py") if path.stem not in {"testing", "conformance"})


@pytest.mark.requirement("ADP-01")
def test_importing_the_contract_brings_in_no_http_library_and_no_network() -> None:
    """A fresh interpreter that imports `adapter_api` knows no module that does I/O, and none that is slow to load."""
    script = "import sys; before = set(sys.modules); import adapter_api; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-I", "-c", _from_here(script)], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "adapter_api" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.requirement("ADP-01")
@pytest.mark.parametrize("module", PURE)
def test_no_room_of_the_contract_reaches_for_io_even_on_first_use(module: str) -> None:
    """No import statement, also none inside a function, names a module that does I/O; pluggy is for the hooks alone."""
    tree = ast.parse((ROOM / f"{module}.py").read_text("utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found = {name.partition(".")[0] for name in named} & HEAVY
    assert found == ({"pluggy"} if module == "hookspecs" else set())


def test_everything_exported_is_there_sorted_and_once() -> None:
    """`__all__` is sorted as ruff sorts it: constants, classes, functions; no name is missing or doubled."""
    names = adapter_api.__all__
    assert len(set(names)) == len(names)
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(adapter_api, name) for name in names)


def test_every_public_name_that_the_package_imports_is_exported() -> None:
    """Nothing is public by accident: what `__init__` imports from its rooms is exactly `__all__`."""
    tree = ast.parse((ROOM / "__init__.py").read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(adapter_api.__all__)


def test_the_example_of_the_package_keeps_its_word() -> None:
    """The docstring's task is refused with the very message that it prints."""
    fields = {"task_id": "t-1", "session_id": "s-1", "workload": "completion", "model_ref": "m", "engine": "openai"}
    with pytest.raises(adapter_api.InvalidTask) as caught:
        adapter_api.TaskRequest(
            **fields, ctx=8192, priority="interactive", max_tokens=0, deadline_ms=30_000, prompt="Hello"
        )
    assert f"adapter_api.errors.InvalidTask: {caught.value}" in (adapter_api.__doc__ or "")


def _from_here(script: str) -> str:
    """*script* for an isolated interpreter that sees this source tree."""
    return f"import sys; sys.path[:0] = {[str(ROOM.parent), *sys.path]!r}; {script}"
