import pluggy
import pytest

from adapter_api import AdapterPlugin, hookspecs


def declared(name: str) -> AdapterPlugin:
    """A plugin of that name."""
    return AdapterPlugin(
        name=name,
        version="1",
        contract_version="1.0",
        factory=lambda settings: settings,
        config_schema=dict,
        policies=dict,
    )


class One:
    """A distribution with one adapter."""

    @hookspecs.hookimpl
    def worker_adapter_plugins(self) -> AdapterPlugin:
        """Its adapter."""
        return declared("one")


class Misspelt:
    """A distribution whose hook takes an argument that the contract does not give."""

    @hookspecs.hookimpl
    def worker_adapter_plugins(self, network: str) -> None:
        """Never called."""


@pytest.fixture
def manager() -> pluggy.PluginManager:
    """A plugin manager that knows the hook."""
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    return manager


@pytest.mark.requirement("ADP-60", "ADP-61")
def test_what_a_distribution_marks_is_found_by_the_hook(manager: pluggy.PluginManager) -> None:
    """A marked function is called by the hook's name and gives a declaration, not a connection."""
    manager.register(One())
    assert [plugin.name for plugin in manager.hook.worker_adapter_plugins()] == ["one"]


@pytest.mark.requirement("ADP-61")
def test_an_implementation_that_does_not_fit_the_hook_is_refused(manager: pluggy.PluginManager) -> None:
    """An argument that the specification does not have is found when the plugin is registered."""
    with pytest.raises(pluggy.PluginValidationError, match="network"):
        manager.register(Misspelt())


@pytest.mark.requirement("ADP-61")
def test_the_hook_is_the_only_one_and_its_project_is_named() -> None:
    """The specification has one hook; its project name is the group's."""
    manager = pluggy.PluginManager("worker_adapters")
    manager.add_hookspecs(hookspecs)
    assert [name for name in vars(manager.hook) if not name.startswith("_")] == ["worker_adapter_plugins"]
