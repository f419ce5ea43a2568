from __future__ import annotations

import pytest

from adapter_host.commands.exit_codes import CommandError
from adapter_host.commands.target import Wish, find_target

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
