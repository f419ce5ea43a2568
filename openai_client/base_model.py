"""
The three kinds of model the API is described with, and the open types that keep unknown values.

A schema that is only sent is a `RequestModel`, one that is only received a `ResponseModel`, and one that goes both ways
(a tool that a response repeats, an output item given back as input) a `TwoWayModel`. No class is built before its first
use (`defer_build`), and no validation error repeats the input, because inputs hold prompts. What is to be sent is taken
as `openai_client.sent_values` says: nothing is turned into another kind, and None where there is no null is not given.

Spec: CLI-09, FWD-01, FWD-02, FWD-03, FWD-11
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
)

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter

from openai_client.moved_names import MODEL, missing
from openai_client.remembering import heard_with
from openai_client.sent_values import never_empty, only_sent, sent_too

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

T = TypeVar("T")
V = TypeVar("V")

UNKNOWN: Final = "unknown"
"""The tag of the variant that takes what a tagged union does not know; never compared with what came."""

ABSENT: Final = "absent"
"""The tag of the variants that may come without the field that tells variants apart."""

NO_SUCH_TAG: Final = "no_such_tag"
"""The type of a union's fault when no variant has the tag; its message begins with the field that is the tag."""

_TAGS: Final = ("type", "event", "role", "object")
"""The fields that tell variants apart in this API."""

_COMMON: Final = ConfigDict(
    defer_build=True,
    hide_input_in_errors=True,
    validate_by_name=True,
    validate_by_alias=True,
    protected_namespaces=(),
    # so that whoever sends them can refuse them; null is another value
    ser_json_inf_nan="constants",
)


class _Hidden:
    def __repr__(self) -> str:
        return "..."


_HIDDEN: Final = _Hidden()


class RequestModel(BaseModel):
    """
    Something that is only sent: unknown fields are refused, unset fields are not written.

    Vendor fields that the schema does not know travel in `CallOptions.extra_body`. Constant fields (`type`, `role`) are
    filled in by the constructor, so they need not be given; a mapping validated in place of a model must contain them.

    Spec: FWD-11, TYP-02
    """

    model_config = ConfigDict(**_COMMON, extra="forbid")

    takes_null: ClassVar[tuple[str, ...]] = ()
    """The fields for which the API takes null; None in any other is not sent."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema that takes values as they are to be sent."""
        return only_sent(cls, handler(source), handler)

    def __init__(self, /, **data: object) -> None:
        """
        Validate the fields strictly, at every depth.

        Raises:
            pydantic.ValidationError: A field is missing, unknown, out of its range or of the wrong type; the input is
            not shown.
        """
        _construct(self, data)

    # Pydantic calls a custom __init__ for every nested value; this mark says that ours does nothing nested values need.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Return the names of the fields that were set; their values hold prompts, which no repr shows."""
        return [(name, _HIDDEN) for name in type(self).model_fields if name in self.model_fields_set]

    def wire_bytes(self) -> bytes:
        """Return the JSON body: UTF-8, compact, only the fields that were set, in the schema's order."""
        return _wire_bytes(self)


class ResponseModel(BaseModel):
    """
    Something that is only received: unknown fields are kept and written back, unknown enum values stay as they came.

    Fields that an answer can be understood without are optional, whatever the schema says, because compatible servers
    leave them out. Look at `model_fields_set` to tell "not sent" from null.

    Spec: FWD-01, FWD-02, FWD-03
    """

    # what was heard besides the answer that the model is; no field, so nothing that compares, dumps or copies sees it
    __slots__ = ("_heard",)

    # compatible servers write ids and error codes as numbers
    model_config = ConfigDict(**_COMMON, extra="allow", coerce_numbers_to_str=True)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """
        Parse one JSON document.

        Raises:
            pydantic.ValidationError: *data* is not JSON, or lacks what the answer cannot be understood without.
        """
        # what `model_validate_json` comes to; for chunks its checks of unused arguments are a tenth of the cost
        return cast("Self", cls.__pydantic_validator__.validate_json(data))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a field that the schema does not know; a name of the official SDK is told with what it is here."""
            if name not in MODEL:
                return super().__getattr__(name)
            try:
                return super().__getattr__(name)
            except AttributeError:
                refusal = missing(self, name, MODEL[name])
            raise refusal

    @property
    def _request_id(self) -> str | None:
        """The id that the upstream gave the request; None for a part or a copy of an answer. See `metadata_of`."""
        heard = heard_with(self)
        return None if heard is None else heard.head.upstream_request_id

    def wire_bytes(self) -> bytes:
        """Return the JSON it came from, but for white space and the order of keys."""
        return _wire_bytes(self)


class TwoWayModel(ResponseModel):
    """
    Something that is both sent and received: strict when constructed, tolerant when parsed.

    An instance that came in a response can be given back in a request as it is, unknown fields included.

    Spec: FWD-01, FWD-11
    """

    takes_null: ClassVar[tuple[str, ...]] = ()
    """As of `RequestModel`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema that takes JSON as it comes, and everything else as it is to be sent."""
        return sent_too(cls, handler(source), handler)

    def __init__(self, /, **data: object) -> None:
        """
        Validate the fields strictly, at every depth.

        Raises:
            pydantic.ValidationError: A field is missing, unknown, out of its range or of the wrong type; the input is
            not shown.
        """
        _construct(self, data)
        # pydantic 2.12 leaves None here after a strict validation
        object.__setattr__(self, "__pydantic_extra__", self.__pydantic_extra__ or {})

    # The same mark as on RequestModel, for the same reason.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class Untyped(ResponseModel):
    """
    Something that the API description says nothing about: the events of a raw stream, kept exactly as they came.

    The fields are in `model_extra`, and attributes too; type checkers take any name.

    Spec: FWD-02
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class Unknown(Untyped):
    """
    A variant of a tagged union that this version does not know: an item, part or event kept exactly as it came.

    The fields are in `model_extra`, the tag too. `isinstance(event, Unknown)` finds one, and
    `unknown_tag` tells what it is. One to be sent is made by `Unknown.model_validate({"type": "new", "colour": 1})`; a
    mapping in its place is refused.

    Spec: FWD-02
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema that takes JSON as it comes, and else no mapping without anything in it."""
        return never_empty(cls, handler(source), handler)

    @property
    def unknown_tag(self) -> str | None:
        """What tells its kind, as it came: the first text among `type`, `event`, `role` and `object`, or None."""
        sent = self.model_extra or {}
        return next((tag for name in _TAGS if isinstance(tag := sent.get(name), str)), None)

    if TYPE_CHECKING:
        # By these a checker tells the variants of a union apart, and only while none of them may have just any text:
        # `str` here, and `event.type == "..."` would narrow nothing. So they are said to be what no variant has.
        type: Literal["(unknown)"] = "(unknown)"
        event: Literal["(unknown)"] = "(unknown)"
        role: Literal["(unknown)"] = "(unknown)"
        object: Literal["(unknown)"] = "(unknown)"


def constant(value: V) -> V:
    """
    Declare a field that can only have *value*: required on the wire, filled in by constructors.

    Returns:
        The declaration, typed as the value so that type checkers see a default.
    """
    return cast("V", Field(json_schema_extra={"const": cast("str", value)}))


if TYPE_CHECKING:
    Open: TypeAlias = T | str
else:

    class Open:
        """
        An open enumeration: `Open[Literal["stop", "length"]]` is one of the known values or any other string.

        Type checkers see `Literal["stop", "length"] | str`; pydantic sees a plain `str`, so nothing is looked up.

        Spec: FWD-02
        """

        def __class_getitem__(cls, known: Any) -> Any:
            """Return `str`, annotated with the values known when the client was generated."""
            return Annotated[str, KnownValues(get_args(known))]


class Deprecated:
    """The mark of a deprecated field; found in a field's `metadata`. See `deprecated_fields`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the name under which annotations use the mark."""
        return "DEPRECATED"


DEPRECATED: Final = Deprecated()
"""Annotates a field that the API description calls deprecated."""


def deprecated_fields(body: BaseModel) -> list[str]:
    """
    Return the deprecated fields that *body* has set, in the schema's order.

    Fields of models inside it are not looked at.

    Spec: FWD-06
    """
    declared = type(body).model_fields
    return [name for name in declared if name in body.model_fields_set and DEPRECATED in declared[name].metadata]


class KnownValues:
    """The known values of an open enumeration; found in a field's `metadata`."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[object, ...]) -> None:
        """Remember *values* in the schema's order."""
        self.values: Final = values

    def __repr__(self) -> str:
        """Return the values, for messages."""
        return f"KnownValues({self.values!r})"


def by_tag(
    name: str, *known: str, aliases: Mapping[str, str] = MappingProxyType({}), absent: str = UNKNOWN
) -> Discriminator:
    """
    Choose the variant of a union by the field *name*; a value that is not known gets the variant tagged `UNKNOWN`.

    Args:
        name: The field that tells the variants apart.
        known: The tags of the union's variants.
        aliases: More values of the field, each with the tag of the variant that it stands for.
        absent: The tag used when the field is absent or null.

    Spec: FWD-02
    """
    tags: dict[object, str] = {tag: tag for tag in known} | dict(aliases) | {None: absent}

    def choose(value: Any) -> str:
        found = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        return tags.get(found, UNKNOWN) if found is None or isinstance(found, str) else UNKNOWN

    # for whoever says what would have been accepted; a function is what pydantic calls fastest
    vars(choose).update(field=name, known=(*known, *aliases))
    return Discriminator(
        choose,
        custom_error_type=NO_SUCH_TAG,
        custom_error_message=f"{name}: must be one of {', '.join(map(repr, known))}",
    )


@cache
def _constants(model: type[BaseModel]) -> dict[str, object]:
    # the only defaults of generated models are None and constants
    found: dict[str, object] = {}
    for name, declared in model.model_fields.items():
        if isinstance(declared.json_schema_extra, dict):
            found[name] = declared.json_schema_extra["const"]
        elif isinstance(declared.default, str):
            found[name] = declared.default
    return found


def _construct(instance: BaseModel, data: dict[str, object]) -> None:
    instance.__pydantic_validator__.validate_python(
        _constants(type(instance)) | data, self_instance=instance, extra="forbid"
    )


def _wire_bytes(instance: BaseModel) -> bytes:
    return instance.model_dump_json(exclude_unset=True, by_alias=True).encode()


class WireParser(Generic[T]):
    """A parser for values that are no model of their own (unions, lists), built on its first call."""

    __slots__ = ("_adapter",)

    def __init__(self, shape: Any) -> None:
        """Prepare a parser of *shape*, any type that pydantic understands; nothing is built yet."""
        self._adapter: TypeAdapter[T] = TypeAdapter(
            shape, config=ConfigDict(defer_build=True, hide_input_in_errors=True)
        )

    def __call__(self, data: bytes) -> T:
        """
        Parse one JSON document.

        Raises:
            pydantic.ValidationError: *data* is not JSON or not of this shape.
        """
        return self._adapter.validate_json(data)
