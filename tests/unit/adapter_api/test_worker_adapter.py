import dataclasses
import inspect

import pytest

from adapter_api import TaskRequest, WorkerAdapter, WorkerHealth, WorkerProps

VERBS = ("health", "props", "submit", "cancel", "engine_version", "aclose")


class Whole:
    """Has all the verbs and no base class."""

    async def health(self) -> None:
        """Verb."""

    async def props(self) -> None:
        """Verb."""

    async def submit(self, task: TaskRequest) -> None:
        """Verb."""

    async def cancel(self, task_id: str) -> None:
        """Verb."""

    async def engine_version(self) -> None:
        """Verb."""

    async def aclose(self) -> None:
        """Verb."""


@pytest.mark.requirement("ADP-02", "ADAPT-3000", "OC-ADAPT-OAI-6000")
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_the_contract_is_a_coroutine(verb: str) -> None:
    """All verbs, and the close, are awaited."""
    assert inspect.iscoroutinefunction(getattr(WorkerAdapter, verb))


@pytest.mark.requirement("ADAPT-3000", "OC-ADAPT-OAI-6000")
def test_the_contract_has_these_verbs_and_no_others() -> None:
    """Five verbs and a close."""
    assert {name for name in vars(WorkerAdapter) if not name.startswith("_")} == set(VERBS)


@pytest.mark.requirement("ADAPT-3000")
def test_an_adapter_needs_the_shape_and_no_base_class() -> None:
    """The contract is structural: a stranger's class is an adapter."""
    assert isinstance(Whole(), WorkerAdapter)


@pytest.mark.requirement("ADAPT-3000")
@pytest.mark.parametrize("verb", VERBS)
def test_a_class_that_lacks_a_verb_is_no_adapter(verb: str) -> None:
    """Each verb is needed."""
    others = {name: getattr(Whole, name) for name in VERBS if name != verb}
    assert not isinstance(type("Lacking", (), others)(), WorkerAdapter)


@pytest.mark.requirement("ADAPT-3000", "ADP-40")
def test_health_is_live_and_ready_and_says_why_not() -> None:
    """Health needs both claims; reason and detail are there for the rest."""
    health = WorkerHealth(live=True, ready=False, reason="invalid_api_key", detail="the key is not accepted")
    assert (health.live, health.ready, health.reason) == (True, False, "invalid_api_key")
    with pytest.raises(TypeError, match="ready"):
        WorkerHealth(live=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        health.ready = True


@pytest.mark.requirement("ADAPT-3000", "ADP-42")
def test_what_is_not_known_of_an_adapter_stays_unset() -> None:
    """Props without facts invent nothing: slots are None, lists are empty."""
    props = WorkerProps()
    assert (props.slots_total, props.slots_free) == (None, None)
    assert not any(dataclasses.asdict(props).values())
