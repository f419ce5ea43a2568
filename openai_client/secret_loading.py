"""
Where a key comes from: given, from the environment, from a file. Files are read, never executed.

Whoever asks gets the key together with the name of its source; whoever gets none is told, source by source, why. No
message holds any part of a value. No frame that raises holds one either, or the variables of a whole process: a frame
may be shown in a traceback. So what looks into a source returns its finding, and somebody else raises.

Spec: SEC-01, SEC-02, SEC-03, SEC-04, SEC-05
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_util.secret import Secret
from openai_client.errors import InvalidConfiguration, MissingApiKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

API_KEY_NAME: Final = "OPENAI_API_KEY"
"""The name of the key, in the environment and in files."""

WORKSPACE_FILE: Final = Path("secret", "-secrets.sh")
"""The workspace's own secret file, relative to its root."""

ALTERNATIVE_FILES: Final = (Path("secrets.sh"), Path(".env"))
"""Files tried last, in this order, relative to the workspace's root."""

_KEY_FORM: Final = re.compile(r"(?:sk-|ek_)[A-Za-z0-9_-]{7,197}")
_MAX_FILE_BYTES: Final = 64 * 1024
_ASSIGNMENT: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_QUOTED: Final = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")


@dataclass(frozen=True, slots=True)
class LoadedSecret:
    """
    A key and where it was found.

    Spec: SEC-02
    """

    secret: Secret
    source: str
    """For people: `environment variable OPENAI_API_KEY`, `file /srv/secret/-secrets.sh`."""


def checked_key(value: str) -> Secret:
    """
    Return a key that has the form of the official service's keys.

    Args:
        value: `sk-`, or `ek_` for the client secret of a realtime session, and letters, digits, `_` or `-`; 10 to 200
            characters in all.

    Raises:
        InvalidConfiguration: The value has another form; the message shows nothing of it.

    Example:
        >>> checked_key("sk-example-0000000000")
        Secret(****)

    Spec: SEC-05
    """
    if isinstance(value, str) and _KEY_FORM.fullmatch(value):
        return Secret(value)
    length = len(value) if isinstance(value, str) else 0
    # the frame may be shown in a traceback
    del value
    raise InvalidConfiguration(
        "api_key: a key of the official service begins with 'sk-' or 'ek_' and has 10 to 200 letters, digits, '_' "
        f"or '-'; this one has another form (value not shown, {length} characters)"
    )


def has_key_form(key: Secret) -> bool:
    """Tell whether *key* has the form of the official service's keys."""
    return _KEY_FORM.fullmatch(key.reveal()) is not None


def unchecked_key(value: str) -> Secret:
    """
    Return any key that can stand in a header: those of compatible servers have no common form.

    Raises:
        InvalidConfiguration: The value is empty, or holds a space, a control or a non-ASCII character.

    Spec: SEC-03
    """
    try:
        return Secret(value)
    except (TypeError, ValueError) as error:
        problem = f"api_key: {error}"
    finally:
        # the frame may be shown in a traceback
        del value
    raise InvalidConfiguration(problem)


def key_from_env(
    name: str = API_KEY_NAME, *, env: Mapping[str, str] | None = None, checked: bool = True
) -> LoadedSecret:
    """
    Return the key in the environment variable *name*.

    Args:
        name: The variable.
        env: Read instead of the process's environment.
        checked: Whether it must have the official form.

    Raises:
        MissingApiKey: The variable is not set, or its value is no key.

    Spec: SEC-03
    """
    found = _in_variables(name, env, checked=checked)
    # all the variables of a process would be shown in a traceback
    del env
    return _taken(found)


def key_from_file(path: Path, name: str = API_KEY_NAME, *, checked: bool = True) -> LoadedSecret:
    """
    Return the key that a file assigns to *name*, the last assignment if there are several.

    Args:
        path: Lines of `NAME=VALUE` or `export NAME=VALUE`; quotes, comments and blank lines as in a shell, but
            nothing is expanded or executed.
        name: The name.
        checked: Whether it must have the official form.

    Raises:
        MissingApiKey: The file cannot be read, does not assign the name, or its value is no key.

    Spec: SEC-03, SEC-04
    """
    return _taken(_in_file(path, name, checked=checked))


def key_from_workspace(
    workspace: Path | None = None, name: str = API_KEY_NAME, *, checked: bool = True
) -> LoadedSecret:
    """
    Return the key in the workspace's own secret file.

    Args:
        workspace: Root of the workspace; None for the working directory.
        name: The name that the file assigns.
        checked: Whether it must have the official form.

    Raises:
        MissingApiKey: As `key_from_file`.

    Spec: SEC-03
    """
    return key_from_file((workspace or Path.cwd()) / WORKSPACE_FILE, name, checked=checked)


def load_with_fallbacks(
    name: str = API_KEY_NAME,
    *,
    workspace: Path | None = None,
    env: Mapping[str, str] | None = None,
    alternatives: Sequence[Path] = ALTERNATIVE_FILES,
    checked: bool = True,
) -> LoadedSecret:
    """
    Return the first key found: in the workspace's secret file, the environment, the alternative files.

    A source whose value is no key is passed over like one that has none.

    Args:
        name: The name of the key everywhere.
        workspace: Root of the workspace; None for the working directory.
        env: Read instead of the process's environment.
        alternatives: Files tried last, relative to the workspace.
        checked: Whether the key must have the official form.

    Raises:
        MissingApiKey: No source has a key; the message gives the reason of every one.

    Spec: SEC-02, SEC-03
    """
    root = workspace or Path.cwd()
    reasons: list[str] = []
    for path in (WORKSPACE_FILE, None, *alternatives):
        if path is None:
            found = _in_variables(name, env, checked=checked)
        else:
            found = _in_file(root / path, name, checked=checked)
        if isinstance(found, LoadedSecret):
            return found
        reasons.append(found)
    # as above
    del env
    raise MissingApiKey(f"no key called {name} was found: {'; '.join(reasons)}")


def _taken(found: LoadedSecret | str) -> LoadedSecret:
    """Return a finding that is a key; raise one that is the reason why there is none."""
    if isinstance(found, str):
        raise MissingApiKey(found)
    return found


def _in_variables(name: str, env: Mapping[str, str] | None, *, checked: bool) -> LoadedSecret | str:
    """Look into the variables."""
    source = f"environment variable {name}"
    found = (os.environ if env is None else env).get(name)
    return _judged(found, source, checked=checked) if found else f"{source}: not set"


def _in_file(path: Path, name: str, *, checked: bool) -> LoadedSecret | str:
    """Look into a file."""
    source = f"file {path}"
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        return f"{source}: {error.strerror or 'cannot be read'}"
    except UnicodeDecodeError:
        return f"{source}: is not UTF-8 text"
    if len(content) > _MAX_FILE_BYTES:
        return f"{source}: larger than {_MAX_FILE_BYTES} bytes"
    found = dict(assignments(text)).get(name)
    return _judged(found, source, checked=checked) if found else f"{source}: assigns no {name}"


def _judged(value: str, source: str, *, checked: bool) -> LoadedSecret | str:
    """Return the key with its source, or say about the source what is wrong."""
    try:
        return LoadedSecret(checked_key(value) if checked else unchecked_key(value), source)
    except InvalidConfiguration:
        # the whole message would crowd out the other sources' reasons
        return f"{source}: its value has not the form of a key (value not shown)"


def assignments(text: str) -> Iterator[tuple[str, str]]:
    r"""
    Read shell-like assignments without a shell.

    Example:
        >>> list(assignments('# mine\nexport A="b c" # note\nD=e#f'))
        [('A', 'b c'), ('D', 'e#f')]

    Spec: SEC-04
    """
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line.strip())
        if match:
            yield match[1], _value(match[2].strip())


def _value(written: str) -> str:
    """Return the value of an assignment: quotes taken off, or cut at a comment."""
    quoted = _QUOTED.fullmatch(written)
    if quoted is None:
        return re.split(r"\s#", written, maxsplit=1)[0].rstrip()
    return quoted[1] if quoted[1] is not None else re.sub(r"\\(.)", r"\1", quoted[2])
