"""Speech, transcriptions and images: events into what the endpoint answers unstreamed."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from openai_client import (
    DeserializationError,
    ImageAccumulator,
    SpeechAccumulator,
    StreamInterrupted,
    TranscriptionAccumulator,
)
from openai_client.types import (
    CreateSpeechResponseStreamEvent,
    CreateTranscriptionResponseDiarizedJson,
    CreateTranscriptionResponseJson,
    CreateTranscriptionResponseStreamEvent,
    ImageEditStreamEvent,
    ImageGenStreamEvent,
    ImagesResponse,
)
from tests.unit.openai_client.splitting import cut, cut_base64, full

SPEECH = TypeAdapter[Any](CreateSpeechResponseStreamEvent)
TRANSCRIPT = TypeAdapter[Any](CreateTranscriptionResponseStreamEvent)
IMAGES = {
    "image_generation": TypeAdapter[Any](ImageGenStreamEvent),
    "image_edit": TypeAdapter[Any](ImageEditStreamEvent),
}


@pytest.mark.requirement("CLI-10", "TYP-10")
@settings(deadline=None)  # the first example builds the models
@given(st.binary(max_size=60), st.integers())
def test_speech_is_its_audio(audio: bytes, seed: int) -> None:
    """Decoded piece by piece; the last event tells the cost."""
    whole = SpeechAccumulator()
    for piece in cut_base64(base64.b64encode(audio).decode(), Random(seed)):
        whole.add(SPEECH.validate_python({"type": "speech.audio.delta", "audio": piece}))
    whole.add(SPEECH.validate_python({"type": "speech.of_tomorrow"}))
    with pytest.raises(StreamInterrupted, match="the audio is done"):
        whole.result()
    assert whole.partial() == audio
    whole.add(SPEECH.validate_python({"type": "speech.audio.done", "usage": {"total_tokens": 3}}))
    assert whole.result() == audio
    assert whole.usage is not None
    assert whole.usage.total_tokens == 3


@pytest.mark.requirement("CLI-10", "SEC-13")
def test_audio_that_is_no_base64_is_an_error_without_it() -> None:
    """A typed one."""
    with pytest.raises(DeserializationError, match="audio: must be base64") as caught:
        # without the sign that is no part of it, it would be
        SpeechAccumulator().add(SPEECH.validate_python({"type": "speech.audio.delta", "audio": "secret!AA"}))
    assert "secret" not in str(caught.value)


@pytest.mark.requirement("CLI-10", "TYP-09")
@settings(deadline=None)  # the first example builds the models
@given(st.text(), st.booleans(), st.integers())
def test_a_transcription_is_its_text(text: str, repeats: bool, seed: int) -> None:
    """With logprobs from the pieces, or from the last event when it repeats them."""
    whole = TranscriptionAccumulator()
    logprobs = []
    for piece in cut(text, Random(seed)):
        logprobs.append({"token": piece, "logprob": -0.5, "bytes": [1]})
        whole.add(
            TRANSCRIPT.validate_python({"type": "transcript.text.delta", "delta": piece, "logprobs": logprobs[-1:]})
        )
    assert whole.text == text
    with pytest.raises(StreamInterrupted, match="the text is done"):
        whole.result()
    done = {"type": "transcript.text.done", "text": text, "usage": full("TranscriptTextUsageTokens")}
    whole.add(TRANSCRIPT.validate_python(done | ({"logprobs": logprobs} if repeats else {})))
    expected = {"text": text, "logprobs": logprobs, "usage": done["usage"]}
    assert whole.result() == CreateTranscriptionResponseJson.model_validate(expected)


@pytest.mark.requirement("CLI-10", "TYP-09")
def test_a_transcription_with_speakers_has_its_segments() -> None:
    """In the order they came; a server that leaves out their ids gets numbers."""
    whole = TranscriptionAccumulator()
    segments = [{**full("TranscriptTextSegmentEvent"), "id": name, "speaker": name} for name in ("A", "B")]
    for segment in segments:
        whole.add(TRANSCRIPT.validate_python(segment))
    bare = {"type": "transcript.text.segment", "text": "c"}
    whole.add(TRANSCRIPT.validate_python(bare))
    whole.add(TRANSCRIPT.validate_python({"type": "transcript.text.done", "text": "abc"}))
    expected = {"task": "transcribe", "text": "abc", "segments": [*segments, {**bare, "id": "2"}]}
    assert whole.result() == CreateTranscriptionResponseDiarizedJson.model_validate(expected)


@pytest.mark.requirement("CLI-10", "TYP-08")
@pytest.mark.parametrize("kind", IMAGES)
def test_images_are_those_that_were_completed(kind: str) -> None:
    """Of the partial ones the latest is there meanwhile."""
    whole = ImageAccumulator()
    assert whole.latest is None
    facts = {"size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    for index, image in enumerate(("YQ==", "Yg==")):
        partial = {"type": f"{kind}.partial_image", "b64_json": image, "partial_image_index": index, **facts}
        whole.add(IMAGES[kind].validate_python(partial))
    whole.add(IMAGES[kind].validate_python({"type": f"{kind}.of_tomorrow"}))
    assert whole.latest == b"b"
    for ask in (whole.result, whole.partial):
        with pytest.raises(StreamInterrupted, match="no image was completed"):
            ask()
    usage = full("ImagesUsage")
    for image in ("Yw==", "ZA=="):
        completed = {"type": f"{kind}.completed", "b64_json": image, "created_at": 7, "usage": usage, **facts}
        whole.add(IMAGES[kind].validate_python(completed))
    expected = {"created": 7, "data": [{"b64_json": "Yw=="}, {"b64_json": "ZA=="}], "usage": usage, **facts}
    assert whole.result() == ImagesResponse.model_validate(expected)
