"""The events of a session as methods."""

from __future__ import annotations

import pytest

from codegen.commands_source import CommandsWriter, prefix_of
from codegen.generate import formatted
from codegen.plan import Plan, PlanError, sent_events, tag_of
from codegen.schema import Definition, Document, Enumeration, Message, OneOf, Property, Ref, Scalar

UNION = "ChatClientEvent"


def event(name: str, tag: str) -> Definition:
    """Return an event with a type and a text."""
    kind = Property("type", Enumeration((tag,)), required=True)
    return Definition(name, name, name, properties=(kind, Property("text", Scalar("str"), required=True)))


def plan(*tags: str) -> Plan:
    """Return the plan of a description with these events."""
    events = [event(f"Event{number}", tag) for number, tag in enumerate(tags)]
    union = Definition(UNION, UNION, UNION, alias=OneOf(tuple(Ref(item.name) for item in events), "type"))
    document = Document(
        definitions={item.name: item for item in (*events, union)}, messages=(Message("chat", True, Ref(UNION)),)
    )
    return Plan(document, {}, (), {}, dict.fromkeys(document.definitions, "chat"))


def test_a_type_is_the_way_to_its_method() -> None:
    """Parts inside parts, both colours, and one function an event; names that Python keeps get an underscore."""
    (name, source), *others = CommandsWriter(plan("item.create", "item.audio.import", "close.all")).modules().items()
    assert (name, others) == ("commands/chat.py", [])
    text = formatted({name: source})[name]
    for line in (
        "def item_create(**fields: Unpack[Event0Fields]) -> Event0:",
        "    create = command(item_create)",
        "class ChatItemCommands(_ChatItemCommands, SyncCommands):",
        "class AsyncChatItemAudioCommands(_ChatItemAudioCommands, AsyncCommands):",
        "    import_ = command(item_audio_import_)",
        "    def audio(self) -> ChatItemAudioCommands:",
        "class ChatCommands(Sender):",
        "class AsyncChatCommands(AsyncSender):",
        "    def close(self) -> AsyncChatCloseCommands:",
    ):
        assert line in text, line
    compile(text, name, "exec")


def test_an_event_without_a_part_or_a_type_is_refused() -> None:
    """It could be no method, or none that anybody finds."""
    with pytest.raises(PlanError, match="'create' has no part"):
        CommandsWriter(plan("create")).modules()
    bare = Document(definitions={"E": Definition("E", "E", "E")})
    with pytest.raises(PlanError, match="E is sent in a session and has no constant type"):
        tag_of(bare, "E")


def test_what_is_received_is_no_command() -> None:
    """Only unions that are sent count, each event once."""
    found = plan("item.create")
    received = Document(found.document.definitions, messages=(Message("chat", False, Ref(UNION)),))
    assert sent_events(found.document) == {UNION: ("Event0",)}
    assert sent_events(received) == {}
    assert prefix_of("RealtimeTranslationClientEvent") == "RealtimeTranslation"
