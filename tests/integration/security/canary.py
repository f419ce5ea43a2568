"""
Canaries: credentials of no known shape, and every place in which one may turn up.

A canary looks like no key of any service, so only a rule that knows it, or shows nothing at all, keeps it in.
"""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog
from rich.traceback import Traceback

from tests.shown_errors import chain, product_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

BEARER: Final = "Kanarie+0bearer/5f1c9e7a3b"
"""The key, in the header `authorization` or `api-key`."""

GATEWAY: Final = "Kanarie1gateway8d2e6b0c44"
"""A second key in a header of the caller's own."""

QUERY: Final = "Kanarie2query/b71f03d95e"
"""A key in the query."""

PROXY_AUTH: Final = "user:Kanarie3password+9e02"
"""The credentials of the proxy."""

_LEAST: Final = 12
"""Characters in a row that count as a sighting: a part of a key is no secret any more."""

_CANARIES: Final = (
    BEARER,
    GATEWAY,
    QUERY,
    PROXY_AUTH.partition(":")[2],
    # as they go out
    quote(BEARER, safe=""),
    quote(QUERY, safe=""),
    b64encode(PROXY_AUTH.encode()).decode(),
)

SIGNS: Final = tuple({form[:_LEAST] for canary in _CANARIES for form in (canary, canary.lower())})


def sightings(shown: Iterable[tuple[str, str]]) -> list[str]:
    """Return where a canary was seen, with a little of what stands around it."""
    return [
        f"{where}: ...{text[max(0, at - 120) : at + 60]}..."
        for where, text in shown
        for sign in SIGNS
        if (at := text.find(sign)) >= 0
    ]


def shown_by(error: BaseException, *, by_rich: bool = True) -> Iterator[tuple[str, str]]:
    """Yield everything that a program may show of *error*, and of all that led to it; rich takes most of the time."""
    for link in chain(error):
        name = type(link).__name__
        yield f"str {name}", str(link)
        yield f"repr {name}", repr(link)
        yield f"args {name}", repr(link.args)
        frames = product_frames(link)
        yield f"traceback {name}", "".join(traceback.format_exception(type(link), link, frames))
        with_locals = traceback.TracebackException(type(link), link, frames, capture_locals=True)
        yield f"locals {name}", "".join(with_locals.format())
        if by_rich:
            yield f"rich {name}", _by_rich(link, frames)
        if (tell := getattr(link, "payload", None)) is not None:
            yield f"payload {name}", str(tell())
        if (tell := getattr(link, "errors", None)) is not None:
            # as pydantic's errors do
            yield f"errors {name}", str(tell())
    yield "pickle", repr(pickle.dumps(error))
    copied = copy.deepcopy(error)
    yield "deepcopy", f"{copied} {copied!r} {copied.args!r}"


def _by_rich(error: BaseException, frames: TracebackType | None) -> str:
    """
    Return what structlog's console shows of a traceback with locals: rich looks into containers by itself.

    What rich draws around it, the sources in colour and a frame, is left out: it takes most of the time.
    """
    found = Traceback.extract(
        type(error), error, frames, show_locals=True, locals_max_string=None, locals_max_length=None
    )
    shown: list[str] = []
    for stack in found.stacks:
        shown += [f"{stack.exc_type}: {stack.exc_value}", *stack.notes]
        shown += [f"{name} = {node}" for frame in stack.frames for name, node in (frame.locals or {}).items()]
    return "\n".join(shown)


class Records(logging.Handler):
    """Keeps everything that any logger says, at any level, and what goes through structlog's chain."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record: its text, and what a formatter of another's could take from it."""
        self.lines.append((f"log {record.name}", record.getMessage()))
        self.lines.append((f"record {record.name}", repr(vars(record))))
        if record.exc_info is not None and record.exc_info[1] is not None:
            self.lines += shown_by(record.exc_info[1])

    def take(self, _logger: Any, _method: str, event: Any) -> Any:
        """Keep a line of structlog's, before anybody has redacted it."""
        self.lines.append(("structlog", repr(dict(event))))
        raise structlog.DropEvent


class Listener:
    """A hook of every kind; keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def note(*args: Any, **kwargs: Any) -> None:
            self.told.append((f"hook {name}", repr((args, kwargs))))

        return note
