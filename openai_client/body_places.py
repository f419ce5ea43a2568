"""
Where in a body a fault is, as the caller wrote it, and what may stand there. Pure; loaded with the first fault.

Pydantic's own places also name the forms of unions and the tags of variants, which nobody wrote. Going along the schema
tells them from fields.

Spec: ERR-01
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from openai_client.base_model import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Schema = dict[str, Any]
"""A core schema of pydantic, or a part of one."""

_KEY: Final = "[key]"
"""What stands behind a key that is itself at fault."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a body."""

    path: tuple[int | str, ...]
    """How the caller gets there."""
    holder: Schema | None
    """The innermost model on the way, as its own schema."""
    shape: Schema | None
    """What may stand there; None where the schema knows nothing."""
    model: Schema | None
    """The model that may stand there, when there is one."""
    union: Schema | None
    """The union on the way that took the value for a variant which it does not know."""
    depth: int = 0
    """How many parts of the path lead to that union."""

    @property
    def siblings(self) -> list[str]:
        """The names that the fields of the innermost model on the way have on the wire."""
        return [] if self.holder is None else list(_names(self.holder))

    @property
    def members(self) -> list[str]:
        """The names that the fields of `model` have, those that it needs first, with a remark."""
        if self.model is None:
            return []
        needed = [name for name, field in _names(self.model).items() if field["schema"]["type"] != "default"]
        return [*(f"{name} (required)" for name in needed), *(n for n in _names(self.model) if n not in needed)]


def spot_of(schema: Schema, place: Sequence[int | str]) -> Spot:
    """
    Return the spot at *place*, as an error of *schema* names it.

    Example:
        >>> from openai_client.types import CreateChatCompletionRequest
        >>> body = CreateChatCompletionRequest(model="m", messages=[{"role": "user", "content": "Hi"}])
        >>> spot_of(type(body).__pydantic_core_schema__, ("messages", 0, "user", "content")).path
        ('messages', 0, 'content')
    """
    return _Walk(schema).along(tuple(place))


def is_label(schema: Schema, place: Sequence[int | str]) -> bool:
    """Tell whether the last part of *place* names a form of a union, and no field."""
    return bool(place) and len(spot_of(schema, place).path) == len(spot_of(schema, place[:-1]).path)


class _Walk:
    """The way along one schema."""

    def __init__(self, schema: Schema) -> None:
        self._definitions: dict[str, Schema] = {}
        self._schema = schema

    def along(self, place: tuple[int | str, ...]) -> Spot:
        return self._from(self._schema, place, Spot((), None, None, None, None))

    def _from(self, node: Schema | None, rest: tuple[int | str, ...], so_far: Spot) -> Spot:
        node = self._resolved(node)
        if node is None or not rest:
            path = so_far.path + tuple(part for part in rest if part != _KEY)
            return replace(so_far, path=path, shape=node, model=self._model_in(node))
        match node["type"]:
            case "model":
                return self._from(node["schema"], rest, replace(so_far, holder=node))
            case "model-fields":
                return self._stepped(self._field(node, rest[0]), rest, so_far)
            case "list" | "set" | "dict":
                return self._stepped(node.get("items_schema") or node.get("values_schema"), rest, so_far)
            case "tagged-union":
                if rest[0] == UNKNOWN:
                    so_far = replace(so_far, union=node, depth=len(so_far.path))
                return self._from(node["choices"].get(rest[0]), rest[1:], so_far)
            case "union":
                return self._chosen(node, rest, so_far)
            case _:
                return self._from(_inner(node), rest, so_far)

    def _stepped(self, node: Schema | None, rest: tuple[int | str, ...], so_far: Spot) -> Spot:
        """Go on behind a part that the caller wrote."""
        return self._from(node, rest[1:], replace(so_far, path=(*so_far.path, rest[0])))

    def _chosen(self, union: Schema, rest: tuple[int | str, ...], so_far: Spot) -> Spot:
        """Go on in that form of *union* which the label means; those of models have the model's name."""
        forms = [self._resolved(one[0] if isinstance(one, tuple) else one) for one in union["choices"]]
        label = str(rest[0])
        fitting = [form for form in forms if form is not None and self._name(form) in label] or forms
        found = [self._from(form, rest[1:], so_far) for form in fitting]
        return next((spot for spot in found if spot.shape is not None), found[0])

    def _name(self, form: Schema) -> str:
        model = self._model_in(form)
        return str(form["type"]) if model is None else str(model["cls"].__name__)

    def _model_in(self, node: Schema | None) -> Schema | None:
        while node is not None and node["type"] != "model":
            node = self._resolved(_inner(node))
        return node

    def _field(self, node: Schema, name: int | str) -> Schema | None:
        for field, declared in node["fields"].items():
            if name in {field, declared.get("validation_alias")}:
                schema: Schema = declared["schema"]
                return schema
        return None

    def _resolved(self, node: Schema | None) -> Schema | None:
        """Follow references, and go through what only stands around a schema."""
        while node is not None and node["type"] in {"definitions", "definition-ref", "json-or-python"}:
            if node["type"] == "definitions":
                self._definitions.update({one["ref"]: one for one in node["definitions"]})
                node = node["schema"]
            elif node["type"] == "definition-ref":
                node = self._definitions.get(node["schema_ref"])
            else:
                node = node["python_schema"]
        return node


def _inner(node: Schema) -> Schema | None:
    """Return the schema that *node* has inside, when it has one."""
    inner = node.get("python_schema") or node.get("schema")
    return inner if isinstance(inner, dict) else None


def _names(model: Schema) -> Mapping[str, Schema]:
    inner: Schema | None = model
    while inner is not None and "fields" not in inner:
        inner = _inner(inner)
    fields = {} if inner is None else inner["fields"]
    return {field.get("validation_alias") or name: field for name, field in fields.items()}
