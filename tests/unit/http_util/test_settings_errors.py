"""Settings that cannot be used, in the words of whoever wrote them."""

from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from http_util.settings_errors import InvalidSettings, SettingProblem, setting_problems

pytestmark = pytest.mark.requirement("HST-10", "ADP-14")

SECRET = "sk-settings-abcdefgh1234"


class Inner(BaseModel):
    """A table in a table."""

    model_config = ConfigDict(extra="forbid")
    threshold: int = Field(5, ge=1)


class Settings(BaseModel):
    """Some settings and a rule of each kind."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(description="Root of the API, as https://host. Required.")
    wait: Annotated[float, Field(strict=True, gt=0, le=60)] = Field(1.0, description="Seconds to wait.")
    hosts: tuple[str, ...] = Field((), description="Hosts that may be called. Empty: none.")
    http2: bool = Field(default=True, strict=True)
    breaker: Inner | Literal[False] = False
    tables: dict[Annotated[str, Field(max_length=3)], Inner] = {}
    version: str | None = Field(None, validate_default=True)
    places: tuple[Inner, ...] = Field((Inner(),), min_length=1)

    @field_validator("version")
    @classmethod
    def _is_there_with_tables(cls, version: str | None, info: ValidationInfo) -> str | None:
        if version is None and info.data.get("tables"):
            raise ValueError("is required with tables")
        return version

    @field_validator("hosts")
    @classmethod
    def _speaks_of_another(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if "no" in hosts:
            raise ValueError("url must be one of hosts")
        if "never" in hosts:
            raise ValueError("hosts must not hold that")
        return hosts

    @model_validator(mode="after")
    def _both(self) -> Self:
        if self.hosts and self.wait == 2:
            raise ValueError("wait and hosts do not go together")
        return self


def told(**given: Any) -> list[str]:
    """What is said of *given*, one line each."""
    try:
        Settings(**given)
    except ValueError as error:
        return [str(problem) for problem in setting_problems(error, given, Settings.model_json_schema())]
    return []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"wait": "soon"}, "wait: expected a number above 0 and at most 60, got a text (Seconds to wait)"),
        ({"wait": True}, "wait: expected a number above 0 and at most 60, got a boolean (Seconds to wait)"),
        ({"wait": None}, "wait: expected a number above 0 and at most 60, got nothing (Seconds to wait)"),
        ({"wait": 61}, "wait: expected a number above 0 and at most 60 (Seconds to wait)"),
        ({"hosts": "a"}, "hosts: expected a list of texts, got a text (Hosts that may be called)"),
        ({"hosts": [3]}, "hosts.0: expected a text, got a number"),
        ({"hosts": [{}]}, "hosts.0: expected a text, got a table"),
        ({"http2": "yes"}, "http2: expected true or false, got a text"),
        ({"http_2": True}, "http_2: unknown key; did you mean 'http2'?"),
        ({"colour": 1}, "colour: unknown key; there are: url, wait, hosts, http2, breaker, tables, version, places"),
        ({"breaker": "x"}, "breaker: expected a table or false, got a text"),
        ({"breaker": {"threshold": 0}}, "breaker.threshold: expected a whole number of at least 1"),
        ({"breaker": {"thresholds": 0}}, "breaker.thresholds: unknown key; did you mean 'threshold'?"),
        ({"tables": {"long": {}}}, "tables.long: cannot be a name here: string should have at most 3 characters"),
        ({"tables": {"a": {}}}, "version: is required with tables"),
        ({"places": []}, "places: expected a list of tables, at least 1"),
        ({"places": [{"threshold": 0}]}, "places.0.threshold: expected a whole number of at least 1"),
        ({"hosts": ["never"]}, "hosts: must not hold that"),
        ({"hosts": ["no"]}, "url: must be one of hosts"),
        ({"hosts": ["a"], "wait": 2.0}, "wait: wait and hosts do not go together"),
    ],
)
def test_each_mistake_is_one_line_that_names_the_setting_and_what_is_accepted(given: dict[str, Any], line: str) -> None:
    """No phrase of the library's, and no value."""
    assert told(url="https://a.example", **given) == [line]


def test_what_is_missing_is_said_with_its_purpose() -> None:
    """So that nobody has to look it up."""
    assert told() == ["url: is required (Root of the API, as https://host)"]


def test_everything_is_told_at_once_in_the_order_of_the_settings() -> None:
    """Unknown keys come last, as pydantic has it."""
    lines = told(colour=1, wait="x", http2=0)
    assert [line.partition(":")[0] for line in lines] == ["url", "wait", "http2", "colour"]


@pytest.mark.requirement("SEC-07")
@pytest.mark.parametrize("field", ["url", "wait", "hosts", "http2", "breaker", "tables", "other"])
def test_no_value_is_ever_shown(field: str) -> None:
    """Any may be a secret that stands in the wrong place."""
    for value in (SECRET, [SECRET], {"threshold": SECRET}, [[SECRET]]):
        assert SECRET not in "\n".join(told(**{field: value}))


def test_without_a_schema_the_librarys_words_have_to_do() -> None:
    """And names are not known."""
    given = {"url": 3, "http_2": 1}
    with pytest.raises(ValueError, match="url") as caught:
        Settings(**given)
    assert [str(one) for one in setting_problems(caught.value, given, {})] == [
        "url: Input should be a valid string",
        "http_2: unknown key",
    ]


def test_any_other_refusal_is_put_to_the_setting_that_each_line_begins_with() -> None:
    """An adapter may check by hand; with a colon or without."""
    error = ValueError("wait cannot be read\nurl: must be another\nnobody knows\nword")
    problems = setting_problems(error, {}, Settings.model_json_schema())
    assert list(map(str, problems)) == ["wait: cannot be read", "url: must be another", "nobody knows", "word"]
    assert list(map(str, setting_problems(ValueError(), {}, {}))) == ["is refused"]


def test_the_error_lists_its_problems_and_can_be_copied() -> None:
    """One a line; what was found before is taken as it is."""
    error = InvalidSettings([SettingProblem(("a", "b"), "is required"), SettingProblem((), "do not fit")])
    assert str(error) == "a.b: is required\ndo not fit"
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (twin.problems, str(twin)) == (error.problems, str(error))
    assert setting_problems(error, {}, {}) == error.problems
