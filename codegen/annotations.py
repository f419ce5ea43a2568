"""Writes shapes as Python annotations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen.plan import Direction
from codegen.schema import Enumeration, Limited, ListOf, MapOf, Nullable, OneOf, Ref, Scalar, Shape
from codegen.unions import Variants, variants

if TYPE_CHECKING:
    from codegen.schema import Document


def literal(value: object) -> str:
    """Return *value* as Python source, strings in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


@dataclass(slots=True)
class Annotator:
    """Writes annotations for one module and remembers which names they need."""

    document: Document
    names: set[str] = field(default_factory=set)
    """Names that the annotations written so far need: of typing, pydantic, base_model and of definitions."""

    def write(self, shape: Shape, direction: Direction) -> str:
        """Return *shape* as it is annotated on something that travels in *direction*."""
        match shape:
            case Scalar(name):
                return self._scalar(name, direction)
            case Enumeration():
                return self._enumeration(shape, direction)
            case ListOf(item):
                return f"list[{self.write(item, direction)}]"
            case MapOf(value):
                return f"dict[str, {self.write(value, direction)}]"
            case Ref(name):
                return self._need(name)
            case Nullable(inner):
                return f"{self.write(inner, direction)} | None"
            case Limited(inner, limits):
                return self._limited(inner, limits, direction)
            case OneOf():
                return self._union(shape, direction)

    def _scalar(self, name: str, direction: Direction) -> str:
        if name == "bytes" and direction is not Direction.RECEIVED:
            return self._need("FileInput")
        return self._need(name) if name == "Any" else name

    def _need(self, name: str) -> str:
        self.names.add(name)
        return name

    def _enumeration(self, shape: Enumeration, direction: Direction) -> str:
        is_text = all(isinstance(value, str) for value in shape.values)
        values = f"{self._need('Literal')}[{', '.join(literal(value) for value in shape.values)}]"
        if direction is Direction.SENT and not shape.is_open:
            return values
        return f"{self._need('Open')}[{values}]" if is_text else "int"

    def _limited(self, inner: Shape, limits: tuple[tuple[str, object], ...], direction: Direction) -> str:
        # what was received is not refused for being out of a range
        if direction is not Direction.SENT:
            return self.write(inner, direction)
        written = ", ".join(f"{name}={literal(value)}" for name, value in limits)
        return f"{self._need('Annotated')}[{self.write(inner, direction)}, {self._need('Field')}({written})]"

    def _union(self, union: OneOf, direction: Direction) -> str:
        found = variants(self.document, union)
        parts = [self.write(shape, direction) for shape in found.others]
        if found.tag is not None:
            parts.append(self._tagged(found, direction))
        else:
            parts += [self._need(definition.name) for definition in found.objects]
            if len(found.objects) > 1 and direction is not Direction.SENT:
                parts.append(self._need("Unknown"))
        return " | ".join(dict.fromkeys(parts))

    def _tagged(self, found: Variants, direction: Direction) -> str:
        owners: dict[tuple[str, ...], str] = {}
        aliases: dict[str, str] = {}
        for value, names in found.by_tag.items():
            first = owners.setdefault(names, value)
            if first != value:
                aliases[value] = first
        parts = [self._variant(" | ".join(names), literal(tag)) for names, tag in owners.items()]
        self.names.update(name for names in owners for name in names)
        arguments = [literal(found.tag), *(literal(tag) for tag in owners.values())]
        if aliases:
            written = ", ".join(f"{literal(value)}: {literal(tag)}" for value, tag in aliases.items())
            arguments.append(f"aliases={{{written}}}")
        if found.untagged:
            self.names.update(found.untagged)
            parts.append(self._variant(" | ".join(found.untagged), self._need("ABSENT")))
            arguments.append("absent=ABSENT")
        if direction is not Direction.SENT:
            parts.append(self._variant(self._need("Unknown"), self._need("UNKNOWN")))
        return f"Annotated[{' | '.join(parts)}, {self._need('by_tag')}({', '.join(arguments)})]"

    def _variant(self, what: str, tag: str) -> str:
        return f"{self._need('Annotated')}[{what}, {self._need('Tag')}({tag})]"
