"""What travels outside of operations: the events of realtime sessions and of webhooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter

from openai_client import types
from tests.contract.operations.asking import covering
from tests.contract.operations.callers import surprises
from tests.contract.operations.facts import DESCRIPTION, messages
from tests.contract.operations.test_answers import with_news

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES = sorted(set(messages()))
SENT = [name for name in MESSAGES if "ClientEvent" in name]


def made(name: str) -> Iterator[Any]:
    """Instances that hold everything that the description allows."""
    return iter(covering(json.dumps({"$ref": f"#/components/schemas/{name}"})))


def through(adapter: TypeAdapter[Any], document: Any) -> tuple[Any, list[str]]:
    """What comes out when a document goes through a model, and what the model did not know."""
    value = adapter.validate_json(json.dumps(document))
    return json.loads(adapter.dump_json(value, exclude_unset=True, by_alias=True)), list(surprises(value))


@pytest.mark.requirement("CLI-09", "FWD-01")
@pytest.mark.parametrize("name", MESSAGES)
def test_every_event_is_understood_and_written_back_whole(name: str) -> None:
    """Each kind has a model, each field is one of it; of those received, unknown fields are kept as well."""
    adapter = TypeAdapter[Any](getattr(types, name))
    for document in made(name):
        assert through(adapter, document) == (document, [])
    if name not in SENT:
        news = with_news(next(made(name)))
        assert through(adapter, news)[0] == news


@pytest.mark.requirement("FWD-02")
def test_a_webhook_is_told_by_its_type_alone() -> None:
    """One union takes them all."""
    hooks = [name for name in MESSAGES if not name.startswith("Realtime")]
    assert len(hooks) == len(DESCRIPTION["webhooks"]) == 16
    adapter = TypeAdapter[Any](types.WebhookEvent)
    for name in hooks:
        document = next(made(name))
        value = adapter.validate_json(json.dumps(document))
        assert isinstance(value, getattr(types, name))
