"""
A process that reads one long chat stream to its end and tells how much memory that took, as one line of JSON.

    python -m tests.integration.openai_client.stream_probe http://127.0.0.1:8000/v1
"""

from __future__ import annotations

import json
import sys
from typing import Final

from openai_client import Client
from tests.process import resident

WARM: Final = 20_000
"""Chunks after which everything that is loaded or kept once is there."""


def read(base_url: str) -> dict[str, int]:
    """Read the stream; return how many came and what the memory was."""
    found = {"count": 0, "begun": 0, "ended": 0}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    with Client(base_url=base_url, api_key=None) as client, client.chat.completions.stream(**body) as stream:
        for _ in stream:
            found["count"] += 1
            if found["count"] == WARM:
                found["begun"] = resident()
    return found | {"ended": resident()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(read(sys.argv[1])))
