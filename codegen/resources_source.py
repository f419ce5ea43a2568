"""Writes the resources of one module: what stands between the client and its operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.models_source import ROOT
from codegen.plan import class_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codegen.functions_source import WrittenOperation
    from codegen.plan import PlannedOperation, Way


@dataclass(slots=True)
class ResourceWriter:
    """Collects the methods of a module's resources, then writes their classes."""

    elsewhere: tuple[Way, ...]
    """Resources below these have modules of their own, which are imported when they are first used."""
    extras: Mapping[str, str] = field(default_factory=dict)
    """Colourless classes written by hand whose methods a resource has too, as `module:name` by the resource's place."""
    coloured: Mapping[str, str] = field(default_factory=dict)
    """The same for classes with a colour; each has a twin called `Async...`."""
    imports: dict[str, set[str]] = field(default_factory=dict)
    """Names of such classes by their module."""
    bases: set[str] = field(default_factory=lambda: {"AsyncResource", "SyncResource"})
    """Names of `openai_client.binding` that the classes need."""
    has_parts: bool = False
    """Whether a resource has others below it, or beside it."""
    _methods: dict[Way, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, operation: PlannedOperation, written: WrittenOperation) -> None:
        """Make the functions of *operation* methods of its resource, and of the second one that it may have."""
        self._methods.setdefault(operation.resource, []).extend(written.methods)
        if operation.also:
            *way, name = operation.also
            self._methods.setdefault(tuple(way), []).append((name, written.methods[0][1]))

    def write(self, root: Way) -> list[str]:
        """Return the classes of the resources at and below *root*, the deepest first."""
        prefixes = {way[:length] for way in self._methods for length in range(len(root), len(way) + 1)}
        ways = sorted(prefixes | {root}, key=lambda way: (-len(way), way))
        known = sorted({*ways, *self.elsewhere})
        return [text for way in ways for text in self._resource(way, [other for other in known if other[:-1] == way])]

    def _resource(self, way: Way, parts: list[Way]) -> list[str]:
        name, place = class_name(way), f"client.{'.'.join(way)}"
        methods = self._methods.get(way, [])
        found = []
        if methods:
            lines = [f"    {method} = {value}" for method, value in methods]
            found.append(
                "\n".join(
                    [
                        f"class _{name}:",
                        f'    """The operations of `{place}`, in neither colour."""',
                        "",
                        *lines,
                    ]
                )
            )
        for colour, base, how in (("", "SyncResource", "blocking"), ("Async", "AsyncResource", "awaited")):
            own = [f"_{name}"] if methods else []
            bases = ", ".join([*self._coloured(way, colour), *own, *self._extra(way), base])
            head = [f"class {colour}{name}({bases}):", f'    """`{place}`, {how}."""']
            raw = self._raw(colour, name, place, how) if methods else []
            found += raw[:1]
            found.append("\n".join([*head, *raw[1:], *(self._part(colour, part) for part in parts)]))
        return found

    def _raw(self, colour: str, name: str, place: str, how: str) -> list[str]:
        """Return the class whose methods tell heads of answers, and the property that leads to it."""
        self.has_parts = True
        base = f"{colour or 'Sync'}RawResource"
        self.bases.add(base)
        prop = (
            f"\n    @cached_property\n    def with_raw_response(self) -> {colour}Raw{name}:\n"
            f'        """The same methods, each with the head of its answer."""\n'
            f"        return {colour}Raw{name}(self._client)"
        )
        return [f'class {colour}Raw{name}(_{name}, {base}):\n    """`{place}.with_raw_response`, {how}."""', prop]

    def _extra(self, way: Way) -> list[str]:
        """Return the class without a colour that the resource at *way* inherits besides, if there is one."""
        place = ".".join(way)
        return [self._imported(self.extras[place])] if place in self.extras else []

    def _coloured(self, way: Way, colour: str) -> list[str]:
        """Return the class of this colour that the resource at *way* inherits besides, if there is one."""
        place = ".".join(way)
        return [self._imported(self.coloured[place], colour)] if place in self.coloured else []

    def _imported(self, source: str, colour: str = "") -> str:
        module, _, name = source.partition(":")
        self.imports.setdefault(f"openai_client.{module}", set()).add(f"{colour}{name}")
        return f"{colour}{name}"

    def _part(self, colour: str, way: Way) -> str:
        self.has_parts = True
        name = f"{colour}{class_name(way)}"
        module = f"{ROOT}.operations.{'.'.join(way)}"
        loading = f"        from {module} import {name}\n\n" if way in self.elsewhere else ""
        return (
            f"\n    @cached_property\n    def {way[-1]}(self) -> {name}:\n"
            f'        """`client.{".".join(way)}`."""\n{loading}        return {name}(self._client)'
        )
