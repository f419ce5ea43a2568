from __future__ import annotations

import pytest
from pydantic import BaseModel

from openai_client import types


@pytest.mark.requirement("FWD-03", "CLI-09")
def test_every_generated_model_waits_with_its_building_and_hides_its_input() -> None:
    """No class is built before its first use, and no validation error repeats a prompt."""
    found = [getattr(types, name) for name in types.__all__]
    models = [item for item in found if isinstance(item, type) and issubclass(item, BaseModel)]
    assert len(models) > 1000
    assert all(
        model.model_config.get("defer_build") and model.model_config.get("hide_input_in_errors") for model in models
    )
