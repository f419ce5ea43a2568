"""
Header blocks: the compression of header fields in HTTP/2 (HPACK, RFC 7541). Numbers in brackets are its sections.

Writing uses the static table only, so the block of a request depends on nothing but its fields: there is no state that
could leave the peer's step, and a field is written once and then remembered. Names that carry secrets are marked as
never to be indexed by whoever stands between (7.1.3). A request grows by some 100 bytes, and costs a tenth of the time.

Reading knows all of the format. It keeps the table in step also when a list of fields is larger than we take: the
fields are dropped, the block is read to its end. Pure.

Spec: HTU-02
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from http_util.engine.http2_huffman import huffman_decoded
from http_util.redact import is_sensitive_header

if TYPE_CHECKING:
    from collections.abc import Iterable

Field = tuple[bytes, bytes]
"""Name and value."""

TABLE_BYTES: Final = 4096
"""Size of the table that the peer may fill: the protocol's initial value, and we never offer another."""

ENTRY_OVERHEAD: Final = 32
"""What an entry counts beyond its name and value (4.1); also in the size of a list (RFC 9113, 6.5.2)."""

STATIC_TABLE: Final[tuple[Field, ...]] = (
    (b"", b""),  # there is no entry 0
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", status) for status in (b"200", b"204", b"206", b"304", b"400", b"404", b"500")),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *(
        (name, b"")
        for name in (
            b"accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control "
            b"content-disposition content-encoding content-language content-length content-location content-range "
            b"content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range "
            b"if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization "
            b"range referer refresh retry-after server set-cookie strict-transport-security transfer-encoding "
            b"user-agent vary via www-authenticate"
        ).split()
    ),
)
"""The entries that everybody knows (appendix A), by their index."""

CONNECTION_SPECIFIC: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
"""Fields that speak of an HTTP/1.1 connection, and must not come up in HTTP/2 (RFC 9113, 8.2.2)."""

NAME_CHARACTERS: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
"""What a field name is made of (RFC 9113, 8.2.1): a token in lower case."""

_STATIC_INDEX: Final = {entry: index for index, entry in enumerate(STATIC_TABLE) if index}
_STATIC_NAMES: Final = {name: index for index, (name, _) in reversed(list(enumerate(STATIC_TABLE))) if index}
_STATIC_SIZE: Final = len(STATIC_TABLE)

_PSEUDO: Final = frozenset({b":authority", b":method", b":path", b":scheme"})

# How a field is written (6): the bits that say so stand in front of a number, whose own bits are masked here.
_INDEXED: Final = 0x80
_INCREMENTAL: Final = 0x40
_SIZE_UPDATE: Final = 0x20
_NEVER_INDEXED: Final = 0x10
_HUFFMAN: Final = 0x80
_SEVEN_BITS, _SIX_BITS, _FIVE_BITS, _FOUR_BITS = 0x7F, 0x3F, 0x1F, 0x0F

# The first block says that we keep no table, so the peer's limit of it, whatever it becomes, is kept (4.2).
_NO_TABLE: Final = bytes([_SIZE_UPDATE])

# Fields that change with each request would fill the memory of written fields.
_REMEMBERED_FIELDS: Final = 256

# Five bytes behind the first are numbers up to 2^35; nothing in a header block is that large (5.1).
_LAST_SHIFT: Final = 28


class CompressionFault(Exception):
    """A header block cannot be read. What follows on the connection cannot either."""


class HeaderEncoder:
    r"""
    Writes the header blocks of one connection.

    >>> HeaderEncoder().encode([(b":method", b"POST"), (b"Connection", b"close"), (b"a", b"b")])
    b' \x83\x00\x01a\x01b'
    """

    __slots__ = ("_start", "_written")

    def __init__(self) -> None:
        self._start = _NO_TABLE
        self._written: dict[Field, bytes] = {}

    def encode(self, fields: Iterable[Field]) -> bytes:
        """
        Return the block of *fields*, pseudo-header fields first. Connection-specific fields are left out.

        Raises:
            ValueError: A field cannot be sent; the text tells which, and not its value.
        """
        written = self._written
        pieces = [self._start]
        for field in fields:
            piece = written.get(field)
            pieces.append(self._remembered(field) if piece is None else piece)
        self._start = b""
        return b"".join(pieces)

    def _remembered(self, field: Field) -> bytes:
        """Write a field for the first time."""
        if len(self._written) >= _REMEMBERED_FIELDS:
            self._written.clear()
        piece = self._written[field] = _written_field(*field)
        return piece


def _written_field(name: bytes, value: bytes) -> bytes:
    """Return a field as it stands in a block: an index, or a literal that nobody keeps (6.1, 6.2.2, 6.2.3)."""
    start = _written_name(name.lower())
    if not start:
        return b""
    if is_bad_value(value):
        raise ValueError(f"the value of {name[:64]!r} holds a line break or NUL, or begins or ends with blank space")
    index = _STATIC_INDEX.get((name.lower(), value))
    return start + _string(value) if index is None else _integer(index, _SEVEN_BITS, _INDEXED)


@lru_cache(maxsize=512)
def _written_name(name: bytes) -> bytes:
    """Return how a literal begins, nothing for a field that is left out. Names are no secrets, so all share this."""
    if name in CONNECTION_SPECIFIC:
        return b""
    if name not in _PSEUDO and (not name or name.translate(None, NAME_CHARACTERS)):
        raise ValueError(f"a header name must be a token, not {name[:64]!r}")
    form = _NEVER_INDEXED if is_sensitive_header(name.decode("ascii")) else 0
    index = _STATIC_NAMES.get(name, 0)
    return _integer(index, _FOUR_BITS, form) + (b"" if index else _string(name))


def is_bad_value(value: bytes) -> bool:
    """Tell whether a field must not have this value (RFC 9113, 8.2.1)."""
    return b"\n" in value or b"\r" in value or b"\0" in value or value.strip(b" \t") != value


def _integer(number: int, mask: int, form: int) -> bytes:
    """Return a number whose first byte has the bits of *mask* left (5.1)."""
    if number < mask:
        return bytes([form | number])
    written = bytearray([form | mask])
    number -= mask
    while number >= _INDEXED:
        written.append(number & _SEVEN_BITS | _INDEXED)
        number >>= 7
    written.append(number)
    return bytes(written)


def _string(text: bytes) -> bytes:
    """Return a string as it stands in a block (5.2). Huffman codes would save a fifth, and cost most of the time."""
    return _integer(len(text), _SEVEN_BITS, 0) + text


class HeaderDecoder:
    r"""
    Reads the header blocks of one connection, all of them and in their order.

    >>> HeaderDecoder(max_list_bytes=1000).decode(b"\x88\x40\x01a\x01b\xbe")
    [(b':status', b'200'), (b'a', b'b'), (b'a', b'b')]
    """

    __slots__ = ("_entries", "_max_list_bytes", "_table_bytes", "_table_limit")

    def __init__(self, *, max_list_bytes: int) -> None:
        """
        Begin with an empty table.

        Args:
            max_list_bytes: Largest sum of the fields of one block, each counted with `ENTRY_OVERHEAD`.
        """
        self._max_list_bytes = max_list_bytes
        self._entries: deque[Field] = deque()
        self._table_bytes = 0
        self._table_limit = TABLE_BYTES

    def decode(self, block: bytes) -> list[Field] | None:
        """
        Return the fields of a block; None when they are larger than the bound. The next block can be read all the same.

        Raises:
            CompressionFault: It is no header block; the decoder is of no use any more.
        """
        try:
            return self._read(block)
        except IndexError:
            raise CompressionFault("a header block is cut off, or names an entry that is not there") from None

    def _read(self, block: bytes) -> list[Field] | None:
        """Read a block. A byte that is not there and an entry that is not there are an `IndexError`."""
        fields: list[Field] = []
        room = self._max_list_bytes
        position, end = 0, len(block)
        while position < end:
            first = block[position]
            if first >= _INDEXED:
                index, position = _read_integer(block, position, _SEVEN_BITS)
                field = self._entry(index)
            elif first >= _INCREMENTAL:
                field, position = self._literal(block, position, _SIX_BITS)
                self._add(field)
            elif first >= _SIZE_UPDATE:
                # only before the first field (4.2), and each field takes of the room
                if room != self._max_list_bytes:
                    raise CompressionFault("a header block resizes the table behind its first field")
                limit, position = _read_integer(block, position, _FIVE_BITS)
                self._resize(limit)
                continue
            else:
                field, position = self._literal(block, position, _FOUR_BITS)
            room -= ENTRY_OVERHEAD + len(field[0]) + len(field[1])
            if room >= 0:
                fields.append(field)
        return fields if room >= 0 else None

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[Field, int]:
        """Return the literal field at *position*, whose index has the bits of *mask*, and the position behind (6.2)."""
        index, position = _read_integer(block, position, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _read_string(block, position)
        value, position = _read_string(block, position)
        return (name, value), position

    def _entry(self, index: int) -> Field:
        """Return an entry of the static or the dynamic table (2.3.3)."""
        if index >= _STATIC_SIZE:
            return self._entries[index - _STATIC_SIZE]
        if not index:
            raise CompressionFault("a header block names entry 0")
        return STATIC_TABLE[index]

    def _add(self, field: Field) -> None:
        """Put a field in front of the table; the oldest make room, and one that is too large leaves nothing (4.4)."""
        self._entries.appendleft(field)
        self._table_bytes += ENTRY_OVERHEAD + len(field[0]) + len(field[1])
        if self._table_bytes > self._table_limit:
            self._shrink()

    def _resize(self, limit: int) -> None:
        """Take a new size of the table from the peer (4.2, 6.3)."""
        if limit > TABLE_BYTES:
            raise CompressionFault(f"a header block asks for a table of {limit} bytes; {TABLE_BYTES} are allowed")
        self._table_limit = limit
        self._shrink()

    def _shrink(self) -> None:
        """Drop the oldest entries until the table is within its limit (4.3)."""
        while self._table_bytes > self._table_limit:
            name, value = self._entries.pop()
            self._table_bytes -= ENTRY_OVERHEAD + len(name) + len(value)


def _read_integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """Return the number at *position*, whose first byte has the bits of *mask*, and the position behind it (5.1)."""
    number = block[position] & mask
    position += 1
    if number < mask:
        return number, position
    for shift in range(0, _LAST_SHIFT + 1, 7):
        byte = block[position]
        position += 1
        number += (byte & _SEVEN_BITS) << shift
        if byte < _INDEXED:
            return number, position
    raise CompressionFault("a header block holds a number of more than six bytes")


def _read_string(block: bytes, position: int) -> tuple[bytes, int]:
    """Return the string at *position* and the position behind it (5.2)."""
    is_huffman = block[position] >= _HUFFMAN
    length, position = _read_integer(block, position, _SEVEN_BITS)
    text = block[position : position + length]
    if len(text) < length:
        raise IndexError
    if is_huffman:
        try:
            text = huffman_decoded(text)
        except ValueError:
            raise CompressionFault("a header block holds a string that is not Huffman-coded as it says") from None
    return text, position + length
