"""
Packing of request bodies as settings.

Spec: CMP-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from worker_adapters.openai_http.layer_settings import SettingsTable

if TYPE_CHECKING:
    from http_util.compression import RequestCompression


class CompressionSettings(SettingsTable):
    """How, and from which size on, request bodies are packed."""

    encoding: Literal["gzip", "deflate"] = Field(
        default="gzip", description="What the upstream undoes: gzip or deflate."
    )
    min_bytes: Annotated[int, Field(strict=True, ge=0)] = Field(
        default=1024, description="Bodies below this size in bytes go out as they are."
    )
    level: Annotated[int, Field(strict=True, ge=1, le=9)] = Field(default=1, description="From 1, quick, to 9, small.")

    def build(self) -> RequestCompression:
        """What packs."""
        from http_util.compression import RequestCompression

        return RequestCompression(**self.model_dump())
