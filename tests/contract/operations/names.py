"""Where the official SDK has each operation, as a committed table of facts says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.contract.operations.facts import Fact

TABLE: Final = Path(__file__).parents[2] / "fixtures" / "official_names.tsv"


@cache
def official_names() -> dict[str, list[str]]:
    """The dotted names by method and path, the one to use first."""
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {f"{method} {path}": names.split(" ") for method, path, names in rows}


def found(client: Any, dotted: str) -> Any:
    """What *client* has under a dotted name."""
    for name in dotted.split("."):
        client = getattr(client, name)
    return client


def method_of(client: Any, fact: Fact) -> Any:
    """The public method of an operation."""
    return found(client, official_names()[fact.key][0])


STREAMING: Final = {
    "createSpeech": "audio.speech.stream",
    "createTranscription": "audio.transcriptions.stream",
    "createChatCompletion": "chat.completions.stream",
    "createCompletion": "completions.stream",
    "createImage": "images.stream_generate",
    "createImageEdit": "images.stream_edit",
    "createResponse": "responses.stream",
    "getResponse": "responses.stream_stored",
    "beta_createResponse": "beta.responses.stream",
    "beta_getResponse": "beta.responses.stream_stored",
    "createRun": "beta.threads.runs.stream",
    "createThreadAndRun": "beta.threads.stream_and_run",
    "submitToolOuputsToRun": "beta.threads.runs.stream_submit_tool_outputs",
}
"""The methods of our own that return a stream as a context manager."""
