"""Who is told of what is deprecated, and how often."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer
from openai_client import ApiVersionConfig, Deprecations, InvalidConfiguration, NotFound
from openai_client.deprecation import MOST_SITES, Deprecation, deprecations_in, deprecations_told
from openai_client.types import CreateChatCompletionRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    MakePair = Callable[..., Pair]

CHAT = Answer.json(b'{"id": "c", "choices": []}')
MESSAGES = [{"role": "user", "content": "x"}]


FIELDS: Any = {"model": "m", "messages": MESSAGES, "max_tokens": 5}


def _line() -> int:
    """The line that calls this."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


class Heard:
    """A hook that notes what it is told."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, str | None, str | None]] = []

    def __call__(self, feature: str, sunset_date: str | None, replacement: str | None) -> None:
        """Note it."""
        self.facts.append((feature, sunset_date, replacement))


@pytest.mark.requirement("FWD-06")
async def test_a_deprecated_field_is_told_once_per_use_site(pair: MakePair) -> None:
    """A loop is one site; another line is another one."""
    heard = Heard()
    made = pair(*[CHAT] * 4, deprecations=Deprecations(heard))
    for _ in range(3):
        answer = made.client.chat.completions.create(**FIELDS)
        if made.colour == "async":
            # an event loop's site is the line that awaits
            await answer
    assert heard.facts == [("createChatCompletion.max_tokens", None, "max_completion_tokens")]
    answer = made.client.chat.completions.create(**FIELDS)
    if made.colour == "async":
        await answer
    assert len(heard.facts) == 2


@pytest.mark.requirement("FWD-06")
async def test_a_deprecated_operation_is_told_with_its_end_and_its_successor(pair: MakePair) -> None:
    """As far as the vendor has announced them."""
    heard = Heard()
    made = pair(
        Answer.json(b'{"data": []}'), deprecations=Deprecations(heard), api_version=ApiVersionConfig(enable_beta=True)
    )
    await made.call(lambda client: client.beta.assistants.list())
    assert heard.facts == [("listAssistants", "2026-08-26", "client.responses and client.conversations")]


@pytest.mark.requirement("FWD-06")
async def test_what_a_server_says_is_told_too_of_answers_streams_and_downloads(pair: MakePair) -> None:
    """By the headers of RFC 9745 and RFC 8594."""
    heard = Heard()
    headers = {
        "deprecation": "@1688169599",
        "sunset": "Wed, 26 Aug 2026 00:00:00 GMT",
        "link": '<https://x.test/other>; rel="successor-version", <https://x.test/help>; rel="help"',
    }
    stream = Answer.events(b'{"choices": []}')
    made = pair(
        Answer.json(b'{"data": []}', headers=headers),
        Answer(headers={**stream.headers, "deprecation": "true"}, body=stream.body),
        Answer(headers={"deprecation": "true"}, body=(b"tide",)),
        deprecations=Deprecations(heard),
    )
    await made.call(lambda client: client.models.list())
    await made.stream(lambda client: client.chat.completions.stream(model="m", messages=MESSAGES))
    await made.stream(lambda client: client.files.download("f"))
    assert heard.facts == [
        ("listModels", "Wed, 26 Aug 2026 00:00:00 GMT", "https://x.test/other"),
        ("createChatCompletion", None, None),
        ("downloadFile", None, None),
    ]


@pytest.mark.requirement("FWD-06")
async def test_python_warns_at_the_line_that_calls_the_client(pair: MakePair) -> None:
    """Also without a hook; not somewhere inside."""
    made = pair(CHAT)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer, line = made.client.chat.completions.create(**FIELDS), _line()
        if made.colour == "async":
            await answer
            line = _line() - 1
    (warning,) = [one for one in caught if issubclass(one.category, DeprecationWarning)]
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert str(warning.message) == "createChatCompletion.max_tokens is deprecated by the API; use max_completion_tokens"


@pytest.mark.requirement("FWD-06")
async def test_a_warning_that_is_an_error_stops_the_call_and_leaves_nothing_open(pair: MakePair) -> None:
    """Before it is sent; of a stream whose server says so, after its head."""
    stream = Answer.events(b'{"choices": []}')
    made = pair(Answer(headers={**stream.headers, "deprecation": "true"}, body=stream.body))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            await made.call(lambda c: c.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5))
        assert made.requests == []
        with pytest.raises(DeprecationWarning):
            await made.stream(lambda client: client.chat.completions.stream(model="m", messages=MESSAGES))
    assert made.upstream.open_bodies == 0


@pytest.mark.requirement("FWD-06")
async def test_what_is_not_deprecated_is_not_told(pair: MakePair) -> None:
    """Nor is a header that says so."""
    heard = Heard()
    made = pair(
        Answer.json(b'{"data": []}', headers={"deprecation": "false", "link": "<x>; rel=successor-version"}),
        deprecations=Deprecations(heard),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await made.call(lambda client: client.models.list())
    assert heard.facts == []


@pytest.mark.requirement("FWD-06")
async def test_a_hook_that_raises_ends_the_call(pair: MakePair) -> None:
    """Whoever forbids deprecated things can."""

    def forbid(*facts: Any) -> None:
        raise NotFound(str(facts[0]))

    made = pair(deprecations=Deprecations(forbid))
    with pytest.raises(NotFound, match="max_tokens"):
        await made.call(lambda c: c.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5))


@pytest.mark.requirement("FWD-06")
def test_a_hook_is_a_function_and_its_memory_is_bounded() -> None:
    """Beyond the bound it is silent."""
    wrong: Any = "hook"
    with pytest.raises(InvalidConfiguration, match="on_deprecation_warning"):
        Deprecations(wrong)
    heard = Heard()
    deprecations = Deprecations(heard)
    for line in range(MOST_SITES + 5):
        deprecations.tell(Deprecation("x"), ("file", line))
    assert len(heard.facts) == MOST_SITES


@pytest.mark.requirement("FWD-06")
def test_what_a_server_writes_is_cut_and_printable() -> None:
    """It goes into a warning."""
    (found,) = deprecations_told("op", {"sunset": "x\x1b[31m" * 100})
    assert found.sunset_date is not None
    assert len(found.sunset_date) <= 200
    assert found.sunset_date.isprintable()


@pytest.mark.requirement("FWD-06")
def test_only_fields_that_are_set_count() -> None:
    """The body is asked, whoever made it."""
    from openai_client._generated.operations.chat import create_chat_completion

    body = CreateChatCompletionRequest.model_validate({"model": "m", "messages": MESSAGES})
    assert deprecations_in(create_chat_completion(body)) == []
