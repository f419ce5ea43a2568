"""Reads forms as RFC 7578 has them, with the standard library's parser of mail, and compares them with the call."""

from __future__ import annotations

import json
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

from tests.contract.operations.asking import PARTS_AS_JSON, flat_pairs

if TYPE_CHECKING:
    from email.message import EmailMessage

    from tests.contract.operations.asking import Asked


def check_form(content_type: str, content: bytes, asked: Asked) -> None:
    """Every field is a part, named as the service reads it; files have their name and their media type."""
    found = [read_part(part) for part in parts_of(content_type, content)]
    assert sorted(found, key=str) == sorted(expected_parts(asked), key=str)


def expected_parts(asked: Asked) -> list[tuple[str, Any]]:
    """Names and values: texts, files as they were given, and documents where the description says JSON."""
    fields = {name: value for name, value in asked.fields().items() if value is not None}
    documents = {name for name in fields if (asked.fact.operation_id, name) in PARTS_AS_JSON}
    flat = flat_pairs({name: value for name, value in fields.items() if name not in documents})
    return [*flat, *((name, fields[name]) for name in documents)]


def parts_of(content_type: str, content: bytes) -> list[EmailMessage]:
    """The parts of a form."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    message: Any = BytesParser(policy=policy.HTTP).parsebytes(head + content)
    assert message.is_multipart()
    assert not message.defects
    return list(message.iter_parts())


def read_part(part: EmailMessage) -> tuple[str, Any]:
    """The name of a part, and what it holds."""
    assert part.get_content_disposition() == "form-data"
    name = part["content-disposition"].params["name"]
    held = part.get_payload(decode=True)
    assert isinstance(held, bytes)
    if part.get_filename() is not None:
        return name, (part.get_filename(), held, part.get_content_type())
    if part.get_content_type() == "application/json":
        return name, json.loads(held)
    return name, held.decode()
