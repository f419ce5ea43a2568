"""
Events of the beta of the Responses API into its response.

Spec: CLI-10
"""

from __future__ import annotations

from typing import Final

from openai_client._generated.models.beta_responses.events import BetaResponseStreamEvent
from openai_client._generated.models.beta_responses.response import BetaResponse
from openai_client.base_model import WireParser
from openai_client.streaming.accumulator import Accumulator, EventReader, built
from openai_client.streaming.responses import ResponseEvents

_EVENTS: Final = EventReader(WireParser[BetaResponseStreamEvent](BetaResponseStreamEvent))


class BetaResponseAccumulator(Accumulator[BetaResponseStreamEvent, BetaResponse]):
    """
    Does for `client.beta.responses` what `ResponseAccumulator` does for `client.responses`.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.events: ResponseEvents = ResponseEvents()
        """What was told so far, beyond the response."""

    def add(self, event: BetaResponseStreamEvent) -> None:
        """Add the next event."""
        self.events.add(_EVENTS.fields_of(event))

    @property
    def text(self) -> str:
        """The text of all output so far."""
        return self.events.text

    def missing(self) -> str | None:
        """Return what has to come before the response is whole; None when its last event came."""
        return self.events.missing()

    def partial(self) -> BetaResponse:
        """Return the response so far; raises as `ResponseAccumulator.partial`."""
        return built(BetaResponse, self.events.fields())
