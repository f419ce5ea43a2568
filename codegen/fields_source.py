"""
Writes the fields of request bodies as typed dictionaries, for callers who give them as keyword arguments.

The events that are sent in sessions are bodies too. Only type checkers read these modules. Where a field holds an
object, a mapping of the same fields is as good as the model; where it holds a list, any sequence is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codegen.annotations import literal
from codegen.models_source import FILE, NOTICE, import_block, sources_of
from codegen.naming import attribute
from codegen.plan import object_of, sent_events
from codegen.schema import Definition, Enumeration, Limited, ListOf, MapOf, Nullable, OneOf, Ref, Scalar, refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codegen.plan import Plan
    from codegen.schema import Property, Shape

_SUFFIXES: Final = ("Request", "RequestBody", "Body", "MultipartBody", "Param", "Params")


def fields_name(body: str, kind: str = "") -> str:
    """Return the name of the dictionary for the model *body*; *kind* is `Whole`, `Streamed` or `Parsed`."""
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if body.endswith(suffix) and body != suffix:
            return f"{body.removesuffix(suffix)}{kind}Fields"
    return f"{body}{kind}Fields"


def fields_module(plan: Plan, body: str) -> str:
    """Return the module below `fields` that the dictionary for the model *body* lives in."""
    return plan.modules[body].partition(".")[0]


def asks_for_stream(body: Definition) -> bool:
    """Tell whether a field of *body* says that the answer is a stream."""
    return any(item.name == "stream" for item in body.properties)


class FieldsWriter:
    """Writes the dictionaries of one plan."""

    def __init__(self, plan: Plan, parsed: Mapping[str, str]) -> None:
        """
        Find the bodies that may be given field by field.

        Args:
            plan: What is generated.
            parsed: Bodies that methods written by hand take, and the field that has another type there.
        """
        self._plan = plan
        self._parsed = parsed
        self._bodies: dict[str, dict[str, bool]] = {}
        for family in plan.generated:
            for operation in plan.families[family]:
                endpoint = operation.endpoint
                body = None if endpoint.body is None else object_of(plan.document, endpoint.body.shape)
                if body is not None:
                    home = self._bodies.setdefault(fields_module(plan, body.name), {})
                    home[body.name] = home.get(body.name, False) or endpoint.event is not None
        self._events = {model for models in sent_events(plan.document).values() for model in models}
        for model in self._events:
            self._bodies.setdefault(fields_module(plan, model), {})[model] = False

    def modules(self) -> dict[str, str]:
        """Return the source of every module by its path below `_generated`, not yet formatted."""
        return {f"fields/{module}.py": self._module(module, bodies) for module, bodies in self._bodies.items()}

    def _module(self, module: str, bodies: dict[str, bool]) -> str:
        names: set[str] = set()
        blocks = [
            text for name in sorted(bodies) for text in self._dictionaries(name, streams=bodies[name], names=names)
        ]
        groups = sources_of(names - _OWN, self._plan)
        groups["openai_client.calling"] = {"CallKeywords"} if bodies.keys() - self._events else set()
        groups["collections.abc"] = names & {"Mapping", "Sequence"}
        groups["typing"] = groups.get("typing", set()) | (names & {"Any", "Literal", "Required", "TypedDict"})
        title = f"The fields of the {module} family's request bodies, as keyword arguments."
        head = f'"""\n{title}\n\n{NOTICE}\n"""\n\nfrom __future__ import annotations'
        return "\n\n\n".join([f"{head}\n\n{import_block(groups)}", *blocks])

    def _dictionaries(self, name: str, *, streams: bool, names: set[str]) -> list[str]:
        body = self._plan.document.definitions[name]
        if name in self._events:
            names.add("TypedDict")
            lines = [
                f"    {attribute(item.name)}: {self._field(item, names)}"
                for item in body.properties
                if item.name != "type"
            ]
            return [_dictionary(fields_name(name), "TypedDict", f"The fields of `{name}`.", lines)]
        splits = streams and asks_for_stream(body)
        fields = {
            item.name: f"    {attribute(item.name)}: {self._field(item, names)}"
            for item in body.properties
            if not (splits and item.name == "stream")
        }
        found, base = [], "CallKeywords"
        if parsed := self._parsed.get(name):
            fields, rest = {parsed: fields.pop(parsed)}, fields
            base, title = fields_name(name, "Parsed"), f"The fields of `{name}` but `{parsed}`."
            found.append(_dictionary(base, "CallKeywords", title, list(rest.values())))
        found.append(_dictionary(fields_name(name), base, f"The fields of `{name}`.", list(fields.values())))
        if splits:
            names |= {"Literal"}
            for kind, what, line in (
                ("Whole", "answered by one document", "    stream: Literal[False] | None"),
                ("Streamed", "answered by a stream", "    stream: Literal[True]"),
            ):
                found.append(
                    _dictionary(fields_name(name, kind), fields_name(name), f"The fields of `{name}`, {what}.", [line])
                )
        return found

    def _field(self, item: Property, names: set[str]) -> str:
        written = self._given(item.shape, names)
        is_constant = isinstance(item.shape, Enumeration) and len(item.shape.values) == 1
        if not item.required or is_constant:
            return written
        names.add("Required")
        return f"Required[{written}]"

    def _given(self, shape: Shape, names: set[str]) -> str:
        """Return the annotation of what a caller may give for *shape*."""
        match shape:
            case Scalar(name):
                return self._scalar(name, names)
            case Enumeration(values, is_open):
                names.add("Literal")
                known = f"Literal[{', '.join(map(literal, values))}]"
                return f"{known} | str" if is_open else known
            case ListOf(item):
                names.add("Sequence")
                return f"Sequence[{self._given(item, names)}]"
            case MapOf(value):
                names.add("Mapping")
                return f"Mapping[str, {self._given(value, names)}]"
            case Nullable(inner):
                return _union([self._given(inner, names), "None"])
            case Limited(inner, _):
                return self._given(inner, names)
            case OneOf(members, _):
                return _union([self._given(member, names) for member in members])
            case Ref(name):
                return self._reference(name, names)

    def _scalar(self, name: str, names: set[str]) -> str:
        written = FILE if name == "bytes" else name
        names |= {written} & {FILE, "Any"}
        return written

    def _reference(self, name: str, names: set[str]) -> str:
        definition = self._plan.document.definitions[name]
        if definition.alias is None:
            return self._object(name, [name], names)
        if self._holds_lists(name, frozenset()):
            return self._given(definition.alias, names)
        names.add(name)
        if not any(self._is_object(other) for other in refs(definition.alias)):
            return name
        return self._object(name, refs(definition.alias), names)

    def _object(self, name: str, forms: Iterable[str], names: set[str]) -> str:
        """Return what may be given for *name*, which has one of *forms*: the model, a mapping, or what stands in."""
        stand_ins = [self._plan.stand_ins[form][1] for form in forms if form in self._plan.stand_ins]
        names |= {name, "Any", "Mapping", *stand_ins}
        return " | ".join([name, "Mapping[str, Any]", *stand_ins])

    def _is_object(self, name: str) -> bool:
        alias = self._plan.document.definitions[name].alias
        return alias is None or any(self._is_object(other) for other in refs(alias))

    def _holds_lists(self, name: str, seen: frozenset[str]) -> bool:
        """Tell whether the alias *name* is a list or a mapping in one of its forms: those are given in wider types."""
        alias = self._plan.document.definitions[name].alias
        return alias is not None and name not in seen and self._is_listed(alias, seen | {name})

    def _is_listed(self, shape: Shape, seen: frozenset[str]) -> bool:
        match shape:
            case ListOf() | MapOf():
                return True
            case Nullable(inner) | Limited(inner, _):
                return self._is_listed(inner, seen)
            case OneOf(members, _):
                return any(self._is_listed(member, seen) for member in members)
            case Ref(name):
                return self._holds_lists(name, seen)
            case _:
                return False


_OWN: Final = frozenset({"Any", "Literal", "Mapping", "Required", "Sequence", "TypedDict"})


def _dictionary(name: str, base: str, title: str, lines: list[str]) -> str:
    return "\n".join([f"class {name}({base}, total=False):", f'    """{title}"""', "", *lines])


def _union(parts: list[str]) -> str:
    return " | ".join(dict.fromkeys(part for text in parts for part in _alternatives(text)))


def _alternatives(text: str) -> list[str]:
    """Split *text* at the bars that stand in no bracket."""
    found, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if sign == "|" and depth == 0:
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:].strip()]
