"""
A 404 from an address that most likely lacks its path: said to whoever wrote the address. Pure.

Spec: ADP-41, ERR-20
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from adapter_api import WorkerError

_HAS_A_ROOT: Final = re.compile(r"/v\d|/openai(/|$)")


def missing_path(base_url: str) -> str:
    """
    What to say of *base_url* when it answers 404; empty when its path is not to blame as far as can be told.

    Example:
        >>> missing_path("http://127.0.0.1:8000")
        'base_url has no /v1 in its path, below which most servers have the API'
        >>> missing_path("http://127.0.0.1:8000/v1")
        ''
    """
    if _HAS_A_ROOT.search(urlsplit(base_url).path):
        return ""
    return "base_url has no /v1 in its path, below which most servers have the API"


def with_hint(error: WorkerError, base_url: str) -> WorkerError:
    """*error* itself; of a 404 that may be the fault of *base_url*, with words that say so."""
    hint = missing_path(base_url)
    if hint and error.http_status == HTTPStatus.NOT_FOUND and error.reason == "not_found":
        error.message = f"{error.message}; {hint}"
        error.args = (error.reason, error.message)
    return error
