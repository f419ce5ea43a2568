from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field

from adapter_api import ADAPTER_API_VERSION, AdapterPlugin
from adapter_api.testing import ScriptedAdapter, make_task
from adapter_host import AdapterHost, Catalogue, ConfigError, HostConfig, InstalledPlugin, QuarantinedPlugin
from adapter_host.plugins import Origin
from http_util.breaker import State
from http_util.secret import Secret

KEY = "sk-assembly-abcdefgh12345678"
ORIGIN = Origin(distribution="some-dist", version="1.2", entry_point="x = y")

pytestmark = pytest.mark.requirement("HST-10")


class Settings(BaseModel):
    """What the fake adapter takes."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    slots: int = Field(default=1, ge=1)
    api_key: Secret | None = None
    hosts: list[str] = []


def catalogue(factory=None, *, name: str = "fake", schema=None) -> Catalogue:
    """One adapter that works and one in quarantine."""

    def build(settings):
        checked = Settings.model_validate(dict(settings))
        return ScriptedAdapter(slots=checked.slots)

    plugin = AdapterPlugin(
        name=name,
        version="1",
        contract_version=ADAPTER_API_VERSION,
        factory=factory or build,
        config_schema=schema or Settings.model_json_schema,
        policies=lambda settings: Settings.model_validate(dict(settings)).model_dump(),
    )
    broken = QuarantinedPlugin(name="broken", origin=ORIGIN, reason="loading it raised SystemExit")
    return Catalogue({name: InstalledPlugin(plugin=plugin, origin=ORIGIN)}, (broken,))


def config(**pools) -> HostConfig:
    """A configuration of *pools*."""
    return HostConfig.from_mapping({"pools": pools})


def problems(wanted: HostConfig, factory=None) -> ConfigError:
    """What is wrong with *wanted*; never a secret."""
    with pytest.raises(ConfigError) as caught:
        AdapterHost.from_config(wanted, catalogue=catalogue(factory))
    assert KEY not in str(caught.value)
    return caught.value


async def test_every_replica_of_every_pool_is_built_and_bound():
    """With the pool's adapter name, and the host's own policies in force."""
    wanted = HostConfig.from_mapping(
        {
            "host": {"breaker": False, "grace": 0},
            "pools": {
                "a": {"adapter": "fake"},
                "b": {
                    "adapter": "fake",
                    "settings": {"slots": 2},
                    "replicas": {"x": {}, "y": {"settings": {"slots": 3}}},
                },
            },
        }
    )
    async with AdapterHost.from_config(wanted, catalogue=catalogue()) as host:
        assert host.pool_ids == ("a", "b")
        assert [(one.replica_id, one.adapter_name) for one in host.replicas("b")] == [("x", "fake"), ("y", "fake")]
        assert (await host.props("b")).slots_total == 5
        assert host.breaker_state("a") is None
        await (await host.submit("a", make_task())).collect()
    async with AdapterHost.from_config(config(a={"adapter": "fake"}), catalogue=catalogue()) as host:
        assert host.breaker_state("a") is State.CLOSED


def test_everything_that_is_wrong_is_told_at_once():
    """Each with its key; the adapter's own check of a setting included."""
    error = problems(
        config(
            a={"adapter": "missing"},
            b={"adapter": "broken"},
            c={"adapter": "fake", "settings": {"slots": 0, "wrong": KEY}},
            d={"adapter": "fake", "replicas": {"x": {"settings": {"slots": "many"}}}},
        )
    )
    assert str(error).splitlines() == [
        "pools.a.adapter: no adapter is installed as 'missing'; installed: fake",
        "pools.b.adapter: broken of some-dist 1.2 cannot be used: loading it raised SystemExit",
        "pools.c.settings.slots: expected a whole number of at least 1",
        "pools.c.settings.wrong: unknown key; there are: slots, api_key, hosts",
        "pools.d.replicas.x.settings.slots: expected a whole number of at least 1, got a text",
    ]
    assert error.is_unknown_adapter is False
    assert problems(config(a={"adapter": "missing"})).is_unknown_adapter is True


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ({"enf": "CHAT_KEY"}, 'expected a text, { env = "NAME" } or { file = "PATH" }'),
        (3, 'expected a text, { env = "NAME" } or { file = "PATH" }'),
        ({"env": "CHAT_KEY", "file": "chat.key"}, "expected one of env and file, got both"),
        ("", "a secret must not be empty"),
    ],
)
def test_a_reference_that_is_none_says_what_is_accepted(reference: object, says: str):
    """In the words of the file, not of the program."""
    assert str(problems(config(a={"adapter": "fake", "settings": {"api_key": reference}}))).startswith(
        f"pools.a.settings.api_key: {says}"
    )


def test_an_entry_of_a_list_is_named_by_its_place():
    """Counted from 0, as everywhere."""
    error = problems(config(a={"adapter": "fake", "settings": {"hosts": ["a", 3]}}))
    assert str(error) == "pools.a.settings.hosts.1: expected a text, got a number"


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (ValueError(f"api_key: {KEY} is no good"), "pools.a.settings.api_key: **** is no good"),
        (ValueError(f"slots and {KEY} do not fit"), "pools.a.settings.slots: slots and **** do not fit"),
        (ValueError(f"nothing of {KEY} fits"), "pools.a.settings: nothing of **** fits"),
        (
            RuntimeError(KEY),
            "pools.a.adapter: the adapter fake failed with RuntimeError; this is a fault of the adapter",
        ),
    ],
)
def test_what_a_factory_raises_shows_no_secret(failure: Exception, says: str):
    """A ValueError is told redacted, of anything else only the class."""

    def factory(settings):
        raise failure

    assert str(problems(config(a={"adapter": "fake", "settings": {"api_key": Secret(KEY)}}), factory)) == says


@pytest.mark.requirement("AH-1005", "LOG-05")
def test_where_a_factory_fails_is_told_to_a_log_that_was_asked_for(logger, records):
    """Once in the refusal however many replicas there are; in the log each, with frames and without the secret."""

    def factory(settings):
        raise RuntimeError(KEY)

    pool = {"adapter": "fake", "settings": {"api_key": Secret(KEY)}, "replicas": {"x": {}, "y": {}}}
    with pytest.raises(ConfigError) as caught:
        AdapterHost.from_config(config(a=pool), catalogue=catalogue(factory), logger=logger)
    assert str(caught.value).count("this is a fault of the adapter") == 1
    assert [record["replica_id"] for record in records.entries] == ["x", "y"]
    first = records.entries[0]
    assert (first["event"], first["action"], first["error_text"]) == ("adapter_fault", "build", "****")
    assert first["frames"][-1].startswith(__file__)
    assert first["frames"][-1].endswith(" in factory")


def test_a_factory_that_builds_no_adapter_is_told():
    """It is the adapter's fault, found before the first task."""
    assert "the factory gave dict, expected a WorkerAdapter" in str(problems(config(a={"adapter": "fake"}), dict))


def test_a_name_that_is_nearly_one_is_taken_for_it_as_far_as_mistakes_go():
    """So a mistyped adapter hides no mistyped setting; what that adapter cannot say is left."""
    error = problems(config(a={"adapter": "fakes", "settings": {"slot": 2}, "replicas": {"x": {}}}))
    assert str(error).splitlines() == [
        "pools.a.adapter: no adapter is installed as 'fakes'; installed: fake; did you mean 'fake'?",
        "pools.a.replicas.x.settings.slot: unknown key; did you mean 'slots'?",
    ]
    assert error.is_unknown_adapter is False
    assert problems(config(a={"adapter": "fakes", "settings": {"slots": 2}})).is_unknown_adapter is True
    broken = catalogue()
    object.__setattr__(broken.plugins["fake"].plugin, "policies", lambda settings: 1 / 0)
    with pytest.raises(ConfigError) as caught:
        AdapterHost.from_config(config(a={"adapter": "fakes"}), catalogue=broken)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("schema", [dict, list, lambda: 1 / 0])
def test_an_adapter_that_cannot_describe_its_settings_has_them_refused_all_the_same(schema):
    """In fewer words."""
    wanted = config(a={"adapter": "fake", "settings": {"slot": 2}})
    with pytest.raises(ConfigError) as caught:
        AdapterHost.from_config(wanted, catalogue=catalogue(schema=schema))
    assert str(caught.value) == "pools.a.settings.slot: unknown key"
