"""
Events of drawn images into the answer that holds them.

Spec: CLI-10
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client._generated.models.images import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageEditStreamEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
    ImageGenStreamEvent,
    ImagesResponse,
)
from openai_client.errors import StreamInterrupted
from openai_client.streaming.accumulator import Accumulator, built
from openai_client.streaming.merging import decoded, said

if TYPE_CHECKING:
    from openai_client.base_model import Unknown

_FACTS: Final = ("background", "output_format", "size", "quality", "usage")


class ImageAccumulator(Accumulator[ImageGenStreamEvent | ImageEditStreamEvent, ImagesResponse]):
    """
    Collects the images of one stream, drawn or edited. Of the partial images only the latest is kept.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._completed: list[dict[str, Any]] = []
        self._latest: str | None = None

    def add(self, event: ImageGenStreamEvent | ImageEditStreamEvent | Unknown) -> None:
        """Add the next event."""
        if isinstance(event, ImageGenPartialImageEvent | ImageEditPartialImageEvent):
            self._latest = event.b64_json
        elif isinstance(event, ImageGenCompletedEvent | ImageEditCompletedEvent):
            self._completed.append(said(event))

    @property
    def latest(self) -> bytes | None:
        """
        The latest partial image, decoded; None when none came.

        Raises:
            DeserializationError: It is no base64.
        """
        return None if self._latest is None else decoded(self._latest, "b64_json")

    def missing(self) -> str | None:
        """Return what has to come before there is an image; None when one is completed."""
        return None if self._completed else "no image was completed"

    def partial(self) -> ImagesResponse:
        """
        Return the images that are completed, with what the last of them says about all.

        Raises:
            StreamInterrupted: None is; `latest` may hold a partial one.
        """
        if not self._completed:
            raise StreamInterrupted("no image was completed")
        last = self._completed[-1]
        facts: dict[str, Any] = {name: last[name] for name in _FACTS if name in last}
        if "created_at" in last:
            facts["created"] = last["created_at"]
        images = [{"b64_json": item.get("b64_json")} for item in self._completed]
        return built(ImagesResponse, {**facts, "data": images})
