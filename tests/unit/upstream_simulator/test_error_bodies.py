from __future__ import annotations

import json

import pytest

from upstream_simulator.error_bodies import ApiError, html_page, write_error


@pytest.mark.requirement("SIM-07")
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "openai",
            {"error": {"message": "no", "type": "rate_limit_error", "param": "p", "code": "rate_limit_exceeded"}},
        ),
        ("int_code", {"error": {"message": "no", "type": "rate_limit_error", "param": "p", "code": 429}}),
        ("string_code", {"error": {"message": "no", "type": "rate_limit_error", "param": "p", "code": "429"}}),
        ("litellm", {"error": {"message": "no", "type": None, "param": None, "code": "429"}}),
        ("string", {"error": "no"}),
        ("detail", {"detail": "no"}),
        ("flat", {"object": "error", "message": "no", "type": "rate_limit_error", "param": "p", "code": 429}),
    ],
)
def test_each_json_form_is_written_as_servers_write_it(form: str, expected: object) -> None:
    """The same error in every JSON form."""
    written = write_error(ApiError("no", 429, param="p"), form)
    assert json.loads(written.data) == expected
    assert written.content_type == "application/json"


@pytest.mark.requirement("SIM-07")
def test_the_other_forms_are_text_a_page_or_nothing() -> None:
    """A proxy's page, a bare word, an empty body."""
    error = ApiError("no", 502)
    assert write_error(error, "text") == (b"no", "text/plain; charset=utf-8")
    assert b"<h1>502 Bad Gateway</h1>" in write_error(error, "html").data
    assert write_error(error, "empty").data == b""
    assert b"<h1>599 Error</h1>" in html_page(599, "x")


@pytest.mark.requirement("SIM-07")
def test_type_and_code_are_those_given_or_the_usual_ones() -> None:
    """A status implies both; what is given wins."""
    assert (ApiError("x", 500).shown_type, ApiError("x", 500).shown_code) == ("server_error", None)
    assert (ApiError("x", 418).shown_type, ApiError("x", 401).shown_code) == ("api_error", "invalid_api_key")
    given = ApiError("x", 400, "t", "c")
    assert (given.shown_type, given.shown_code) == ("t", "c")
