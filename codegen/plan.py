"""
Decides, without writing anything, what is generated.

That is: which way each schema travels, where it lives, what each operation is called. Every decision is taken over the
whole description, not over the families generated today, so that adding a family moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codegen.naming import attribute, pascal, snake
from codegen.schema import Definition, Document, Endpoint, Enumeration, ListOf, Nullable, Ref, Shape, refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHARED: Final = "shared"

Way: TypeAlias = tuple[str, ...]
"""The way to a resource: `("chat", "completions")` for `client.chat.completions`."""


class PlanError(ValueError):
    """The description and the settings do not fit together; the message names both."""


class Direction(Enum):
    """Which way a schema travels."""

    SENT = "sent"
    RECEIVED = "received"
    BOTH = "sent and received"


@dataclass(frozen=True, slots=True)
class Service:
    """What all operations of some families send besides what the description says."""

    header: str
    """The value of `OpenAI-Beta`."""
    is_beta: bool
    """Whether the beta switch guards them."""


@dataclass(frozen=True, slots=True)
class PlannedOperation:
    """One operation under the names it has in the client."""

    endpoint: Endpoint
    family: str
    """Where its models live."""
    resource: Way
    method: str
    """Its name on the resource."""
    function: str
    """Its name in the family's module."""
    item: Shape | None
    """What a page lists; None when the answer is no page."""
    cursor: str
    """The query parameter that asks for the page behind an item."""
    service: Service | None = None
    also: Way = ()
    """A second way to it, with its name at the end; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is generated, and everything known about all the rest."""

    document: Document
    families: Mapping[str, tuple[PlannedOperation, ...]]
    """Every family of the description, in alphabetical order."""
    generated: tuple[str, ...]
    """The families that are written, in the order of the client."""
    directions: Mapping[str, Direction]
    """By definition."""
    modules: Mapping[str, str]
    """The module below `models` of every definition: `chat`, `responses.items`."""
    bases: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By definition, the class written by hand that its model extends: module below `openai_client`, and name."""
    stand_ins: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By definition, the type of what else may be given in its place, told as above."""

    def written_by_hand(self) -> dict[str, str]:
        """Return the module of every name that generated modules import from code written by hand for one model."""
        return {name: f"openai_client.{module}" for module, name in (*self.bases.values(), *self.stand_ins.values())}

    def definitions_of(self, families: Iterable[str]) -> set[str]:
        """Return the names of the definitions that the operations of *families* reach."""
        endpoints = [operation.endpoint for family in families for operation in self.families[family]]
        shapes = [shape for item in endpoints for shape in (*_sent(item), *_received(item))]
        return reach(self.document, [*shapes, *(message.shape for message in self.document.messages)])

    def contents(self) -> dict[str, set[str]]:
        """Return the definitions that are written, by module."""
        found: dict[str, set[str]] = {}
        for name in self.definitions_of(self.generated):
            found.setdefault(self.modules[name], set()).add(name)
        return found


def make_plan(document: Document, settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> Plan:
    """
    Return the plan for *document*.

    Raises:
        PlanError: A family or an operation does not exist, two operations have one name, or subjects use each other in
            a circle.
    """
    _check_operations(document, overrides)
    families: dict[str, list[Endpoint]] = {}
    for endpoint in document.endpoints:
        families.setdefault(_family(endpoint, settings, overrides), []).append(endpoint)
    generated = tuple(settings["generated"])
    for family in generated:
        if family not in families:
            raise PlanError(f"families.toml generates {family!r}; the description has {', '.join(sorted(families))}")
    planned = {
        family: _named(document, endpoints, family, settings, overrides)
        for family, endpoints in sorted(families.items())
    }
    return Plan(
        document=document,
        families=planned,
        generated=generated,
        directions=_directions(document),
        modules=_modules(document, families, settings),
        bases=_by_hand(document, overrides["bases"], "extends"),
        stand_ins=_by_hand(document, overrides["bases"], "stand_in"),
    )


def _by_hand(document: Document, table: Mapping[str, Any], key: str) -> dict[str, tuple[str, str]]:
    """Return what *table* says under *key*, by definition."""
    if unknown := sorted(table.keys() - document.definitions.keys()):
        raise PlanError(f"overrides.toml, bases: the description has no schema {', '.join(unknown)}")
    found = {name: entry[key].partition(":") for name, entry in table.items() if key in entry}
    return {name: (module, known) for name, (module, _, known) in found.items()}


def _check_operations(document: Document, overrides: Mapping[str, Any]) -> None:
    known = {endpoint.operation_id for endpoint in document.endpoints}
    named = {
        **{f"names.{table}": overrides["names"][table] for table in ("operations", "official", "also")},
        "named_events": overrides["named_events"]["operations"],
        "iterated": overrides["iterated"]["operations"],
        **{table: overrides[table] for table in ("stream_ends", "stream_flags", "text_answers", "summaries")},
    }
    for table, operations in named.items():
        if unknown := sorted(set(operations) - known):
            raise PlanError(f"overrides.toml, {table}: the description has no operation {', '.join(unknown)}")


def reach(document: Document, shapes: Iterable[Shape]) -> set[str]:
    """Return the names of the definitions that *shapes* reach."""
    found: set[str] = set()
    waiting = [name for shape in shapes for name in refs(shape)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for shape in document.definitions[name].shapes() for other in refs(shape)]
    return found


def object_of(document: Document, shape: Shape | None) -> Definition | None:
    """Return the object definition that *shape* stands for, or None."""
    while isinstance(shape, Ref | Nullable):
        if isinstance(shape, Ref):
            definition = document.definitions[shape.name]
            if definition.alias is None:
                return definition
            shape = definition.alias
        else:
            shape = shape.inner
    return None


def sent_events(document: Document) -> dict[str, tuple[str, ...]]:
    """Return the events that are sent in sessions, by the union that they are told in."""
    unions = [message.shape.name for message in document.messages if message.is_sent and isinstance(message.shape, Ref)]
    return {
        union: tuple(dict.fromkeys(refs(alias)))
        for union in unions
        if (alias := document.definitions[union].alias) is not None
    }


def tag_of(document: Document, name: str) -> str:
    """
    Return the `type` that the event *name* always has.

    Raises:
        PlanError: It has none.
    """
    for item in document.definitions[name].properties:
        if item.name == "type" and isinstance(item.shape, Enumeration) and len(item.shape.values) == 1:
            return str(item.shape.values[0])
    raise PlanError(f"{name} is sent in a session and has no constant type")


def _sent(endpoint: Endpoint) -> list[Shape]:
    shapes = [parameter.shape for parameter in endpoint.parameters]
    return shapes if endpoint.body is None else [*shapes, *endpoint.body.shapes()]


def _received(endpoint: Endpoint) -> list[Shape]:
    return [shape for shape in (endpoint.result, endpoint.event) if shape is not None]


def _directions(document: Document) -> dict[str, Direction]:
    told = document.messages
    sent = reach(
        document,
        [
            *(shape for endpoint in document.endpoints for shape in _sent(endpoint)),
            *(message.shape for message in told if message.is_sent),
        ],
    )
    received = reach(
        document,
        [
            *(shape for endpoint in document.endpoints for shape in _received(endpoint)),
            *(message.shape for message in told if not message.is_sent),
        ],
    )
    return {
        name: Direction.BOTH
        if name in sent and name in received
        else Direction.SENT
        if name in sent
        else Direction.RECEIVED
        for name in document.definitions
    }


def _family(endpoint: Endpoint, settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> str:
    if endpoint.beta is not None:
        return str(overrides["beta"]["family"])
    segment = endpoint.path.split("/")[1]
    return str(settings["segments"].get(segment, segment))


def _modules(document: Document, families: Mapping[str, list[Endpoint]], settings: Mapping[str, Any]) -> dict[str, str]:
    users: dict[str, set[str]] = {name: set() for name in document.definitions}
    for family, endpoints in families.items():
        for name in reach(document, [shape for item in endpoints for shape in (*_sent(item), *_received(item))]):
            users[name].add(family)
    for message in document.messages:
        for name in reach(document, [message.shape]):
            users[name].add(message.family)
    # a definition without users is the base of an allOf, and was taken apart
    homes = {name: _home(found, settings["builds_on"]) for name, found in users.items() if found}
    subjects = settings["subjects"]
    modules = {
        name: f"{home}.{_subject(document.definitions[name].owner, home, subjects)}" if home in subjects else home
        for name, home in homes.items()
    }
    for name in modules:
        _refuse_circle(document, name, modules, subjects)
    return modules


def _refuse_circle(document: Document, name: str, modules: Mapping[str, str], subjects: Mapping[str, Any]) -> None:
    """Check that the definition *name* uses no subject that comes after its own."""
    family, _, subject = modules[name].partition(".")
    if not subject:
        return
    listed = subjects[family]
    order = list(subjects[listed["like"]] if "like" in listed else listed)
    for other in {found for shape in document.definitions[name].shapes() for found in refs(shape)}:
        home, _, theirs = modules[other].partition(".")
        if home == family and order.index(theirs) > order.index(subject):
            raise PlanError(
                f"families.toml, subjects.{family}: {name} in {subject!r} uses {other} in {theirs!r}, which comes later"
            )


def _home(users: set[str], builds_on: Mapping[str, str]) -> str:
    founders = {user for user in users if not users.intersection(_bases(user, builds_on))}
    return founders.pop() if len(founders) == 1 else SHARED


def _bases(family: str, builds_on: Mapping[str, str]) -> list[str]:
    base = builds_on.get(family)
    return [] if base is None else [base, *_bases(base, builds_on)]


def _subject(owner: str, home: str, settings: Mapping[str, Any]) -> str:
    """Return the first subject with a pattern for *owner*, or the one that takes everything."""
    subjects = settings[home]
    if "like" in subjects:
        return _subject(owner.removeprefix(subjects["prefix"]), subjects["like"], settings)
    rest = None
    for subject, patterns in subjects.items():
        if any(fnmatchcase(owner, pattern) for pattern in patterns if pattern != "*"):
            return str(subject)
        rest = subject if "*" in patterns else rest
    if rest is None:
        raise PlanError(f"families.toml: no subject has a pattern for {owner}; one of them needs '*'")
    return str(rest)


def _named(
    document: Document,
    endpoints: list[Endpoint],
    family: str,
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> tuple[PlannedOperation, ...]:
    collections = {item.path for item in endpoints if item.method == "GET" and _lists(document, item)}
    singletons = {item.path for item in endpoints if item.method == "GET"} - collections
    words = overrides["names"]["operations"]
    ways = {
        table: {key: tuple(way.split(".")) for key, way in overrides["names"][table].items()}
        for table in ("official", "also")
    }
    service = settings["services"].get(family)
    planned: list[PlannedOperation] = []
    for endpoint in endpoints:
        official = ways["official"].get(endpoint.operation_id)
        *resource, method = official or _place(endpoint, collections, singletons, settings, overrides)
        planned.append(
            PlannedOperation(
                endpoint=endpoint,
                family=family,
                resource=tuple(resource),
                method=method,
                function=words.get(endpoint.operation_id, {}).get("function", snake(endpoint.operation_id)),
                item=_page_item(document, endpoint),
                cursor="page" if any(item.name == "page" for item in endpoint.of("query")) else "after",
                service=None if service is None else Service(service["header"], service["beta"]),
                also=ways["also"].get(endpoint.operation_id, ()),
            )
        )
    _refuse_twins(planned)
    return tuple(planned)


def _place(
    endpoint: Endpoint,
    collections: set[str],
    singletons: set[str],
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> Way:
    """Return the way to the method that the path suggests, with the method's name at its end."""
    segments = endpoint.path.strip("/").split("/")
    names = [attribute(segment) for segment in segments if not segment.startswith("{")]
    start = settings["places"].get(segments[0], names[:1]) if endpoint.beta is None else overrides["beta"]["place"]
    resource = [*start, *names[1:]]
    leaf, is_item = segments[-1], segments[-1].startswith("{")
    if leaf in settings["actions"]["names"] and endpoint.method == "POST":
        return (*resource[:-1], leaf)
    if endpoint.method == "GET":
        return (*resource, "list" if endpoint.path in collections else "retrieve")
    if endpoint.method == "POST":
        return (*resource, "update" if is_item or endpoint.path in singletons else "create")
    return (*resource, {"PUT": "replace", "PATCH": "update", "DELETE": "delete"}[endpoint.method])


def _lists(document: Document, endpoint: Endpoint) -> bool:
    return _list_item(document, endpoint) is not None and not endpoint.path.endswith("}")


def _list_item(document: Document, endpoint: Endpoint) -> Shape | None:
    definition = object_of(document, endpoint.result)
    for item in definition.properties if definition is not None else ():
        if item.name == "data" and isinstance(item.shape, ListOf):
            return item.shape.item
    return None


def _page_item(document: Document, endpoint: Endpoint) -> Shape | None:
    cursors = {"after", "page"}
    if endpoint.method != "GET" or not any(item.name in cursors for item in endpoint.of("query")):
        return None
    return _list_item(document, endpoint)


def _refuse_twins(planned: list[PlannedOperation]) -> None:
    for kind in ("method", "function"):
        seen: dict[tuple[tuple[str, ...], str], str] = {}
        for item in planned:
            key = (item.resource, item.method) if kind == "method" else ((), item.function)
            other = seen.setdefault(key, item.endpoint.operation_id)
            if other != item.endpoint.operation_id:
                place = ".".join((*key[0], key[1]))
                raise PlanError(
                    f"{other} and {item.endpoint.operation_id} are both {place}; name one in overrides.toml,"
                    " names.operations"
                )


def class_name(resource: Way) -> str:
    """Return the name of the class behind `client.<resource>`."""
    return "".join(pascal(part) for part in "_".join(resource).split("_"))
