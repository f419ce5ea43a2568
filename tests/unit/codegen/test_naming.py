from __future__ import annotations

import pytest

from codegen.naming import attribute, pascal, singular, snake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("createChatCompletion", "create_chat_completion"),
        ("archive-project", "archive_project"),
        ("CreateanAPIkey", "createan_ap_ikey"),
        ("beta_getResponse", "beta_get_response"),
        ("MCPToolCall", "mcp_tool_call"),
    ],
)
def test_functions_are_named_in_snake_case(text: str, expected: str) -> None:
    """Camel case, dashes and capitals separate words; words run together stay together."""
    assert snake(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("image_url", "ImageUrl"), ("logprobs", "Logprobs"), ("Error-2", "Error2"), ("a.b", "AB")]
)
def test_classes_are_named_in_pascal_case(text: str, expected: str) -> None:
    """Capitals that are there already stay."""
    assert pascal(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model", "model"),
        ("from", "from_"),
        ("schema", "schema_"),
        ("include[]", "include"),
        ("login.succeeded", "login_succeeded"),
        ("1h", "n1h"),
        ("_links", "links"),
    ],
)
def test_fields_keep_their_name_where_python_allows_it(name: str, expected: str) -> None:
    """Keywords and names that models need get an underscore."""
    assert attribute(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Choices", "Choice"), ("Entries", "Entry"), ("Searches", "Search"), ("Data", "Data"), ("Address", "Address")],
)
def test_one_of_many_is_named_in_the_singular(text: str, expected: str) -> None:
    """A word that is no plural stays."""
    assert singular(text) == expected
