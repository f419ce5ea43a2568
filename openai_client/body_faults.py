"""
What is wrong with the fields of a body, in one sentence: the field, what would be accepted, and where else to look.

Of a union the faults of every form are told; what is said is the fault of the form that came nearest. No value is ever
repeated, because bodies hold prompts.

Spec: ERR-01, CLI-09
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client.base_model import ABSENT, NO_SUCH_TAG, UNKNOWN
from openai_client.errors import InvalidFieldValue, MissingRequiredField, OpenAIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import CoreSchema, ErrorDetails

    from openai_client.body_places import Spot

_MOST_PLACES: Final = 3
"""Other faults that are told by name."""
_NO_FIELD: Final = "extra_forbidden"
_NO_MODEL: Final = frozenset({"model_type", "model_attributes_type", "dict_type"})


def refused(problem: ValidationError, schema: CoreSchema, known: Iterable[str] = ()) -> OpenAIError:
    """
    Return the error for the first of the faults in *problem*, and say where the others are.

    Args:
        problem: Of a body, or of an event.
        schema: What it was held against.
        known: The names that may stand at the top of a body, for whoever mistyped one; empty for what is none.
    """
    return _Faults(problem, schema, known).told()


class _Faults:
    """The faults of one body."""

    def __init__(self, problem: ValidationError, schema: Any, known: Iterable[str]) -> None:
        self._all = problem.errors(include_url=False, include_context=False)
        self._schema = schema
        self._known = list(known)

    def told(self) -> OpenAIError:
        """Return the error."""
        found = self._nearest_form()
        spot = self._spot(found)
        if isinstance(found["input"], type):
            place = ".".join(map(str, spot.path))
            said = "must be a value, and no class; the method `parse` takes a model for the format of an answer"
            return InvalidFieldValue(f"{place}: {said}", param=place)
        place, more = _place(spot, found), self._others(found)
        if spot.union is not None or found["type"] == NO_SUCH_TAG:
            return InvalidFieldValue(f"{place}: {self._tags(spot, found)}{more}", param=place)
        if found["type"] == "missing":
            return MissingRequiredField(f"{place}: must be given{more}", param=place)
        if found["type"] == _NO_FIELD:
            return InvalidFieldValue(f"{place}: unknown field; {self._instead(spot)}{more}", param=place)
        return InvalidFieldValue(f"{place}: {self._words(found)}{more}", param=place)

    def _spot(self, fault: ErrorDetails) -> Spot:
        # loaded with the first fault
        from openai_client.body_places import spot_of

        return spot_of(self._schema, fault["loc"])

    def _union_of(self, fault: ErrorDetails) -> Sequence[int | str]:
        """Return where the union is of which *fault* is about one form; the place of *fault*, if it is about none."""
        from openai_client.body_places import is_label

        return fault["loc"][:-1] if is_label(self._schema, fault["loc"]) else fault["loc"]

    def _nearest_form(self) -> ErrorDetails:
        """Return the first fault; where it is one form of a union, the one of the form that fits furthest inside."""
        first = self._all[0]
        union = self._union_of(first)
        if union == first["loc"]:
            return first
        return max(
            (fault for fault in self._all if fault["loc"][: len(union)] == union), key=lambda fault: len(fault["loc"])
        )

    def _others(self, found: ErrorDetails) -> str:
        """Return where the faults are that are no other form of *found*."""
        union = self._union_of(self._all[0])
        place = _place(self._spot(found), found)
        others = [fault for fault in self._all if fault["loc"][: len(union)] != union]
        told = [one for one in dict.fromkeys(_place(self._spot(fault), fault) for fault in others) if one != place]
        if not told:
            return ""
        named = ", ".join(told[:_MOST_PLACES]) + (", ..." if len(told) > _MOST_PLACES else "")
        return f" (and {len(told)} more: {named})"

    def _words(self, found: ErrorDetails) -> str:
        """Return what is expected at the place of *found*, in all forms that it may have."""
        path = self._spot(found).path
        told = [_expected(fault, spot) for fault in self._all if (spot := self._spot(fault)).path == path]
        return "; or ".join(dict.fromkeys(words for words in told if words))

    def _tags(self, spot: Spot, found: ErrorDetails) -> str:
        """Return the tags that a union knows, with the one that was meant."""
        union: Any = spot.union or spot.shape
        known = [str(tag) for tag in _choice(union).known if tag not in {ABSENT, UNKNOWN}]
        near = _meant(self._tag(union, spot, found), known, parts=True)
        newer = "a newer one goes as openai_client.types.Unknown; " if spot.union else ""
        # the list may be long, and the end of a long message is cut off
        return f"{near}{newer}must be one of {', '.join(map(repr, known))}"

    def _tag(self, union: Any, spot: Spot, found: ErrorDetails) -> str:
        """Return the tag that was given, or nothing."""
        if found["type"] == NO_SUCH_TAG:
            given = found["input"]
            return str(given.get(_choice(union).field, "")) if isinstance(given, dict) else ""
        place = (*spot.path[: spot.depth], _choice(union).field)
        return next((str(fault["input"]) for fault in self._all if self._spot(fault).path == place), "")

    def _instead(self, spot: Spot) -> str:
        """Return what may be written in place of an unknown field."""
        name, is_top = str(spot.path[-1]), len(spot.path) == 1
        if is_top and self._known:
            return f"{_meant(name, self._known)}vendor fields go into extra_body"
        if not is_top and _is_of_an_answer(spot, name):
            return "give the message of an answer as it is, and no dump of it"
        there = spot.siblings
        return _meant(name, there).strip() or f"there are: {', '.join(there)}"


def _place(spot: Spot, fault: ErrorDetails) -> str:
    """Return the place in words; that of a variant nobody knows is its tag."""
    parts = [str(part) for part in spot.path]
    if fault["type"] == NO_SUCH_TAG:
        parts.append(_choice(spot.shape).field)
    elif spot.union is not None:
        parts = [*parts[: spot.depth], _choice(spot.union).field]
    return ".".join(parts)


def _choice(union: Any) -> Any:
    """Return the function by which a tagged union chooses; it knows the tags."""
    return union["discriminator"]


def _expected(fault: ErrorDetails, spot: Spot) -> str:
    """Return what one form takes; nothing for a form that has no such field."""
    if fault["type"] == _NO_FIELD:
        return ""
    if fault["type"] in _NO_MODEL:
        return f"must be a mapping of the fields {', '.join(spot.members)}" if spot.members else "must be a mapping"
    if fault["type"] == NO_SUCH_TAG:
        field, _, accepted = fault["msg"].partition(": ")
        return f"a mapping whose {field} {accepted}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"must {message.removeprefix('Input should ')}" if message.startswith("Input should ") else message


def _is_of_an_answer(spot: Spot, name: str) -> bool:
    """Tell whether *name* is a field that a message has in an answer, and not in a request."""
    from openai_client.given_back import GivenBackMessage
    from openai_client.types import ChatCompletionResponseMessage

    holder = None if spot.holder is None else spot.holder["cls"]
    is_message = isinstance(holder, type) and issubclass(holder, GivenBackMessage)
    return is_message and name in ChatCompletionResponseMessage.model_fields


def _meant(name: str, known: Sequence[str], *, parts: bool = False) -> str:
    """Return the question after the nearest of *known*; *parts*: also after one that has *name* as a part."""
    # loaded only when there is something to say
    from http_util.schema_words import nearest

    near = nearest(name, known)
    if near is None and parts and name:
        near = next((one for one in known if name in one.split("_")), None)
    return "" if near is None else f"did you mean {near!r}? "
