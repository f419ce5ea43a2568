"""
HTTP/1.1: the bytes of one answer, turned into its head, its pieces and its end. Pure; fed with whatever a read brought.

The grammar is llhttp's (through httptools), which is strict: no bare LF, no folded lines, no second Content-Length, no
Content-Length beside Transfer-Encoding, no odd chunk sizes. On top of it come the rules that only a client can have:

    status line                   that of HTTP/1.0 or 1.1; the parser would also take RTSP and ICE
    bytes that bring no body      at most max_header_bytes more than the body is worth, at the end of each read: heads,
                                  trailers, chunk extensions, interim answers
    Content-Length                at most 18 digits
    Transfer-Encoding             chunked, once, and not under HTTP/1.0; anything else would make the answer's end a
                                  matter of opinion
    1xx                           skipped, but 101: nobody asked to switch protocols
    HEAD, 204, 304                end with their head
    no length at all              ends with the connection, if the peer itself ended it
    bytes behind the end          belong to nobody: the connection must not be used again

Spec: HTU-1001, HTU-10
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

import httptools

from http_util.engine.faults import FaultKind, StreamFault

if TYPE_CHECKING:
    from http_util.engine.answer import Headers

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_FIRST_STATUS: Final = 100
_SWITCHING: Final = 101
_FIRST_FINAL_STATUS: Final = 200
_PROTOCOL: Final = b"HTTP/"
_BEGINNING: Final = re.compile(rb"HTTP/1\.[01] [2-5]")
"""How all final answers begin that anybody sends; one that does not is looked at line by line."""
# an exabyte has no more, and a number that has is a mistake or an attack
_LENGTH_DIGITS: Final = 18
_FIELD_OVERHEAD: Final = 4
"""Colon, space, CR and LF of a field."""
_FRAME_ALLOWANCE: Final = 16
"""Bytes around a chunk that pass without counting: its size, a short extension, two line ends."""


class Receiver(Protocol):
    """Who takes in an answer; called from inside `AnswerReader.feed`."""

    def on_head(self, status: int, headers: Headers) -> None:
        """The final head."""

    def on_data(self, piece: bytes) -> None:
        """A piece of the body, never empty."""

    def on_end(self) -> None:
        """The answer is complete."""

    def on_fault(self, fault: StreamFault) -> None:
        """The answer is over before its end."""


class AnswerReader:
    r"""
    Reads one answer. Feed it until `is_over`; then `can_reuse` tells what may be done with the connection.

    Example:
        >>> class Printer:
        ...     def on_head(self, status, headers):
        ...         print(status, headers)
        ...
        ...     def on_data(self, piece):
        ...         print(piece)
        ...
        ...     def on_end(self):
        ...         print("end")
        >>> AnswerReader(Printer(), is_head_request=False, max_header_bytes=1024).feed(
        ...     b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        ... )
        200 [(b'content-length', b'2')]
        b'hi'
        end
    """

    __slots__ = (
        "_beginning",
        "_has_head",
        "_has_length",
        "_header_bytes",
        "_headers",
        "_idle_bytes",
        "_is_head_request",
        "_max_header_bytes",
        "_parser",
        "_receiver",
        "can_reuse",
        "is_complete",
        "is_over",
        "missing",
    )

    def __init__(self, receiver: Receiver, *, is_head_request: bool, max_header_bytes: int) -> None:
        """
        Expect an answer.

        Args:
            receiver: Told of everything.
            is_head_request: Whether the request was a HEAD: its answer has no body, whatever its head says.
            max_header_bytes: Bound of what may come without a byte of the body.
        """
        self.is_over = False
        """Whether the receiver has had its last call."""
        self.is_complete = False
        """Whether it was told of the end, and not of a fault."""
        self.can_reuse = False
        """Whether the connection may carry another request; false until the answer is complete."""
        self.missing = 0
        """Bytes of the body that are still to come, as the head says; 0 when it does not, or says none."""
        self._receiver = receiver
        self._is_head_request = is_head_request
        self._max_header_bytes = max_header_bytes
        self._parser = httptools.HttpResponseParser(self)
        # what came of a status line until it is known to be one
        self._beginning = b""
        self._headers: Headers = []
        self._header_bytes = 0
        self._idle_bytes = 0
        self._has_head = False
        self._has_length = False

    def feed(self, data: bytes | memoryview) -> None:
        """Take in one read. What is wrong with it, if anything, is told to the receiver."""
        self._idle_bytes += len(data)
        try:
            if self._has_head:
                self._parser.feed_data(data)
            elif not self._beginning and _BEGINNING.match(data):
                self._beginning = _PROTOCOL
                self._parser.feed_data(data)
            else:
                self._feed_lines(bytes(data))
        except httptools.HttpParserCallbackError as error:
            # the parser wraps what its callbacks raise; anything but a refusal is a bug
            if not isinstance(error.__context__, _Refused):
                raise
            self._fault(error.__context__.kind, str(error.__context__))
        except _Refused as refusal:
            self._fault(refusal.kind, str(refusal))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._malformed(error)
        if self._idle_bytes > self._max_header_bytes and not self.is_over:
            self._fault(FaultKind.TOO_LARGE, f"more than {self._max_header_bytes} bytes came without any of the body")
        if self.is_over:
            # the parser holds our methods, and we hold the parser
            self._parser = _NO_PARSER

    def _feed_lines(self, data: bytes) -> None:
        """Feed what an unusual answer begins with, up to its final head; each status line must be one of HTTP."""
        while data and not self._has_head:
            end = data.find(b"\n") + 1 or len(data)
            line, data = data[:end], data[end:]
            if len(self._beginning) < len(_PROTOCOL):
                # empty lines in front of an answer pass
                self._beginning = (self._beginning + line[: len(_PROTOCOL)]).lstrip(b"\r\n")[: len(_PROTOCOL)]
                if not _PROTOCOL.startswith(self._beginning):
                    raise _Refused(FaultKind.PROTOCOL, _NO_STATUS_LINE)
            self._parser.feed_data(line)
        if data:
            self._parser.feed_data(data)

    def eof(self, *, is_certain: bool = True) -> None:
        """
        The peer sends no more: the end of a body without a length, or a cut.

        Args:
            is_certain: Whether it was the peer who said so. Over TLS anybody on the way can end the bytes below.
        """
        if self.is_over:
            return
        if self._has_head and not self._has_length and is_certain:
            self._complete(can_reuse=False)
        else:
            self._fault(FaultKind.RESET, "the upstream closed the connection before its answer was complete")

    # what the parser calls

    def on_message_begin(self) -> None:
        """Notice a second answer: nobody asked for one."""
        if self.is_over:
            self.can_reuse = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head, and count those of trailers too."""
        self._header_bytes += len(name) + len(value) + _FIELD_OVERHEAD
        if self._header_bytes > self._max_header_bytes:
            raise _Refused(FaultKind.TOO_LARGE, f"the answer's head is larger than {self._max_header_bytes} bytes")
        if not self._has_head:
            self._headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """Judge a head that is complete."""
        if self.is_over:
            return
        status = self._parser.get_status_code()
        if self._parser.get_http_version() not in _VERSIONS or status < _FIRST_STATUS or status == _SWITCHING:
            raise _Refused(FaultKind.PROTOCOL, _NO_STATUS_LINE)
        if status < _FIRST_FINAL_STATUS:
            self._headers = []
            self._beginning = b""
            return
        self._check_framing()
        self._has_head = True
        self._receiver.on_head(status, self._headers)
        if self._is_head_request:
            self._complete(can_reuse=self._keeps_alive())

    def on_body(self, piece: bytes) -> None:
        """Hand on a piece."""
        if self.is_over:
            self.can_reuse = False
        else:
            size = len(piece)
            self.missing -= size
            # the piece was counted when it was fed; beyond that, each buys some room for the frame around it
            self._idle_bytes = max(0, self._idle_bytes - 2 * size - _FRAME_ALLOWANCE)
            self._receiver.on_data(piece)

    def on_message_complete(self) -> None:
        """Notice the end, unless it is that of an interim answer."""
        if self._has_head and not self.is_over:
            self._complete(can_reuse=self._parser.should_keep_alive())

    def _check_framing(self) -> None:
        """Refuse a framing that two readers could read in two ways."""
        encodings = [value for name, value in self._headers if name == b"transfer-encoding"]
        if encodings and (len(encodings) > 1 or encodings[0].strip().lower() != b"chunked"):
            raise _Refused(FaultKind.PROTOCOL, "the answer's transfer-encoding is not chunked")
        if encodings and self._parser.get_http_version() != "1.1":
            # RFC 9112, 6.1: somebody on the way did not understand it
            raise _Refused(FaultKind.PROTOCOL, "the answer has a transfer-encoding, which HTTP/1.0 does not know")
        lengths = [value for name, value in self._headers if name == b"content-length"]
        self._has_length = bool(encodings or lengths)
        if lengths:
            # one, of digits: the parser has seen to that, but leading zeros are for nobody
            if len(lengths[0]) > _LENGTH_DIGITS:
                raise _Refused(FaultKind.PROTOCOL, f"the answer's content-length has more than {_LENGTH_DIGITS} digits")
            self.missing = int(lengths[0])

    def _keeps_alive(self) -> bool:
        """Tell whether the connection lives on behind an answer that ends with its head; the parser expects a body."""
        if self._parser.get_http_version() != "1.1":
            return False
        return not any(name == b"connection" and b"close" in value.lower() for name, value in self._headers)

    def _complete(self, *, can_reuse: bool) -> None:
        """End well."""
        self.is_over = self.is_complete = True
        self.can_reuse = can_reuse
        self._receiver.on_end()

    def _malformed(self, error: Exception) -> None:
        """End badly, or, when the answer was complete, give up the connection for what came behind it."""
        self.can_reuse = False
        if not self.is_over:
            # llhttp's sentences are fixed texts and quote nothing
            self._fault(FaultKind.PROTOCOL, f"the answer breaks HTTP/1.1: {error}")

    def _fault(self, kind: FaultKind, message: str) -> None:
        """End badly."""
        self.can_reuse = False
        if not self.is_over:
            self.is_over = True
            self._receiver.on_fault(StreamFault(kind, message))


_NO_STATUS_LINE: Final = "the answer's status line is not one of HTTP/1.1"

_NO_PARSER: Final = httptools.HttpResponseParser(object())


class _Refused(Exception):
    """An answer that the grammar allows and we do not; raised through the parser."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
