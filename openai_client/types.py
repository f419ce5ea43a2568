"""
Every model of the API, under one name each: request bodies, their parts, results, events.

A model's module is imported when the model is first used, so this module costs nothing; `import *` loads them all.

Example:
    >>> from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
    >>> body = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])
    >>> body.wire_bytes()
    b'{"messages":[{"content":"Hello","role":"user"}],"model":"m"}'

Spec: CLI-09
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from openai_client._generated.index import MODELS
from openai_client.base_model import Unknown, Untyped, deprecated_fields

if TYPE_CHECKING:
    from openai_client._generated.index import *  # noqa: F403 - exactly the generated models, for type checkers

# the names of all models are strings too
__all__ = ["Unknown", "Untyped", "deprecated_fields", *sorted(name for names in MODELS.values() for name in names)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Load the module that the model *name* lives in, and keep what was found."""
    for module, names in MODELS.items():
        if name in names:
            value = getattr(import_module(f"openai_client._generated.models.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of all models, loaded or not."""
    return sorted(__all__)
