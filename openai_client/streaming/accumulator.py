"""
What all accumulators have in common: fed event by event, asked for the whole answer.

Spec: CLI-10
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from openai_client.answer_reading import places_of, undecodable
from openai_client.base_model import Untyped
from openai_client.errors import StreamInterrupted
from openai_client.streaming.merging import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
M = TypeVar("M", bound="BaseModel")


class Accumulator(ABC, Generic[E_contra, R_co]):
    """
    Puts the events of one stream together. Pure: it neither waits nor reads.

    Events of types that it does not know, those of tomorrow, change nothing.

    Spec: CLI-10
    """

    @abstractmethod
    def add(self, event: E_contra) -> None:
        """Add the next event."""

    @abstractmethod
    def missing(self) -> str | None:
        """Return what has to come before the answer is whole, in words; None when it is."""

    @abstractmethod
    def partial(self) -> R_co:
        """
        Return the answer as far as it came, also after a stream broke.

        Raises:
            StreamInterrupted: So little came that there is no answer to be made of it.
        """

    @property
    def is_finished(self) -> bool:
        """Whether everything came."""
        return self.missing() is None

    def result(self) -> R_co:
        """
        Return the answer as the endpoint would have given it unstreamed.

        Raises:
            StreamInterrupted: Something is missing; the message says what. `partial` gives what there is.
        """
        missing = self.missing()
        if missing is not None:
            raise StreamInterrupted(f"the answer is not whole: {missing}")
        return self.partial()


class EventReader(Generic[E]):
    """
    Reads the events of a raw stream, which come untyped, as those that an accumulator knows.

    Spec: CLI-10, CLI-19
    """

    def __init__(self, parse: Callable[[bytes], E]) -> None:
        """Read events by *parse*, as the operation of a typed stream does."""
        self._parse = parse

    def fields_of(self, event: Any) -> dict[str, Any] | None:
        """
        Return the fields of an event as plain values, None for one of a kind that is not known.

        Raises:
            DeserializationError: It is of a known kind, and not what the API describes.
        """
        if isinstance(event, Untyped):
            event = self._known(event)
        return None if isinstance(event, Untyped) else said(event)

    def _known(self, event: Untyped) -> E:
        try:
            return self._parse(to_json(event.model_extra, inf_nan_mode="constants"))
        except ValidationError as problem:
            failure = undecodable(problem, {})
        # the frame may be shown in a traceback, and what the model said must not
        del event
        raise failure


def built(model: type[M], fields: dict[str, Any]) -> M:
    """
    Return *fields* as the model that they are to be.

    Raises:
        StreamInterrupted: They lack what the answer cannot be understood without; the message names the places.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as problem:
        failure = StreamInterrupted(f"what came is no answer yet: {places_of(problem)}")
    # the frame may be shown in a traceback, and what the model said must not
    del fields
    raise failure
