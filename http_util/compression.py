"""
Request bodies made smaller, for upstreams that are known to take it: gzip or deflate, opt-in, above a size.

A body is packed once per call, before the first attempt, so retries and other endpoints get the same bytes. What would
not become smaller, or is encoded already, goes out as it is. Packing takes the time of the thread that asks for it:
about 15 ms for each MiB at the default level. Answers are not its business; `http_util.decompress` undoes theirs.

Pure.

Spec: CMP-01
"""

from __future__ import annotations

import zlib
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_util.call import HttpCall
    from http_util.streamed_body import StreamedBody

# what zlib calls the two containers; "deflate" is zlib's own one (RFC 9110, 8.4.1.2)
_CONTAINER: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

_LEVELS: Final = range(1, 10)

# who wrote one of these has spoken of the bytes as they are
_SPEAKS_OF_THE_BYTES: Final = frozenset(
    {"content-digest", "content-encoding", "content-length", "content-md5", "content-range", "digest", "repr-digest"}
)


class Packed(NamedTuple):
    """A body that became smaller."""

    content: bytes
    """What is sent in its place."""
    headers: dict[str, str]
    """What must be said beside it: the encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCompression:
    """
    When, and how, a request's body is packed. Immutable; shared by any number of calls.

    The same body always becomes the same bytes.

    Example:
        >>> compression = RequestCompression(min_bytes=100)
        >>> packed = compression.pack({"content-type": "application/json"}, b'{"input": "' + b"tide " * 100 + b'"}')
        >>> packed.headers, len(packed.content) < 60
        ({'content-encoding': 'gzip'}, True)
        >>> compression.pack({}, b'{"input": "tide"}') is None
        True

    Spec: CMP-01
    """

    encoding: Literal["gzip", "deflate"] = "gzip"
    """What the upstream undoes."""
    min_bytes: int = 1024
    """Bodies below this size go out as they are; zero or more bytes."""
    level: int = 1
    """From 1, quick, to 9, small. English text comes down to 42 % at 1, and to 36 % at 6 in four times the time."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        if self.encoding not in _CONTAINER:
            raise ValueError(f"encoding must be one of {', '.join(_CONTAINER)}, not {self.encoding!r}")
        if self.min_bytes < 0:
            raise ValueError(f"min_bytes must be zero or more bytes, not {self.min_bytes!r}")
        if self.level not in _LEVELS:
            raise ValueError(f"level must be from 1 to 9, not {self.level!r}")

    def pack(self, headers: Mapping[str, str], content: bytes | StreamedBody | None) -> Packed | None:
        """
        Return the body packed, or None when it is better sent as it is.

        Args:
            headers: Of the request. Who names an encoding, a length or a digest has done it himself: nothing is packed.
            content: The body; None for none. One that is read while it is sent goes out as it is.
        """
        if not isinstance(content, bytes) or len(content) < self.min_bytes:
            return None
        if not _SPEAKS_OF_THE_BYTES.isdisjoint(name.lower() for name in headers):
            return None
        packed = zlib.compress(content, self.level, wbits=_CONTAINER[self.encoding])
        return Packed(packed, {"content-encoding": self.encoding}) if len(packed) < len(content) else None

    def compress(self, call: HttpCall) -> HttpCall:
        """
        Return *call* with its body packed, for itself and for the endpoints it may go to instead; else *call* itself.

        Do this once, before the call is sent: its attempts then share the bytes.

        Example:
            >>> from http_util import HttpCall
            >>> call = HttpCall(method="POST", url="http://localhost/v1/embeddings", content=b"tide " * 1000)
            >>> packed = RequestCompression().compress(call)
            >>> packed.headers, RequestCompression().compress(packed) is packed
            ({'content-encoding': 'gzip'}, True)
        """
        packed = self.pack(call.headers, call.content)
        if packed is None:
            return call
        alternatives = tuple(
            replace(target, headers=_added(target.headers, packed.headers)) for target in call.alternatives
        )
        headers = _added(call.headers, packed.headers)
        return replace(call, headers=headers, content=packed.content, alternatives=alternatives)


def _added(headers: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* with *more*; a mapping that masks its credentials when it is shown stays one."""
    merged = copy(headers) if isinstance(headers, dict) else dict(headers)
    merged.update(more)
    return merged
