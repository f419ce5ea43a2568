"""Any call as an operation: what is written, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openai_client import (
    ApiVersionConfig,
    CallOptions,
    ClientConfig,
    InvalidConfiguration,
    InvalidFieldValue,
    SerializationError,
    raw_operation,
    raw_stream_operation,
)
from openai_client.request_writing import write_call
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
        ("GET", "/a/%252e%252E/organization/users", "path"),
        ("GET", "/a/..;/organization/users", "path"),
        ("GET", "/a%5C..%5Corganization", "path"),
        ("GET", "/a/..%20/organization", "path"),
        ("GET", "/%E2%80%A5/organization", "path"),
        ("GET", "/;/organization", "path"),
        ("GET", "/%3Ba=1/organization", "path"),
        ("GET", b"/a", "path"),
        (7, "/a", "method"),
    ],
)
def test_what_could_leave_the_base_url_is_refused(method: Any, path: Any, field: str) -> None:
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


@pytest.mark.requirement("CLI-19", "FWD-04")
@pytest.mark.parametrize("path", ["/threads", "/threads/t/runs", "//%74hreads;x", "/assistants/a", "/chatkit/sessions"])
def test_a_raw_call_of_a_beta_service_passes_the_gate_of_its_methods(path: str) -> None:
    """It needs the service enabled, and is sent with its header, unless the caller gives another one."""
    config = ClientConfig(base_url="http://localhost:8000/v1", api_key="local")
    for operation in (raw_operation("GET", path), raw_stream_operation("POST", path)):
        with pytest.raises(InvalidConfiguration, match=r"^api_version\.enable_beta: raw (GET|POST) belongs"):
            write_call(operation, config, 0.0)
    enabled = replace(config, api_version=ApiVersionConfig(enable_beta=True))
    header = "chatkit_beta=v1" if "chatkit" in path else "assistants=v2"
    assert write_call(raw_operation("GET", path), enabled, 0.0).http.headers["openai-beta"] == header
    own = raw_operation("GET", path, options=CallOptions(headers={"OpenAI-Beta": "x=v9"}))
    assert write_call(own, enabled, 0.0).http.headers["openai-beta"] == "x=v9"
    assert raw_operation("GET", "/x/threads").beta is None


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "connection", "upgrade", "TE", "Keep-Alive", "trailer"]
)
def test_no_header_of_the_connection_is_taken_from_a_caller(name: str) -> None:
    """With two ends a request is two requests; neither for a call nor for a client."""
    config = ClientConfig(base_url="http://localhost:8000/v1", api_key="local")
    said = f"the header '{name.lower()}' belongs to the connection"
    with pytest.raises(InvalidConfiguration, match=said):
        write_call(raw_operation("GET", "/a", options=CallOptions(headers={name: "5"})), config, 0.0)
    with pytest.raises(InvalidConfiguration, match=said):
        ClientConfig(base_url="http://localhost:8000/v1", api_key="local", default_headers={name: "5"})
