"""
Telling of what is deprecated: operations, fields of bodies, and what an upstream says so about in its headers.

Every use site, the line that calls the client, hears of a feature once: by a `DeprecationWarning`, which Python shows
or hides by its own rules, and by the hook of a `Deprecations`, if the settings have one.

Spec: FWD-06
"""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pydantic import BaseModel

from openai_client.base_model import DEPRECATED
from openai_client.errors import InvalidConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from openai_client.operation import Call

MOST_SITES: Final = 4096
"""Use sites that a `Deprecations` remembers; beyond them it is silent."""

_OURS: Final = ("openai_client.", "http_util.", "functools", "asyncio.")
_LONGEST: Final = 200

# what the vendor has announced, where its description says only that something is deprecated
_SUNSETS: Final = {"assistants=v2": ("2026-08-26", "client.responses and client.conversations")}
_REPLACED: Final = {
    "function_call": "tool_choice",
    "functions": "tools",
    "max_tokens": "max_completion_tokens",
    "user": "safety_identifier and prompt_cache_key",
}


class OnDeprecationWarning(Protocol):
    """What is called for a deprecated feature."""

    def __call__(self, feature: str, sunset_date: str | None, replacement: str | None, /) -> object:
        """Hear of *feature*; the date is as the upstream or the vendor writes it, either may be unknown."""


class Deprecation(NamedTuple):
    """One deprecated feature that was used."""

    feature: str
    """An operation, such as `listAssistants`, or a field of one, such as `createChatCompletion.max_tokens`."""
    sunset_date: str | None = None
    """When it ends."""
    replacement: str | None = None
    """What to use in its place."""

    @property
    def message(self) -> str:
        """The feature and what is known about it."""
        end = "" if self.sunset_date is None else f"; it ends {self.sunset_date}"
        other = "" if self.replacement is None else f"; use {self.replacement}"
        return f"{self.feature} is deprecated by the API{end}{other}"


class Deprecations:
    """
    Remembers which use sites were told of what, and calls the hook for those that were not. Share it between clients.

    Example:
        >>> told = []
        >>> deprecations = Deprecations(lambda *facts: told.append(facts))
        >>> for _ in range(3):
        ...     deprecations.tell(Deprecation("createThing"), ("app.py", 7))
        >>> told
        [('createThing', None, None)]

    Spec: FWD-06
    """

    def __init__(self, on_deprecation_warning: OnDeprecationWarning) -> None:
        """
        Take the hook.

        Args:
            on_deprecation_warning: Called with feature, sunset date and replacement. What it raises ends the call.

        Raises:
            InvalidConfiguration: It cannot be called.
        """
        if not callable(on_deprecation_warning):
            raise InvalidConfiguration("on_deprecation_warning: must be a function of feature, date and replacement")
        self._hook = on_deprecation_warning
        self._told: set[tuple[str, str, int]] = set()

    def tell(self, deprecation: Deprecation, site: tuple[str, int]) -> None:
        """Call the hook, unless *site*, a file and a line in it, was told of the same feature before."""
        key = (deprecation.feature, *site)
        if key not in self._told and len(self._told) < MOST_SITES:
            self._told.add(key)
            self._hook(*deprecation)


def deprecations_in(operation: Call) -> list[Deprecation]:
    """
    Return what is deprecated about a call before it is made: the operation, and the fields that its body has set.

    Spec: FWD-06
    """
    body = operation.body
    fields = _deprecated(type(body)) & body.model_fields_set if isinstance(body, BaseModel) else ()
    found = [Deprecation(f"{operation.operation_id}.{name}", None, _REPLACED.get(name)) for name in sorted(fields)]
    if operation.deprecated:
        found.insert(0, Deprecation(operation.operation_id, *_SUNSETS.get(operation.beta or "", (None, None))))
    return found


def deprecations_told(operation_id: str, headers: Mapping[str, str]) -> list[Deprecation]:
    """
    Return what an upstream says about a call in its answer's `deprecation`, `sunset` and `link` headers.

    Example:
        >>> told = {"sunset": "Wed, 26 Aug 2026 00:00:00 GMT", "link": '</v2/things>; rel="successor-version"'}
        >>> deprecations_told("listThings", told)[0].message
        'listThings is deprecated by the API; it ends Wed, 26 Aug 2026 00:00:00 GMT; use /v2/things'

    Spec: FWD-06
    """
    if "sunset" not in headers and headers.get("deprecation", "false").lower() == "false":
        return []
    successor = None
    for link in headers.get("link", "").split(","):
        target, _, parameters = link.partition(";")
        if "successor-version" in parameters:
            successor = _shown(target.strip().strip("<>"))
    sunset = headers.get("sunset")
    return [Deprecation(operation_id, None if sunset is None else _shown(sunset), successor)]


def tell(found: list[Deprecation], deprecations: Deprecations | None) -> None:
    """Tell the line that calls the client, wherever on the stack it is, of what was found."""
    if not found:
        return
    frame = _caller()
    filename, line = frame.f_code.co_filename, frame.f_lineno
    for deprecation in found:
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        module = frame.f_globals.get("__name__", "__main__")
        warnings.warn_explicit(deprecation.message, DeprecationWarning, filename, line, module, registry)
        if deprecations is not None:
            deprecations.tell(deprecation, (filename, line))


def _caller() -> FrameType:
    """Return the innermost frame that is not the client's."""
    # there is no other way to learn where one was called
    frame = sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    return frame


@cache
def _deprecated(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if DEPRECATED in field.metadata)


def _shown(text: str) -> str:
    """Return a short text of the upstream in a form that may be shown."""
    return "".join(char for char in text[:_LONGEST] if char.isprintable())
