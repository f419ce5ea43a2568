"""
Operations: calls of the API that have not been made yet, as frozen values.

A function of a family returns an `Operation`, a `StreamOperation` or a `PageOperation`, and does nothing. A client
makes the call; a test compares the value. Building one validates what can be validated without a socket: path
parameters, the body, `extra_body`.

Spec: CLI-03, CLI-09, CLI-11
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import BaseModel
from pydantic_core import to_json

from openai_client.base_model import RequestModel
from openai_client.binary_content import BinaryContent
from openai_client.errors import InvalidFieldValue, UnexpectedResponse
from openai_client.file_input import holds_file
from openai_client.option_checks import check_options, checked_json, policy_of_call
from openai_client.query_kinds import check_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from http_util.deadline import Deadline
    from http_util.retry import RetryPolicy
    from openai_client.query_kinds import Kind

T = TypeVar("T")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)
RequestT = TypeVar("RequestT", bound=RequestModel)

QueryValue: TypeAlias = "str | int | float | bool | Sequence[str] | Mapping[str, str] | None"
"""A query parameter before it is written; None is not sent."""

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
EVENT_STREAM: Final = "text/event-stream"
ANYTHING: Final = "*/*"

_BEFORE: Final = "before"
_ALL_TEXT: Final[Mapping[str, Kind]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """
    What one call does differently from its client. Every field left alone means: as the client is configured.

    Spec: CLI-11, FWD-11
    """

    timeout: float | None = None
    """Seconds for the whole call, above 0."""
    deadline: Deadline | None = None
    """The monotonic instant by which the call ends; the earlier of this and `timeout` counts."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers added to the client's; the same name replaces the client's value."""
    query: Mapping[str, QueryValue] = field(default_factory=dict, repr=False)
    """Query parameters added to the operation's; the same name replaces the operation's value."""
    idempotency_key: str | None = None
    """Sent as `Idempotency-Key`; makes the call repeatable where the upstream honours it."""
    retry: RetryPolicy | str | None = None
    """The retry policy of this call, given as a policy or by its name; kept as the policy."""
    extra_body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """
    Vendor fields, merged into the top level of the JSON body unchanged. A field that the body model has set is refused,
    so nothing is overwritten silently; a schema field left unset may be given here, and is then not validated. Numbers
    must be finite: JSON has no others.
    """
    on_progress: Callable[[int, int | None], object] | None = field(default=None, repr=False)
    """
    For calls that send a form, and for downloads: told every 64 KiB or so, and at the end, how many bytes have gone or
    come, and of how many (None: nobody knows). A form that is sent again begins at zero again. It may be called in
    another thread where the client blocks. What it raises ends the call, and leaves it as it is.
    """

    def __post_init__(self) -> None:
        """
        Check the options.

        Raises:
            InvalidFieldValue: One of them cannot be used; `param` names it.
            InvalidConfiguration: A header is malformed.
        """
        check_options(self)
        # the dataclass is frozen
        object.__setattr__(self, "retry", policy_of_call(self.retry))


CLIENT_DEFAULTS: Final = CallOptions()
"""The options of a call that differs in nothing from its client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the three kinds of operation have in common: everything needed to write the request."""

    operation_id: str
    """The name that the API description gives the operation, such as `createChatCompletion`."""
    method: str
    """The HTTP method, upper case."""
    path: str
    """The path below the base URL: begins with `/`, percent-encoded, without a query."""
    query: tuple[tuple[str, str], ...] = ()
    """Query parameters as names and values, in order, not yet encoded."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that belong to the operation itself."""
    body: BaseModel | bytes | None = field(default=None, repr=False)
    """The body as a model, as bytes sent unchanged, or None. Like headers, it is not part of the repr."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Body fields that the operation itself decides, such as `stream`."""
    content_type: str = JSON
    """The media type of the body; meaningless without one."""
    part_types: Mapping[str, str] = field(default_factory=dict)
    """Media types of a form's fields that are not sent as plain text, by name."""
    idempotent: bool = False
    """Whether making the call twice has the effect of making it once."""
    admin: bool = False
    """Whether the call is authorised by the admin key instead of the API key."""
    beta: str | None = None
    """The value of the `OpenAI-Beta` header, for operations of a beta service."""
    deprecated: bool = False
    """Whether the API description marks the operation as deprecated."""
    options: CallOptions = CLIENT_DEFAULTS
    """What this call does differently from its client."""

    def __post_init__(self) -> None:
        """
        Check that the body can be written as asked.

        Raises:
            InvalidFieldValue: The body is something else than a model or bytes; `extra_body` repeats a field that the
                body has set or the operation decides, or there is no JSON body to add to.
        """
        _check_body(self)
        _check_fixed(self.body, self.fixed, self.operation_id)
        _check_extra_body(self)

    def body_bytes(self) -> bytes | None:
        """
        Return the JSON body, or None for a call without one.

        Deterministic: the same operation gives the same bytes. Fields come in the schema's order, then `fixed`, then
        `extra_body`.

        Raises:
            TypeError: The body is a form with files (`content_type` is multipart), which has no JSON form.
            InvalidFieldValue: A number in it is NaN or infinite; `param` is its place.
        """
        if isinstance(self.body, bytes):
            return self.body
        if self.content_type != JSON:
            raise TypeError(
                f"{self.operation_id} sends {self.content_type}, which is written by openai_client.multipart"
            )
        added = {**self.fixed, **self.options.extra_body}
        if added:
            return checked_json(to_json({**self._fields(), **added}, inf_nan_mode="constants"), self._fields)
        if self.body is None:
            return None
        return checked_json(self.body.model_dump_json(exclude_unset=True, by_alias=True).encode(), self._fields)

    def _fields(self) -> dict[str, Any]:
        """Return the fields of the body as plain values."""
        body = self.body
        return body.model_dump(mode="json", exclude_unset=True, by_alias=True) if isinstance(body, BaseModel) else {}

    @property
    def is_form(self) -> bool:
        """Whether the body is written as a form; bytes are sent as they are, whatever they are."""
        return self.content_type == FORM and isinstance(self.body, BaseModel)

    @property
    def accept(self) -> str:
        """The media type that the answer is to have."""
        return JSON

    def with_options(self, options: CallOptions | None) -> Self:
        """Return the same call with *options* in place of its own; None keeps those."""
        return self if options is None or options is self.options else replace(self, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Call, Generic[T]):
    """A call answered by one document, parsed into T."""

    parse: Callable[[bytes], T]
    """Turn the body of a successful answer into the result; raises `pydantic.ValidationError` when it cannot."""

    @property
    def accept(self) -> str:
        """The media type that the answer is to have."""
        return ANYTHING if self.parse is as_binary else JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """
    How a stream says that it is complete. A stream that merely stops has not said so.

    Spec: CLI-10
    """

    sentinel: bytes | None = b"[DONE]"
    """The data of the event that ends the stream and is not itself parsed; None when the API has none."""
    event_types: frozenset[str] = frozenset()
    """The `type` of the events after which nothing follows."""
    enough: frozenset[str] = frozenset()
    """The `type` of the events after which more may follow, and after which the stream may also just end."""

    def is_sentinel(self, data: bytes) -> bool:
        """Tell whether *data*, the payload of one server-sent event, is the closing mark."""
        return self.sentinel is not None and data.strip() == self.sentinel

    def is_last(self, event: object) -> bool:
        """Tell whether *event*, already parsed, is the last one by its type."""
        # nothing is asked of a chunk that has no type, which is dear
        return bool(self.event_types) and _type_of(event) in self.event_types

    def is_enough(self, event: object) -> bool:
        """Tell whether the stream may just end after *event*, already parsed."""
        return bool(self.enough) and _type_of(event) in self.enough


def _type_of(event: object) -> str | None:
    """Return the type of a parsed event; one of no known kind may have anything in its place."""
    kind = getattr(event, "type", None)
    return kind if isinstance(kind, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOperation(Call, Generic[E]):
    """A call answered by server-sent events, each parsed into E."""

    parse_event: Callable[[bytes], E]
    """Turn the data of one server-sent event into a chunk; raises `pydantic.ValidationError` when it cannot."""
    named_events: bool = False
    """
    Whether the kind of an event stands in its `event` field. Such an event is parsed as the object
    `{"event": ..., "data": ...}`.
    """
    end: StreamEnd = StreamEnd()
    """How the stream says that it is complete."""

    @property
    def accept(self) -> str:
        """The media type that the answer is to have."""
        return EVENT_STREAM


class ListPage(Protocol[T_co]):
    """What every list response has: the items of one page."""

    @property
    def data(self) -> Sequence[T_co]:
        """The items, in the order asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOperation(Call, Generic[T]):
    """
    A call answered by one page of a list of T.

    Spec: CLI-18
    """

    parse: Callable[[bytes], ListPage[T]]
    """Turn the body of a successful answer into the page; raises `pydantic.ValidationError` when it cannot."""
    cursor: str = "after"
    """The query parameter that asks for the page behind an item."""
    backwards: bool = False
    """Whether the list can also be read backwards, with `before`."""

    @property
    def place(self) -> tuple[str, str] | None:
        """The cursor that the call asks for, as its parameter and value; None at the beginning of the list."""
        asked = dict(self.query) | dict(written_query(self.options.query))
        return next(((name, asked[name]) for name in (self.cursor, _BEFORE) if name in asked), None)

    def following(self, page: ListPage[T]) -> Self | None:
        """
        Return the operation that fetches the page after *page*, or None when the upstream said that there is none.

        A page without `has_more`, as compatible servers send it, is the last one. A page that was asked for with
        `before` is followed by the one before it.

        Raises:
            UnexpectedResponse: There is another page, and the upstream does not say where, or names this one again.
        """
        if not getattr(page, "has_more", None):
            return None
        place = self.place
        name = self.cursor if place is None else place[0]
        cursor = _first(page) if name == _BEFORE else _next(page, name)
        if cursor is None:
            raise UnexpectedResponse(f"{self.operation_id}: the page says that there are more, and not where they are")
        if place == (name, cursor):
            raise UnexpectedResponse(f"{self.operation_id}: the page after this one is said to be this one again")
        return self._at(name, cursor)

    def preceding(self, page: ListPage[T]) -> Self | None:
        """
        Return the operation that fetches the page before *page*, or None when *page* is empty.

        Raises:
            InvalidFieldValue: The list can be read forwards only.
        """
        if not self.backwards:
            raise InvalidFieldValue(f"before: {self.operation_id} has no such parameter; it goes forwards only")
        cursor = _first(page)
        return None if cursor is None else self._at(_BEFORE, cursor)

    def _at(self, name: str, cursor: str) -> Self:
        """Return the call for another page; the options of the call must not bring an old cursor back."""
        cursors = {self.cursor, _BEFORE}
        kept = tuple(pair for pair in self.query if pair[0] not in cursors)
        options = self.options
        if cursors & options.query.keys():
            others = {key: value for key, value in options.query.items() if key not in cursors}
            options = replace(options, query=others)
        return replace(self, query=(*kept, (name, cursor)), options=options)


def path(template: str, /, **parameters: str) -> str:
    """
    Fill the path parameters of *template* in, percent-encoded, so that no value can change the path.

    Raises:
        InvalidFieldValue: A parameter is no text, empty, `.` or `..`, or cannot be written as UTF-8; `param` names it.
    """
    return template.format_map({name: _segment(name, value) for name, value in parameters.items()})


def query(kinds: Mapping[str, Kind] = _ALL_TEXT, /, **parameters: QueryValue) -> tuple[tuple[str, str], ...]:
    """
    Write query parameters as the API reads them.

    None is left out, booleans are lower case, lists become `name[]`, mappings `name[key]`.

    Args:
        kinds: Of which kind the values are, by name; what is not there is text.
        parameters: Values by name; a name that is a Python keyword is given with an underscore behind it.

    Returns:
        Names and values in the order given, not yet percent-encoded.

    Raises:
        InvalidFieldValue: A value is of another kind, or cannot be written; `param` names it.
    """
    for name, value in parameters.items():
        check_kind(name.removesuffix("_"), value, kinds.get(name, str))
    return written_query({name.removesuffix("_"): value for name, value in parameters.items()})


def written_query(parameters: Mapping[str, QueryValue]) -> tuple[tuple[str, str], ...]:
    """
    Write query parameters under the names that they have; the rest is as for `query`.

    Raises:
        InvalidFieldValue: A name is no text, or a value cannot be written; the message names it.
    """
    return tuple(pair for name, value in parameters.items() for pair in _pairs(name, value))


def unstreamed(body: RequestT) -> RequestT:
    """
    Return *body*, which is to be answered by one document.

    Raises:
        InvalidFieldValue: `body.stream` is true; the streamed operation is another one.
    """
    if getattr(body, "stream", None):
        raise InvalidFieldValue(
            "body.stream: must be unset or false here; the operation `stream` sends stream=true itself", param="stream"
        )
    return body


def form_or_json(body: BaseModel) -> str:
    """Return the media type for *body*, which goes as a form when there is a file in it, and else as JSON."""
    return FORM if any(holds_file(getattr(body, name)) for name in body.model_fields_set) else JSON


def text_where(value: object, texts: Collection[str], parse: Callable[[bytes], T]) -> Callable[[bytes], T | str]:
    """Return the parser of an answer that is plain text when the body's field has one of the values *texts*."""
    return as_text if value in texts else parse


def as_text(data: bytes) -> str:
    """Parse an answer that is plain text; what is not UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def as_bytes(data: bytes) -> bytes:
    """Parse an answer of which nobody knows what it is: it is returned unchanged."""
    return data


def as_binary(data: bytes) -> BinaryContent:
    """Parse an answer that is a file: its bytes, with ways to use them."""
    return BinaryContent(data)


def as_nothing(data: bytes) -> None:
    """Parse an answer whose body means nothing: whatever came is dropped."""
    del data


def _next(page: ListPage[Any], name: str) -> str | None:
    """Return where the page after *page* begins; lists that have a field for it say so, others by their last item."""
    if name == "page":
        return _text(getattr(page, "next_page", None))
    if "next" in getattr(type(page), "model_fields", ()):
        return _text(getattr(page, "next", None))
    return _text(getattr(page, "last_id", None)) or (_text(getattr(page.data[-1], "id", None)) if page.data else None)


def _first(page: ListPage[Any]) -> str | None:
    """Return what the page before *page* ends at."""
    return _text(getattr(page, "first_id", None)) or (_text(getattr(page.data[0], "id", None)) if page.data else None)


def _text(cursor: object) -> str | None:
    return str(cursor) if cursor else None


def _segment(name: str, value: object) -> str:
    # a segment of dots is resolved by URL libraries and proxies even when its dots are percent-encoded
    if not isinstance(value, str) or not value or value in {".", ".."}:
        raise InvalidFieldValue(
            f"{name}: must be a non-empty str other than '.' and '..', as a parameter of the path; got {_shown(value)}",
            param=name,
        )
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        pass
    raise InvalidFieldValue(f"{name}: must be valid Unicode text, as a parameter of the path", param=name)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else f"a value of the type {type(value).__name__}"


def _pairs(name: object, value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(name, str):
        raise InvalidFieldValue(f"query: the name of a parameter must be a str, not {type(name).__name__}")
    if value is None:
        return
    if isinstance(value, bool):
        yield name, "true" if value else "false"
    elif isinstance(value, int | float | str):
        yield name, _written(name, value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _pairs(f"{name}[{key}]", item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _pairs(f"{name}[]", item)
    else:
        said = f"must be text, a number, a boolean, a list or a mapping, not {type(value).__name__}"
        raise InvalidFieldValue(f"query.{name}: {said}", param=name)


def _written(name: str, value: float | str) -> str:
    """Return a text or a number as it is sent."""
    try:
        text = str(value)
        text.encode()
    except ValueError as error:
        # what cannot be encoded would be quoted by the error that says so
        is_text = isinstance(error, UnicodeEncodeError)
    else:
        return text
    said = "must be valid Unicode text" if is_text else "is a number of too many digits to be written"
    raise InvalidFieldValue(f"query.{name}: {said}", param=name)


def _check_body(call: Call) -> None:
    if call.body is None or isinstance(call.body, BaseModel | bytes):
        return
    raise InvalidFieldValue(
        f"body: must be a model of openai_client.types or bytes for {call.operation_id}, not "
        f"{type(call.body).__name__}; its fields may be given by keyword, method(**fields), and "
        "client.request(method, path, body=...) takes a mapping as it is",
        param="body",
    )


def _check_fixed(body: BaseModel | bytes | None, fixed: Mapping[str, Any], operation_id: str) -> None:
    for name, value in fixed.items():
        given = getattr(body, name, None)
        if given is not None and given != value:
            raise InvalidFieldValue(f"body.{name}: {operation_id} sends {value!r} here; leave it out", param=name)


def _check_extra_body(call: Call) -> None:
    extra = call.options.extra_body
    if not extra:
        return
    if call.content_type != JSON or isinstance(call.body, bytes) or call.method == "GET":
        raise InvalidFieldValue(
            f"extra_body: needs a JSON body to be merged into, and {call.operation_id} has none; leave it out",
            param="extra_body",
        )
    taken = set(call.fixed) | (set() if call.body is None else _wire_names(call.body))
    if clash := sorted(taken & set(extra)):
        raise InvalidFieldValue(
            f"extra_body: must not repeat fields that the body has set: {', '.join(map(repr, clash))}",
            param="extra_body",
        )


def _wire_names(body: BaseModel) -> set[str]:
    declared = type(body).model_fields
    return {(declared[name].alias or name) if name in declared else name for name in body.model_fields_set}
