"""The page of settings says what the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from worker_adapters.openai_http import OpenAIHttpConfig

PAGE: Final = Path(__file__).parents[4] / "docs" / "openai-http.md"


def settings_table() -> str:
    """One row per setting: its name, its default, and its own description."""
    rows = ["| setting | default | what it says |", "|---|---|---|"]
    for name, field in OpenAIHttpConfig.model_fields.items():
        default = "required" if field.is_required() else f"`{field.get_default()!r}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows)


@pytest.mark.requirement("ADP-35", "ADP-14")
def test_the_page_holds_every_setting_with_its_default() -> None:
    """A setting that is added, renamed or given another default fails here until the page follows."""
    assert settings_table() in PAGE.read_text()
