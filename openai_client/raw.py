"""
The escape hatch: any call below the base URL as an operation, through the same auth, errors and records as all others.

Spec: CLI-19
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import BaseModel

from openai_client.base_model import Unknown
from openai_client.errors import InvalidFieldValue, SerializationError
from openai_client.operation import CLIENT_DEFAULTS, Operation, StreamEnd, StreamOperation, as_bytes, written_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai_client.operation import CallOptions, QueryValue

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""The methods that may be used."""

_ADMIN: Final = frozenset({"organization", "projects"})

_IDEMPOTENT: Final = METHODS - {"POST", "PATCH"}
_PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")

# The events after which a stream of the Responses API, the only one without a closing mark, sends nothing.
_LAST_EVENTS: Final = frozenset({"response.completed", "response.failed", "response.incomplete"})


def raw_operation(
    method: str,
    path: str,
    *,
    query: Mapping[str, QueryValue] | None = None,
    body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None = None,
    content_type: str = "application/json",
    options: CallOptions = CLIENT_DEFAULTS,
) -> Operation[bytes]:
    """
    Describe any call answered by one document, which is returned as it came.

    A path of the organization's administration takes the admin key, and every other one the API key.

    Args:
        method: An HTTP method, in any case.
        path: Below the base URL: begins with `/`, percent-encoded, without a query.
        query: Query parameters.
        body: Written as JSON, unless it is bytes.
        content_type: Of a body given as bytes.
        options: What this call does differently from its client.

    Raises:
        InvalidFieldValue: *method* or *path* cannot be used.
        SerializationError: *body* cannot be written as JSON.

    Spec: CLI-19
    """
    verb = _checked(method, path)
    return Operation(
        operation_id=f"raw {verb}",
        method=verb,
        path=path,
        query=written_query(query or {}),
        body=_body(body),
        content_type=content_type,
        idempotent=verb in _IDEMPOTENT,
        admin=is_admin_path(path),
        parse=as_bytes,
        options=options,
    )


def raw_stream_operation(
    method: str,
    path: str,
    *,
    query: Mapping[str, QueryValue] | None = None,
    body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None = None,
    options: CallOptions = CLIENT_DEFAULTS,
) -> StreamOperation[Unknown]:
    """
    Describe any call answered by server-sent events with JSON in them.

    The body is sent as it is, so it must ask for a stream itself. Arguments and errors are those of `raw_operation`.

    Spec: CLI-19
    """
    verb = _checked(method, path)
    return StreamOperation(
        operation_id=f"raw {verb}",
        method=verb,
        path=path,
        query=written_query(query or {}),
        body=_body(body),
        idempotent=verb in _IDEMPOTENT,
        admin=is_admin_path(path),
        parse_event=Unknown.from_wire,
        end=StreamEnd(event_types=_LAST_EVENTS),
        options=options,
    )


def is_admin_path(path: str) -> bool:
    """
    Tell whether *path* belongs to the organization's administration, however it is written.

    Example:
        >>> [is_admin_path(path) for path in ("/organization/users", "//%6frganization/users", "/models/organization")]
        [True, True, False]

    Spec: SEC-19
    """
    segments = unquote(path).split("/")
    return next((segment.casefold() for segment in segments if segment), "") in _ADMIN


def _checked(method: str, path: str) -> str:
    """Return the method in upper case after both were checked."""
    verb = method.upper()
    if verb not in METHODS:
        raise InvalidFieldValue(f"method: must be one of {', '.join(sorted(METHODS))}, not {method[:32]!r}")
    if not _PATH.fullmatch(path) or any(part in {".", ".."} for part in unquote(path).split("/")):
        raise InvalidFieldValue(
            "path: must begin with '/', be percent-encoded and have no query, fragment or '..'; "
            f"got {path.partition('?')[0][:200]!r}"
        )
    return verb


def _body(body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None) -> BaseModel | bytes | None:
    """Return the body as an operation takes it."""
    if body is None or isinstance(body, bytes | BaseModel):
        return body
    try:
        # strictly JSON: no NaN, no lone surrogates, nothing that has to be guessed
        return json.dumps(body, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    # what these say may quote the body
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"body: cannot be written as JSON ({type(error).__name__})"
    raise SerializationError(problem)


def _plain(value: object) -> object:
    """Return a model inside a body as plain values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    raise TypeError(f"{type(value).__name__} has no JSON form")
