"""Images as parts of a prompt."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from openai_client import InvalidFieldValue, data_url, image_part, input_image
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateResponse

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.mark.requirement("CLI-14")
@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_the_first_bytes_tell_the_type(content: bytes, media_type: str, tmp_path: Path) -> None:
    """From memory and from a file."""
    file = tmp_path / "image"
    file.write_bytes(content)
    expected = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
    assert data_url(content) == data_url(file) == expected


@pytest.mark.requirement("CLI-14", "ERR-01")
def test_what_is_no_known_image_needs_its_type() -> None:
    """A RIFF file may be a sound."""
    for content in (b"", b"RIFF\0\0\0\0WAVE", b"<svg/>"):
        with pytest.raises(InvalidFieldValue, match="media_type: must be given"):
            data_url(content)
    assert data_url(b"<svg/>", "image/svg+xml").startswith("data:image/svg+xml;base64,")


@pytest.mark.requirement("CLI-14", "TYP-03")
def test_an_image_is_a_part_of_a_message() -> None:
    """With or without saying how closely the model is to look."""
    parts = [image_part("https://example.com/a.png"), image_part(PNG, detail="low")]
    body = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content=parts)])
    sent = json.loads(body.wire_bytes())["messages"][0]["content"]
    assert sent == [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": data_url(PNG), "detail": "low"}},
    ]


@pytest.mark.requirement("CLI-14", "TYP-12")
def test_an_image_is_a_part_of_the_input_of_a_response() -> None:
    """There the detail is always said."""
    message = {"role": "user", "content": [input_image(PNG), input_image("data:image/png;base64,YQ==", detail="high")]}
    sent = json.loads(CreateResponse(model="m", input=[message]).wire_bytes())["input"][0]["content"]
    assert sent == [
        {"type": "input_image", "image_url": data_url(PNG), "detail": "auto"},
        {"type": "input_image", "image_url": "data:image/png;base64,YQ==", "detail": "high"},
    ]


@pytest.mark.requirement("CLI-14", "ERR-01")
def test_text_is_a_url_and_never_a_path() -> None:
    """A path that an attacker chose would be read otherwise."""
    for make in (image_part, input_image):
        with pytest.raises(InvalidFieldValue, match="give a file as a Path"):
            make("/etc/passwd")
