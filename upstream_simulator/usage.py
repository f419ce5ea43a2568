"""
Token counts as the API writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upstream_simulator.generation import Generation


def usage_of(generation: Generation) -> dict[str, int]:
    """
    Make the usage object of chat and completions.
    """
    made = generation.completion_tokens
    return {
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": made,
        "total_tokens": generation.prompt_tokens + made,
    }


def zero_usage() -> dict[str, int]:
    """
    Make the usage object of a server that does not count.
    """
    return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
