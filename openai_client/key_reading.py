"""
Reading a key at the moment a request needs it: fixed, or from a provider, which may have to wait for it.

A provider is foreign code that talks to a vault: what it raises may quote the key, and its frames may hold it. So of a
failure only its class and its line are told, and nothing of it is kept as a cause.

Spec: SEC-16, SEC-17
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from http_util.secret import Secret
from openai_client.errors import ConfigurationError, InvalidConfiguration, MissingApiKey

if TYPE_CHECKING:
    from openai_client.errors import OpenAIError

KeyProvider: TypeAlias = Callable[[], "Secret | str | Awaitable[Secret | str]"]
"""
Gives the key that is valid now, or an awaitable of it. Asked once per call, retries included, by whoever makes it. A
plain one must not block long; an awaitable is for `AsyncClient` and the adapter, whose deadline it counts against.
"""

ApiKey: TypeAlias = "Secret | KeyProvider | None"
"""A credential: fixed, provided anew for each request, or none (local servers)."""

_TO_BE_AWAITED: Final = (
    "its provider has to be awaited, which blocking code cannot do: give it to AsyncClient or to the adapter, or one "
    "that returns the key at once"
)


def read_key(name: str, key: ApiKey) -> Secret | None:
    """
    Return the key that is valid now.

    Args:
        name: Of the setting, for messages.
        key: What the setting holds.

    Raises:
        MissingApiKey: The provider failed.
        InvalidConfiguration: It gave something else than a key, or something to be awaited.
    """
    if key is None or isinstance(key, Secret):
        return key
    found = _asked(name, key)
    if isinstance(found, Awaitable):
        if inspect.iscoroutine(found):
            found.close()
        found = InvalidConfiguration(f"{name}: {_TO_BE_AWAITED}")
    return _key_or_error(found)


async def read_key_async(name: str, key: ApiKey) -> Secret | None:
    """
    Return the key that is valid now, also from a provider that has to be awaited; arguments and errors as `read_key`.

    Whoever cancels this cancels the provider.
    """
    if key is None or isinstance(key, Secret):
        return key
    found = _asked(name, key)
    if isinstance(found, Awaitable):
        found = await _awaited(name, found)
    return _key_or_error(found)


def _asked(name: str, provider: KeyProvider) -> Secret | Awaitable[Secret | str] | OpenAIError:
    """Return what *provider* gives; what is wrong with it is returned, not raised: this frame holds the value."""
    try:
        given = provider()
    except ConfigurationError as error:
        return error
    # foreign code: whatever it raises means that there is no key
    except Exception as error:  # noqa: BLE001 - its class and line are all that may be told of it
        return _failed(name, error)
    return given if isinstance(given, Awaitable) else _checked(name, given)


async def _awaited(name: str, given: Awaitable[Secret | str]) -> Secret | OpenAIError:
    """Return what an awaitable gives; as `_asked`."""
    try:
        return _checked(name, await given)
    except ConfigurationError as error:
        return error
    # as above
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(name, error)


def _checked(name: str, given: object) -> Secret | OpenAIError:
    """Return *given* as a secret, or what is wrong with it."""
    try:
        return Secret(given)
    except (TypeError, ValueError) as error:
        return InvalidConfiguration(f"{name}: its provider gave something else than a key: {error}")


def _failed(name: str, error: Exception) -> MissingApiKey:
    """Return the error for a provider that raised *error*: what and where, and nothing that it said."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
    return MissingApiKey(f"{name}: its provider failed with {type(error).__name__}{where}")


def _key_or_error(found: Secret | OpenAIError) -> Secret:
    """Return the key, or raise what there is instead."""
    if isinstance(found, Secret):
        return found
    raise found
