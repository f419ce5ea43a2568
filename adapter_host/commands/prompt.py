"""
Where a prompt comes from: the argument, standard input, or a file.

Spec: HST-14
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from adapter_host.commands.exit_codes import CommandError

if TYPE_CHECKING:
    from pathlib import Path

MAX_PROMPT_BYTES: Final = 64 * 1024 * 1024
"""Most bytes that are read: the longest prompt of the contract, at four bytes a character."""

DEMO_PROMPT: Final = "Tell me in a few sentences what a worker adapter does."
"""Asked when nothing else is, and only of the embedded upstream."""


def read_prompt(argument: str | None, file: Path | None) -> str | None:
    """
    The prompt as it was given, unchanged; None when none was given.

    Args:
        argument: From the command line; `-` reads standard input.
        file: Read instead.

    Raises:
        CommandError: Both are given, or the text cannot be read, is empty, too large, or no UTF-8.
    """
    if file is not None and argument is not None:
        raise CommandError("give a prompt or --file, not both")
    if file is not None:
        try:
            with file.open("rb") as stream:
                return _decoded(stream, f"the file {str(file)!r}")
        except OSError as exc:
            raise CommandError(f"--file: {str(file)!r} cannot be read: {exc.strerror or type(exc).__name__}") from None
    if argument == "-":
        return _decoded(sys.stdin.buffer, "standard input")
    if argument == "":
        raise CommandError("PROMPT: expected a text, got an empty one")
    return argument


def _decoded(stream: BinaryIO, what: str) -> str:
    raw = stream.read(MAX_PROMPT_BYTES + 1)
    if len(raw) > MAX_PROMPT_BYTES:
        raise CommandError(f"{what} is larger than {MAX_PROMPT_BYTES} bytes")
    if not raw:
        raise CommandError(f"{what} is empty; expected a prompt")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise CommandError(f"{what} is not UTF-8 (at byte {exc.start})") from None
