"""What the requests and answers of the older families hold, row by row, through clients of both colours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import openai_client
from http_util.testing import Answer
from openai_client import ApiVersionConfig, InvalidFieldValue, types

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    MakePair = Callable[..., Pair]

ROOT = Path(__file__).parents[3]
MORE = {"field_of_tomorrow": {"n": [1, None]}}


def answer(**fields: Any) -> Answer:
    """An answer with these fields, and one that nobody knows."""
    return Answer.json(json.dumps({**fields, **MORE}).encode())


def body_of(made: Pair) -> Any:
    """The body of the last request."""
    return json.loads(made.requests[-1].content)


@pytest.mark.requirement("TYP-06")
async def test_files_are_listed_by_purpose_and_described(pair: MakePair) -> None:
    """With every filter in the query, every field of a file, and whether there are more."""
    file = {
        "id": "f",
        "object": "file",
        "bytes": 7,
        "created_at": 1,
        "filename": "a.jsonl",
        "purpose": "purpose-of-tomorrow",
        "status": "processed",
        "status_details": "none",
    }
    made = pair(answer(object="list", data=[file], has_more=False, first_id="f", last_id="f"))
    page = await made.call(lambda client: client.files.list(purpose="batch", limit=5, order="asc", after="e"))
    assert made.requests[0].url.endswith("/files?purpose=batch&limit=5&order=asc&after=e")
    assert (page.document.has_more, page.data[0].model_dump(exclude_unset=True)) == (False, file)


@pytest.mark.requirement("TYP-07")
async def test_a_batch_is_made_of_a_file_and_has_its_counts_and_times(pair: MakePair) -> None:
    """Metadata included; a state that nobody knows stays as it came."""
    fields = {
        "id": "b",
        "object": "batch",
        "endpoint": "/v1/embeddings",
        "input_file_id": "f",
        "completion_window": "24h",
        "status": "state-of-tomorrow",
        "output_file_id": "o",
        "error_file_id": "e",
        "errors": {"object": "list", "data": [{"code": "c", "message": "m", "line": 3}]},
        "request_counts": {"total": 3, "completed": 2, "failed": 1},
        "created_at": 1,
        "expired_at": 9,
        "metadata": {"k": "v"},
    }
    made = pair(answer(**fields))
    asked = {"input_file_id": "f", "endpoint": "/v1/embeddings", "completion_window": "24h", "metadata": {"k": "v"}}
    batch = await made.call(lambda client: client.batches.create(**asked))
    assert body_of(made) == asked
    assert batch.model_dump(exclude_unset=True) == {**fields, **MORE}
    assert (batch.request_counts.failed, batch.errors.data[0].line) == (1, 3)


@pytest.mark.requirement("TYP-08")
async def test_images_have_their_ranges_and_their_forms(pair: MakePair) -> None:
    """At most ten; as an address or as base64, with the prompt that was used."""
    made = pair(answer(created=1, data=[{"url": "u", "revised_prompt": "p"}, {"b64_json": "AA=="}]))
    asked = {"prompt": "a cat", "model": "dall-e-3", "n": 1, "quality": "hd", "response_format": "url"}
    asked |= {"size": "1024x1024", "style": "vivid", "user": "u"}
    images = await made.call(lambda client: client.images.generate(**asked))
    assert body_of(made) == asked
    assert [(one.url, one.b64_json, one.revised_prompt) for one in images.data] == [
        ("u", None, "p"),
        (None, "AA==", None),
    ]
    for n in (0, 11):
        with pytest.raises(InvalidFieldValue, match=r"^n: "):
            await made.call(lambda client, n=n: client.images.generate(prompt="x", n=n))


@pytest.mark.requirement("TYP-09")
def test_a_transcription_is_an_object_or_text_by_its_format() -> None:
    """JSON in three shapes; `text`, `srt` and `vtt` are text."""
    from openai_client._generated.operations.audio import create_transcription_with, create_translation_with

    file = ("a.wav", b"RIFF")
    for make in (create_transcription_with, create_translation_with):
        plain = make(file=file, model="whisper-1").parse(b'{"text": "Hello"}')
        assert plain.text == "Hello"
        for form in ("text", "srt", "vtt"):
            assert make(file=file, model="whisper-1", response_format=form).parse(b"Hello\n") == "Hello\n"
    verbose = create_transcription_with(
        file=file, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    word = {"word": "Hi", "start": 0.0, "end": 1.0}
    words = {"task": "transcribe", "language": "en", "duration": 1.5, "text": "Hi", "words": [word]}
    assert verbose.parse(json.dumps(words).encode()).words[0].word == "Hi"
    with pytest.raises(InvalidFieldValue, match="timestamp_granularities"):
        create_transcription_with(file=file, model="whisper-1", timestamp_granularities=["page"])


@pytest.mark.requirement("TYP-10")
async def test_speech_is_bytes_and_has_its_ranges(pair: MakePair) -> None:
    """Any voice; a quarter to four times the speed."""
    made = pair(Answer(headers={"content-type": "audio/mpeg"}, body=(b"ID3\x00\xff",)))
    asked = {"model": "tts-1", "input": "Hello", "voice": "voice-of-tomorrow", "response_format": "mp3", "speed": 4.0}
    assert await made.call(lambda client: client.audio.speech.create(**asked)) == b"ID3\x00\xff"
    assert body_of(made) == asked
    for speed in (0.24, 4.1):
        with pytest.raises(InvalidFieldValue, match=r"^speed: "):
            await made.call(lambda client, speed=speed: client.audio.speech.create(**{**asked, "speed": speed}))


@pytest.mark.requirement("TYP-11")
@pytest.mark.parametrize(
    "given",
    ["text", ["text", "more"], [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]],
)
async def test_a_moderation_takes_texts_and_parts_and_says_what_it_found(pair: MakePair, given: Any) -> None:
    """By category, with scores, and which inputs each was found in."""
    result = {
        "flagged": True,
        "categories": {"hate": True, "hate/threatening": False, "category/of-tomorrow": True},
        "category_scores": {"hate": 0.9},
        "category_applied_input_types": {"hate": ["text"]},
    }
    made = pair(answer(id="m", model="omni", results=[result]))
    found = await made.call(lambda client: client.moderations.create(input=given))
    assert body_of(made) == {"input": given}
    (one,) = found.results
    assert (one.flagged, one.categories.hate, one.category_scores.hate) == (True, True, 0.9)
    assert one.model_dump(exclude_unset=True, by_alias=True) == result


@pytest.mark.requirement("TYP-13", "FWD-01")
@pytest.mark.parametrize(
    ("call", "fields"),
    [
        (lambda c: c.beta.assistants.retrieve("a"), {"id": "a", "model": "m", "tools": [{"type": "file_search"}]}),
        (lambda c: c.beta.threads.retrieve("t"), {"id": "t", "metadata": {}}),
        (lambda c: c.beta.threads.runs.retrieve("r", thread_id="t"), {"id": "r", "status": "queued"}),
        (lambda c: c.vector_stores.retrieve("v"), {"id": "v", "name": "n", "file_counts": {"total": 1}}),
        (lambda c: c.fine_tuning.jobs.retrieve("j"), {"id": "j", "status": "running", "hyperparameters": {}}),
        (lambda c: c.uploads.cancel("u"), {"id": "u", "status": "cancelled"}),
        (lambda c: c.admin.organization.projects.retrieve("p"), {"id": "p", "name": "n"}),
        (lambda c: c.admin.organization.users.retrieve("u"), {"id": "u", "role": "role-of-tomorrow"}),
    ],
    ids=lambda value: value.get("id", "") if isinstance(value, dict) else "",
)
async def test_the_other_families_are_typed_and_keep_what_they_do_not_know(
    pair: MakePair, call: Callable[[Any], Any], fields: dict[str, Any]
) -> None:
    """At the official names, as models."""
    made = pair(answer(**fields), admin_api_key="a", api_version=ApiVersionConfig(enable_beta=True))
    result = await made.call(call)
    assert type(result).__name__ in types.__all__
    assert result.model_dump(exclude_unset=True) == {**fields, **MORE}


@pytest.mark.requirement("FWD-10")
async def test_clock_randomness_settings_and_records_are_handed_in(pair: MakePair) -> None:
    """A pause is the injected clock's and the injected random number's; hooks see each attempt."""
    seen: list[Any] = []

    class Hook:
        """Notes attempts, as metrics and traces do."""

        def on_attempt(self, record: Any) -> None:
            """Note one."""
            seen.append((record.attempt.http_status, record.attempt.elapsed))

    made = pair(Answer.json(b"{}", status=503), answer(id="m"), hooks=(Hook(),), max_retries=1)
    await made.call(lambda client: client.models.retrieve("m"))
    # the preset waits half a second, ten per cent more at the upper end of the jitter
    assert made.sleeps == [pytest.approx(0.55)]
    assert seen == [(503, 0.0), (200, 0.0)]


@pytest.mark.requirement("CLI-13")
def test_there_is_nothing_but_the_api() -> None:
    """No prompt templates, no prices, no routing between models or vendors, no analytics."""
    beyond = re.compile(r"prompt|template|price|spend|analytic|dashboard|routing|anthropic|gemini|agent", re.IGNORECASE)
    assert [name for name in openai_client.__all__ if beyond.search(name)] == []


@pytest.mark.requirement("FWD-07")
def test_what_is_public_is_not_taken_away_without_notice() -> None:
    """The promise is written where users look, and versions are semantic."""
    promise = "is deprecated for at least six months before it goes"
    assert promise in " ".join((ROOT / "docs" / "client.md").read_text().split())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "https://semver.org" in changelog
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert re.fullmatch(r"\d+\.\d+\.\d+", version[1])
