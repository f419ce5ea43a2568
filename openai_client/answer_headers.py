"""
The headers of an answer, as callers read them.

Spec: CLI-16
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from openai_client.auth import MaskedHeaders

if TYPE_CHECKING:
    from collections.abc import Iterator


class AnswerHeaders(Mapping[str, str]):
    """
    An immutable mapping that takes a header's name in any case, and tells names in lower case, in the order they came.

    Its `repr` shows no credential.

    Example:
        >>> headers = AnswerHeaders({"x-request-id": "r-1"})
        >>> headers["X-Request-ID"], "X-Request-Id" in headers, list(headers)
        ('r-1', True, ['x-request-id'])

    Spec: CLI-16
    """

    __slots__ = ("_by_name",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Copy *headers*; of names that differ by their case alone, the last one counts."""
        self._by_name: Final = MaskedHeaders({name.lower(): value for name, value in headers.items()})

    def __getitem__(self, name: str) -> str:
        """Return the value of the header *name*, in whatever case it is written."""
        return self._by_name[name.lower() if isinstance(name, str) else name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in lower case."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Return the number of headers."""
        return len(self._by_name)

    def __repr__(self) -> str:
        """Return the headers with sensitive values masked."""
        return repr(self._by_name)
