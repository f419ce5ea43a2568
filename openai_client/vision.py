"""
Images as parts of a prompt: from a URL, from bytes, or from a file.

Spec: CLI-14, TYP-03
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from openai_client.errors import InvalidFieldValue

if TYPE_CHECKING:
    from openai_client._generated.models.chat.completion import ChatCompletionRequestMessageContentPartImage
    from openai_client._generated.models.responses.content import InputImageContent

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def data_url(image: bytes | Path, media_type: str | None = None) -> str:
    """
    Return an image as a `data:` URL.

    Args:
        image: The image, or a file that holds it, which is read here and now.
        media_type: Its type; by default what its first bytes say: PNG, JPEG, GIF or WebP.

    Example:
        >>> data_url(b"GIF89a")
        'data:image/gif;base64,R0lGODlh'

    Raises:
        InvalidFieldValue: The type is not given and the bytes do not tell it.
        OSError: The file cannot be read.

    Spec: CLI-14
    """
    content = image.read_bytes() if isinstance(image, Path) else image
    return f"data:{media_type or _media_type_of(content)};base64,{b64encode(content).decode()}"


def image_part(
    image: str | bytes | Path, *, detail: Literal["auto", "low", "high"] | None = None, media_type: str | None = None
) -> ChatCompletionRequestMessageContentPartImage:
    """
    Return an image as a part of a chat message.

    Args:
        image: A URL as text, or as `data_url` takes it. A path is a `Path`, never text.
        detail: How closely the model looks at it.
        media_type: As `data_url`.

    Raises:
        InvalidFieldValue: As `data_url`; also when the text is no URL.

    Spec: CLI-14, TYP-03
    """
    from openai_client._generated.models.chat.completion import (
        ChatCompletionRequestMessageContentPartImage,
        ChatCompletionRequestMessageContentPartImageImageUrl,
    )

    place = {"url": _url_of(image, media_type)} | ({} if detail is None else {"detail": detail})
    return ChatCompletionRequestMessageContentPartImage(
        image_url=ChatCompletionRequestMessageContentPartImageImageUrl(**place)
    )


def input_image(
    image: str | bytes | Path,
    *,
    detail: Literal["auto", "low", "high", "original"] | None = None,
    media_type: str | None = None,
) -> InputImageContent:
    """
    Return an image as a part of an input message of the Responses API. Arguments and errors as `image_part`.

    Spec: CLI-14
    """
    from openai_client._generated.models.responses.content import InputImageContent

    # the API wants to be told, and this is its default
    return InputImageContent(image_url=_url_of(image, media_type), detail=detail or "auto")


def _url_of(image: str | bytes | Path, media_type: str | None) -> str:
    if not isinstance(image, str):
        return data_url(image, media_type)
    if not image.startswith(("https://", "http://", "data:")):
        raise InvalidFieldValue("image: text must be a URL (https://, http:// or data:); give a file as a Path")
    return image


def _media_type_of(content: bytes) -> str:
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidFieldValue("media_type: must be given, for the first bytes are not those of PNG, JPEG, GIF or WebP")
