"""
From chunks to the whole answer: one pure accumulator for every streaming endpoint.

Each is fed with `add`, event by event; `result` gives the answer as the endpoint would have given it unstreamed, and
says what is missing when it is not whole; `partial` gives what there is, also after a stream broke.

Spec: CLI-10
"""

from __future__ import annotations

from http_util.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "accumulator": ("Accumulator",),
        "beta_responses": ("BetaResponseAccumulator",),
        "chat": ("ChatAccumulator",),
        "completions": ("CompletionAccumulator",),
        "images": ("ImageAccumulator",),
        "responses": ("ResponseAccumulator",),
        "runs": ("RunAccumulator", "RunTranscript"),
        "speech": ("SpeechAccumulator",),
        "transcription": ("TranscriptionAccumulator",),
    },
)
