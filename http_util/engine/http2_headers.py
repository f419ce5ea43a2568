"""
What the fields of an answer may be in HTTP/2 (RFC 9113, 8.1 to 8.3; sections in brackets), and what they say. Pure.

Spec: HTU-02
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from http_util.engine.http2_hpack import CONNECTION_SPECIFIC, NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_util.engine.http2_hpack import Field

_STATUS: Final = b":status"
_STATUS_DIGITS: Final = 3
_SWITCHING_PROTOCOLS: Final = 101
_NO_CONTENT: Final = frozenset({204, 304})

# Eighteen digits are an exabyte; more are a mistake.
_LENGTH_DIGITS: Final = 18


class MalformedFields(Exception):
    """The fields of an answer break the rules (8.1.1): its stream is over. Quotes nothing of the peer's."""


class Fields(NamedTuple):
    """The fields of one header block, after the rules."""

    status: int | None
    """The status; None in trailers."""
    fields: list[Field]
    """The fields without the status, in their order, names in lower case."""
    content_length: int | None
    """What the answer says about its size; None when it says nothing."""

    @property
    def is_interim(self) -> bool:
        """Whether this is no answer yet (8.1): 100 Continue and its like."""
        return self.status is not None and self.status < 200  # noqa: PLR2004 - what the first digit of a status means

    def content_due(self, *, answers_head: bool) -> int | None:
        """
        Return how many bytes of content must follow, None when nobody knows.

        Args:
            answers_head: The request was a HEAD. Its answer, and some others, may name a length and have no content.
        """
        return 0 if answers_head or self.status in _NO_CONTENT else self.content_length


def read_fields(fields: list[Field]) -> Fields:
    """
    Return what a header block of an answer says.

    All fields are checked together: one pass over the characters of all of them costs little more than one field's.

    Raises:
        MalformedFields: They break a rule.
    """
    status = None
    if fields and fields[0][0] == _STATUS:
        status = _status(fields[0][1])
        fields = fields[1:]
    names = [name for name, _ in fields]
    if b"" in names or b"".join(names).translate(None, NAME_CHARACTERS):
        raise MalformedFields(
            "the answer has a pseudo-header field out of place, or a name that is no name (8.2.1, 8.3)"
        )
    if not CONNECTION_SPECIFIC.isdisjoint(names):
        raise MalformedFields("the answer has a field that speaks of an HTTP/1.1 connection (8.2.2)")
    values = [value for _, value in fields]
    text = b"".join(values)
    if len(text.translate(None, b"\r\n\0")) != len(text) or [value.strip(b" \t") for value in values] != values:
        raise MalformedFields("the answer has a value with a line break or NUL, or blank space around it (8.2.1)")
    length = _content_length([value for name, value in fields if name == b"content-length"])
    return Fields(status, fields, length)


def _status(value: bytes) -> int:
    """Return the status (8.3.2)."""
    status = int(value) if len(value) == _STATUS_DIGITS and value.isdigit() else 0
    if status < 100 or status == _SWITCHING_PROTOCOLS:  # noqa: PLR2004 - the least status of three digits
        raise MalformedFields("the answer's status is not three digits, or one that HTTP/2 does not have (8.3.2, 8.6)")
    return status


def _content_length(values: Sequence[bytes]) -> int | None:
    """Return the length that the answer names (8.1.1)."""
    if not values:
        return None
    value = values[0]
    if not value.isdigit() or len(value) > _LENGTH_DIGITS or any(other != value for other in values):
        raise MalformedFields("the answer's content-length is not a number, or there are two (8.1.1)")
    return int(value)
