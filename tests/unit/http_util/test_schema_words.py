"""A JSON schema in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from http_util.schema_words import expected_at, names_at, nearest, purpose_at, unknown_name

pytestmark = pytest.mark.requirement("HST-10", "ADP-14")


class Inner(BaseModel):
    """A table in a table."""

    threshold: int = Field(5, ge=1, description="Failures that open it. More is later.")


class Outer(BaseModel):
    """Every kind of field that settings have."""

    seconds: Annotated[float, Field(gt=0, le=60)] = Field(1.0, description="Seconds to wait,\n  at most.")
    share: float = Field(0.5, ge=0, le=1)
    below: float = Field(0.5, lt=1)
    most: int = Field(5, le=9)
    plain: float = 1.0
    hosts: tuple[str, ...] = ()
    mixed: list[str | int] = []
    anything: list[Any] = []
    name: str = Field("n", min_length=1)
    word: str = Field("n", min_length=2, max_length=9, pattern="^[a-z]+$")
    choice: Literal["a", "b"] = "a"
    switch: bool = False
    inner: Inner | Literal[False] = False
    maybe: Inner | None = None
    by_id: dict[Annotated[str, Field(pattern="^[a-z]+$")], Inner] = {}
    open: dict[str, Inner] = {}
    free: Any = None


SCHEMA = Outer.model_json_schema()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (["seconds"], "a number above 0 and at most 60"),
        (["share"], "a number from 0 to 1"),
        (["below"], "a number below 1"),
        (["most"], "a whole number of at most 9"),
        (["plain"], "a number"),
        (["hosts"], "a list of texts"),
        (["hosts", "0"], "a text"),
        (["mixed"], "a list of texts or whole numbers"),
        (["anything"], "a list"),
        (["name"], "a text of at least 1 character"),
        (["word"], "a text of 2 to 9 characters that matches ^[a-z]+$"),
        (["choice"], "one of 'a', 'b'"),
        (["switch"], "true or false"),
        (["inner"], "a table or false"),
        (["inner", "threshold"], "a whole number of at least 1"),
        (["maybe"], "a table"),
        (["by_id", "x", "threshold"], "a whole number of at least 1"),
        (["open", "x", "threshold"], "a whole number of at least 1"),
        (["free"], ""),
        (["nowhere", "at", "all"], ""),
    ],
)
def test_what_is_expected_is_said_with_its_bounds(path: list[str], words: str) -> None:
    """Through references, unions, lists and tables; nothing is said where anything may stand."""
    assert expected_at(SCHEMA, path) == words


def test_names_are_those_of_the_table_at_the_place() -> None:
    """Also inside a union; a table with free names has none."""
    assert names_at(SCHEMA, [])[:3] == ("seconds", "share", "below")
    assert names_at(SCHEMA, ["inner"]) == ("threshold",)
    assert names_at(SCHEMA, ["by_id"]) == ()


def test_the_purpose_is_the_first_sentence_on_one_line() -> None:
    """Of the setting itself, not of what it is made of."""
    assert purpose_at(SCHEMA, ["seconds"]) == "Seconds to wait, at most."
    assert purpose_at(SCHEMA, ["inner", "threshold"]) == "Failures that open it."
    assert purpose_at(SCHEMA, ["hosts"]) == ""
    assert purpose_at(SCHEMA, []) == "Every kind of field that settings have."


def test_a_schema_that_goes_round_in_circles_ends() -> None:
    """A stranger's schema is a stranger's data."""
    assert expected_at({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, []) == ""
    assert names_at({"properties": {"a": "no schema"}}, ["a"]) == ()


def test_the_nearest_name_is_named_or_all_are() -> None:
    """Whoever mistypes wants one name, whoever guesses wants the list."""
    assert unknown_name("http_2", ["proxy", "http2"]) == "unknown key; did you mean 'http2'?"
    assert unknown_name("timeout", ["read_timeout", "pool_timeout"]).endswith("'read_timeout' or 'pool_timeout'?")
    assert unknown_name("connect_timeot", ["connect_timeout", "max_connections"]).endswith("mean 'connect_timeout'?")
    assert unknown_name("colour", ["proxy", "http2"]) == "unknown key; there are: proxy, http2"
    assert unknown_name("colour", []) == "unknown key"
    assert nearest("openai_http", ["echo", "openai-http"]) == "openai-http"
    assert nearest("nope", ["echo"]) is None
