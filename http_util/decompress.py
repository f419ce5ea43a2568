"""
Content encodings, undone piece by piece and within bounds: identity, gzip and deflate. Others are refused.

We ask for identity; servers and gateways sometimes compress anyway. A few kilobytes can unfold to gigabytes, so one
piece never unfolds beyond a bound, and whoever collects the pieces bounds their sum. Pure.

Spec: HTU-13
"""

from __future__ import annotations

import zlib
from typing import Final, Self

from adapter_api.outcome import Outcome
from http_util.errors import ProtocolFailure

MAX_UNFOLDED_BYTES: Final = 16 * 1024 * 1024
"""Largest output of one piece, in bytes. Engines read 64 KiB at a time, and text packs 3 to 20 times."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS
_ZLIB_HEADER_BYTES: Final = 2


class Decompressor:
    """
    Undoes gzip (also several members in a row) or deflate (with and without the zlib header) of one body.

    >>> Decompressor.for_encoding("identity") is None
    True
    >>> Decompressor.for_encoding("gzip").feed(zlib.compress(b"hello", wbits=31))
    b'hello'
    """

    __slots__ = ("_begun", "_gzip", "_held", "_max_unfolded", "_zlib")

    def __init__(self, *, gzip: bool, max_unfolded_bytes: int = MAX_UNFOLDED_BYTES) -> None:
        """
        Start at the beginning of a body.

        Args:
            gzip: True for gzip, False for deflate.
            max_unfolded_bytes: Largest output of one `feed`, in bytes.
        """
        self._gzip = gzip
        self._max_unfolded = max_unfolded_bytes
        self._zlib = zlib.decompressobj(_GZIP) if gzip else None
        # the first byte of a deflate body, until there is a second to tell which of its two forms it has
        self._held = b""
        self._begun = False

    @classmethod
    def for_encoding(cls, content_encoding: str, *, max_unfolded_bytes: int = MAX_UNFOLDED_BYTES) -> Self | None:
        """
        Return what undoes a ``content-encoding``, None when there is nothing to undo.

        Args:
            content_encoding: The header's value, empty when there is none.
            max_unfolded_bytes: Largest output of one `feed`, in bytes.

        Raises:
            ProtocolFailure: The encoding is another one, or more than one.

        Spec: HTU-13
        """
        encoding = content_encoding.strip().lower()
        if encoding in {"", "identity"}:
            return None
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            accepted = "identity, gzip and deflate are accepted"
            # the word itself is the upstream's, and not shown
            raise _broken(f"the answer's content-encoding is another one; {accepted}", "protocol")
        return cls(gzip=encoding != "deflate", max_unfolded_bytes=max_unfolded_bytes)

    def feed(self, chunk: bytes) -> bytes:
        """
        Return what *chunk* adds to the body, possibly nothing.

        Raises:
            ProtocolFailure: The body is broken (``decode``), or the piece unfolds beyond the bound (``protocol``).
        """
        data = self._held + chunk
        self._held = b""
        if self._zlib is None:
            if len(data) < _ZLIB_HEADER_BYTES:
                self._held = data
                return b""
            self._zlib = zlib.decompressobj(_ZLIB if _has_zlib_header(data) else _RAW_DEFLATE)
        self._begun = self._begun or bool(data)
        pieces: list[bytes] = []
        allowed = self._max_unfolded
        while data:
            piece, data = self._unfold(data, allowed)
            allowed -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _unfold(self, data: bytes, allowed: int) -> tuple[bytes, bytes]:
        """Return the output of one gzip member or one deflate body, and the bytes behind it."""
        if self._zlib is None or self._zlib.eof:
            # behind a gzip member comes another, or zeros that some servers pad with; behind deflate nothing counts
            data = data.lstrip(b"\0") if self._gzip else b""
            if not data:
                return b"", b""
            self._zlib = zlib.decompressobj(_GZIP)
        try:
            piece = self._zlib.decompress(data, allowed + 1)
        except zlib.error:
            raise _broken("the answer's compressed body is broken", "decode") from None
        if len(piece) > allowed:
            raise _broken(f"a piece of the answer unfolds to more than {self._max_unfolded} bytes", "protocol")
        return piece, self._zlib.unused_data

    def finish(self) -> None:
        """
        Note the end of the body; an empty one is complete.

        Raises:
            ProtocolFailure: The last block is missing (``truncated``).
        """
        if self._held or (self._begun and self._zlib is not None and not self._zlib.eof):
            raise _broken("the answer's compressed body is cut off", "truncated")


def _has_zlib_header(data: bytes) -> bool:
    """Tell whether a deflate body begins as RFC 1950 asks; many servers leave the header out."""
    return data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0


def _broken(message: str, reason: str) -> ProtocolFailure:
    """Return the failure of a body; whoever handed out a part of it replaces the outcome."""
    return ProtocolFailure(message, reason=reason, outcome=Outcome.UNKNOWN)
