"""
What the description says about each operation, read once more: straight from its file, by nobody else's parser.

Where the description is known to be wrong or silent, the tables below say what is right, in the words of this reading;
they share nothing with the corrections that the client is generated with.
"""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import codegen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE: Final = Path(codegen.__file__).parent / "spec" / "openai-openapi-facts.json"
DESCRIPTION: Final[Mapping[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
EVENTS: Final = "text/event-stream"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

BETA_HEADERS: Final = {
    "assistants": "assistants=v2",
    "threads": "assistants=v2",
    "vector_stores": "assistants=v2",
    "chatkit": "chatkit_beta=v1",
}
"""`OpenAI-Beta` by the first segment of a path. The description does not tell; the service's reference does."""
TWIN_HEADER: Final = "responses_multi_agent=v1"
"""`OpenAI-Beta` of the operations whose path carries `?beta=true`."""

STREAMED: Final = {
    "createCompletion": "CreateCompletionResponse",
    "getResponse": "ResponseStreamEvent",
    "beta_getResponse": "BetaResponseStreamEvent",
    "createRun": "AssistantStreamEvent",
    "createThreadAndRun": "AssistantStreamEvent",
    "submitToolOuputsToRun": "AssistantStreamEvent",
}
"""Operations that take `stream` and whose events the description leaves out: the schema of an event."""
NAMED_EVENTS: Final = frozenset({"AssistantStreamEvent"})
"""Schemas of events whose kind is the `event` field of the stream and not a part of their data."""
BINARY: Final = frozenset(
    {
        "createSpeech",
        "downloadFile",
        "GetSkillContent",
        "GetSkillVersionContent",
        "RetrieveContainerFileContent",
        "RetrieveVideoContent",
    }
)
"""Operations whose answer is a file. Of most the description knows it only beside a JSON string, of one not at all."""
TEXT: Final = frozenset({"application/sdp"})
"""Media types whose answers are text."""


@dataclass(frozen=True)
class Parameter:
    """A path or query parameter, by its name on the wire."""

    place: str
    name: str
    schema: Mapping[str, Any]
    is_required: bool

    @property
    def keyword(self) -> str:
        """The name of the argument."""
        return as_keyword(self.name)


@dataclass(frozen=True)
class Fact:
    """One operation."""

    operation_id: str
    method: str
    path: str
    """The template, without a query."""
    fixed_query: tuple[tuple[str, str], ...]
    """What the path itself carries as a query."""
    parameters: tuple[Parameter, ...]
    bodies: Mapping[str, Mapping[str, Any]]
    """Schema by media type."""
    needs_body: bool
    answers: Mapping[str, Mapping[str, Any]]
    """Schema by media type, of the successful answer."""
    status: int
    is_admin: bool
    event: Mapping[str, Any] | None
    """The schema of an event; None when the operation does not stream."""

    @property
    def key(self) -> str:
        """Method and path, as a specification's row names the operation."""
        query = "".join(f"?{name}={value}" for name, value in self.fixed_query)
        return f"{self.method} {self.path}{query}"

    @property
    def beta(self) -> str | None:
        """What `OpenAI-Beta` has to say."""
        return TWIN_HEADER if self.fixed_query else BETA_HEADERS.get(self.path.split("/")[1])

    @property
    def kind(self) -> str:
        """What the whole answer is: `json`, `binary`, `text` or `nothing`."""
        if self.operation_id in BINARY:
            return "binary"
        if not self.answers:
            return "nothing"
        return "text" if TEXT & self.answers.keys() else "json"

    def of(self, place: str) -> tuple[Parameter, ...]:
        """The parameters in *place*."""
        return tuple(item for item in self.parameters if item.place == place)


def as_keyword(name: str) -> str:
    """The argument that stands for a name on the wire."""
    plain = re.sub(r"\W+", "_", name.removesuffix("[]"))
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that *schema* is, or refers to."""
    while "$ref" in schema:
        schema = DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def properties_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an object, inherited ones included."""
    schema = resolved(schema)
    found: dict[str, Any] = {}
    for part in schema.get("allOf", ()):
        found |= properties_of(part)
    return found | schema.get("properties", {})


@cache
def facts() -> dict[str, Fact]:
    """Every operation by its id, in the order of the description."""
    read = [
        _fact(path, method, item)
        for path, methods in DESCRIPTION["paths"].items()
        for method, item in methods.items()
        if method in METHODS
    ]
    return {fact.operation_id: fact for fact in read}


def messages() -> Iterator[str]:
    """The schemas that travel outside of operations: in realtime sessions, and to webhooks."""
    schemas = DESCRIPTION["components"]["schemas"]
    yield from (name for name in schemas if re.fullmatch(r"Realtime(Translation)?(Client|Server)Event", name))
    for item in DESCRIPTION["webhooks"].values():
        yield item["post"]["requestBody"]["content"][JSON]["schema"]["$ref"].rpartition("/")[2]


def _fact(path: str, method: str, item: Mapping[str, Any]) -> Fact:
    plain, _, query = path.partition("?")
    (status, answer), *_ = [(code, said) for code, said in item["responses"].items() if code.startswith("2")]
    answers = {kind: said["schema"] for kind, said in answer.get("content", {}).items()}
    event = answers.pop(EVENTS, None)
    if event is None and item["operationId"] in STREAMED:
        event = {"$ref": f"#/components/schemas/{STREAMED[item['operationId']]}"}
    body = item.get("requestBody", {})
    return Fact(
        operation_id=item["operationId"],
        method=method.upper(),
        path=plain,
        fixed_query=tuple(tuple(pair.split("=")) for pair in query.split("&") if pair),
        parameters=tuple(
            Parameter(said["in"], said["name"], said["schema"], said.get("required", False))
            for said in item.get("parameters", ())
        ),
        bodies={kind: said["schema"] for kind, said in body.get("content", {}).items()},
        needs_body=body.get("required", False),
        answers=answers,
        status=int(status),
        is_admin="AdminApiKeyAuth" in [name for entry in item.get("security", ()) for name in entry],
        event=event,
    )
