"""
A credential among the settings, the same for the adapter itself and for each endpoint of its failover list.

A file gives a text, or, through the host, what `{ env = "NAME" }` or `{ file = "path" }` refers to; Python may also
give a function, plain or async, that is asked anew for each task.

Spec: ADP-14, SEC-01, SEC-17
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator
from pydantic.json_schema import SkipJsonSchema

from http_util.secret import Secret


def _sealed(key: object) -> object:
    """Return a text as a secret; what cannot be a credential is refused without being shown."""
    if key is None or isinstance(key, Secret) or callable(key):
        return key
    if not isinstance(key, str):
        raise ValueError(f"expected a text or a Secret, got {type(key).__name__}")  # noqa: TRY004 - pydantic's way
    return Secret(key)


# a file of settings cannot hold a function, so the schema does not speak of one
KeySetting: TypeAlias = Annotated[
    Secret | str | SkipJsonSchema[Callable[[], Any]] | None,
    BeforeValidator(_sealed),
]
"""A credential, kept as a `Secret`; a function that gives one; or None."""
