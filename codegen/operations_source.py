"""Writes the modules of operations and the list of families."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codegen.annotations import Annotator, literal
from codegen.families_source import families_source, index_source
from codegen.models_source import NOTICE, ROOT, import_block, sources_of
from codegen.naming import attribute
from codegen.plan import Direction, class_name, object_of
from codegen.schema import Limited, Nullable, Ref, Scalar, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codegen.plan import Plan, PlannedOperation
    from codegen.schema import Endpoint, Parameter

Way: TypeAlias = tuple[str, ...]
"""The way to a resource: `("chat", "completions")` for `client.chat.completions`."""

_IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
_MAX_OPERATIONS: Final = 24
"""A module holds at most this many operations, about 40 lines each, so that none grows beyond a thousand lines."""
_DESCRIPTORS: Final = {"Operation": "endpoint", "StreamOperation": "stream_endpoint", "PageOperation": "page_endpoint"}


class OperationWriter:
    """Writes the operations of one plan."""

    def __init__(self, plan: Plan, overrides: Mapping[str, Any]) -> None:
        """Remember the plan, what operations do in words, and how streams end."""
        self._plan = plan
        self._summaries: Mapping[str, str] = overrides["summaries"]
        self._ends: Mapping[str, Any] = overrides["stream_ends"]

    def modules(self) -> dict[str, str]:
        """Return the source of every module of operations by its path below `_generated`, not yet formatted."""
        sources = {
            "families.py": families_source(self._plan.generated),
            "index.py": index_source(self._plan.contents()),
        }
        for family in self._plan.generated:
            self._write((family,), self._plan.families[family], sources)
        return sources

    def _write(self, way: Way, operations: tuple[PlannedOperation, ...], sources: dict[str, str]) -> None:
        """Add the module of the resource at *way*; a resource with too many operations is a folder by resource."""
        module = _Module(self._plan, self._summaries, self._ends)
        parts = _parts(way, operations) if len(operations) > _MAX_OPERATIONS else {}
        inside = [item for item in operations if item.resource[: len(way) + 1] not in parts]
        functions = [text for operation in inside for text in module.functions(operation)]
        resources = module.resources(way, tuple(parts))
        name = f"operations/{'/'.join(way)}/__init__.py" if parts else f"operations/{'/'.join(way)}.py"
        sources[name] = "\n\n\n".join([module.head(way), *module.parsers(), *functions, *resources])
        for part, items in parts.items():
            self._write(part, tuple(items), sources)


class _Module:
    """One module of operations while it is being written: what it needs is known only at its end."""

    def __init__(self, plan: Plan, summaries: Mapping[str, str], ends: Mapping[str, Any]) -> None:
        self._plan = plan
        self._summaries = summaries
        self._ends = ends
        self._annotator = Annotator(plan.document)
        self._helpers: set[str] = set()
        self._elsewhere: tuple[Way, ...] = ()
        self._descriptors = {"AsyncResource", "SyncResource"}
        self._parsers: dict[str, str] = {}
        self._methods: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
        self._uses_cached_property = False

    def head(self, way: Way) -> str:
        groups = sources_of(self._annotator.names, self._plan)
        groups["openai_client.binding"] = self._descriptors
        groups["openai_client.operation"] = (
            {*self._helpers, "CLIENT_DEFAULTS", "CallOptions"} if self._helpers else set()
        )
        for part in self._elsewhere:
            groups[f"{ROOT}.operations.{'.'.join(part)}"] = {class_name(part), f"Async{class_name(part)}"}
        if self._uses_cached_property:
            groups["functools"] = {"cached_property"}
        title = f"Operations of `client.{'.'.join(way)}`, and the resources they are methods of."
        return f'"""\n{title}\n\n{NOTICE}\n"""\n\nfrom __future__ import annotations\n\n{import_block(groups)}'

    def parsers(self) -> list[str]:
        if not self._parsers:
            return []
        return ["\n".join(self._parsers.values())]

    def functions(self, operation: PlannedOperation) -> list[str]:
        endpoint = operation.endpoint
        found = [self._function(operation, "PageOperation" if operation.item is not None else "Operation")]
        if endpoint.event is not None:
            found.append(self._function(operation, "StreamOperation"))
        return found

    def resources(self, root: Way, elsewhere: tuple[Way, ...]) -> list[str]:
        """Return the classes of the resources at and below *root*, but for those that live *elsewhere*."""
        self._elsewhere = elsewhere
        prefixes = {way[:length] for way in self._methods for length in range(len(root), len(way) + 1)}
        ways = sorted(prefixes | {root}, key=_deepest)
        known = sorted({*ways, *elsewhere})
        return [text for way in ways for text in self._resource(way, [other for other in known if other[:-1] == way])]

    def _function(self, operation: PlannedOperation, kind: str) -> str:
        endpoint = operation.endpoint
        is_stream = kind == "StreamOperation"
        name = _stream_name(operation.function) if is_stream else operation.function
        method = _stream_name(operation.method) if is_stream else operation.method
        self._helpers.add(kind)
        self._descriptors.add(_DESCRIPTORS[kind])
        self._methods.setdefault(operation.resource, []).append((method, _DESCRIPTORS[kind], name))
        return "\n".join(
            [
                f"def {name}({self._signature(endpoint)}) -> {kind}[{self._result(operation, kind)}]:",
                self._docstring(endpoint, is_stream=is_stream),
                f"    return {kind}({', '.join(self._arguments(operation, kind))})",
            ]
        )

    def _signature(self, endpoint: Endpoint) -> str:
        positional = [f"{_argument(item)}: str" for item in endpoint.of("path")]
        if endpoint.body is not None:
            optional = "" if _needs_body(self._plan, endpoint) else " | None = None"
            positional.append(f"body: {self._annotator.write(endpoint.body.shape, Direction.SENT)}{optional}")
        keywords = [self._keyword(item) for item in _queries(endpoint)]
        return ", ".join([*positional, "*", *keywords, "options: CallOptions = CLIENT_DEFAULTS"])

    def _keyword(self, item: Parameter) -> str:
        shape = item.shape.inner if isinstance(item.shape, Limited | Nullable) else item.shape
        if object_of(self._plan.document, shape) is not None:
            return f"{_argument(item)}: dict[str, str] | None = None"
        written = self._annotator.write(shape, Direction.SENT)
        return f"{_argument(item)}: {written}" if item.required else f"{_argument(item)}: {written} | None = None"

    def _result(self, operation: PlannedOperation, kind: str) -> str:
        endpoint = operation.endpoint
        if kind == "StreamOperation" and endpoint.event is not None:
            return self._annotator.write(endpoint.event, Direction.RECEIVED)
        if kind == "PageOperation" and operation.item is not None:
            return self._annotator.write(operation.item, Direction.RECEIVED)
        if endpoint.result is not None:
            return self._annotator.write(endpoint.result, Direction.RECEIVED)
        return "None" if endpoint.result_type is None else "bytes"

    def _parse(self, endpoint: Endpoint, shape: Shape | None) -> str:
        if shape is None:
            parser = "as_nothing" if endpoint.result_type is None else "as_bytes"
            self._helpers.add(parser)
            return parser
        if isinstance(shape, Ref) and self._plan.document.definitions[shape.name].alias is None:
            return f"{self._annotator.write(shape, Direction.RECEIVED)}.from_wire"
        written = self._annotator.write(shape, Direction.RECEIVED)
        self._annotator.names |= {"Final", "WireParser"}
        what = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", written)).upper().strip("_")
        self._parsers[f"_{what}"] = f"_{what}: Final = WireParser[{written}]({written})"
        return f"_{what}"

    def _docstring(self, endpoint: Endpoint, *, is_stream: bool) -> str:
        summary = self._summaries.get(endpoint.operation_id, _sentence(endpoint.operation_id))
        streamed = ", streamed" if is_stream else ""
        deprecated = "\n\n    Deprecated." if endpoint.deprecated else ""
        place = f"{endpoint.method} {endpoint.path}, `{endpoint.operation_id}`"
        return f'    """\n    {summary[:-1]}{streamed}.\n\n    {place}{deprecated}\n    """'

    def _arguments(self, operation: PlannedOperation, kind: str) -> list[str]:
        endpoint = operation.endpoint
        is_stream = kind == "StreamOperation"
        found = [
            f"operation_id={literal(endpoint.operation_id)}",
            f"method={literal(endpoint.method)}",
            f"path={self._path(endpoint)}",
        ]
        if query := self._query(endpoint, is_stream=is_stream):
            found.append(f"query={query}")
        found += self._body(endpoint, is_stream=is_stream)
        found += [f"{name}={literal(value)}" for name, value in _flags(endpoint).items()]
        if is_stream:
            found.append(f"parse_event={self._parse(endpoint, endpoint.event)}")
            if end := self._ends.get(endpoint.operation_id):
                self._helpers.add("StreamEnd")
                found.append(f"end=StreamEnd(event_types=frozenset({{{', '.join(literal(item) for item in end)}}}))")
        else:
            found.append(f"parse={self._parse(endpoint, endpoint.result)}")
        if kind == "PageOperation" and operation.cursor != "after":
            found.append(f"cursor={literal(operation.cursor)}")
        return [*found, "options=options"]

    def _path(self, endpoint: Endpoint) -> str:
        if not endpoint.of("path"):
            return literal(endpoint.path)
        self._helpers.add("path")
        template, fills = endpoint.path, []
        for item in endpoint.of("path"):
            template = template.replace(f"{{{item.name}}}", f"{{{_argument(item)}}}")
            fills.append(f"{_argument(item)}={_argument(item)}")
        return f"path({literal(template)}, {', '.join(fills)})"

    def _query(self, endpoint: Endpoint, *, is_stream: bool) -> str:
        fixed = [*endpoint.fixed_query]
        if is_stream and any(item.name == "stream" for item in endpoint.of("query")):
            fixed.append(("stream", "true"))
        given = [f"{_argument(item)}={_argument(item)}" for item in _queries(endpoint)]
        if not fixed and not given:
            return ""
        self._helpers.add("query")
        return f"query({', '.join([*given, *(f'{name}={literal(value)}' for name, value in fixed)])})"

    def _body(self, endpoint: Endpoint, *, is_stream: bool) -> list[str]:
        if endpoint.body is None:
            return []
        content_type = endpoint.body.content_type
        kind = [] if content_type == "application/json" else [f"content_type={literal(content_type)}"]
        if endpoint.body.shape == Scalar("str"):
            return ["body=body.encode()", *kind]
        if endpoint.event is None or endpoint.method == "GET":
            return ["body=body", *kind]
        if is_stream:
            return ["body=body", 'fixed={"stream": True}', *kind]
        self._helpers.add("unstreamed")
        return ["body=unstreamed(body)", *kind]

    def _resource(self, way: Way, parts: list[Way]) -> list[str]:
        name, place = class_name(way), f"client.{'.'.join(way)}"
        methods = self._methods.get(way, [])
        found = []
        if methods:
            lines = [f"    {method} = {descriptor}({function})" for method, descriptor, function in methods]
            found.append(
                "\n".join([f"class _{name}:", f'    """The operations of `{place}`, in neither colour."""', "", *lines])
            )
        for colour, base, how in (("", "SyncResource", "blocking"), ("Async", "AsyncResource", "awaited")):
            bases = f"_{name}, {base}" if methods else base
            head = [f"class {colour}{name}({bases}):", f'    """`{place}`, {how}."""']
            found.append("\n".join([*head, *(self._part(colour, part) for part in parts)]))
        return found

    def _part(self, colour: str, way: Way) -> str:
        self._uses_cached_property = True
        name = f"{colour}{class_name(way)}"
        return (
            f"\n    @cached_property\n    def {way[-1]}(self) -> {name}:\n"
            f'        """`client.{".".join(way)}`."""\n        return {name}(self._client)'
        )


def _parts(way: Way, operations: tuple[PlannedOperation, ...]) -> dict[Way, list[PlannedOperation]]:
    """Return the operations below *way* by the resource that follows it."""
    parts: dict[Way, list[PlannedOperation]] = {}
    for item in operations:
        if len(item.resource) > len(way):
            parts.setdefault(item.resource[: len(way) + 1], []).append(item)
    return dict(sorted(parts.items()))


def _queries(endpoint: Endpoint) -> list[Parameter]:
    # `stream` is decided by the operation that is called; header parameters are the client's
    return [item for item in endpoint.of("query") if item.name != "stream"]


def _argument(item: Parameter) -> str:
    name = attribute(item.name)
    return f"{name}_" if name in {"body", "options", "path", "query"} else name


def _flags(endpoint: Endpoint) -> dict[str, object]:
    flags = {
        "idempotent": endpoint.method in _IDEMPOTENT,
        "admin": endpoint.admin,
        "beta": endpoint.beta,
        "deprecated": endpoint.deprecated,
    }
    return {name: value for name, value in flags.items() if value}


def _needs_body(plan: Plan, endpoint: Endpoint) -> bool:
    definition = None if endpoint.body is None else object_of(plan.document, endpoint.body.shape)
    has_required = definition is not None and any(item.required for item in definition.properties)
    return endpoint.body is not None and (endpoint.body.required or has_required)


def _stream_name(name: str) -> str:
    """Return what the streamed form is called: `create` streams something new, `retrieve` something stored."""
    if name in {"create", "retrieve"}:
        return {"create": "stream", "retrieve": "stream_stored"}[name]
    verb, _, rest = name.partition("_")
    return {"create": f"stream_{rest}", "get": f"stream_stored_{rest}"}.get(verb, f"stream_{name}")


def _sentence(operation_id: str) -> str:
    spaced = " ".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+", operation_id)).lower()
    return f"{spaced.capitalize()}."


def _deepest(way: Way) -> tuple[int, tuple[str, ...]]:
    return (-len(way), way)
