"""
The escape hatch: any call below the base URL as an operation, through the same auth, errors and records as all others.

Spec: CLI-19, FWD-04
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from unicodedata import category, normalize
from urllib.parse import unquote

from pydantic import BaseModel

from openai_client.base_model import Untyped
from openai_client.errors import InvalidFieldValue, SerializationError
from openai_client.operation import CLIENT_DEFAULTS, Operation, StreamEnd, StreamOperation, as_bytes, written_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai_client.operation import CallOptions, QueryValue

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""The methods that may be used."""

_ADMIN: Final = frozenset({"organization", "projects"})
_BETA: Final = {"assistants": "assistants=v2", "chatkit": "chatkit_beta=v1", "threads": "assistants=v2"}
"""What the families of `client.beta` are asked for with, by the first segment of their paths."""

_MOST_ENCODINGS: Final = 8
"""How often a path may be percent-encoded, one time in the other; no server decodes it more often."""

_IDEMPOTENT: Final = METHODS - {"POST", "PATCH"}
_BEHIND: Final = re.compile(r"[;?#]")
"""Begins what is behind the name of a segment."""
_BLANK: Final = "".join(map(chr, range(0x21)))
_VERSION: Final = re.compile(r"v[0-9][0-9a-z.\-]{0,15}")
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

    A path of the organization's administration takes the admin key, and every other one the API key. One of a beta
    service needs it enabled, as its methods do.

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
        beta=_BETA.get(_family(path)),
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
) -> StreamOperation[Untyped]:
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
        beta=_BETA.get(_family(path)),
        parse_event=Untyped.from_wire,
        end=StreamEnd(event_types=_LAST_EVENTS),
        options=options,
    )


def is_admin_path(path: str) -> bool:
    """
    Tell whether *path* belongs to the organization's administration, however it is written.

    Example:
        >>> [
        ...     is_admin_path(path)
        ...     for path in ("/organization/users", "/v1//%6frganization;a/users", "/models/organization")
        ... ]
        [True, True, False]

    Spec: SEC-19
    """
    # a base URL without a version leaves it to the path
    before = ""
    for segment in filter(None, _segments(path)):
        if segment in _ADMIN and (not before or _VERSION.fullmatch(before)):
            return True
        before = segment
    return False


def _family(path: str) -> str:
    """Return the first segment of *path* that says anything but a version, in lower case."""
    return next((segment for segment in _segments(path) if segment and not _VERSION.fullmatch(segment)), "")


def _segments(path: str) -> list[str]:
    """
    Return the segments of *path* as the most liberal of servers reads them, in lower case, without their parameters.

    It decodes until nothing is left to decode, splits at backslashes too, and takes letters that look alike for the
    same, and those that cannot be seen for none.
    """
    return [_BEHIND.split(part)[0].strip(_BLANK) for part in _parts(path)]


def _parts(path: str) -> list[str]:
    """Return what stands between the slashes of *path*, as `_segments` reads them."""
    for _ in range(_MOST_ENCODINGS):
        path, encoded = unquote(path), path
        if path == encoded:
            break
    seen = path if path.isascii() else _as_it_looks(path)
    return [part.strip(_BLANK) for part in seen.casefold().replace("\\", "/").split("/")]


def _as_it_looks(path: str) -> str:
    """Return *path* in the simplest letters that it can be written in, without what cannot be seen."""
    return "".join(sign for sign in normalize("NFKC", path) if category(sign) != "Cf")


def _checked(method: Any, path: Any) -> str:
    """Return the method in upper case after both were checked."""
    if not isinstance(method, str) or not isinstance(path, str):
        name, given = ("path", path) if isinstance(method, str) else ("method", method)
        raise InvalidFieldValue(f"{name}: must be a str, not {type(given).__name__}", param=name)
    verb = method.upper()
    if verb not in METHODS:
        raise InvalidFieldValue(
            f"method: must be one of {', '.join(sorted(METHODS))}, not {method[:32]!r}", param="method"
        )
    if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(_segments(path)):
        raise InvalidFieldValue(
            "path: must begin with '/', be percent-encoded and have no query, fragment or '..'; "
            f"got {path.partition('?')[0][:200]!r}",
            param="path",
        )
    if any(part.startswith(";") for part in _parts(path)):
        # where what is behind it belongs is for each server to say, and so is which key it needs
        raise InvalidFieldValue(f"path: must have a name before each ';'; got {path[:200]!r}", param="path")
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
