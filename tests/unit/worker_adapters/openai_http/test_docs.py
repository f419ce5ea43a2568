"""The page of settings says what the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from worker_adapters.openai_http import OpenAIHttpConfig
from worker_adapters.openai_http.compression_settings import CompressionSettings
from worker_adapters.openai_http.layer_settings import (
    CircuitBreakerSettings,
    EndpointSettings,
    FailoverSettings,
    RateLimitSettings,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE: Final = Path(__file__).parents[4] / "docs" / "openai-http.md"


def settings_table(table: type[BaseModel]) -> str:
    """One row per setting: its name, its default, and its own description."""
    rows = ["| setting | default | what it says |", "|---|---|---|"]
    for name, field in table.model_fields.items():
        default = "required" if field.is_required() else f"`{field.get_default()!r}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows)


@pytest.mark.requirement("ADP-35", "ADP-14")
@pytest.mark.parametrize(
    "table",
    [
        OpenAIHttpConfig,
        CircuitBreakerSettings,
        RateLimitSettings,
        FailoverSettings,
        EndpointSettings,
        CompressionSettings,
    ],
)
def test_the_page_holds_every_setting_with_its_default(table: type[BaseModel]) -> None:
    """A setting that is added, renamed or given another default fails here until the page follows."""
    assert settings_table(table) in PAGE.read_text()
