"""
What an upstream calls things (models, fingerprints, finish reasons), in a form that may be shown.

It is remembered, because an upstream uses the same few words all day, and making one safe costs as much as reading
several tokens.

Spec: HTU-1004, HTU-11
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from http_util.redact import safe_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_util import Secret

LONGEST: Final = 256
"""Characters of a word; longer ones are cut."""

_MOST: Final = 64
"""Words that are remembered. An upstream that sends other ones with every answer is a stranger: they are forgotten."""

_LONGEST_REMEMBERED: Final = 16_384
"""Characters of a word that is remembered: an event has room for a mebibyte, and nobody names a model so."""


def shown_word(told: str, secrets: Sequence[Secret]) -> str:
    """A short text of the upstream without any of *secrets*, which it may repeat, and without control characters."""
    return safe_message(told, [secret.reveal() for secret in secrets], limit=LONGEST)


class UpstreamWords:
    """
    The words of one upstream.

    >>> UpstreamWords().shown("sk-example-0000000000/gpt-x", ())
    '****/gpt-x'
    """

    __slots__ = ("_secrets", "_shown")

    def __init__(self) -> None:
        """Know no word yet."""
        self._secrets: Sequence[Secret] = ()
        self._shown: dict[str, str] = {}

    def __repr__(self) -> str:
        """How many words are known."""
        return f"UpstreamWords(<{len(self._shown)} words>)"

    def shown(self, told: str, secrets: Sequence[Secret]) -> str:
        """
        *told* as it may be shown; see `shown_word`.

        Args:
            told: The upstream's word.
            secrets: The credentials of the call. With other ones than before, everything is looked at anew.
        """
        if secrets != self._secrets:
            self._secrets = tuple(secrets)
            self._shown = {}
        shown = self._shown.get(told)
        if shown is None:
            if len(self._shown) >= _MOST:
                self._shown.clear()
            shown = shown_word(told, secrets)
            if len(told) <= _LONGEST_REMEMBERED:
                self._shown[told] = shown
        return shown
