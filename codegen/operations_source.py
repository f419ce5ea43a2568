"""Writes the modules of operations: one a family or, where there is much in it, one a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codegen.families_source import families_source, index_source
from codegen.functions_source import FunctionWriter
from codegen.models_source import NOTICE, ROOT, import_block, sources_of
from codegen.plan import PlanError, class_name
from codegen.resources_source import ResourceWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codegen.plan import Plan, PlannedOperation, Way

_MAX_OPERATIONS: Final = 18
"""A module holds at most this many operations, about 50 lines each, so that none grows beyond a thousand lines."""


class OperationWriter:
    """Writes the operations of one plan."""

    def __init__(self, plan: Plan, overrides: Mapping[str, Any]) -> None:
        """Remember the plan, what the description does not say about operations, and what is written by hand."""
        self._plan = plan
        self._overrides = overrides

    def modules(self) -> dict[str, str]:
        """Return the source of every module of operations by its path below `_generated`, not yet formatted."""
        operations = [item for family in self._plan.generated for item in self._plan.families[family]]
        tops = tuple(dict.fromkeys(item.resource[0] for item in operations))
        sources = {"families.py": families_source(tops), "index.py": index_source(self._plan.contents())}
        for top in tops:
            self._write((top,), [item for item in operations if item.resource[0] == top], sources)
        self._refuse_stale_extras(
            {".".join(item.resource[:length]) for item in operations for length in range(1, len(item.resource) + 1)}
        )
        return sources

    def _refuse_stale_extras(self, places: set[str]) -> None:
        for table in ("extras", "coloured_extras"):
            if stale := sorted(self._overrides[table].keys() - places):
                raise PlanError(f"overrides.toml: {table}: client.{stale[0]} has no operations")

    def _write(self, way: Way, operations: list[PlannedOperation], sources: dict[str, str]) -> None:
        """Add the module of the resource at *way*; a resource with much in it is a folder by resource."""
        is_large = len(operations) > _MAX_OPERATIONS or len({item.family for item in operations}) > 1
        parts = _parts(way, operations) if is_large else {}
        inside = [item for item in operations if item.resource[: len(way) + 1] not in parts]
        name = f"operations/{'/'.join(way)}/__init__.py" if parts else f"operations/{'/'.join(way)}.py"
        sources[name] = self._module(way, inside, tuple(parts))
        for part, items in parts.items():
            self._write(part, items, sources)

    def _module(self, way: Way, operations: list[PlannedOperation], elsewhere: tuple[Way, ...]) -> str:
        functions = FunctionWriter(self._plan, self._overrides)
        resources = ResourceWriter(elsewhere, self._overrides["extras"], self._overrides["coloured_extras"])
        bodies: list[str] = []
        for operation in operations:
            written = functions.write(operation)
            bodies += written.sources
            resources.add(operation, written)
        classes = resources.write(way)
        groups = sources_of(functions.needed, self._plan)
        annotated = sources_of(functions.names - functions.needed, self._plan)
        groups |= resources.imports
        groups["openai_client.binding"] = resources.bases | functions.descriptors
        groups["openai_client.calling"] = functions.calling
        groups["openai_client.binary_content"] = functions.binary
        groups["openai_client.operation"] = functions.helpers
        groups["functools"] = {"cached_property"} if resources.has_parts else set()
        later = annotated | {_module_of(part): {class_name(part), f"Async{class_name(part)}"} for part in elsewhere}
        for family, names in functions.fields.items():
            later[f"{ROOT}.fields.{family}"] = names
        if operations:
            later["typing"] = later.get("typing", set()) | {"Unpack"}
            later["openai_client.calling"] = {"CallKeywords"}
        return "\n\n\n".join([_head(way, groups, later), *functions.parsers(), *bodies, *classes])


def _parts(way: Way, operations: list[PlannedOperation]) -> dict[Way, list[PlannedOperation]]:
    """Return the operations below *way* by the resource that follows it."""
    parts: dict[Way, list[PlannedOperation]] = {}
    for item in operations:
        if len(item.resource) > len(way):
            parts.setdefault(item.resource[: len(way) + 1], []).append(item)
    return dict(sorted(parts.items()))


def _module_of(way: Way) -> str:
    return f"{ROOT}.operations.{'.'.join(way)}"


def _head(way: Way, groups: dict[str, set[str]], later: dict[str, set[str]]) -> str:
    """Return the docstring and the imports; *later* are those that only type checkers need."""
    title = f"Operations of `client.{'.'.join(way)}`, and the resources they are methods of."
    if later:
        groups["typing"] = groups.get("typing", set()) | {"TYPE_CHECKING"}
    head = f'"""\n{title}\n\n{NOTICE}\n"""\n\nfrom __future__ import annotations\n\n{import_block(groups)}'
    if not later:
        return head
    return f"{head}\n\nif TYPE_CHECKING:\n{indented(import_block(later))}"


def indented(source: str) -> str:
    """Return *source* four columns to the right."""
    return "\n".join(f"    {line}" if line else line for line in source.splitlines())
