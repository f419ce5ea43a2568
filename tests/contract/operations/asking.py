"""
Calls as a test makes them: the arguments of a public method, and the request that they must become.

How a request is written is said here once more, for the description and RFC 7578 leave it open: lists are `name[]`,
objects `name[key]`, truth is lower case, in queries and forms alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from codegen.instances import Fill, InstanceMaker
from openai_client import types
from tests.contract.operations.facts import DESCRIPTION, FORM, JSON, Fact, as_keyword, facts, properties_of, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAKER: Final = InstanceMaker(DESCRIPTION)
PLAIN: Final = "id-1"
HOSTILE: Final = "a/b?c=d&e%2F #ü"
"""A path parameter that would change the path if it were not encoded."""
FILE: Final = ("voice.mp3", b"\x00\xff not text \r\n--boundary", "audio/mpeg")
BY_MODEL_ONLY: Final = {("createImageEdit", JSON)}
"""Bodies whose fields are no keywords, because the method's keywords are those of the form."""
PARTS_AS_JSON: Final = {("create-realtime-call", "session")}
"""Objects that a form holds as one part of JSON, by the `encoding` of the description."""
STREAM_FIELDS: Final = {"createSpeech": ("stream_format", "sse", "audio")}
"""The field that asks for a stream, what it says then, and what it says else; `stream` where nothing stands here."""


@dataclass(frozen=True)
class Asked:
    """One call."""

    fact: Fact
    ids: tuple[str, ...] = ()
    """The path parameters, in the order of the path."""
    query: Mapping[str, Any] = field(default_factory=dict)
    """By the names on the wire."""
    body: Any = None
    """By the names on the wire; None sends none."""
    content_type: str = JSON
    streams: bool = False

    @property
    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the named arguments that stand for path and query."""
        names = [item.keyword for item in self.fact.of("path")]
        named = dict(zip(names, self.ids, strict=True))
        last = [named.pop(names[-1])] if names else []
        return last, named | {as_keyword(name): value for name, value in self.query.items()}

    @property
    def has_keywords(self) -> bool:
        """Whether the method takes the fields of this body as keywords."""
        return (self.fact.operation_id, self.content_type) not in BY_MODEL_ONLY

    def by_keyword(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments, with each field of the body as one."""
        positional, named = self.arguments
        fields = self.fields()
        assert not named.keys() & fields.keys(), "a field hides a parameter"
        return positional, named | fields

    def by_model(self, model: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments, with the body as one model, which comes last."""
        positional, named = self.arguments
        return [*positional, model(**self.fields())], named

    def fields(self) -> dict[str, Any]:
        """The fields of the body as a caller gives them: files are files."""
        schema = self.fact.bodies.get(self.content_type, {})
        properties = properties_of(schema)
        return {name: with_files(properties.get(name, {}), value) for name, value in (self.body or {}).items()}

    @property
    def path(self) -> str:
        """The path as it leaves."""
        path = self.fact.path
        for item, value in zip(self.fact.of("path"), self.ids, strict=True):
            path = path.replace(f"{{{item.name}}}", quote(value, safe=""))
        return path

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query as names and values, in any order."""
        return sorted([*self.fact.fixed_query, *flat_pairs(self.query)])


def flat_pairs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values as queries and forms have them."""
    for name, value in fields.items():
        yield from _pairs(name.removesuffix("[]"), value)


def _pairs(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _pairs(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(f"{name}[]", item)
    else:
        yield name, value if isinstance(value, tuple) else text_of(value)


def text_of(value: object) -> str:
    """A value as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_file(schema: Mapping[str, Any]) -> bool:
    """Tell whether the schema is a file, or may be one."""
    schema = resolved(schema)
    inner = [item for key in ("anyOf", "oneOf") for item in schema.get(key, ())]
    return schema.get("format") == "binary" or any(map(is_file, inner))


def with_files(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with a file where the description has one, in a list too."""
    schema = resolved(schema)
    lists = [item for item in (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ())) if "items" in item]
    if isinstance(value, list) and lists and is_file(lists[0]["items"]):
        return [FILE for _ in value]
    return FILE if isinstance(value, str) and is_file(schema) else value


def model_of(fact: Fact, content_type: str) -> Any:
    """The public model of an operation's body. One for a form takes what may be sent as JSON, too."""
    reference = fact.bodies[content_type].get("$ref", f"{fact.operation_id}-request").rpartition("/")[2]
    name = "".join(part[:1].upper() + part[1:] for part in reference.split("-"))
    return model_of(fact, FORM) if FORM in fact.bodies and not hasattr(types, name) else getattr(types, name)


def whole(fact: Fact, body: dict[str, Any]) -> dict[str, Any]:
    """The same body, asking for one answer."""
    name, _, other = STREAM_FIELDS.get(fact.operation_id, ("stream", True, False))
    return body | {name: other} if name in body else body


def streamed(fact: Fact, body: dict[str, Any]) -> dict[str, Any]:
    """The same body, asking for a stream."""
    name, value, _ = STREAM_FIELDS.get(fact.operation_id, ("stream", True, False))
    return body | {name: value}


def smallest(fact: Fact) -> Asked:
    """The call that gives what is required and nothing else."""
    kinds = (kind for kind in content_types(fact) if (fact.operation_id, kind) not in BY_MODEL_ONLY)
    content_type = next(kinds, JSON)
    needed = {item.name: MAKER.of(item.schema, Fill.MINIMAL) for item in fact.of("query") if item.is_required}
    body = MAKER.of(fact.bodies[content_type], Fill.MINIMAL) if fact.bodies else None
    if body is not None and holds_file(fact, body):
        content_type = FORM
    return Asked(fact, tuple(PLAIN for _ in fact.of("path")), needed, body, content_type)


def smallest_answer(fact: Fact) -> tuple[str, bytes]:
    """The media type and the content of a short successful answer."""
    if fact.kind == "json":
        return JSON, json.dumps(MAKER.of(fact.answers[JSON], Fill.MINIMAL)).encode()
    return {"binary": "application/octet-stream", "text": "application/sdp", "nothing": JSON}[fact.kind], b""


def content_types(fact: Fact) -> list[str]:
    """The forms of body that the client sends: of a form and its bare content, the form."""
    return [kind for kind in fact.bodies if kind in {JSON, FORM}]


@cache
def covering(schema: str) -> tuple[Any, ...]:
    """Instances of a schema, given as JSON, that hold together everything that the description allows."""
    return tuple(MAKER.covering(json.loads(schema)))


@cache
def every(operation_id: str) -> tuple[Asked, ...]:
    """Calls that use, together, everything that the description allows."""
    return tuple(_every(facts()[operation_id]))


def _every(fact: Fact) -> Iterator[Asked]:
    least = smallest(fact)
    yield least
    query = {item.name: _query_value(item.schema) for item in fact.of("query") if item.name != "stream"}
    fullest = replace(least, ids=tuple(HOSTILE for _ in least.ids), query=query)
    if not content_types(fact):
        yield fullest
    for content_type in content_types(fact):
        for body in _bodies(fact, content_type):
            if JSON not in fact.bodies or holds_file(fact, body) == (content_type == FORM):
                yield replace(fullest, body=body, content_type=content_type)


def _bodies(fact: Fact, content_type: str) -> Iterator[dict[str, Any]]:
    """Bodies that hold, together, everything that the description allows; the first one is full."""
    for body in covering(json.dumps(fact.bodies[content_type])):
        yield whole(fact, body)


def holds_file(fact: Fact, body: Mapping[str, Any]) -> bool:
    """Tell whether a body has a file, and has to be a form."""
    given = Asked(fact, body=body, content_type=FORM).fields().values() if FORM in fact.bodies else ()
    return any(value == FILE or (isinstance(value, list) and FILE in value) for value in given)


def _query_value(schema: Mapping[str, Any]) -> Any:
    made = MAKER.of(schema, Fill.FULL)
    values = resolved(resolved(schema).get("items", {})).get("enum", ())
    return list(values) if isinstance(made, list) and values else made
