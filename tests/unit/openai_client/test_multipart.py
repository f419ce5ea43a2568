"""Forms as they are written: names, values, files, lengths, and nothing that a name could break."""

from __future__ import annotations

import io
import mimetypes
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_client import ClientConfig, InvalidFieldValue, SerializationError
from openai_client._generated.operations.files import create_file, list_files
from openai_client._generated.operations.realtime import create_realtime_call_with
from openai_client.file_input import UploadFile
from openai_client.multipart import new_boundary, write_form
from openai_client.operation import CallOptions
from openai_client.request_writing import write_call
from openai_client.types import (
    CreateFileRequest,
    CreateImageEditRequest,
    CreateSkillBody,
    CreateTranscriptionRequest,
    FileExpirationAfter,
)

pytestmark = [pytest.mark.requirement("CLI-17")]

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key=None)


def parts_of(body: Any, **given: Any) -> list[tuple[Any, ...]]:
    """Return the parts of a form as the standard library reads them, after its length was compared."""
    form = write_form(body, boundary="limit", **given)
    content = b"".join(form.body.begin())
    assert form.body.length in {None, len(content)}
    return parsed(form.content_type, content)


def parsed(content_type: str, content: bytes) -> list[tuple[Any, ...]]:
    """Return name, file name, media type and content of each part."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + content)
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]


def file_body(file: Any) -> CreateFileRequest:
    """Return a body with a file."""
    return CreateFileRequest(file=file, purpose="batch")


def test_fields_come_before_files_and_objects_have_their_keys_in_brackets() -> None:
    """As the official service reads them."""
    body = CreateFileRequest(
        file=("a.jsonl", b"{}"),
        purpose="batch",
        expires_after=FileExpirationAfter(anchor="created_at", seconds=3600),
    )
    assert parts_of(body) == [
        ("purpose", None, "text/plain", b"batch"),
        ("expires_after[anchor]", None, "text/plain", b"created_at"),
        ("expires_after[seconds]", None, "text/plain", b"3600"),
        ("file", "a.jsonl", mimetypes.guess_type("a.jsonl")[0] or "application/octet-stream", b"{}"),
    ]


def test_lists_have_brackets_and_numbers_and_truth_values_are_plain_text() -> None:
    """Also those that the operation decides; what is None is left out."""
    body = CreateTranscriptionRequest(
        file=b"RIFF",
        model="whisper-1",
        temperature=0.25,
        include=["logprobs"],
        timestamp_granularities=["word", "segment"],
        chunking_strategy=None,
    )
    texts = {(name, content) for name, _, _, content in parts_of(body, fixed={"stream": True}) if name != "file"}
    assert texts == {
        ("model", b"whisper-1"),
        ("temperature", b"0.25"),
        ("include[]", b"logprobs"),
        ("timestamp_granularities[]", b"word"),
        ("timestamp_granularities[]", b"segment"),
        ("stream", b"true"),
    }


def test_several_files_share_a_name_with_brackets_and_one_has_it_without() -> None:
    """As the official SDK sends them."""
    several = CreateImageEditRequest(image=[("a.png", b"1"), ("b.png", b"2")], prompt="p", mask=b"3")
    assert [(name, file) for name, file, *_ in parts_of(several) if file] == [
        ("image[]", "a.png"),
        ("image[]", "b.png"),
        ("mask", "upload"),
    ]
    assert [part[0] for part in parts_of(CreateImageEditRequest(image=b"1", prompt="p"))] == ["prompt", "image"]
    assert [part[0] for part in parts_of(CreateSkillBody(files=[("a/SKILL.md", b"1")]))] == ["files[]"]


def test_a_field_may_have_a_media_type_of_its_own() -> None:
    """JSON is written as JSON, a text as it is."""
    operation = create_realtime_call_with(sdp="v=0", session={"type": "realtime"})
    assert parts_of(operation.body, part_types=operation.part_types) == [
        ("sdp", None, "application/sdp", b"v=0"),
        ("session", None, "application/json", b'{"type":"realtime"}'),
    ]


@given(st.text(max_size=40))
def test_no_name_can_end_its_line_or_its_quotation_marks(name: str) -> None:
    """The form has the two parts that it should have, whatever a file is called."""
    form = write_form(file_body(UploadFile(name, b"tide")), boundary="limit")
    content = b"".join(form.body.begin())
    assert content.count(b"\r\n--limit") == 2
    head = content.split(b"\r\n\r\n")[2 - 1].split(b"\r\n--limit\r\n")[1]
    assert head.count(b"\r\n") == 1
    assert head.split(b"\r\n")[0].count(b'"') == 4
    assert content.endswith(b"\r\n\r\ntide\r\n--limit--\r\n")
    assert not set(head.split(b"\r\n")[0]) & (set(range(0x20)) | {0x7F})


@pytest.mark.parametrize("media_type", ["text/plain\r\nx: y", "", "text", "text/pläin", "text/\x00"])
def test_a_media_type_that_is_none_is_refused(media_type: str) -> None:
    """It would stand in a header line."""
    with pytest.raises(SerializationError, match="file: media_type must be like 'text/plain'"):
        write_form(file_body(UploadFile("a", b"", media_type)), boundary="limit")


@pytest.mark.parametrize("boundary", ["", "a" * 71, 'a"b', "a\r\nb", "a b"])
def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    """RFC 2046 says what it may hold."""
    with pytest.raises(ValueError, match="boundary must be"):
        write_form(file_body(b""), boundary=boundary)


def test_boundaries_are_chance_and_fit_the_rule() -> None:
    """Never twice the same, and long enough to stand in no file."""
    made = {new_boundary() for _ in range(100)}
    assert len(made) == 100
    assert {len(boundary) for boundary in made} == {32}


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 700_001])
def test_the_length_is_known_before_a_byte_is_read(tmp_path: Path, size: int) -> None:
    """Of paths, bytes and files that can seek; of others it is not, and they cannot be sent twice."""
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    path = tmp_path / "f"
    path.write_bytes(content)
    moved = io.BytesIO(b"before" + content)
    moved.seek(6)
    for file in (path, content, moved):
        form = write_form(file_body(file), boundary="limit")
        for _ in range(2):
            whole = b"".join(form.body.begin())
            assert form.body.length == len(whole)
            assert parsed(form.content_type, whole)[-1][-1] == content

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    form = write_form(file_body(Pipe(content)), boundary="limit")
    assert (form.body.length, form.body.can_rewind) == (None, False)
    assert parsed(form.content_type, b"".join(form.body.begin()))[-1][-1] == content


def test_a_call_with_a_form_says_so_and_is_not_bounded_by_the_bodies_of_others() -> None:
    """The boundary comes from whom it is asked of; `max_body_bytes` is for what is held whole."""
    config = CONFIG.with_settings(http={"max_body_bytes": 10})
    prepared = write_call(create_file(file_body(b"x" * 100)), config, 0.0, boundary=lambda: "limit")
    assert prepared.http.headers["content-type"] == "multipart/form-data; boundary=limit"
    assert prepared.http.content is not None
    assert not isinstance(prepared.http.content, bytes)


def test_a_file_that_is_not_there_is_told_by_its_field() -> None:
    """Before anything is sent, without its path."""
    with pytest.raises(SerializationError) as caught:
        write_call(create_file(file_body(Path("/nowhere/secret"))), CONFIG, 0.0)
    assert str(caught.value) == "file: cannot be read: No such file or directory"


def test_progress_that_nobody_would_tell_is_refused() -> None:
    """A list sends no file and is none."""
    operation = list_files(on_progress=print)
    with pytest.raises(InvalidFieldValue, match="on_progress: is for calls that send files and for downloads"):
        write_call(operation, CONFIG, 0.0)
    write_call(operation, CONFIG, 0.0, downloads=True)
    write_call(create_file(file_body(b""), options=CallOptions(on_progress=print)), CONFIG, 0.0)
