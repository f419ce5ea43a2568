from __future__ import annotations

import copy
from collections import Counter
from functools import cache

import pytest

from codegen.annotations import Annotator
from codegen.description import load_settings
from codegen.generate import load_plan
from codegen.models_source import RESERVED
from codegen.plan import SHARED, Direction, Plan, PlanError, class_name, make_plan, object_of
from codegen.schema import Definition, Document, Nullable, Property, Ref, Scalar, refs
from codegen.unions import variants


@cache
def plan() -> Plan:
    """The plan of the whole pinned description."""
    return load_plan()


@pytest.mark.requirement("CLI-02")
def test_the_plan_covers_every_operation_of_the_description() -> None:
    """All 288, each with a name that no other one has."""
    operations = [item for family in plan().families.values() for item in family]
    assert len(operations) == 288
    assert len({item.endpoint.operation_id for item in operations}) == 288
    names = Counter((family, item.function) for family, items in plan().families.items() for item in items)
    places = Counter((item.resource, item.method) for item in operations)
    assert max(names.values()) == max(places.values()) == 1


def test_the_plan_covers_every_schema_that_an_operation_reaches() -> None:
    """Each has a direction, a module, and an annotation; no name is one that modules import."""
    found = plan()
    reached = found.definitions_of(found.families)
    assert len({found.document.definitions[name].owner for name in reached}) > 1150
    assert not reached & RESERVED
    annotator = Annotator(found.document)
    for name in reached:
        assert found.modules[name]
        for shape in found.document.definitions[name].shapes():
            assert annotator.write(shape, found.directions[name])


def test_no_class_is_named_with_a_number_that_the_description_did_not_need() -> None:
    """Numbers tell nothing apart."""
    found = plan()
    assert [name for name in found.definitions_of(found.families) if name[-1].isdigit()] == []


def test_modules_import_each_other_in_one_direction_only() -> None:
    """Shared models know no family, subjects of a family those above them, a family those it builds on."""
    found = plan()
    edges = {
        (found.modules[name], found.modules[other])
        for name in found.definitions_of(found.families)
        for shape in found.document.definitions[name].shapes()
        for other in refs(shape)
        if found.modules[name] != found.modules[other]
    }
    assert not [edge for edge in edges if edge[0] == SHARED]
    remaining = set(edges)
    while leaves := {target for _, target in remaining} - {source for source, _ in remaining}:
        remaining = {edge for edge in remaining if edge[1] not in leaves}
    assert remaining == set()


def test_every_union_of_received_objects_can_be_told_apart_or_falls_back() -> None:
    """The events of a response have one tag each."""
    found = plan()
    alias = found.document.definitions["ResponseStreamEvent"].alias
    assert alias is not None
    result = variants(found.document, alias)
    assert result.tag == "type"
    assert all(len(names) == 1 for names in result.by_tag.values())
    assert len(result.by_tag) > 50


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("CreateChatCompletionRequest", Direction.SENT),
        ("CreateChatCompletionResponse", Direction.RECEIVED),
        ("OutputMessage", Direction.BOTH),
    ],
)
def test_a_schema_travels_as_the_operations_say(name: str, direction: Direction) -> None:
    """Bodies are sent, answers received, items of a response both."""
    assert plan().directions[name] is direction


@pytest.mark.parametrize(
    ("operation_id", "place"),
    [
        ("createChatCompletion", "chat.completions.create"),
        ("getChatCompletionMessages", "chat.completions.messages.list"),
        ("cancelResponse", "responses.cancel"),
        ("listModels", "models.list"),
        ("list-project-users", "admin.organization.projects.users.list"),
        ("createThreadAndRun", "beta.threads.create_and_run"),
        ("createFile", "files.create"),
        ("beta_cancelResponse", "beta.responses.cancel"),
    ],
)
def test_operations_are_found_where_their_path_says(operation_id: str, place: str) -> None:
    """The way through the client is the path, the method what is done there."""
    found = {
        item.endpoint.operation_id: ".".join((*item.resource, item.method))
        for items in plan().families.values()
        for item in items
    }
    assert found.get(operation_id) == place


def test_lists_that_can_be_paged_are_pages() -> None:
    """By item, or by token where the upstream hands one out."""
    operations = {item.endpoint.operation_id: item for items in plan().families.values() for item in items}
    assert operations["listInputItems"].item is not None
    assert operations["listInputItems"].cursor == "after"
    assert operations["usage-completions"].cursor == "page"
    assert operations["listModels"].item is None


def test_adding_a_family_is_adding_its_name() -> None:
    """Everything planned for the others stays where it was."""
    settings = load_settings()
    families = copy.deepcopy(dict(settings.families))
    families["generated"] = [name for name in families["generated"] if name not in {"files", "conversations"}]
    fewer = make_plan(plan().document, families, settings.overrides)
    assert fewer.modules == plan().modules
    assert fewer.directions == plan().directions
    assert fewer.definitions_of(fewer.generated) < plan().definitions_of(plan().generated)


def test_a_family_that_does_not_exist_is_named_in_the_error() -> None:
    """With those that do."""
    settings = load_settings()
    with pytest.raises(PlanError, match=r"generates 'horoscopes'.*models"):
        make_plan(plan().document, {**settings.families, "generated": ["horoscopes"]}, settings.overrides)


def test_two_operations_of_one_name_are_refused() -> None:
    """A correction must tell them apart."""
    settings = load_settings()
    changed = {"getResponse": {"function": "create_response", "reason": "a test"}}
    overrides = {**settings.overrides, "names": {**settings.overrides["names"], "operations": changed}}
    with pytest.raises(PlanError, match=r"create_response"):
        make_plan(plan().document, settings.families, overrides)


def test_a_correction_of_an_operation_that_does_not_exist_is_refused() -> None:
    """It would be forgotten otherwise."""
    settings = load_settings()
    overrides = {**settings.overrides, "stream_flags": {"createHoroscope": {"stream": True}}}
    with pytest.raises(PlanError, match=r"stream_flags: the description has no operation createHoroscope"):
        make_plan(plan().document, settings.families, overrides)


def test_a_subject_that_uses_a_later_one_is_refused() -> None:
    """The files would import each other in a circle."""
    settings = load_settings()
    subjects = {**settings.families["subjects"], "threads": {"runs": ["*"], "messages": ["Message*", "CreateMessage*"]}}
    with pytest.raises(PlanError, match=r"subjects.threads: \w+ in 'runs' uses \w+ in 'messages', which comes later"):
        make_plan(plan().document, {**settings.families, "subjects": subjects}, settings.overrides)


def test_messages_travel_though_no_operation_carries_them() -> None:
    """Those of realtime sessions both ways, those of webhooks to the receiver."""
    found = plan()
    assert found.directions["RealtimeClientEventSessionUpdate"] is Direction.SENT
    assert found.directions["RealtimeServerEventError"] is Direction.RECEIVED
    assert found.modules["WebhookEvent"] == "webhooks"
    assert found.modules["RealtimeServerEvent"] == "realtime.server_events"


def test_a_schema_without_a_subject_is_refused() -> None:
    """One subject of a folder takes the rest."""
    settings = load_settings()
    with pytest.raises(PlanError, match="no subject has a pattern"):
        make_plan(plan().document, {**settings.families, "subjects": {"responses": {"a": ["X"]}}}, settings.overrides)


def test_an_object_is_found_behind_names_and_nulls() -> None:
    """What is no object is none."""
    found = Document(
        {
            "O": Definition("O", "O", "O", (Property("p", Scalar("str"), required=True),)),
            "Alias": Definition("Alias", "Alias", "Alias", alias=Ref("O")),
        }
    )
    assert object_of(found, Nullable(Ref("Alias"))) is found.definitions["O"]
    assert object_of(found, Scalar("str")) is None
    assert object_of(found, None) is None


def test_a_resource_is_named_by_the_way_to_it() -> None:
    """In Pascal case."""
    assert class_name(("chat", "completions")) == "ChatCompletions"
    assert class_name(("fine_tuning", "jobs")) == "FineTuningJobs"
