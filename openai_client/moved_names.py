"""
Names of the official SDK that are others here: asked for, they are told with what stands in their place.

Nothing is looked up for a name that is there.

Spec: CLI-MIG-01
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST: Final = 'client.request("POST", "/path", body={...}) reaches a path that has no method'
_COLLECT: Final = "collect() reads to the end and returns the whole answer"
_PIECES: Final = "bodies that are read piece by piece are downloads, such as client.files.download(...)"

CLIENT: Final = MappingProxyType(
    {
        "copy": "with_options(...) returns a client with other settings over the same connections",
        "with_raw_response": "every resource has it, as in client.models.with_raw_response; metadata_of(result) tells "
        "the head of an answer that is there already",
        "with_streaming_response": _PIECES,
        **dict.fromkeys(("get", "post", "put", "patch", "delete", "get_api_list"), _REQUEST),
    }
)
ASYNC_CLIENT: Final = MappingProxyType({**CLIENT, "close": "await client.aclose(), or use async with"})
RESOURCE: Final = MappingProxyType({"with_streaming_response": _PIECES})
RAW_RESOURCE: Final = MappingProxyType(
    {"parse": "call `parse` of the resource; metadata_of(answer) has the head of its answer"}
)
MODEL: Final = MappingProxyType(
    {
        "to_dict": "model_dump(exclude_unset=True) returns what came, as plain values",
        "to_json": "wire_bytes() returns the JSON that came; model_dump_json(indent=2) is for reading",
    }
)
PAGE: Final = MappingProxyType(
    {
        "has_next_page": "has_next is a property",
        "get_next_page": "next_page() returns the page after this one, or None",
        "next_page_info": "next_page() returns the page after this one, or None",
        "iter_pages": "pages() goes on from page to page, and auto() from item to item",
    }
)
STREAM: Final = MappingProxyType(
    {
        **dict.fromkeys(
            ("get_final_completion", "get_final_response", "get_final_run", "get_final_messages", "until_done"),
            _COLLECT,
        ),
        "text_stream": "text_deltas() yields the text, piece by piece",
        "current_completion_snapshot": "an accumulator keeps what came: text_deltas(into=ChatAccumulator())",
        "response": "metadata has the head of the answer",
    }
)
ERROR: Final = MappingProxyType(
    {
        "status_code": "http_status is the status",
        "request_id": "upstream_request_id is the id",
        "response": "what is known of the answer are fields: http_status, upstream_request_id, retry_after, attempts",
        "body": "what the error object says are fields: message, type, param, code",
    }
)


class PointsOn:
    """An object that tells what stands in the place of a name that it does not have."""

    __slots__ = ()

    _moved: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The names, with what is to be said of each."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Raise for an attribute that is not there."""
            if (hint := self._moved.get(name)) is not None:
                raise missing(self, name, hint)
            # what was missing may stand inside a property: that is told as it is
            return object.__getattribute__(self, name)


def missing(owner: object, name: str, hint: str) -> AttributeError:
    """Return the error for an attribute that *owner* does not have."""
    return AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}; {hint}", name=name, obj=owner)
