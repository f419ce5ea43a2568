"""Request bodies made smaller: when, how, and once."""

from __future__ import annotations

import gzip
import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.call import HttpCall, Target
from http_util.compression import RequestCompression
from openai_client.auth import MaskedHeaders

PROSE = b'{"input": "' + b"the tide comes in and the tide goes out, " * 100 + b'"}'
UNDO = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@pytest.mark.requirement("CMP-01")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_is_packed_and_its_encoding_named(encoding: str) -> None:
    """What the upstream undoes is what was asked to be sent."""
    packed = RequestCompression(encoding=encoding).pack({"content-type": "application/json"}, PROSE)
    assert packed is not None
    assert packed.headers == {"content-encoding": encoding}
    assert len(packed.content) < len(PROSE) / 10
    assert UNDO[encoding](packed.content) == PROSE


@pytest.mark.requirement("CMP-01")
@pytest.mark.parametrize(("size", "is_packed"), [(99, False), (100, True)])
def test_a_body_below_the_threshold_goes_out_as_it_is(size: int, is_packed: bool) -> None:
    """At the threshold it is packed."""
    assert (RequestCompression(min_bytes=100).pack({}, b"a" * size) is not None) is is_packed


@pytest.mark.requirement("CMP-01")
def test_a_body_that_would_not_become_smaller_goes_out_as_it_is() -> None:
    """Noise does not shrink."""
    assert RequestCompression(min_bytes=0).pack({}, Random(1).randbytes(4096)) is None


@pytest.mark.requirement("CMP-01")
@pytest.mark.parametrize("content", [None, b""])
def test_nothing_is_nothing(content: bytes | None) -> None:
    """A GET gets no encoding."""
    assert RequestCompression(min_bytes=0).pack({}, content) is None


@pytest.mark.requirement("CMP-01")
@pytest.mark.parametrize("name", ["content-encoding", "Content-Encoding", "content-length", "Content-Digest"])
def test_who_has_spoken_of_the_bytes_gets_the_bytes(name: str) -> None:
    """Never twice, and never against a length or a digest that was given."""
    assert RequestCompression().pack({name: "given"}, PROSE) is None


@pytest.mark.requirement("CMP-01")
def test_a_call_is_packed_once_for_all_its_endpoints() -> None:
    """Packing again changes nothing; the call that was given stays as it was."""
    other = Target(url="https://b.example/v1/embeddings", headers={"authorization": "Bearer b"})
    call = HttpCall(
        method="POST",
        url="https://a.example/v1/embeddings",
        headers={"authorization": "Bearer a"},
        content=PROSE,
        alternatives=(other,),
    )
    packed = RequestCompression().compress(call)
    assert packed.content == RequestCompression().pack({}, PROSE).content
    assert packed.headers == {"authorization": "Bearer a", "content-encoding": "gzip"}
    assert packed.alternatives[0].headers == {"authorization": "Bearer b", "content-encoding": "gzip"}
    assert RequestCompression().compress(packed) is packed
    assert (call.content, call.headers) == (PROSE, {"authorization": "Bearer a"})
    assert other.headers == {"authorization": "Bearer b"}


@pytest.mark.requirement("CMP-01")
def test_a_call_that_is_not_packed_is_the_call_itself() -> None:
    """Nothing is copied for nothing."""
    call = HttpCall(method="POST", url="https://a.example/v1", content=b"{}")
    assert RequestCompression().compress(call) is call


@pytest.mark.requirement("SEC-08")
def test_headers_that_mask_their_credentials_go_on_masking() -> None:
    """A traceback may show them."""
    headers = MaskedHeaders({"authorization": "Bearer sk-secret-0000000000"})
    call = HttpCall(method="POST", url="https://a.example/v1", headers=headers, content=PROSE)
    packed = RequestCompression().compress(call)
    assert "sk-secret" not in repr(packed.headers)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in headers


@pytest.mark.requirement("CMP-01")
def test_the_same_body_becomes_the_same_bytes() -> None:
    """No time stamp, no file name: whoever signs or compares requests can."""
    first, second = (RequestCompression().pack({}, PROSE) for _ in range(2))
    assert first == second
    assert first is not None
    assert first.content[4:8] == bytes(4)


def test_a_higher_level_is_smaller() -> None:
    """The level is handed on."""
    text = b" ".join(b"%d" % (number * 7919 % 10007) for number in range(4000))
    quick, small = (RequestCompression(level=level).pack({}, text) for level in (1, 9))
    assert quick is not None
    assert small is not None
    assert len(small.content) < len(quick.content)


@given(st.binary(max_size=300), st.integers(0, 20), st.sampled_from(["gzip", "deflate"]))
def test_what_is_packed_is_smaller_and_comes_back(piece: bytes, times: int, encoding: str) -> None:
    """For any bytes at all, whether they repeat or not."""
    content = piece * times
    packed = RequestCompression(encoding=encoding, min_bytes=0).pack({}, content)
    if packed is not None:
        assert len(packed.content) < len(content)
        assert UNDO[encoding](packed.content) == content


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"encoding": "br"}, "encoding must be one of gzip, deflate, not 'br'"),
        ({"min_bytes": -1}, "min_bytes must be zero or more bytes, not -1"),
        ({"level": 0}, "level must be from 1 to 9, not 0"),
        ({"level": 10}, "level must be from 1 to 9, not 10"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, object], text: str) -> None:
    """The text names the field and what would be accepted."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        RequestCompression(**settings)
