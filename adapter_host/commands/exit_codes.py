"""
How the command line ends: its exit codes, and the one place where expected failures become a line on standard error.

Spec: HST-13
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from adapter_host.config import ConfigError, Problem
from adapter_host.plugins import PluginError
from http_util.redact import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapter_api import WorkerError

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNKNOWN: Final = 3
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
TERMINATED: Final = 143

MEANINGS: Final = {
    OK: "the task is complete, or everything is ready",
    FAILED: "the task failed, or a pool is not ready",
    USAGE: "the command line, the input or the configuration is wrong",
    UNKNOWN: "there is no such pool or adapter",
    INTERRUPTED: "interrupted by Ctrl-C; the upstream was told to stop",
    BROKEN_PIPE: "standard output is closed, full, or read by nobody any more",
    TERMINATED: "ended by SIGTERM; the upstream was told to stop",
}
"""What each exit code means."""

_USERS_FAULT: Final = frozenset(
    {"invalid_task", "configuration", "missing_api_key", "invalid_base_url", "egress_denied"}
)


class CommandError(Exception):
    """A failure that was expected: one line, no traceback."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        """
        End the command.

        Args:
            message: What happened and what would be accepted.
            code: The exit code.
        """
        super().__init__(message)
        self.code: int = code
        """The exit code."""


def exit_code_of(error: WorkerError) -> int:
    """The exit code for a task that failed."""
    if error.reason == "pool_unknown":
        return UNKNOWN
    return USAGE if error.reason in _USERS_FAULT else FAILED


def say(text: str) -> None:
    """Write a line for people, to standard error."""
    for line in text.splitlines():
        sys.stderr.write(f"adapter-host: {escape_controls(line)}\n")


def named(error: ConfigError, path: Path | None) -> ConfigError:
    """*error* with the file that its problems come from."""
    where = "" if path is None else str(path)
    problems = [Problem(one.where or where, one.key, one.what) for one in error.problems]
    return ConfigError(problems, is_unknown_adapter=error.is_unknown_adapter)


def no_pools(path: Path) -> CommandError:
    """The failure of a command that needs a pool, where the configuration names none."""
    return CommandError(f"{path} names no pool; add a table such as [pools.chat], with adapter and settings")


def guarded(work: Callable[[], int]) -> int:
    """What *work* returns, or the exit code of the expected failure that it ends in."""
    # Python leaves the stream out when the shell closed it; an answer that nobody can read is not asked for.
    if sys.stdout is None:
        say("standard output is closed")
        return BROKEN_PIPE
    try:
        code = work()
        sys.stdout.flush()
    except CommandError as exc:
        say(str(exc))
        return exc.code
    except ConfigError as exc:
        say(str(exc))
        return UNKNOWN if exc.is_unknown_adapter else USAGE
    except PluginError as exc:
        say(str(exc))
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as exc:
        if not isinstance(exc, BrokenPipeError):
            say(f"standard output cannot be written: {exc.strerror or type(exc).__name__}")
        # The interpreter flushes standard output once more on its way out; let it flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code
