"""
The output items of a response while they grow. Pure; knows where the text of an event belongs, and nothing of the rest.

Spec: CLI-10, TYP-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openai_client.streaming.merging import check_room, grown, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class _Place(NamedTuple):
    """Where an event's text belongs."""

    item: str
    """The type of the item."""
    field: str
    """The field that grows, of the item or of a part of it."""
    parts: str | None = None
    """The list that the part is in."""
    position: str = ""
    """The event's field that says which part it is."""
    part: str = ""
    """The type of the part."""


_GROWING: Final = {
    "response.output_text": _Place("message", "text", "content", "content_index", "output_text"),
    "response.refusal": _Place("message", "refusal", "content", "content_index", "refusal"),
    "response.reasoning_text": _Place("reasoning", "text", "content", "content_index", "reasoning_text"),
    "response.reasoning_summary_text": _Place("reasoning", "text", "summary", "summary_index", "summary_text"),
    "response.function_call_arguments": _Place("function_call", "arguments"),
    "response.mcp_call_arguments": _Place("mcp_call", "arguments"),
    "response.custom_tool_call_input": _Place("custom_tool_call", "input"),
    "response.code_interpreter_call_code": _Place("code_interpreter_call", "code"),
}
"""Events with `.delta` and `.done` behind these names hold a piece of a text, and all of it."""

_PARTS: Final = {
    "response.content_part": ("message", "content", "content_index"),
    "response.reasoning_summary_part": ("reasoning", "summary", "summary_index"),
}
"""Events with `.added` and `.done` behind these names hold a part of an item."""

_MOST_PARTS: Final = 1024
"""Parts that an item may grow: an event that names a later one must not make a list of that many."""

_WITH_STATUS: Final = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"}
)
_NEWS: Final = frozenset({"in_progress", "searching", "interpreting", "generating", "completed", "failed"})

_BLANK: Final[Mapping[str, Mapping[str, object]]] = {
    "message": {"role": "assistant", "content": []},
    "function_call": {"call_id": "", "name": "", "arguments": ""},
    "custom_tool_call": {"call_id": "", "name": "", "input": ""},
    "mcp_call": {"name": "", "arguments": ""},
    "shell_call": {"call_id": ""},
    "shell_call_output": {"call_id": "", "output": []},
}
"""What an item cannot be understood without, for items of which only a part came."""


class ResponseItems:
    """Collects items by their place in the output."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._items: dict[int, dict[str, Any]] = {}
        self._place_of: dict[str, int] = {}
        self.partial_images: dict[int, str] = {}
        """The latest partial image of each item that draws one, in base64."""

    def add(self, kind: str, fields: Mapping[str, Any]) -> bool:
        """Add what the event of type *kind* says; return whether it says something about an item."""
        name, _, step = kind.rpartition(".")
        if name == "response.output_item":
            self._set(fields)
        elif name in _GROWING:
            self._grow(_GROWING[name], step, fields)
        elif name in _PARTS:
            item, parts, index = _PARTS[name]
            _put(_listed(self._item(fields, item), parts), fields.get(index) or 0, fields.get("part"))
        elif name == "response.output_text.annotation":
            part = self._part(_GROWING["response.output_text"], fields)
            _put(_listed(part, "annotations"), fields.get("annotation_index"), fields.get("annotation"))
        elif name in {"response.shell_call_command", "response.shell_call_output_content"}:
            self._shell(name, step, fields)
        else:
            return self._note(name.removeprefix("response."), step, fields)
        return True

    def whole(self) -> list[dict[str, Any]]:
        """Return the items so far, in order."""
        items = (plain(item) for _, item in sorted(self._items.items()))
        return [{**_BLANK.get(item.get("type", ""), {}), **item} for item in items]

    def texts(self) -> Iterator[str]:
        """Return the texts of all messages so far, in order."""
        return texts_of(self.whole())

    def _note(self, item: str, step: str, fields: Mapping[str, Any]) -> bool:
        """Note what an event says about the work on an item; return whether it is known to say such a thing."""
        if item == "image_generation_call" and step == "partial_image":
            _check_place(self.partial_images, self._where(fields))
            self.partial_images[self._where(fields)] = fields.get("partial_image_b64") or ""
            return True
        if item in _WITH_STATUS and step in _NEWS:
            self._item(fields, item)["status"] = step
            return True
        return item == "mcp_list_tools" and step in _NEWS

    def _where(self, fields: Mapping[str, Any]) -> int:
        place = fields.get("output_index")
        return place if isinstance(place, int) else self._place_of.get(fields.get("item_id") or "", 0)

    def _set(self, fields: Mapping[str, Any]) -> None:
        item = dict(fields.get("item") or {})
        place = self._where(fields)
        _check_place(self._items, place)
        _check_place(self._place_of, item.get("id") or "")
        self._items[place] = item
        self._place_of[item.get("id") or ""] = place

    def _item(self, fields: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Return the item that an event is about, a new one when nothing was told of it."""
        known = {"id": fields["item_id"]} if fields.get("item_id") else {}
        place = self._where(fields)
        _check_place(self._items, place)
        return self._items.setdefault(place, {"type": kind, **known})

    def _part(self, place: _Place, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the text of an event belongs to: the item, or a part of it."""
        item = self._item(fields, place.item)
        if place.parts is None:
            return item
        parts = _listed(item, place.parts)
        index = min(_position(fields, place.position), _MOST_PARTS - 1)
        while len(parts) <= index:
            parts.append({"type": place.part, place.field: ""})
        part: dict[str, Any] = parts[index]
        return part

    def _grow(self, place: _Place, step: str, fields: Mapping[str, Any]) -> None:
        part = self._part(place, fields)
        if step == "delta":
            part[place.field] = grown(part.get(place.field), fields.get("delta") or "")
        elif (whole := fields.get(place.field)) is not None:
            part[place.field] = whole
        if fields.get("logprobs"):
            logprobs = list(fields["logprobs"])
            if step == "delta":
                # a list made anew for each delta would take as long as all before it
                _listed(part, "logprobs").extend(logprobs)
            else:
                part["logprobs"] = logprobs
        if step == "done" and fields.get("name"):
            part["name"] = fields["name"]

    def _shell(self, name: str, step: str, fields: Mapping[str, Any]) -> None:
        index = _position(fields, "command_index")
        if name == "response.shell_call_command":
            action = self._item(fields, "shell_call").setdefault("action", {})
            commands = _listed(action, "commands")
            there = commands[index] if index < len(commands) else ""
            _put(commands, index, grown(there, fields["delta"]) if step == "delta" else fields.get("command") or "")
            return
        outputs = _listed(self._item(fields, "shell_call_output"), "output")
        if step == "done":
            for offset, output in enumerate(fields.get("output") or ()):
                _put(outputs, index + offset, output)
            return
        output = outputs[index] if index < len(outputs) else {"stdout": "", "stderr": ""}
        delta = fields.get("delta") or {}
        _put(outputs, index, {**output, **{key: grown(output.get(key), text) for key, text in delta.items() if text}})


def texts_of(items: list[dict[str, Any]]) -> Iterator[str]:
    """Return the texts in the messages among output items, in order."""
    for item in items:
        for part in item.get("content") or ():
            # the content of an item of an unknown type may be anything
            if isinstance(part, dict) and part.get("type") == "output_text":
                yield part.get("text") or ""


def _listed(thing: dict[str, Any], name: str) -> list[Any]:
    """Return the list called *name*, a new one where there is none."""
    if not isinstance(thing.get(name), list):
        thing[name] = []
    found: list[Any] = thing[name]
    return found


def _position(fields: Mapping[str, Any], name: str) -> int:
    """Return the place that an event names, the first one when it names none that there can be."""
    return max(0, fields.get(name) or 0)


def _put(items: list[Any], index: int | None, value: Any) -> None:
    """Put *value* at its place, which is at most the end: an upstream cannot make a list long by one number."""
    if index is not None and 0 <= index < len(items):
        items[index] = value
    else:
        check_room(items)
        items.append(value)


def _check_place(things: Mapping[Any, object], place: object) -> None:
    """Make sure that there is room for what is at *place*, where nothing is yet."""
    if place not in things:
        check_room(things)
