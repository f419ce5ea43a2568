"""
The text of a response, put together from its messages.

The API sends it in parts; the description names a field for the whole, which no server fills in.

Spec: CLI-09
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai_client.base_model import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Iterator


class ResponseWithText(ResponseModel):
    """
    A response whose `output_text` is what its messages say.

    Spec: CLI-09
    """

    if TYPE_CHECKING:
        # covariant, where a mutable list is not: each response has items of its own kind
        @property
        def output(self) -> Any:
            """The items, in order."""

    @property
    def output_text(self) -> str:
        """The text of all messages, as the official SDK's property of that name; empty where there is none."""
        return "".join(part.text for part in parts_of(self, "output_text"))


def parts_of(response: ResponseWithText, kind: str) -> Iterator[Any]:
    """Return the parts of the type *kind* in all messages of *response*, in order."""
    for item in response.output:
        # an item or a part of no known kind has no type, or anything in its place
        if getattr(item, "type", None) == "message":
            yield from (part for part in item.content or () if getattr(part, "type", None) == kind)
