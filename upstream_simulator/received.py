"""
A complete request as a connection hands it to the server.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """
    What came, and over what.
    """

    connection: int
    """Number of the connection."""
    protocol: str
    """`http/1.1` or `h2`."""
    method: str
    target: str
    """Path with query."""
    headers: list[tuple[str, str]]
    """As received, names in lower case."""
    body: bytes

    @property
    def path(self) -> str:
        """
        The path without the query.
        """
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """
        The query, without its question mark.
        """
        return self.target.partition("?")[2]
