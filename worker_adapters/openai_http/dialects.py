"""
Dialect profiles: how the servers that speak the OpenAI API differ, as data.

A profile is chosen by name in the adapter's config; an unknown server gets `generic`, which tolerates all of them.
Nothing in this package asks which server it talks to; it asks the profile for one fact.

Spec: ADP-10, ADP-11, ADP-40, CF-12, OQ-06, OQ-11, OQ-12
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Api = Literal["chat", "completions", "responses"]
"""The upstream API that a task goes through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionProbe:
    """Where a server tells its version, outside of the OpenAI API."""

    path: str
    """From the server's root."""
    field: str
    """The top-level field of the JSON answer."""
    prefix: str
    """Put before the value, as `vllm/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What is particular about one kind of server."""

    name: str
    chat_limit_field: str = "max_tokens"
    """The field of a chat request that bounds the answer."""
    asks_for_usage: bool = True
    """Whether `stream_options.include_usage` may be sent."""
    done_is_evidence: bool = True
    """Whether `[DONE]` without a finish reason proves an end."""
    auth: Literal["bearer", "api-key"] = "bearer"
    """The header that carries the key."""
    listing_is_meaningful: bool = False
    """Whether a model that `/models` does not list cannot be asked for."""
    version: VersionProbe | None = None


_GENERIC: Final = Dialect(name="generic")

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            _GENERIC,
            replace(
                _GENERIC,
                name="openai",
                chat_limit_field="max_completion_tokens",
                listing_is_meaningful=True,
            ),
            replace(
                _GENERIC,
                name="azure",
                chat_limit_field="max_completion_tokens",
                auth="api-key",
            ),
            replace(
                _GENERIC,
                name="vllm",
                listing_is_meaningful=True,
                version=VersionProbe(path="/version", field="version", prefix="vllm/"),
            ),
            replace(
                _GENERIC,
                name="llamacpp",
                # llama-cpp-python closes an interrupted stream with [DONE], and no finish reason
                done_is_evidence=False,
                version=VersionProbe(path="/props", field="build_info", prefix="llama.cpp/"),
            ),
            replace(
                _GENERIC,
                name="ollama",
                listing_is_meaningful=True,
                version=VersionProbe(path="/api/version", field="version", prefix="ollama/"),
            ),
            replace(_GENERIC, name="litellm", listing_is_meaningful=True),
        )
    }
)
"""Every profile by its name."""
