"""
Error bodies in every form seen in the wild.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple

_TYPES: Final = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
_CODES: Final = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


@dataclass(frozen=True, slots=True)
class ApiError(Exception):
    """
    Why a request is refused, before anybody decided how to write it down.
    """

    message: str
    status: int = 400
    type: str | None = None
    code: str | None = None
    param: str | None = None

    @property
    def shown_type(self) -> str:
        """
        The error's type, or the one usual for its status.
        """
        usual = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
        return self.type or _TYPES.get(self.status, usual)

    @property
    def shown_code(self) -> str | None:
        """
        The error's code, or the one usual for its status, or None.
        """
        return self.code or _CODES.get(self.status)


class Written(NamedTuple):
    """
    A body and the content type that goes with it.
    """

    data: bytes
    content_type: str


def write_error(error: ApiError, form: str) -> Written:
    """
    Write an error down.

    Args:
        error: What went wrong.
        form: A name of `faults.ErrorForm`.

    Returns:
        The body and its content type.

    Spec: SIM-07
    """
    if form == "empty":
        return Written(b"", "text/plain")
    if form == "text":
        return Written(error.message.encode(), "text/plain; charset=utf-8")
    if form == "html":
        return Written(html_page(error.status, error.message), "text/html; charset=utf-8")
    return Written(json.dumps(error_object(error, form), separators=(",", ":")).encode(), "application/json")


def error_object(error: ApiError, form: str) -> dict[str, object]:
    """
    Make the JSON object of an error.

    Args:
        error: What went wrong.
        form: A name of `faults.ErrorForm`; those that are not JSON fall back to `openai`.

    Returns:
        The object, ready for JSON.
    """
    inner: dict[str, object] = {"message": error.message, "type": error.shown_type, "param": error.param}
    if form == "string":
        return {"error": error.message}
    if form == "detail":
        return {"detail": error.message}
    if form == "flat":
        return {"object": "error", **inner, "code": error.status}
    if form == "int_code":
        return {"error": {**inner, "code": error.status}}
    if form == "string_code":
        return {"error": {**inner, "code": str(error.status)}}
    if form == "litellm":
        return {"error": {**inner, "type": None, "param": None, "code": str(error.status)}}
    return {"error": {**inner, "code": error.shown_code}}


def html_page(status: int, message: str) -> bytes:
    """
    Make the page a proxy puts in front of an engine.
    """
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    return (
        f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {phrase}</h1></center>\r\n<hr><center>{message}</center>\r\n</body>\r\n</html>\r\n"
    ).encode()
