"""
From the body of an operation to what is sent of it: bytes, or a form that is read while it goes.

Nothing of a body that cannot be written is repeated, neither in an error nor in a frame.

Spec: CLI-11, SEC-18
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from openai_client.errors import InvalidFieldValue, OpenAIError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from http_util.streamed_body import StreamedBody
    from openai_client.operation import Call


def write_body(
    operation: Call, headers: dict[str, str], most: int, boundary: Callable[[], str] | None
) -> bytes | StreamedBody | None:
    """
    Return the body, or None for a call without one; of a form, the media type is noted in *headers*.

    Args:
        operation: What to do.
        headers: Of the call, with lower-case names.
        most: The most bytes that a body may have that is no form.
        boundary: Source of the boundaries of forms; None: chance.

    Raises:
        SerializationError: The body cannot be written, or is too large.
    """
    if not operation.is_form:
        return _content(operation, most)
    headers["content-type"], form = _form(operation, boundary)
    return form


def check_progress(operation: Call, *, downloads: bool) -> None:
    """
    Refuse a callback that would never be called.

    Raises:
        InvalidFieldValue: The call sends no form and is no download.
    """
    if operation.options.on_progress is not None and not (downloads or operation.is_form):
        raise InvalidFieldValue(
            f"on_progress: is for calls that send files and for downloads, and {operation.operation_id} is none; "
            "a binary answer is downloaded by the method `download`",
            param="on_progress",
        )


def _content(operation: Call, most: int) -> bytes | None:
    """Return the body, without repeating any of it when it cannot be written."""
    place = None
    try:
        content = operation.body_bytes()
    # pydantic's serialisation errors are ValueErrors too, and quote what they could not write
    except (TypeError, ValueError) as error:
        problem = f"the body cannot be written as {operation.content_type} ({type(error).__name__})"
        if (place := unwritable_place(operation)) is not None:
            problem = f"{place}: must be valid Unicode text; a half of a surrogate pair stands in it"
    else:
        if content is None or len(content) <= most:
            return content
        problem = f"the body has {len(content)} bytes; http.max_body_bytes allows {most}"
        # the frame may be shown in a traceback
        del content
    raise SerializationError(f"{operation.operation_id}: {problem}", param=place)


def unwritable_place(operation: Call) -> str | None:
    """Return the place of the first text in a JSON body that UTF-8 has no form for; None when there is none."""
    body = operation.body
    fields = body.model_dump(exclude_unset=True, by_alias=True, warnings=False) if isinstance(body, BaseModel) else {}
    return next(_unwritable({**fields, **operation.options.extra_body}, ""), None)


def _unwritable(value: object, place: str) -> Iterator[str]:
    if isinstance(value, str) and value.encode("utf-8", "replace").decode() != value:
        yield place
    steps: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        steps = value.items()
    elif isinstance(value, list | tuple):
        steps = enumerate(value)
    for key, item in steps:
        # a name that cannot be written is no place that could be told
        yield from _unwritable(item, f"{place}.{key}".removeprefix(".").encode("utf-8", "replace").decode())


def _form(operation: Call, boundary: Callable[[], str] | None) -> tuple[str, StreamedBody]:
    """Return the media type and the body of a form, without repeating any of it when it cannot be written."""
    from openai_client.multipart import new_boundary, write_form

    try:
        return write_form(
            cast("BaseModel", operation.body),
            boundary=(boundary or new_boundary)(),
            fixed=operation.fixed,
            part_types=operation.part_types,
            on_progress=operation.options.on_progress,
        )
    # as in `_content`
    except (TypeError, ValueError) as error:
        if isinstance(error, OpenAIError):
            raise
        problem = f"the body cannot be written as {operation.content_type} ({type(error).__name__})"
    raise SerializationError(f"{operation.operation_id}: {problem}")
