"""The whole pipeline: from the pinned description to formatted files, and from files to a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from codegen.commands_source import CommandsWriter
from codegen.description import Settings, load_description, load_settings
from codegen.fields_source import FieldsWriter
from codegen.models_source import NOTICE, ModelWriter
from codegen.operations_source import OperationWriter
from codegen.parser import Parser
from codegen.plan import Plan, make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGES: Final = {
    "__init__.py": "The generated part of the client: models and operations by family.",
    "commands/__init__.py": "What is sent in sessions, as methods, by kind of session.",
    "fields/__init__.py": "The fields of request bodies as keyword arguments, by family; only type checkers read them.",
    "models/__init__.py": "Models by family; what several families use is in `shared`.",
    "operations/__init__.py": "Operations by family, and the resources they are methods of.",
}


def load_plan(settings: Settings | None = None) -> Plan:
    """Return the plan for the pinned description and *settings* (those beside this module when None)."""
    settings = settings or load_settings()
    description = load_description(settings.overrides)
    names = {place: item["name"] for place, item in settings.overrides["names"]["schemas"].items()}
    document = Parser(description, names).parse(settings.families["messages"])
    return make_plan(document, settings.families, settings.overrides)


def generate(settings: Settings | None = None) -> dict[str, str]:
    """Return the formatted source of every generated file, by its path below `openai_client/_generated`."""
    settings = settings or load_settings()
    plan = load_plan(settings)
    sources = {
        **{name: f'"""\n{title}\n\n{NOTICE}\n"""\n' for name, title in _PACKAGES.items()},
        **ModelWriter(plan, settings.overrides).modules(),
        **FieldsWriter(plan, settings.overrides["parsed_fields"]).modules(),
        **CommandsWriter(plan).modules(),
        **OperationWriter(plan, settings.overrides).modules(),
    }
    return formatted(sources)


def differences(files: Mapping[str, str], folder: Path) -> list[str]:
    """Return the paths below *folder* whose content is missing, differs from *files*, or is not among them."""
    present = {str(path.relative_to(folder)): path for path in folder.rglob("*.py")}
    stale = [name for name, text in files.items() if name not in present or present[name].read_text("utf-8") != text]
    return sorted({*stale, *(present.keys() - files.keys())})


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write *files* below *folder* and remove the Python files there that are not among them."""
    for name in differences(files, folder):
        path = folder / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()


def formatted(sources: Mapping[str, str]) -> dict[str, str]:
    """
    Return *sources*, which are known by their paths, as the project's formatter leaves them.

    Raises:
        RuntimeError: One of them is not Python.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        write(sources, folder)
        command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "--no-cache", place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"generated source is not Python: {done.stderr}")
        return {name: (folder / name).read_text(encoding="utf-8") for name in sorted(sources)}
