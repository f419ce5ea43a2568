"""
Newline-delimited JSON: bytes in, lines out. Some servers stream this in place of server-sent events. Pure.

Spec: HTU-09, HTU-10
"""

from __future__ import annotations

from typing import Final

from adapter_api.outcome import Outcome
from http_util.errors import ProtocolFailure

MAX_LINE_BYTES: Final = 1024 * 1024
"""Default bound of one line in bytes."""


class NdjsonDecoder:
    r"""
    Turn the bytes of one stream into lines, each one JSON text that is not looked at.

    Lines end with LF or CRLF and nothing else; empty lines are dropped. The lines do not depend on where the pieces
    were cut.

    >>> decoder = NdjsonDecoder()
    >>> decoder.feed(b'{"a":1}')
    []
    >>> decoder.feed(b"\r\n")
    [b'{"a":1}']

    Spec: HTU-09
    """

    __slots__ = ("_failure", "_max_line_bytes", "_pending")

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """
        Start at the beginning of a stream.

        Args:
            max_line_bytes: Bound of one line in bytes, its end not counted; at least 1.

        Raises:
            ValueError: *max_line_bytes* is below 1.
        """
        if max_line_bytes < 1:
            raise ValueError(f"max_line_bytes must be 1 or more, not {max_line_bytes!r}")
        self._max_line_bytes = max_line_bytes
        self._pending = bytearray()
        self._failure: ProtocolFailure | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        """
        Take the next piece and return the lines that it completed, without their ends.

        Raises:
            ProtocolFailure: A line is larger than the bound. Lines in front of it are returned first; the next call
            raises.
        """
        if self._failure is not None:
            raise self._failure
        if b"\n" not in chunk:
            self._pending += chunk
            return self._checked([], self._pending)
        first, *rest = chunk.split(b"\n")
        self._pending += first
        found = [bytes(self._pending), *rest]
        self._pending[:] = found.pop()
        lines: list[bytes] = []
        for raw in found:
            line = raw.removesuffix(b"\r")
            if len(line) > self._max_line_bytes:
                return self._checked(lines, raw)
            if line.strip():
                lines.append(line)
        return self._checked(lines, self._pending)

    def finish(self) -> bytes:
        """
        Return what was left when the bytes ended: a last line without an end, or nothing.

        It may be a whole JSON text or a cut one; only parsing tells.

        Raises:
            ProtocolFailure: As `feed`, for a line that was still to be reported.
        """
        if self._failure is not None:
            raise self._failure
        left = bytes(self._pending).removesuffix(b"\r")
        self._pending.clear()
        return left if left.strip() else b""

    def _checked(self, lines: list[bytes], last: bytes | bytearray) -> list[bytes]:
        """Return *lines* unless *last* is too large and there is nothing to hand out before saying so."""
        # a CR at the end may belong to the line's end
        if len(last) - last.endswith(b"\r") > self._max_line_bytes:
            self._pending.clear()
            self._failure = ProtocolFailure(
                f"a line of the stream is larger than max_line_bytes ({self._max_line_bytes})",
                reason="protocol",
                outcome=Outcome.UNKNOWN,
            )
            if not lines:
                raise self._failure
        return lines
