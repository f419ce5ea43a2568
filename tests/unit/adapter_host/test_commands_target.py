from __future__ import annotations

import pytest

from adapter_host.commands.exit_codes import CommandError
from adapter_host.commands.target import Target, Wish, find_target, in_the_users_words
from adapter_host.config import ConfigError, HostConfig, Problem

pytestmark = pytest.mark.requirement("HST-14")

FIXED = """
[pools.chat]
adapter = "openai-http"
settings = { model = "fixed" }
[pools.chat.replicas.a]
[pools.chat.replicas.b.settings]
model = "other"
[pools.free]
adapter = "echo"
"""


def test_a_model_of_the_command_line_comes_before_that_of_the_pool(tmp_path):
    """In the task, and in every place of the pool's settings that fixes one; the rest is left alone."""
    path = tmp_path / "hosts.toml"
    path.write_text(FIXED)
    target = find_target(Wish(config=path, pool="chat", model="asked"))
    assert target.model == "asked"
    replicas = target.config.pools["chat"].replica_settings()
    assert replicas == {"a": {"model": "asked"}, "b": {"model": "asked"}}
    assert find_target(Wish(config=path, pool="free", model="asked")).config.pools["free"].settings == {}
    silent = find_target(Wish(config=path, pool="chat"))
    assert (silent.model, silent.config.pools["chat"].settings) == ("fixed", {"model": "fixed"})


def test_a_model_comes_before_a_setting_of_the_command_line_too():
    """--model and --set model= do not contradict each other in silence."""
    target = find_target(Wish(adapter="openai-http", settings=["model=one"], model="two"))
    assert target.config.pools["command-line"].settings == {"model": "two"}


@pytest.mark.requirement("AH-3001")
def test_a_secret_is_not_taken_from_the_command_line():
    """It points to the option that takes one, and does not repeat it."""
    with pytest.raises(CommandError) as caught:
        find_target(Wish(settings=["api_key=sk-abcdefgh12345678"]))
    assert str(caught.value) == (
        "--set: 'api_key': a secret does not belong on the command line, where others can read it; "
        "name its variable with --api-key-env"
    )
    assert caught.value.code == 2


ADDRESS = "base_url = 'http://127.0.0.1:1/v1'"


def test_an_upstream_is_asked_for_a_model_that_somebody_has_named(tmp_path):
    """Not for one called `default`: with an address and without a model the option is missed."""
    with pytest.raises(CommandError, match=r"^--model: name the model to ask the upstream for$"):
        find_target(Wish(base_url="http://127.0.0.1:1/v1"))
    assert find_target(Wish(base_url="http://127.0.0.1:1/v1", model="m")).model == "m"
    assert find_target(Wish(base_url="http://127.0.0.1:1/v1", settings=["model=m"])).model == "m"
    assert find_target(Wish(adapter="echo")).model == "default"


@pytest.mark.parametrize(
    ("pool", "model"),
    [
        (f"settings = {{ {ADDRESS} }}", None),
        (f"settings = {{ {ADDRESS}, model = 'm' }}", "m"),
        (f"settings = {{ {ADDRESS}, model_aliases = {{ default = 'm' }} }}", "default"),
        (f"settings = {{ {ADDRESS}, model_aliases = {{ other = 'm' }} }}", None),
        (f"settings = {{ {ADDRESS} }}\nreplicas.a.settings = {{ model = 'm' }}", "default"),
        (f"settings = {{ {ADDRESS} }}\nreplicas.a.settings = {{ model = 'm' }}\nreplicas.b.settings = {{}}", None),
        ("settings = { slots = 1 }", "default"),
    ],
)
def test_a_pool_without_a_model_leaves_it_to_the_command_line(tmp_path, pool, model):
    """Unless each replica has one of its own, or the default one has an alias, or no upstream is in play."""
    path = tmp_path / "hosts.toml"
    path.write_text(f"[pools.chat]\nadapter = 'x'\n{pool}")
    if model is not None:
        assert find_target(Wish(config=path)).model == model
        return
    with pytest.raises(CommandError, match=r"^--model: pool 'chat' of .*hosts\.toml names no model; name one here"):
        find_target(Wish(config=path))
    assert find_target(Wish(config=path, model="m")).model == "m"


def test_a_file_that_names_no_pool_says_so(tmp_path):
    """In place of a choice among none."""
    path = tmp_path / "hosts.toml"
    path.write_text("")
    with pytest.raises(CommandError, match=r"hosts\.toml names no pool; add a table such as \[pools\.chat\]") as caught:
        find_target(Wish(config=path))
    assert caught.value.code == 2


@pytest.mark.requirement("HST-13")
@pytest.mark.parametrize(
    ("key", "option"),
    [
        ("pools.command-line.adapter", "--adapter"),
        ("pools.command-line.settings.base_url", "--base-url"),
        ("pools.command-line.settings.api_key", "--api-key-env"),
        ("pools.command-line.settings.ca_file", "--set ca_file"),
        ("pools.command-line.settings", "--set"),
    ],
)
def test_what_the_command_line_got_wrong_is_told_by_its_options(key, option):
    """A user who gave --base-url has heard of no pool; of a file the keys are told."""
    error = ConfigError([Problem("", key, "is wrong")], is_unknown_adapter=True)
    told = in_the_users_words(error, Target(config=HostConfig(), pool_id="command-line", model="m"))
    assert (str(told), told.is_unknown_adapter) == (f"{option}: is wrong", True)
    of_file = Target(config=HostConfig(), pool_id="chat", model="m", path="hosts.toml")
    assert str(in_the_users_words(error, of_file)) == f"hosts.toml: {key}: is wrong"
