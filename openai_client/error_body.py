"""
Read what an upstream says about an error, in any of the forms that compatible servers use.

::

    {"error": {"message", "type", "param", "code"}}     the API's own; some servers write the code as a number
    {"error": "text"}                                   vLLM's 401; transformers, inside a stream
    {"type": "error", "code", "message", "param"}       a flat event of a Responses stream
    {"type": "response.failed", "response": {"error"}}  the failed response as a whole
    {"detail": "text"}, {"detail": [{...}, ...]}        FastAPI: the list names the fields
    {"message", "statusCode"}                           gateways
    plain text, HTML                                    proxies, and servers that crash

Pure, total, and bounded by the excerpt it is given: nothing in here raises because of what an upstream sent.

Spec: ERR-04, ERR-07
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pydantic_core import from_json

_TITLE: Final = re.compile(r"<title[^>]{0,64}>([^<]{1,200})", re.IGNORECASE)
_STATUS_LIKE: Final = re.compile(r"[0-9]{1,5}")
_DETAILS_SHOWN: Final = 3
_BOM: Final = b"\xef\xbb\xbf"


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an error answer says; a field is None when it says nothing about it. Nothing in here is redacted yet."""

    message: str | None = None
    type: str | None = None
    param: str | None = None
    code: str | None = None
    """As text, also when it was a number."""

    @property
    def numeric_code(self) -> int | None:
        """The code as a number, when it is one: most servers then repeat the HTTP status."""
        return int(self.code) if self.code and _STATUS_LIKE.fullmatch(self.code) else None


def read_error_body(body: bytes) -> ErrorBody:
    """
    Return what the body of an error answer, or its beginning, says.

    Example:
        >>> read_error_body(b'{"error": {"message": "no", "type": "BadRequestError", "param": null, "code": 400}}')
        ErrorBody(message='no', type='BadRequestError', param=None, code='400')
        >>> read_error_body(b"Internal Server Error").message
        'Internal Server Error'
    """
    body = body.removeprefix(_BOM)
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return ErrorBody()
    if text.startswith("<"):
        title = _TITLE.search(text)
        return ErrorBody(message=f"an HTML page titled {title[1].strip()!r}" if title else "an HTML page")
    try:
        value = from_json(body, allow_partial="trailing-strings")
    except ValueError:
        return ErrorBody(message=text)
    return read_error_value(value) if isinstance(value, Mapping | str) else ErrorBody(message=text)


def read_error_value(value: object) -> ErrorBody:
    """
    Return what an error, already decoded from JSON, says.

    Args:
        value: The whole answer or event, or its error object alone, or a text.
    """
    if not isinstance(value, Mapping):
        return ErrorBody(message=value) if isinstance(value, str) else ErrorBody()
    response = value.get("response")
    if isinstance(response, Mapping) and response.get("error") is not None:
        return read_error_value(response)
    error = value.get("error")
    if isinstance(error, Mapping):
        return _from_object(error)
    if isinstance(error, str) and error:
        # some gateways put a code there and the sentence beside it
        message = _text(value.get("message") or value.get("error_description"))
        return ErrorBody(message=message or error, code=error if message else _text(value.get("code")))
    detail = value.get("detail")
    if detail:
        return _from_detail(detail)
    return _from_object(value)


def _from_object(error: Mapping[Any, Any]) -> ErrorBody:
    """Return the four fields of an error object."""
    kind = _text(error.get("type"))
    inner = error.get("innererror")
    code = _text(error.get("code"))
    if code is None and isinstance(inner, Mapping):
        code = _text(inner.get("code"))
    return ErrorBody(
        message=_text(error.get("message")),
        # a flat event is of type "error", which says nothing
        type=None if kind == "error" else kind,
        param=_text(error.get("param")),
        code=code,
    )


def _from_detail(detail: object) -> ErrorBody:
    """Return what FastAPI says; the list holds the offending input too, which is left out."""
    if isinstance(detail, Mapping):
        return read_error_value(detail)
    rows = [row for row in detail if isinstance(row, Mapping)] if isinstance(detail, list) else []
    if not rows:
        return ErrorBody(message=_text(detail))
    said = [f"{_place(row) or 'request'}: {_text(row.get('msg')) or 'refused'}" for row in rows[:_DETAILS_SHOWN]]
    return ErrorBody(message="; ".join(said), param=_place(rows[0]), code=_text(rows[0].get("type")))


def _place(row: Mapping[Any, Any]) -> str | None:
    """Return the path of the field that a row of FastAPI's list is about, without the word that says "in the body"."""
    where = row.get("loc")
    if not isinstance(where, list):
        return None
    return ".".join(str(step) for step in where[:8] if step != "body" and isinstance(step, str | int)) or None


def _text(value: object) -> str | None:
    """Return a field as text: numbers are written out, anything else that is no text counts as absent."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None
