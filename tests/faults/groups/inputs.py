"""Tasks that are wrong: refused before anything is opened, in a sentence that names the field."""

from __future__ import annotations

from typing import Any, Final

from tests.faults.case import H1, INVALID, NEVER, RAISED, Case, Failure
from tests.faults.upstreams import simulated

WRONG: Final = Failure(INVALID, "invalid_task", None, NEVER)
LONG: Final = "x" * (16 * 1024 * 1024 + 1)


def deep(levels: int) -> list[Any]:
    """A list in a list in a list."""
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


def row(name: str, settings: dict[str, Any] | None = None, **task: Any) -> Case:
    """A case that is over before it begins."""
    return Case(
        name=name,
        group="input",
        upstream=simulated(),
        sequence=RAISED,
        failure=WRONG,
        task=task,
        settings=settings or {},
        posts=0,
        within=0.15,
        protocols=(H1,),
    )


CASES: Final = (
    row("no-prompt", prompt=None),
    row("empty-prompt", prompt=""),
    row("prompt-and-messages", messages=[{"role": "user", "content": "x"}]),
    row("two-inputs", prompt=None, inputs=["a", "b"]),
    row("no-messages", prompt=None, messages=[]),
    row("message-without-role", prompt=None, messages=[{"content": "x"}]),
    row("messages-for-completions", {"api": "completions"}, prompt=None, messages=[{"role": "user", "content": "x"}]),
    row("prompt-of-bytes", prompt=b"bytes"),
    row("prompt-with-nul", prompt="a\0b"),
    row("prompt-with-half-a-surrogate", prompt="a\ud800b"),
    row("prompt-too-long", prompt=LONG),
    row("request-too-large", {"max_request_bytes": 1024}, prompt="x" * 2048),
    row("two-answers", n=2),
    row("two-answers-by-the-back-door", extra_body={"n": 2}),
    row("embedding", workload="embedding"),
    row("unknown-workload", workload="dance"),
    row("more-tokens-than-context", ctx=4, max_tokens=5),
    row("no-tokens", max_tokens=0),
    row("true-as-a-count", max_tokens=True),
    row("temperature-nan", temperature=float("nan")),
    row("temperature-too-high", temperature=2.1),
    row("strict-and-hot", determinism="strict", temperature=1.0),
    row("seed-too-large", seed=2**64),
    row("deadline-of-text", deadline_ms="soon"),
    row("body-field-twice", extra_body={"model": "other"}),
    row("body-with-nan", extra_body={"x": float("nan")}),
    row("body-with-an-object", extra_body={"x": object()}),
    row("body-too-deep", extra_body={"x": deep(100)}),
    row("session-with-line-break", session_id="a\nb"),
    row("model-of-nothing", model_ref=""),
)
