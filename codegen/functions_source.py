"""
Writes the functions of one operation: they return the call as a value.

An operation with a body has two functions a kind of answer: one takes the body as a model, the other (`..._with`) takes
the body's fields as keyword arguments. As a method both are one.

A function imports the model that it needs when it is called: a family's first call loads what it uses and no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from codegen.annotations import Annotator, literal
from codegen.fields_source import asks_for_stream, fields_module, fields_name
from codegen.models_source import import_block, sources_of
from codegen.naming import attribute, snake
from codegen.parser import FORM, JSON
from codegen.plan import Direction, object_of
from codegen.schema import Enumeration, Limited, ListOf, Nullable, Ref, Scalar, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codegen.plan import Plan, PlannedOperation
    from codegen.schema import Endpoint, Parameter

_IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
_RESERVED: Final = frozenset({"body", "call", "fields", "path", "query"})


class WrittenOperation(NamedTuple):
    """The functions of one operation and how they become methods."""

    sources: list[str]
    methods: list[tuple[str, str]]
    """Names of methods, and the source of what they are."""


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to make the call: for one document, for a page, or for a stream."""

    kind: str
    function: str
    is_stream: bool = False


class FunctionWriter:
    """Writes the functions of one module, and remembers what they need."""

    def __init__(self, plan: Plan, overrides: Mapping[str, Any]) -> None:
        """Prepare for a module that is still empty."""
        self._plan = plan
        self._overrides = overrides
        self._annotator = Annotator(plan.document)
        self._parsed = Annotator(plan.document)
        self._parsers: dict[str, str] = {}
        self.helpers: set[str] = set()
        """Names of `openai_client.operation`."""
        self.calling: set[str] = set()
        """Names of `openai_client.calling`."""
        self.descriptors: set[str] = set()
        """Names of `openai_client.binding`."""
        self.binary: set[str] = set()
        """Names of `openai_client.binary_content`."""
        self.fields: dict[str, set[str]] = {}
        """Names of typed dictionaries by their module below `fields`."""

    @property
    def names(self) -> set[str]:
        """Names of typing, pydantic, base_model and of models, in annotations."""
        return self._annotator.names

    @property
    def needed(self) -> set[str]:
        """Those that the module's parsers need, as soon as it is loaded."""
        return self._parsed.names

    def parsers(self) -> list[str]:
        """Return the module's parsers of answers that are no model, as one block, if there are any."""
        return ["\n".join(self._parsers.values())] if self._parsers else []

    def write(self, operation: PlannedOperation) -> WrittenOperation:
        """Return the functions of *operation* and its methods."""
        endpoint = operation.endpoint
        whole = _Form("PageOperation" if operation.item is not None else "Operation", operation.function)
        forms = [whole]
        if endpoint.event is not None:
            forms.append(_Form("StreamOperation", stream_name(operation.function), is_stream=True))
        sources = [text for form in forms for text in self._functions(operation, form)]
        return WrittenOperation(sources, self._methods(operation, forms))

    def _functions(self, operation: PlannedOperation, form: _Form) -> list[str]:
        endpoint = operation.endpoint
        answer = f"{form.kind}[{self._result(operation, form)}]"
        place, keywords = self._place(endpoint), self._keywords(endpoint, form)
        taken = _signature([*place, *self._body_parameter(endpoint)], keywords, "**call: Unpack[CallKeywords]")
        self.helpers.add(form.kind)
        self.calling.add("call_options")
        head = f"def {form.function}({taken}) -> {answer}:\n{self._docstring(endpoint, form)}"
        made = f"{form.kind}({', '.join(self._arguments(operation, form))})"
        found = [f"{head}{self._loading(endpoint, form)}\n    return {made}"]
        body = self._body_object(endpoint)
        if body is not None:
            fields = self._fields_of(endpoint, form, body)
            taken = _signature(place, keywords, f"**fields: Unpack[{fields}]")
            given = ", ".join([*map(_name, place), "body", *(f"{_name(item)}={_name(item)}" for item in keywords)])
            self.names.add(body)
            self.calling.add("body_and_call")
            found.append(
                f"def {form.function}_with({taken}) -> {answer}:\n"
                f'    """Do as `{form.function}`, with the fields of the body as arguments."""'
                f"{self._import(body)}\n"
                f"    body, call = body_and_call({body}, fields)\n"
                f"    return {form.function}({given}, **call)"
            )
        return found

    def _loading(self, endpoint: Endpoint, form: _Form) -> str:
        """Return the import of the model that reads the answer, when it is one."""
        shape = endpoint.event if form.is_stream else endpoint.result
        is_parsed = form.is_stream or endpoint.result_type == JSON
        return self._import(shape.name) if is_parsed and self._is_model(shape) else ""

    def _import(self, name: str) -> str:
        """Return the statement that imports the model *name* inside a function."""
        return f"\n    {import_block(sources_of([name], self._plan))}\n"

    def _is_model(self, shape: Shape | None) -> TypeGuard[Ref]:
        return isinstance(shape, Ref) and self._plan.document.definitions[shape.name].alias is None

    def _fields_of(self, endpoint: Endpoint, form: _Form, body: str) -> str:
        """Return the name of the typed dictionary of the fields that a function takes."""
        asks = asks_for_stream(self._plan.document.definitions[body]) and endpoint.event is not None
        name = fields_name(body, "Streamed" if form.is_stream and asks else "Whole" if asks else "")
        self.fields.setdefault(fields_module(self._plan, body), set()).add(name)
        return name

    def _methods(self, operation: PlannedOperation, forms: list[_Form]) -> list[tuple[str, str]]:
        whole, *streams = forms
        with_fields = "_with" if self._body_object(operation.endpoint) is not None else ""
        first = "page_endpoint" if whole.kind == "PageOperation" else "body_endpoint" if with_fields else "endpoint"
        downloads = []
        if _is_binary(operation.endpoint):
            second = "download_body_endpoint" if with_fields else "download_endpoint"
            downloads = [("download", self._made(second, _both(whole, with_fields)))]
        if not streams:
            return [(operation.method, self._made(first, _both(whole, with_fields))), *downloads]
        streamed = streams[0]
        second = "stream_body_endpoint" if with_fields else "stream_endpoint"
        either = f"{whole.function}, {whole.function}{with_fields}, {streamed.function}{with_fields}"
        switches = "stream" in self._flags_of_stream(operation.endpoint)
        return [
            (
                operation.method,
                self._made("switch_endpoint", either) if switches else self._made(first, _both(whole, with_fields)),
            ),
            (stream_name(operation.method), self._made(second, _both(streamed, with_fields))),
            *downloads,
        ]

    def _made(self, descriptor: str, arguments: str) -> str:
        self.descriptors.add(descriptor)
        return f"{descriptor}({arguments})"

    def _body_object(self, endpoint: Endpoint) -> str | None:
        """Return the name of the model whose fields may be given one by one."""
        definition = None if endpoint.body is None else object_of(self._plan.document, endpoint.body.shape)
        return None if definition is None else definition.name

    def _place(self, endpoint: Endpoint) -> list[str]:
        """Return the last parameter of the path: the one that is given by position."""
        return [f"{argument(item)}: str" for item in endpoint.of("path")][-1:]

    def _keywords(self, endpoint: Endpoint, form: _Form) -> list[str]:
        """Return what is given by name: the path's other parameters, the query's, and the wish for a stream."""
        found = [f"{argument(item)}: str" for item in endpoint.of("path")[:-1]]
        found += [self._keyword(item) for item in _queries(endpoint)]
        if form.is_stream and endpoint.body is None:
            self.names.add("Literal")
            found.append("stream: Literal[True] = True")
        return found

    def _keyword(self, item: Parameter) -> str:
        shape = item.shape.inner if isinstance(item.shape, Limited | Nullable) else item.shape
        if object_of(self._plan.document, shape) is not None:
            return f"{argument(item)}: dict[str, str] | None = None"
        written = self._annotator.write(shape, Direction.SENT)
        return f"{argument(item)}: {written}" if item.required else f"{argument(item)}: {written} | None = None"

    def _body_parameter(self, endpoint: Endpoint) -> list[str]:
        if endpoint.body is None:
            return []
        written = " | ".join(self._annotator.write(shape, Direction.SENT) for shape in endpoint.body.shapes())
        return [f"body: {written}" if self._needs_body(endpoint) else f"body: {written} | None = None"]

    def _needs_body(self, endpoint: Endpoint) -> bool:
        definition = None if endpoint.body is None else object_of(self._plan.document, endpoint.body.shape)
        has_required = definition is not None and any(item.required for item in definition.properties)
        return endpoint.body is not None and (endpoint.body.required or has_required)

    def _result(self, operation: PlannedOperation, form: _Form) -> str:
        endpoint = operation.endpoint
        if form.is_stream and endpoint.event is not None:
            return self._annotator.write(endpoint.event, Direction.RECEIVED)
        if form.kind == "PageOperation" and operation.item is not None:
            return self._annotator.write(operation.item, Direction.RECEIVED)
        if endpoint.result is not None:
            text = " | str" if endpoint.operation_id in self._overrides["text_answers"] else ""
            return self._annotator.write(endpoint.result, Direction.RECEIVED) + text
        if endpoint.result_type is None:
            return "None"
        self.binary.add("BinaryContent")
        return "BinaryContent"

    def _parse(self, endpoint: Endpoint, shape: Shape | None) -> str:
        if shape is None or (endpoint.result_type != JSON and shape is endpoint.result):
            parser = "as_nothing" if endpoint.result_type is None else "as_binary" if shape is None else "as_text"
            self.helpers.add(parser)
            return parser
        if self._is_model(shape):
            return f"{shape.name}.from_wire"
        written = self._parsed.write(shape, Direction.RECEIVED)
        self.needed.update({"Final", "WireParser"})
        what = shape.name if isinstance(shape, Ref) else f"{endpoint.operation_id}_answer"
        name = f"_{snake(what).upper()}"
        self._parsers[name] = f"{name}: Final = WireParser[{written}]({written})"
        return name

    def _docstring(self, endpoint: Endpoint, form: _Form) -> str:
        summary = self._overrides["summaries"].get(endpoint.operation_id, _sentence(endpoint.operation_id))
        streamed = ", streamed" if form.is_stream else ""
        deprecated = "\n\n    Deprecated." if endpoint.deprecated else ""
        place = f"{endpoint.method} {endpoint.path}, `{endpoint.operation_id}`"
        return f'    """\n    {summary[:-1]}{streamed}.\n\n    {place}{deprecated}\n    """'

    def _arguments(self, operation: PlannedOperation, form: _Form) -> list[str]:
        endpoint = operation.endpoint
        found = [
            f"operation_id={literal(endpoint.operation_id)}",
            f"method={literal(endpoint.method)}",
            f"path={self._path(endpoint)}",
        ]
        if query := self._query(endpoint, form):
            found.append(f"query={query}")
        found += self._body(endpoint, form)
        found += [f"{name}={literal(value)}" for name, value in _flags(operation).items()]
        found += self._event_reading(endpoint) if form.is_stream else [f"parse={self._answer_parser(endpoint)}"]
        if form.kind == "PageOperation" and operation.cursor != "after":
            found.append(f"cursor={literal(operation.cursor)}")
        if form.kind == "PageOperation" and any(item.name == "before" for item in endpoint.of("query")):
            found.append("backwards=True")
        return [*found, "options=call_options(call)"]

    def _answer_parser(self, endpoint: Endpoint) -> str:
        parser = self._parse(endpoint, endpoint.result)
        texts = self._overrides["text_answers"].get(endpoint.operation_id)
        if texts is None:
            return parser
        ((name, values),) = texts.items()
        self.helpers.add("text_where")
        return f"text_where(body.{name}, {{{', '.join(map(literal, values))}}}, {parser})"

    def _event_reading(self, endpoint: Endpoint) -> list[str]:
        found = [f"parse_event={self._parse(endpoint, endpoint.event)}"]
        for field, table in (("event_types", "stream_ends"), ("enough", "stream_enough")):
            if kinds := self._overrides[table].get(endpoint.operation_id):
                self.helpers.add("StreamEnd")
                found.append(f"end=StreamEnd({field}=frozenset({{{', '.join(map(literal, kinds))}}}))")
        if endpoint.operation_id in self._overrides["named_events"]["operations"]:
            found.append("named_events=True")
        return found

    def _path(self, endpoint: Endpoint) -> str:
        if not endpoint.of("path"):
            return literal(endpoint.path)
        self.helpers.add("path")
        template, fills = endpoint.path, []
        for item in endpoint.of("path"):
            template = template.replace(f"{{{item.name}}}", f"{{{argument(item)}}}")
            fills.append(f"{argument(item)}={argument(item)}")
        return f"path({literal(template)}, {', '.join(fills)})"

    def _query(self, endpoint: Endpoint, form: _Form) -> str:
        given = [f"{argument(item)}={argument(item)}" for item in _queries(endpoint)]
        given += [f"{name}={literal(value)}" for name, value in endpoint.fixed_query]
        if form.is_stream and endpoint.body is None:
            given.append("stream=stream")
        if not given:
            return ""
        self.helpers.add("query")
        kinds = {argument(item): self._kind(item.shape) for item in _queries(endpoint)}
        if "stream=stream" in given:
            kinds["stream"] = "bool"
        told = ", ".join(f"{literal(name)}: {kind}" for name, kind in kinds.items() if kind != "str")
        return f"query({', '.join([f'{{{told}}}', *given] if told else given)})"

    def _kind(self, shape: Shape) -> str:
        """Return of which kind a parameter of *shape* is, as `openai_client.query_kinds` has it."""
        match shape:
            case Limited(inner, _) | Nullable(inner):
                return self._kind(inner)
            case Enumeration(values, is_open):
                # as Python writes it: a comma behind the last of several would have each on a line of its own
                return "str" if is_open else f"({', '.join(map(literal, values))}{',' if len(values) == 1 else ''})"
            case ListOf(item):
                return f"[{self._kind(item)}]"
            case Ref(name) if (alias := self._plan.document.definitions[name].alias) is not None:
                return self._kind(alias)
            case Scalar(name):
                return name
            case _:
                return "dict"

    def _body(self, endpoint: Endpoint, form: _Form) -> list[str]:
        if endpoint.body is None:
            return []
        kind = []
        if endpoint.body.content_type == FORM:
            form_only = endpoint.body.json is None
            self.helpers.add("FORM" if form_only else "form_or_json")
            kind = ["content_type=FORM" if form_only else "content_type=form_or_json(body)"]
            if endpoint.body.part_types:
                kind.append(f"part_types={literal(dict(endpoint.body.part_types))}")
        if endpoint.event is None:
            return ["body=body", *kind]
        if form.is_stream:
            return ["body=body", f"fixed={literal(self._flags_of_stream(endpoint))}", *kind]
        self.helpers.add("unstreamed")
        return ["body=unstreamed(body)", *kind]

    def _flags_of_stream(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return the fields by which the operation asks for a stream."""
        flags: dict[str, Any] = self._overrides["stream_flags"].get(endpoint.operation_id, {"stream": True})
        return flags


def argument(item: Parameter) -> str:
    """Return the name of *item* in a function."""
    name = attribute(item.name)
    return f"{name}_" if name in _RESERVED else name


def _is_binary(endpoint: Endpoint) -> bool:
    """Tell whether the whole answer is a file."""
    return endpoint.result is None and endpoint.result_type is not None


def _name(parameter: str) -> str:
    return parameter.partition(":")[0]


def _both(form: _Form, with_fields: str) -> str:
    return f"{form.function}, {form.function}{with_fields}" if with_fields else form.function


def _signature(positional: list[str], keywords: list[str], rest: str) -> str:
    return ", ".join([*positional, *(["*", *keywords] if keywords else []), rest])


def _queries(endpoint: Endpoint) -> list[Parameter]:
    # `stream` is decided by the operation that is called; header parameters are the client's
    return [item for item in endpoint.of("query") if item.name != "stream"]


def _flags(operation: PlannedOperation) -> dict[str, object]:
    endpoint, service = operation.endpoint, operation.service
    beta = endpoint.beta or (service.header if service is not None and service.is_beta else None)
    flags = {
        "headers": None if service is None or service.is_beta else {"openai-beta": service.header},
        "idempotent": endpoint.method in _IDEMPOTENT,
        "admin": endpoint.admin,
        "beta": beta,
        "deprecated": endpoint.deprecated,
    }
    return {name: value for name, value in flags.items() if value}


def stream_name(name: str) -> str:
    """Return what the streamed form is called: `create` streams something new, `retrieve` something stored."""
    if name in {"create", "retrieve"}:
        return {"create": "stream", "retrieve": "stream_stored"}[name]
    verb, _, rest = name.partition("_")
    return {"create": f"stream_{rest}", "get": f"stream_stored_{rest}"}.get(verb, f"stream_{name}")


def _sentence(operation_id: str) -> str:
    spaced = " ".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+", operation_id)).lower()
    return f"{spaced.capitalize()}."
