"""
HTTP/1.1: the bytes of a request's head. Pure.

A field that could be read as two lines, or a target that could be read as a target and a version, is refused here,
whatever checks stood before. The error shows no value.

Spec: HTU-17
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from http_util.engine.errors import Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[!-~\x80-\xff]+")


def request_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    r"""
    Return the head of a request, the blank line included.

    >>> request_head(b"GET", b"/", [(b"Host", b"example.com")])
    b'GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'

    Raises:
        Unwritable: A part of it holds what it may not hold.
    """
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    for name, value in headers:
        if not is_token(name):
            raise Unwritable("a header's name is not one that HTTP allows")
        lines.append(b"%b: %b" % (name, value))
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    breaks = len(lines) + 1
    # one count over the whole head in place of a search in every value
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise Unwritable("a header's value holds a line break or a NUL")
    if not is_token(method) or not _TARGET.fullmatch(target):
        raise Unwritable("the method or the target is not one that HTTP allows")
    return head


@lru_cache(maxsize=256)
def is_token(name: bytes) -> bool:
    """Tell whether *name* may be the name of a field, or a method."""
    return _TOKEN.fullmatch(name) is not None
