"""
Which answers may be handed out more than once, and the key under which two calls are the same call. Pure.

An answer may be shared when asking again would have brought the same, and asking changes nothing: a GET, or a POST that
somebody named. A stream, a call with an idempotency key, and a call that brings a credential of its own never are.

Spec: BAT-01, CCH-01
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

from pydantic import BaseModel

from http_util.redact import is_sensitive_header, is_sensitive_name
from openai_client.errors import InvalidConfiguration
from openai_client.operation import as_binary, as_bytes, as_nothing, as_text
from openai_client.remembering import heard_with, remember

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openai_client.config import ClientConfig
    from openai_client.operation import Call, Operation
    from openai_client.remembering import Heard

T = TypeVar("T")

SHARED_BY_DEFAULT: Final = frozenset({"createEmbedding", "createModeration"})
"""POSTs whose answer is a function of their body."""

MAY_BE_SHARED: Final = SHARED_BY_DEFAULT | {"createChatCompletion", "createCompletion"}
"""
POSTs that may be named: they leave nothing behind but a bill. Whoever names a generation wants the same text twice.
"""

# what `read_answer` returns unread, also when it looks like an error
_OPAQUE: Final[frozenset[object]] = frozenset({as_binary, as_bytes, as_nothing, as_text})


class Kept(NamedTuple, Generic[T]):
    """A result together with the bytes that it was read from."""

    result: T
    """What the operation's own parser made of them."""
    body: bytes
    """The body of the answer."""

    @property
    def _heard(self) -> Heard | None:
        """What the result remembers."""
        return heard_with(self.result)

    @_heard.setter
    def _heard(self, heard: Heard | None) -> None:
        remember(self.result, heard)

    def again(self, operation: Operation[T]) -> T:
        """Return the result once more, for somebody else, as a value of his own."""
        return remember(operation.parse(self.body), self._heard)


def checked_operations(operations: Iterable[str]) -> frozenset[str]:
    """
    Return the ids of the POSTs that are to be shared.

    Raises:
        InvalidConfiguration: One of them is not known to leave nothing behind.
    """
    named = frozenset(operations)
    if wrong := sorted(named - MAY_BE_SHARED):
        raise InvalidConfiguration(
            f"operations: may hold {', '.join(sorted(MAY_BE_SHARED))}; {', '.join(wrong)} may change something"
        )
    return named


def share_key(
    operation: Operation[Any], config: ClientConfig, operations: frozenset[str], *, tenant: str = ""
) -> str | None:
    """
    Return the key of a call: equal for equal calls, different when any part differs that the answer may depend on.

    It is the SHA-256 of where the call goes, what it asks and who the tenant is, in hexadecimal. Credentials do not
    enter it, so a key may be shown and survives a rotation; the *tenant* keeps those apart who may not share.

    Args:
        operation: The call.
        config: Of the client that would make it.
        operations: Ids of the POSTs whose answers may be shared.
        tenant: For whom the call is made.

    Returns:
        None for a call whose answer must not be shared.
    """
    if not _may_be_shared(operation, operations):
        return None
    try:
        # what cannot be written is the client's to complain about
        parts = {**_place(operation, config), "body": _body(operation), "tenant": tenant}
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def keeping_body(operation: Operation[T]) -> Operation[Any]:
    """Return *operation* with a parser that keeps the bytes; hand its result to `kept`."""
    if operation.parse in _OPAQUE:
        return replace(cast("Operation[Any]", operation), parse=as_bytes)
    parse = operation.parse
    return replace(cast("Operation[Any]", operation), parse=lambda body: Kept(parse(body), body))


def kept(operation: Operation[T], answer: Any) -> Kept[T]:
    """Return the result of `keeping_body(operation)` in its two forms."""
    return cast("Kept[T]", answer) if isinstance(answer, Kept) else Kept(operation.parse(answer), answer)


def _may_be_shared(operation: Call, operations: frozenset[str]) -> bool:
    options = operation.options
    if options.idempotency_key is not None:
        return False
    if operation.headers.get("cache-control") == "no-cache":
        return False
    if any(is_sensitive_header(name) for headers in (operation.headers, options.headers) for name in headers):
        return False
    if operation.method == "GET":
        return True
    is_named = operation.method == "POST" and operation.operation_id in operations
    return is_named and not _is_stored(operation)


def _is_stored(operation: Call) -> bool:
    """Tell whether the upstream is asked to keep the answer: that changes something."""
    return bool(getattr(operation.body, "store", None) or operation.options.extra_body.get("store"))


def _place(operation: Call, config: ClientConfig) -> dict[str, object]:
    """Return everything that tells two calls apart, but for body and tenant."""
    taken = {name for name, _ in operation.query}
    query = [*operation.query, *((name, value) for name, value in config.default_query.items() if name not in taken)]
    return {
        "operation": operation.operation_id,
        "method": operation.method,
        "base_url": config.base_url,
        "path": operation.path,
        # a name may stand there several times, and then in order
        "query": sorted((pair for pair in query if not is_sensitive_name(pair[0])), key=lambda pair: pair[0]),
        "headers": _headers(config.default_headers, operation.headers, operation.options.headers),
        "content_type": operation.content_type,
        "account": [config.organization, config.project, operation.admin],
        "version": [operation.beta, config.api_version.beta_header, config.api_version.openai_version],
    }


def _headers(*layers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that are sent, without those that hold a credential."""
    merged = {name.lower(): value.strip() for layer in layers for name, value in layer.items()}
    return {name: value for name, value in merged.items() if not is_sensitive_header(name)}


def _body(operation: Call) -> object:
    """Return the body in a form in which the order of keys does not count; bytes that were given as such stay bytes."""
    body = operation.body_bytes()
    if body is None:
        return None
    return json.loads(body) if isinstance(operation.body, BaseModel) else {"bytes": body.hex()}
