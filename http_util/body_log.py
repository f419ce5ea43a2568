"""
What of request and answer bodies goes into the log: nothing, unless somebody asks for it.

Bodies hold prompts, answers and whatever a user typed; nobody needs them but who looks for a mistake. Then the settings
say so (`log_request_bodies` and its neighbours), or a `BodyLog` is handed to `build_transport` or
`build_async_transport`, and each body becomes one line, without credentials and cut to a length. Files, pictures and
vectors are never in it, whatever the settings say. Everything here is pure; `http_util.body_log_transport` is what sees
the bodies pass.

Spec: SEC-13, SEC-14
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from http_util.redact import MASK, escape_controls, redact_text, without_encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_CHARACTERS: Final = 65_536
"""Largest length that may be asked for: a log line is no place for more."""

# A credential that is cut in two is not recognised. So more of a body is looked at than is shown, and of a body that
# goes on behind that, the end is not shown, which may be the half of one.
_LOOKED_AT_BESIDE: Final = 4096
_NOT_SHOWN_OF_A_CUT: Final = 512

_READABLE: Final = re.compile(
    r"(?:text/|application/(?:json|x-ndjson|problem\+json|x-www-form-urlencoded)(?:[;\s]|$))", re.IGNORECASE
)
_OF_A_FILE: Final = re.compile(r"/content/?$")
# a vector
_NUMBERS: Final = re.compile(r"\[(?:\s{0,4}-?[0-9][0-9.eE+-]{0,30}\s{0,4}(?:,|$)){8,}[^\]]{0,32}\]?")
# a vector, a picture, a sound or a file in base64, with JSON's escapes
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/=_\\-]{256,}")
_SAID_OF_NUMBERS: Final = "[<numbers>]"
_SAID_OF_ENCODED: Final = "<encoded>"


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLog:
    r"""
    Which bodies are logged, and how much of them.

    Example:
        >>> log = BodyLog(log_request_bodies=True, max_body_log_length=20, redaction_patterns=(r"\d{16}",))
        >>> log.shown(b'{"card": "4111111111111111", "note": "no"}', content_type="application/json")
        '{"card": "****", "n…'

    Spec: SEC-14
    """

    log_request_bodies: bool = False
    """Whether a line is written for the body of each request, one for each attempt."""
    log_response_bodies: bool = False
    """Whether a line is written for the body of each answer, when it is over."""
    max_body_log_length: int = 1000
    """Most characters of a body in a line, 1 to 65,536; a longer body ends in an ellipsis."""
    redaction_patterns: tuple[str, ...] = ()
    """Regular expressions; what matches one is masked, beside all that is masked anyway."""
    patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)
    """The same, compiled."""

    def __post_init__(self) -> None:
        """
        Check the settings.

        Raises:
            ValueError: The length is out of its range, or a pattern is no regular expression; the text names which.
        """
        if not 1 <= self.max_body_log_length <= MOST_CHARACTERS:
            raise ValueError(f"max_body_log_length must be 1 to {MOST_CHARACTERS}, not {self.max_body_log_length!r}")
        for number, pattern in enumerate(self.redaction_patterns):
            if (problem := pattern_problem(pattern)) is not None:
                raise ValueError(f"redaction_patterns[{number}] {problem}")
        object.__setattr__(self, "patterns", tuple(map(re.compile, self.redaction_patterns)))

    @property
    def is_on(self) -> bool:
        """Whether there is anything to log."""
        return self.log_request_bodies or self.log_response_bodies

    @property
    def most_bytes(self) -> int:
        """How much of the beginning of a body is worth keeping for `shown`, in bytes."""
        # a character has at most four
        return 4 * self.max_body_log_length + _LOOKED_AT_BESIDE

    def shown(
        self,
        beginning: bytes,
        *,
        content_type: str,
        size: int | None = None,
        path: str = "",
        secrets: Iterable[str] = (),
    ) -> str:
        """
        Return a body as it may stand in a log line.

        Args:
            beginning: At least its first `most_bytes` bytes, or all of it.
            content_type: What its header says; bodies that are no text become their size.
            size: Bytes of the whole body; by default those of *beginning*.
            path: That it was sent to or came from: the content of a file becomes its size.
            secrets: Credentials of the call, removed wherever they stand.
        """
        size = len(beginning) if size is None else size
        if not _READABLE.match(content_type) or _OF_A_FILE.search(path):
            return f"<{size} bytes>"
        kept = beginning[: self.most_bytes]
        text = self._redacted(kept.decode("utf-8", "replace"), secrets)
        if size > len(kept):
            if not text.endswith((_SAID_OF_NUMBERS, _SAID_OF_ENCODED)):
                text = text[: max(0, len(text) - _NOT_SHOWN_OF_A_CUT)]
        elif len(text) <= self.max_body_log_length:
            return text
        return f"{text[: self.max_body_log_length - 1]}…"

    def _redacted(self, text: str, secrets: Iterable[str]) -> str:
        """Return *text* without vectors, credentials, and whatever matches a pattern."""
        text = _ENCODED.sub(_SAID_OF_ENCODED, _NUMBERS.sub(_SAID_OF_NUMBERS, text))
        for pattern in self.patterns:
            text = pattern.sub(MASK, text)
        known = tuple(secrets)
        return escape_controls(redact_text(without_encoded(text, known), secrets=known))


def pattern_problem(pattern: str) -> str | None:
    """
    Return what is wrong with an entry of `redaction_patterns`, or None.

    >>> pattern_problem("(")
    'is no regular expression: missing ), unterminated subpattern at position 0'
    """
    try:
        re.compile(pattern)
    # a pattern may also be too deep to be read, or count beyond what can be counted
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    return None


class BodyRecord:
    """The beginning of one body as it passes, and its size."""

    __slots__ = ("_beginning", "_most", "size")

    def __init__(self, log: BodyLog) -> None:
        """Begin with nothing."""
        self._beginning = bytearray()
        self._most = log.most_bytes
        self.size = 0
        """Bytes that have passed."""

    def add(self, piece: bytes) -> None:
        """Note that *piece* passes; at most its beginning is kept."""
        self.size += len(piece)
        if (room := self._most - len(self._beginning)) > 0:
            self._beginning += piece[:room]

    @property
    def beginning(self) -> bytes:
        """What is kept."""
        return bytes(self._beginning)

    def __repr__(self) -> str:
        """Show the size only."""
        return f"BodyRecord(<{self.size} bytes>)"


def content_type_of(headers: Mapping[str, str]) -> str:
    """Return the media type that *headers* name; of a compressed body, none: its bytes are no text."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    return headers.get("content-type", "") if encoding in {"", "identity"} else ""
