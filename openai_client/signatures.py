"""
What a method takes and returns, for `help`, `inspect.signature` and completion. Loaded when somebody asks.

The fields of a body stand in a `TypedDict` that only type checkers import, and so does what their annotations name. So
both are read from the source, and shown as they are written there: nobody loads a family's models to read about them.

Spec: CLI-03
"""

from __future__ import annotations

import ast
import functools
import inspect
from importlib import import_module
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai_client.resource_methods import Shown

_REQUIRED: Final = "Required["
_UNPACK: Final = "Unpack["


class Written(str):
    """An annotation as it is written; shown without the quotes that texts have."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the annotation."""
        return str(self)


class _LeftOut:
    """The default of what is not sent when it is not given."""

    def __repr__(self) -> str:
        return "..."


LEFT_OUT: Final = _LeftOut()
"""Stands for an argument that was not given."""


def signature_of(shown: Shown) -> inspect.Signature:
    """
    Return the signature of a method, `self` included.

    What is needed comes first, then the other fields in the schema's order, then what every call takes. Where the
    source cannot be read, the fields are left as `**fields`.
    """
    parameters = [Parameter("self", Parameter.POSITIONAL_ONLY), *_parameters(shown)]
    # a sort keeps the order of equals
    parameters.sort(key=lambda item: (item.kind, item.default is not item.empty))
    results = [_inner(build.__annotations__["return"]) for build in shown.builds]
    return inspect.Signature(parameters, return_annotation=Written(shown.returns.format(*results)))


def _parameters(shown: Shown) -> Iterator[Parameter]:
    for item in inspect.signature(shown.takes).parameters.values():
        if item.name == "self":
            continue
        fields = _fields(shown.takes, item) if item.kind is Parameter.VAR_KEYWORD else None
        if fields is None:
            yield item.replace(annotation=Written(item.annotation))
            continue
        for name, annotation in fields.items():
            yield _field(name, "bool | None" if shown.streams and name == "stream" else annotation)


def _field(name: str, annotation: str) -> Parameter:
    """Return a field as a parameter; one that need not be given has a default that says so."""
    is_required = annotation.startswith(_REQUIRED)
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=Parameter.empty if is_required else LEFT_OUT,
        annotation=Written(annotation[len(_REQUIRED) : -1] if is_required else annotation),
    )


def _inner(annotation: str) -> str:
    """Return what stands in the brackets of a type: `Operation[Model]` is answered by a `Model`."""
    return annotation.partition("[")[2].removesuffix("]")


def _fields(function: Callable[..., Any], rest: Parameter) -> dict[str, str] | None:
    """Return the annotations of the keywords *rest*, those of the call last; None where they cannot be found."""
    name = str(rest.annotation).removeprefix(_UNPACK).removesuffix("]")
    try:
        written = _written(function.__module__, name)
        of_call = _written("openai_client.calling", "CallKeywords")
    except (OSError, LookupError):
        return None
    return {key: written[key] for key in sorted(written, key=of_call.__contains__)}


def _written(module: str, name: str) -> dict[str, str]:
    """Return the annotations of the `TypedDict` that *module* calls *name*, inherited ones first."""
    source = _source(module)
    if name not in source.classes:
        return _written(source.imports[name], name)
    bases, own = source.classes[name]
    inherited = [_written(module, base) for base in bases if base != "TypedDict"]
    return {key: value for fields in (*inherited, own) for key, value in fields.items()}


class _Source(NamedTuple):
    """What a module writes, also for type checkers alone."""

    imports: dict[str, str]
    """The modules of the names that it imports."""
    classes: dict[str, tuple[list[str], dict[str, str]]]
    """The bases and the annotations of its classes."""


@functools.cache
def _source(module: str) -> _Source:
    nodes = list(ast.walk(ast.parse(inspect.getsource(import_module(module)))))
    imports = {
        alias.name: node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    classes = {
        node.name: (
            [ast.unparse(base) for base in node.bases],
            {
                ast.unparse(item.target): ast.unparse(item.annotation)
                for item in node.body
                if isinstance(item, ast.AnnAssign)
            },
        )
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }
    return _Source(imports, classes)
