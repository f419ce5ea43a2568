from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapter_host import ConfigError, HostConfig, find_config, load_config
from adapter_host.assembly import secrets_of
from adapter_host.config_file import MAX_CONFIG_BYTES
from http_util.secret import Secret

KEY = "sk-config-abcdefgh12345678"

pytestmark = pytest.mark.requirement("HST-10")


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    """A configuration file with *text*."""
    path = tmp_path / "hosts.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def problems(tmp_path: Path, text: str, **environment: str) -> str:
    """What is wrong with *text*, without the folder's name."""
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text), environment)
    assert KEY not in str(caught.value) + repr(caught.value)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_a_whole_configuration(tmp_path):
    """Host, breaker, pools, replicas; replica settings come before the pool's."""
    text = """
        [host]
        strict = true
        grace = 2
        breaker = { failure_threshold = 7 }
        [pools.chat]
        adapter = "openai-http"
        [pools.chat.settings]
        base_url = "https://a.example/v1"
        max_slots = 8
        [pools.chat.replicas.a]
        [pools.chat.replicas.b.settings]
        base_url = "https://b.example/v1"
        [pools.code]
        adapter = "echo"
    """
    config = load_config(written(tmp_path, text), {}).config
    assert (config.host.strict, config.host.grace, config.host.breaker.policy().failure_threshold) == (True, 2.0, 7)
    assert config.pools["chat"].replica_settings() == {
        "a": {"base_url": "https://a.example/v1", "max_slots": 8},
        "b": {"base_url": "https://b.example/v1", "max_slots": 8},
    }
    assert config.pools["code"].replica_settings() == {"0": {}}


def test_an_empty_file_is_a_host_without_pools(tmp_path):
    """Everything has a default."""
    assert load_config(written(tmp_path, ""), {}).config.pools == {}


def test_a_breaker_may_be_switched_on_and_off(tmp_path):
    """True is the defaults, false is none."""
    assert load_config(written(tmp_path, "[host]\nbreaker = true"), {}).config == HostConfig()
    assert load_config(written(tmp_path, "[host]\nbreaker = false"), {}).config.host.breaker is False


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[host]\nbreaker = 'x'",
            "host.breaker: expected a table or false, got a text (The breaker of each pool; true for the defaults, fal",
        ),
        (
            "[host.breaker]\nfailure_threshold = 0",
            "host.breaker.failure_threshold: expected a whole number of at least 1 (Failures within the window that",
        ),
        ("[host.breaker]\nthreshold = 1", "host.breaker.threshold: unknown key; did you mean 'success_threshold' or"),
        ("[host.breaker]\ncolour = 1", "host.breaker.colour: unknown key; there are: failure_threshold, success_thr"),
        ("[pools.\"a\\n\"]\nadapter = 'x'", "pools.a\\n: cannot be a name here: string should match pattern"),
    ],
)
def test_one_mistake_is_one_line(tmp_path, text: str, line: str):
    """Also where one of several shapes is accepted; keys are those of the file."""
    found = problems(tmp_path, text).splitlines()
    assert len(found) == 1
    assert found[0].startswith(f"hosts.toml: {line}")


@pytest.mark.requirement("HST-11")
def test_secrets_come_from_the_environment_or_a_file(tmp_path):
    """As Secret, wherever they stand among the settings; the file is relative to the configuration."""
    (tmp_path / "chat.key").write_text(f"{KEY}2\n")
    (tmp_path / "chat.key").chmod(0o600)
    text = """
        [pools.chat]
        adapter = "a"
        [pools.chat.settings]
        api_key = { env = "CHAT_KEY" }
        nested = { api_key = { file = "chat.key" }, plain = "text" }
        [pools.chat.replicas.r.settings]
        api_key = { env = "OTHER_KEY" }
    """
    loaded = load_config(written(tmp_path, text), {"CHAT_KEY": KEY, "OTHER_KEY": f"{KEY}3"})
    settings = loaded.config.pools["chat"].settings
    assert settings["api_key"] == Secret(KEY)
    assert settings["nested"] == {"api_key": Secret(f"{KEY}2"), "plain": "text"}
    assert loaded.config.pools["chat"].replicas["r"].settings == {"api_key": Secret(f"{KEY}3")}
    assert [secret.reveal() for secret in loaded.secrets] == [KEY, f"{KEY}2", f"{KEY}3"]
    assert loaded.warnings == ()
    assert KEY not in repr(loaded)


@pytest.mark.requirement("HST-11")
def test_a_secret_in_the_file_itself_works_and_is_warned_of(tmp_path):
    """Twice when others may read the file."""
    text = f'[pools.chat]\nadapter = "a"\n[pools.chat.settings]\napi_key = "{KEY}"'
    loaded = load_config(written(tmp_path, text), {})
    assert loaded.config.pools["chat"].settings["api_key"] == Secret(KEY)
    (warning,) = loaded.warnings
    assert (warning.key, "a secret stands in the file itself" in warning.what) == ("pools.chat.settings.api_key", True)
    assert len(load_config(written(tmp_path, text, 0o644), {}).warnings) == 2
    assert KEY not in str(loaded.warnings)


@pytest.mark.requirement("HST-11")
def test_a_key_file_that_others_may_read_is_warned_of(tmp_path):
    """It is used all the same."""
    (tmp_path / "chat.key").write_text(KEY)
    (tmp_path / "chat.key").chmod(0o644)
    text = '[pools.chat]\nadapter = "a"\nsettings = { api_key = { file = "chat.key" } }'
    loaded = load_config(written(tmp_path, text, 0o644), {})
    assert "chmod 600" in str(loaded.warnings[0])
    assert len(loaded.warnings) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pools = 3", "hosts.toml: pools: expected a table, got a number (Pools by id)"),
        ("[pool.chat]", "hosts.toml: pool: unknown key; did you mean 'pools'?"),
        ("[host]\nstricter = true", "hosts.toml: host.stricter: unknown key; did you mean 'strict'?"),
        (
            "[host]\ngrace = 'long'",
            "hosts.toml: host.grace: expected a number from 0 to 3600, got a text (Seconds that running tasks",
        ),
        ("[host]\ngrace = -1", "hosts.toml: host.grace: expected a number from 0 to 3600 (Seconds that"),
        ("[host]\nstrict = 'yes'", "hosts.toml: host.strict: expected true or false, got a text (Refuse"),
        ("[host.breaker]\nfailure_threshold = 0", "failure_threshold: expected a whole number of at least 1"),
        ("[pools.chat]", "hosts.toml: pools.chat.adapter: is required"),
        ("[pools]\nchat = 'x'", "hosts.toml: pools.chat: expected a table, got a text"),
        ("[pools.chat]\nadapter = ''", "hosts.toml: pools.chat.adapter: expected a text of 1 to 128 characters"),
        (
            "[pools.chat]\nadapter = 'a'\nsetting = {}",
            "hosts.toml: pools.chat.setting: unknown key; did you mean 'settings'?",
        ),
        (
            "[pools.chat]\nadapter = 'a'\nreplicas = [1]",
            "hosts.toml: pools.chat.replicas: expected a table, got a list",
        ),
        ("[pools.chat\n", "hosts.toml: is not valid TOML: Expected ']'"),
    ],
)
def test_each_mistake_names_file_key_and_what_is_accepted(tmp_path, text: str, says: str):
    """One line each."""
    assert says in problems(tmp_path, text)


@pytest.mark.requirement("HST-11")
@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("{ env = 'NOT_SET' }", "the environment variable 'NOT_SET' is not set"),
        ("{ env = 'BAD' }", "printable ASCII without spaces"),
        ("{ file = 'missing.key' }", "the file 'missing.key' cannot be read: No such file"),
        ("{ file = '.' }", "the file '.' cannot be read: Is a directory"),
        ("{ file = 'binary.key' }", "holds another character than printable ASCII"),
        ("{ file = 'large.key' }", "is larger than 65536 bytes"),
        ("{ file = 'empty.key' }", "must not be empty"),
        ("{ file = 'pipe' }", "the file 'pipe' is no regular file"),
        ("{ file = '/dev/zero' }", "the file '/dev/zero' is no regular file"),
        (f"'{KEY} {KEY}'", "printable ASCII without spaces"),
    ],
)
def test_a_secret_that_cannot_be_had_names_its_key(tmp_path, reference: str, says: str):
    """And never shows a part of it."""
    (tmp_path / "binary.key").write_bytes(b"\xff\xfe")
    (tmp_path / "large.key").write_bytes(b"x" * 65_537)
    (tmp_path / "empty.key").write_bytes(b"\n")
    # nobody will ever write into it
    os.mkfifo(tmp_path / "pipe")
    text = f"[pools.chat]\nadapter = 'a'\n[pools.chat.settings]\napi_key = {reference}"
    found = problems(tmp_path, text, BAD=f"{KEY}\n{KEY}")
    assert found.startswith("hosts.toml: pools.chat.settings.api_key: ")
    assert says in found


def test_all_secrets_that_are_missing_are_told_at_once(tmp_path):
    """One line each."""
    text = "[pools.a]\nadapter='x'\nsettings={k={env='A_A'}}\n[pools.b]\nadapter='x'\nsettings={k={env='B_B'}}"
    assert len(problems(tmp_path, text).splitlines()) == 2


def test_a_missing_secret_hides_no_other_mistake(tmp_path):
    """Nor does a mistake hide it: the file is looked at to its end, and what is sound in it is handed on."""
    text = """
        [host]
        stricter = true
        grace = 2
        [pools.a]
        adapter = "x"
        settings = { k = { env = "A_A" } }
        [pools.b]
        adapted = "x"
        [pools.c]
        adapter = "y"
    """
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text), {})
    assert [problem.key for problem in caught.value.problems] == [
        "pools.a.settings.k",
        "host.stricter",
        "pools.b.adapter",
        "pools.b.adapted",
    ]
    assert list(caught.value.usable.pools) == ["a", "c"]
    assert caught.value.usable.host == HostConfig().host
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, "[host]\ngrace = 2\n[pools.a]\nadapter='x'\nsettings={k={env='A_A'}}"), {})
    assert (caught.value.usable.host.grace, list(caught.value.usable.pools)) == (2.0, ["a"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff", "is not UTF-8 (at byte 0)"),
        (b"#" * (MAX_CONFIG_BYTES + 1), "is larger than 1048576 bytes"),
        (b"x=" + b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
        (b"[pools.a.settings]\n" + b"x={" + (b"a." * 90 + b"a={") * 60 + b"}" * 61, "is nested too deeply"),
        (b"a." * 20_000 + b"a=1", "has a key of more than 100 parts"),
        (b"[x]\ny={'a'" + b".a" * 100 + b"=1}", "has a key of more than 100 parts"),
    ],
)
def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path, content: bytes, says: str):
    """Before anything is made of it."""
    path = tmp_path / "hosts.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"hosts\.toml") as caught:
        load_config(path, {})
    assert says in str(caught.value)


def test_a_long_key_and_many_dots_are_taken(tmp_path):
    """A row of dots is no key."""
    text = f"# {'.' * 200}\n[pools.chat]\nadapter = 'x'\nsettings = {{ {'a.' * 99}a = '{'b, .' * 200}' }}"
    assert load_config(written(tmp_path, text), {}).config.pools["chat"].adapter == "x"


def test_a_secret_may_be_behind_a_link(tmp_path):
    """As those are that an orchestrator mounts."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "key").write_text(KEY)
    (tmp_path / "key").symlink_to("..data/key")
    text = "[pools.a]\nadapter = 'x'\nsettings = { api_key = { file = 'key' } }"
    assert load_config(written(tmp_path, text), {}).secrets == (Secret(KEY),)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """With the system's reason."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        load_config(tmp_path / "nowhere.toml", {})


def test_where_the_configuration_is_looked_for(tmp_path, monkeypatch):
    """The one given, else the variable's, else the one in the working directory, else none."""
    monkeypatch.chdir(tmp_path)
    assert find_config(None, {}) is None
    (tmp_path / "adapter-host.toml").touch()
    assert find_config(None, {}) == Path("adapter-host.toml")
    assert find_config(None, {"ADAPTER_HOST_CONFIG": "/a.toml"}) == Path("/a.toml")
    assert find_config(Path("b.toml"), {"ADAPTER_HOST_CONFIG": "/a.toml"}) == Path("b.toml")


def test_a_secret_may_stand_in_a_list_of_tables(tmp_path):
    """It is resolved there as anywhere, and known to whoever redacts."""
    path = written(
        tmp_path,
        """
        [pools.chat]
        adapter = "a"
        [[pools.chat.settings.failover.endpoints]]
        base_url = "https://b.example/v1"
        api_key = { env = "OTHER_KEY" }
        """,
    )
    loaded = load_config(path, {"OTHER_KEY": "sk-other-0123456789"})
    (endpoint,) = loaded.config.pools["chat"].settings["failover"]["endpoints"]
    assert endpoint["api_key"].reveal() == "sk-other-0123456789"
    assert [secret.reveal() for secret in secrets_of(loaded.config)] == ["sk-other-0123456789"]
