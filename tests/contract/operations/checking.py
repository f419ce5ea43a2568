"""Compares a request that has left with the call that was to be made, by the description."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.contract.operations.callers import ADMIN_KEY, BASE_URL, KEY
from tests.contract.operations.facts import FORM
from tests.contract.operations.forms import check_form
from tests.contract.operations.schemas import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.contract.operations.asking import Asked
    from tests.contract.operations.facts import Fact


class Request(Protocol):
    """A request as it was seen, by whomever."""

    method: str
    url: Any
    headers: Mapping[str, str]
    content: bytes


def check_request(request: Request, asked: Asked, base_url: str = BASE_URL) -> None:
    """Compare a request with what was asked."""
    fact = asked.fact
    url = urlsplit(str(request.url))
    assert request.method == fact.method
    assert f"{url.scheme}://{url.netloc}{url.path}" == base_url + asked.path
    assert sorted(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))) == asked.pairs
    check_headers(request, fact)
    check_body(request, asked)


def check_headers(request: Request, fact: Fact) -> None:
    """One key and no other, and the beta header where it is due and nowhere else."""
    wanted, other = (ADMIN_KEY, KEY) if fact.is_admin else (KEY, ADMIN_KEY)
    assert request.headers["authorization"] == f"Bearer {wanted}"
    assert other not in f"{request.url}{dict(request.headers)}"
    assert request.headers.get("openai-beta") == fact.beta


def check_body(request: Request, asked: Asked) -> None:
    """The fields that were given and no others, as the description's media type."""
    if asked.body is None:
        assert request.content == b""
        assert "content-type" not in request.headers
        return
    media, _, _ = request.headers["content-type"].partition(";")
    assert media == asked.content_type
    if media == FORM:
        check_form(request.headers["content-type"], request.content, asked)
        return
    sent = json.loads(request.content)
    assert sent == asked.body
    assert problems(asked.fact.bodies[media], sent) == ()
