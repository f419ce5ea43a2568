import dataclasses

import pytest

from adapter_api import ENTRY_POINT_GROUP, AdapterPlugin


def nothing(settings: object = None) -> dict[str, object]:
    """A part of a plugin that fails the test when it is called."""
    raise AssertionError("a declaration was executed")


@pytest.mark.requirement("ADP-61")
def test_a_plugin_declares_and_does_nothing() -> None:
    """Making a plugin calls none of its parts, and gives metadata, schema, policies and a factory."""
    plugin = AdapterPlugin(
        name="x", version="1", contract_version="1.0", factory=nothing, config_schema=nothing, policies=nothing
    )
    assert [field.name for field in dataclasses.fields(plugin)] == [
        "name",
        "version",
        "contract_version",
        "factory",
        "config_schema",
        "policies",
    ]
    assert plugin.factory is nothing
    with pytest.raises(AssertionError):
        plugin.factory({})


@pytest.mark.requirement("ADP-61")
def test_every_part_of_a_plugin_is_required_and_cannot_be_replaced() -> None:
    """A plugin without a part cannot be made, and one that is made stays as it is."""
    with pytest.raises(TypeError, match="policies"):
        AdapterPlugin(name="x", version="1", contract_version="1.0", factory=nothing, config_schema=nothing)
    plugin = AdapterPlugin(
        name="x", version="1", contract_version="1.0", factory=nothing, config_schema=nothing, policies=nothing
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        plugin.name = "y"


@pytest.mark.requirement("ADP-60")
def test_the_entry_point_group_has_its_fixed_name() -> None:
    """Distributions are looked for under `worker_adapters`."""
    assert ENTRY_POINT_GROUP == "worker_adapters"
