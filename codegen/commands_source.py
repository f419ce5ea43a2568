"""
Writes the events that a session's client sends as methods: one module a kind of session.

An event's type is the way to its method: `conversation.item.create` is `connection.conversation.item.create(...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from codegen.fields_source import fields_module, fields_name
from codegen.models_source import NOTICE, ROOT, import_block, sources_of
from codegen.naming import attribute, snake
from codegen.operations_source import indented
from codegen.plan import PlanError, class_name, sent_events, tag_of

if TYPE_CHECKING:
    from codegen.plan import Plan, Way

_FUNCTION: Final = '''def {name}(**fields: Unpack[{fields}]) -> {model}:
    """Return the event `{tag}`."""
    return event_of({model}, fields)'''

_PART: Final = '''
    @cached_property
    def {part}(self) -> {name}:
        """The events `{way}.*`."""
        return {name}({sender})'''


@dataclass(frozen=True, slots=True)
class _Event:
    """One event that is sent."""

    model: str
    tag: str

    @property
    def way(self) -> Way:
        """The way to its method, with the method's name at the end."""
        return tuple(attribute(part) for part in self.tag.split("."))

    @property
    def function(self) -> str:
        """The name of the function that builds it."""
        return "_".join(self.way)


class CommandsWriter:
    """Writes the commands of one plan."""

    def __init__(self, plan: Plan) -> None:
        """Remember the plan."""
        self._plan = plan

    def modules(self) -> dict[str, str]:
        """Return the source of every module by its path below `_generated`, not yet formatted."""
        return {
            f"commands/{snake(prefix_of(union))}.py": self._module(union, models)
            for union, models in sent_events(self._plan.document).items()
        }

    def _module(self, union: str, models: tuple[str, ...]) -> str:
        prefix = prefix_of(union)
        events = [_Event(model, tag_of(self._plan.document, model)) for model in models]
        ways = {event.way[:length] for event in events for length in range(1, len(event.way))}
        if short := [event.tag for event in events if len(event.way) < 2]:  # noqa: PLR2004 - a part and a verb
            raise PlanError(f"{union}: {short[0]!r} has no part before its verb")
        groups = sources_of({event.model for event in events}, self._plan)
        groups["functools"] = {"cached_property"}
        groups["typing"] = {"TYPE_CHECKING"}
        groups["openai_client.realtime.commands"] = {
            "AsyncCommands",
            "AsyncSender",
            "Sender",
            "SyncCommands",
            "command",
            "event_of",
        }
        later = {"typing": {"Unpack"}}
        for event in events:
            source = f"{ROOT}.fields.{fields_module(self._plan, event.model)}"
            later.setdefault(source, set()).add(fields_name(event.model))
        head = (
            f'"""\nThe events of `{union}` as methods of a session.\n\n{NOTICE}\n"""\n\n'
            f"from __future__ import annotations\n\n{import_block(groups)}\n\n"
            f"if TYPE_CHECKING:\n{indented(import_block(later))}"
        )
        functions = [
            _FUNCTION.format(name=event.function, fields=fields_name(event.model), model=event.model, tag=event.tag)
            for event in events
        ]
        ordered = sorted(ways, key=lambda way: (-len(way), way))
        parts = [text for way in ordered for text in _part(prefix, way, events, ways)]
        return "\n\n\n".join([head, *functions, *parts, *_roots(prefix, union, ways)])


def prefix_of(union: str) -> str:
    """Return the name of a kind of session, such as `Realtime`, by the union of what its client sends."""
    return union.removesuffix("ClientEvent")


def _part(prefix: str, way: Way, events: list[_Event], ways: set[Way]) -> list[str]:
    """Return the classes of one part: its methods in neither colour, then both colours."""
    own = [event for event in events if event.way[:-1] == way]
    name, place = f"{prefix}{class_name(way)}Commands", ".".join(way)
    found = []
    if own:
        lines = [f"    {event.way[-1]} = command({event.function})" for event in own]
        found.append(
            "\n".join([f"class _{name}:", f'    """The events `{place}.*`, in neither colour."""', "", *lines])
        )
    below = sorted(other for other in ways if other[:-1] == way)
    for colour, base, how in (("", "SyncCommands", "blocking"), ("Async", "AsyncCommands", "awaited")):
        bases = f"_{name}, {base}" if own else base
        head = [f"class {colour}{name}({bases}):", f'    """The events `{place}.*`, {how}."""']
        found.append("\n".join([*head, *(_attribute(colour, prefix, other, "self._sender") for other in below)]))
    return found


def _roots(prefix: str, union: str, ways: set[Way]) -> list[str]:
    """Return what a session inherits, in both colours."""
    tops = sorted(way for way in ways if len(way) == 1)
    found = []
    for colour, base, how in (("", "Sender", "blocking"), ("Async", "AsyncSender", "awaited")):
        head = [f"class {colour}{prefix}Commands({base}):", f'    """What a session sends, {how}: every `{union}`."""']
        found.append("\n".join([*head, *(_attribute(colour, prefix, way, "self") for way in tops)]))
    return found


def _attribute(colour: str, prefix: str, way: Way, sender: str) -> str:
    return _PART.format(
        part=way[-1], name=f"{colour}{prefix}{class_name(way)}Commands", way=".".join(way), sender=sender
    )
