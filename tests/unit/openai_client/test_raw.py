"""Any call as an operation: what is written, and what is refused."""

from __future__ import annotations

import pytest

from openai_client import InvalidFieldValue, SerializationError, raw_operation, raw_stream_operation
from openai_client.types import CreateEmbeddingRequest


@pytest.mark.requirement("CLI-19")
def test_any_call_becomes_an_operation() -> None:
    """Methods that may be repeated are known as such."""
    operation = raw_operation("post", "/a/b%20c", query={"limit": 1}, body={"x": [1, None]})
    assert (operation.method, operation.path, operation.query) == ("POST", "/a/b%20c", (("limit", "1"),))
    assert operation.body_bytes() == b'{"x":[1,null]}'
    assert not operation.idempotent
    assert raw_operation("DELETE", "/a").idempotent
    assert raw_operation("GET", "/a").parse(b"\x00\xff") == b"\x00\xff"
    assert raw_operation("POST", "/a", body=b"as it is").body_bytes() == b"as it is"
    model = CreateEmbeddingRequest(model="m", input="x")
    assert raw_operation("POST", "/a", body=model).body_bytes() == b'{"input":"x","model":"m"}'


@pytest.mark.requirement("CLI-19")
def test_any_streamed_call_becomes_one_too() -> None:
    """Its events are kept as they came."""
    operation = raw_stream_operation("POST", "/a", body={"stream": True})
    assert operation.parse_event(b'{"type": "x", "y": {"z": 1}}').y == {"z": 1}
    assert operation.end.is_sentinel(b"[DONE]")


@pytest.mark.requirement("CLI-19", "SEC-11")
@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("TRACE", "/a", "method"),
        ("GET\r\nx", "/a", "method"),
        ("GET", "a", "path"),
        ("GET", "", "path"),
        ("GET", "https://evil.example/", "path"),
        ("GET", "/a?key=sk-secret-000000", "path"),
        ("GET", "/a#b", "path"),
        ("GET", "/a b", "path"),
        ("GET", "/a\r\nx: y", "path"),
        ("GET", "/../admin", "path"),
        ("GET", "/a/./b", "path"),
        ("GET", "/a/%2e%2E/organization/users", "path"),
    ],
)
def test_what_could_leave_the_base_url_is_refused(method: str, path: str, field: str) -> None:
    """The error names the argument and shows no query."""
    with pytest.raises(InvalidFieldValue, match=f"^{field}: ") as caught:
        raw_operation(method, path)
    assert "secret" not in str(caught.value)


def circle() -> list[object]:
    """Return a list that holds itself."""
    items: list[object] = ["secret"]
    items.append(items)
    return items


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize("value", [object(), "secret\ud800", {1, "secret"}, float("nan"), float("inf"), circle()])
def test_a_body_that_is_no_json_is_refused_without_being_shown(value) -> None:
    """Strictly JSON: nothing is guessed."""
    with pytest.raises(SerializationError, match="body: cannot be written as JSON") as caught:
        raw_operation("POST", "/a", body={"x": value})
    assert "secret" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
    assert caught.value.category.value == "InvalidArgument"


def test_models_inside_a_body_are_written_as_models() -> None:
    """Only the fields that were set."""
    body = {"requests": [CreateEmbeddingRequest(model="m", input="é")]}
    written = raw_operation("POST", "/a", body=body).body_bytes()
    assert written == '{"requests":[{"input":"é","model":"m"}]}'.encode()
