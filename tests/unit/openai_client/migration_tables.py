"""The tables of docs/migrating-from-openai.md, and how the names in them are found."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from openai_client import ClientConfig

PAGE = Path(__file__).parents[3] / "docs" / "migrating-from-openai.md"
_NAME = re.compile(r"`([^`]+)`")
_CALL = re.compile(r"(?P<path>[\w.]+)\((?P<argument>\w+)\)")


class Row(NamedTuple):
    """One row of a table."""

    head: tuple[str, ...]
    """The table's first line."""
    cells: tuple[str, ...]

    def names(self, column: str) -> list[str]:
        """The names in the cell under *column*, none when the table has no such column."""
        return _NAME.findall(self.cells[self.head.index(column)]) if column in self.head else []


def rows() -> list[Row]:
    """All rows of all tables."""
    found: list[Row] = []
    head: tuple[str, ...] = ()
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            head = ()
        elif not head:
            head = _cells(line)
        elif not line.startswith("|---"):
            found.append(Row(head, _cells(line)))
    return found


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def look_up(name: str, client: object) -> Any:
    """
    Return what *name* stands for: `client.` begins at *client*, everything else at a package. `f(a)`: f takes a.

    Raises:
        AttributeError: There is no such thing.
    """
    if (call := _CALL.fullmatch(name)) is not None:
        found = look_up(call["path"], client)
        if call["argument"] not in arguments(found):
            raise AttributeError(f"{call['path']} takes no {call['argument']}")
        return found
    root, *parts = name.split(".")
    found = client if root == "client" else import_module(root)
    for part in parts:
        found = _member(found, part)
    return found


def _member(value: Any, part: str) -> Any:
    if inspect.ismodule(value) and not hasattr(value, part):
        return import_module(f"{value.__name__}.{part}")
    return getattr(value, part)


def arguments(function: Any) -> set[str]:
    """The names of the keyword arguments; of our client also the settings behind `**settings`."""
    names = set(inspect.signature(function).parameters)
    return names | set(ClientConfig.__dataclass_fields__) if "settings" in names else names
