"""Where keys come from, in which order, and what is said when there is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from http_util.secret import Secret
from openai_client.errors import InvalidConfiguration, MissingApiKey
from openai_client.secret_loading import (
    assignments,
    checked_key,
    key_from_env,
    key_from_file,
    key_from_workspace,
    load_with_fallbacks,
    unchecked_key,
)
from tests.shown_errors import with_locals

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-test-0123456789abcdef"
OTHER = "sk-other-0123456789abcdef"


def write(path: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.requirement("SEC-05", "CF-12")
@pytest.mark.parametrize("key", ["sk-1234567", "sk-" + "a" * 197, "sk-proj_A-b9x0123", "ek_0123456789abcdef"])
def test_keys_of_the_official_form_are_taken(key: str) -> None:
    """10 to 200 characters, both ends included."""
    assert checked_key(key) == Secret(key)


@pytest.mark.requirement("SEC-05")
@pytest.mark.parametrize(
    "key", ["", "sk-123456", "sk-" + "a" * 198, "pk-1234567890", "sk-12345 7890", "sk-1234567\n", "sk-123456é", None]
)
def test_keys_of_another_form_are_refused_without_being_shown(key) -> None:
    """The message says what a key looks like and how long this one is."""
    with pytest.raises(InvalidConfiguration, match="begins with 'sk-'") as caught:
        checked_key(key)
    assert not key or key not in str(caught.value)
    assert not key or key not in repr([entry.frame.f_locals for entry in caught.traceback[1:]])


@pytest.mark.requirement("SEC-03", "CF-12")
def test_keys_of_compatible_servers_have_no_form_but_must_fit_a_header() -> None:
    """Anything printable without spaces."""
    assert unchecked_key("local") == Secret("local")
    with pytest.raises(InvalidConfiguration, match="api_key: a secret must be printable ASCII") as caught:
        unchecked_key("local key")
    assert "local key" not in str(caught.value)


@pytest.mark.requirement("SEC-03")
def test_the_environment_gives_a_key_and_says_so() -> None:
    """The source is reported, not the value."""
    found = key_from_env(env={"OPENAI_API_KEY": KEY})
    assert found.secret == Secret(KEY)
    assert found.source == "environment variable OPENAI_API_KEY"
    assert KEY not in repr(found)


@pytest.mark.requirement("SEC-03")
def test_the_process_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only here: nothing else of the client looks at it."""
    monkeypatch.setenv("MY_KEY", KEY)
    assert key_from_env("MY_KEY").secret == Secret(KEY)


@pytest.mark.parametrize(
    ("env", "problem"),
    [({}, "not set"), ({"OPENAI_API_KEY": ""}, "not set"), ({"OPENAI_API_KEY": "x y"}, "not the form of a key")],
)
def test_an_environment_without_a_key_says_why(env: dict[str, str], problem: str) -> None:
    """Absent, empty and wrong are told apart."""
    with pytest.raises(MissingApiKey, match=f"environment variable OPENAI_API_KEY.*{problem}"):
        key_from_env(env=env)


@pytest.mark.requirement("SEC-04")
@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("  export   A=b  ", "b"),
        ("A='b c'", "b c"),
        ('A="b c"', "b c"),
        ('A="b\\"c\\\\"', 'b"c\\'),
        ("A=b # note", "b"),
        ("A='b' # note", "b"),
        ("A=b#c", "b#c"),
        ("A=", ""),
        ("A=$(rm -rf /)", "$(rm -rf /)"),
        ("A=`id`", "`id`"),
        ("A=$HOME", "$HOME"),
        ("A=b=c", "b=c"),
    ],
)
def test_assignments_are_read_and_never_executed(line: str, value: str) -> None:
    """Both forms, with quotes and comments; what a shell would run is plain text here."""
    assert dict(assignments(line)) == {"A": value}


@pytest.mark.requirement("SEC-04")
def test_everything_else_in_a_file_is_passed_over() -> None:
    """Comments, blank lines and commands assign nothing."""
    assert list(assignments("# A=b\n\nset -e\n1A=b\nexport A\nunset A\n\r\nB=c\r\n")) == [("B", "c")]


@pytest.mark.requirement("SEC-04")
def test_the_last_assignment_counts(tmp_path: Path) -> None:
    """As it would in a shell."""
    path = write(tmp_path / "s.sh", f"\ufeffexport OPENAI_API_KEY={OTHER}\nexport OPENAI_API_KEY='{KEY}'\n")
    assert key_from_file(path).secret == Secret(KEY)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"OTHER=x\n", "assigns no OPENAI_API_KEY"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"#" * 70_000, "larger than 65536 bytes"),
        (b"OPENAI_API_KEY=nokey\n", "not the form of a key"),
    ],
)
def test_a_file_without_a_key_says_why(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """The message names the file and the reason."""
    path = tmp_path / "s.sh"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MissingApiKey, match=f"{path}.*{problem}"):
        key_from_file(path)


@pytest.mark.requirement("SEC-02", "CF-11")
def test_sources_are_tried_in_their_order(tmp_path: Path) -> None:
    """Workspace file, environment, then the alternative files."""
    workspace = write(tmp_path / "secret" / "-secrets.sh", f"OPENAI_API_KEY={KEY}\n")
    write(tmp_path / "secrets.sh", "OPENAI_API_KEY=sk-third-0000000\n")
    write(tmp_path / ".env", "OPENAI_API_KEY=sk-fourth-000000\n")
    env = {"OPENAI_API_KEY": OTHER}

    assert load_with_fallbacks(workspace=tmp_path, env=env).source == f"file {workspace}"
    workspace.unlink()
    assert load_with_fallbacks(workspace=tmp_path, env=env).secret == Secret(OTHER)
    assert load_with_fallbacks(workspace=tmp_path, env={}).secret == Secret("sk-third-0000000")
    (tmp_path / "secrets.sh").unlink()
    assert load_with_fallbacks(workspace=tmp_path, env={}).secret == Secret("sk-fourth-000000")


@pytest.mark.requirement("SEC-02", "SEC-03")
def test_no_key_anywhere_is_an_error_with_the_reason_of_every_source(tmp_path: Path) -> None:
    """A source whose value is no key is passed over, and reported."""
    write(tmp_path / "secrets.sh", "OPENAI_API_KEY=my-password\n")
    with pytest.raises(MissingApiKey) as caught:
        load_with_fallbacks(workspace=tmp_path, env={})
    message = str(caught.value)
    for part in (
        "-secrets.sh: No such file",
        "OPENAI_API_KEY: not set",
        "secrets.sh: its value has not the form",
        ".env: No such file",
    ):
        assert part in message
    assert "my-password" not in message


@pytest.mark.requirement("SEC-01", "SEC-03")
def test_no_frame_of_a_loader_that_fails_shows_a_value_or_the_other_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what was found and is no key, nor whatever else the process or a file holds."""
    monkeypatch.setenv("OPENAI_API_KEY", "Kanarie of the variable")
    monkeypatch.setenv("SOME_PASSWORD", "Kanarie of somebody else")
    path = write(tmp_path / ".env", "OPENAI_API_KEY='Kanarie of the file'\nSOME_PASSWORD=Kanarie-too\n")
    for load in (
        key_from_env,
        lambda: key_from_env(env=os.environ),
        lambda: key_from_file(path),
        lambda: load_with_fallbacks(workspace=tmp_path, env=os.environ),
    ):
        with pytest.raises(MissingApiKey, match="value not shown") as caught:
            load()
        assert "Kanarie" not in with_locals(caught.value)
    with pytest.raises(MissingApiKey, match="assigns no OTHER") as caught:
        key_from_file(path, "OTHER")
    assert "Kanarie" not in with_locals(caught.value)


@pytest.mark.requirement("SEC-03")
def test_the_working_directory_is_the_default_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both loaders that look into a workspace agree about where it is."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "secret" / "-secrets.sh", "OPENAI_API_KEY=local\n")
    assert key_from_workspace(checked=False).secret == Secret("local")
    assert load_with_fallbacks(checked=False, env={}).secret == Secret("local")
