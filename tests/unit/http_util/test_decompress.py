"""Content encodings: undone in any cut, never beyond a bound."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.decompress import Decompressor
from http_util.errors import ProtocolFailure


def raw_deflate(data: bytes) -> bytes:
    """Compress without the zlib header, as many servers do."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


FORMS = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", raw_deflate),
}


def unfold(encoding: str, pieces: list[bytes], **settings: int) -> bytes:
    """Undo an encoding piece by piece."""
    decompressor = Decompressor.for_encoding(encoding, **settings)
    assert decompressor is not None
    data = b"".join(decompressor.feed(piece) for piece in pieces)
    decompressor.finish()
    return data


@pytest.mark.requirement("HTU-13")
@pytest.mark.parametrize("form", FORMS)
@given(data=st.binary(max_size=500), cuts=st.lists(st.integers(0, 600), max_size=6))
def test_each_encoding_is_undone_however_it_was_cut(form: str, data: bytes, cuts: list[int]) -> None:
    """gzip, deflate with and without its header; any cut."""
    encoding, pack = FORMS[form]
    packed = pack(data)
    places = sorted({0, len(packed), *(cut for cut in cuts if cut < len(packed))})
    assert unfold(encoding, [packed[a:b] for a, b in pairwise(places)]) == data


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_identity_leaves_nothing_to_undo(encoding: str) -> None:
    """There is no decompressor, and no cost."""
    assert Decompressor.for_encoding(encoding) is None


@pytest.mark.requirement("HTU-13")
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "x" * 500])
def test_another_encoding_is_a_protocol_failure(encoding: str) -> None:
    """The text says which was used and which are accepted."""
    with pytest.raises(ProtocolFailure, match="identity, gzip and deflate are accepted") as caught:
        Decompressor.for_encoding(encoding)
    assert caught.value.reason == "protocol"


def test_several_gzip_members_and_padding_are_one_body() -> None:
    """Some servers compress each piece for itself, some pad with zeros."""
    assert unfold("gzip", [gzip.compress(b"a") + gzip.compress(b"b"), b"\0\0", gzip.compress(b"c"), b"\0"]) == b"abc"


def test_bytes_behind_a_deflate_body_do_not_count() -> None:
    """The body has its own end."""
    assert unfold("deflate", [zlib.compress(b"a") + b"rest", b"more"]) == b"a"


@pytest.mark.requirement("HTU-13")
@pytest.mark.parametrize("form", ["gzip", "zlib", "raw"])
def test_a_bomb_is_refused_at_the_bound(form: str) -> None:
    """A hundred megabytes in a hundred kilobytes never come into memory."""
    encoding, pack = FORMS[form]
    with pytest.raises(ProtocolFailure, match="more than 1000 bytes") as caught:
        unfold(encoding, [pack(b"\0" * 5_000_000)], max_unfolded_bytes=1000)
    assert caught.value.reason == "protocol"


def test_a_piece_of_exactly_the_bound_passes_and_one_byte_more_does_not() -> None:
    """The bound counts the output of one piece."""
    assert len(unfold("gzip", [gzip.compress(b"x" * 1000)], max_unfolded_bytes=1000)) == 1000
    with pytest.raises(ProtocolFailure):
        unfold("gzip", [gzip.compress(b"x" * 1001)], max_unfolded_bytes=1000)
    with pytest.raises(ProtocolFailure):
        unfold("gzip", [gzip.compress(b"x" * 600) * 2], max_unfolded_bytes=1000)


@pytest.mark.parametrize("form", ["gzip", "zlib", "raw"])
def test_a_body_cut_at_any_byte_is_truncated_and_never_complete(form: str) -> None:
    """Only the empty body and the whole body come to an end."""
    encoding, pack = FORMS[form]
    packed = pack(b"some text that is long enough to be packed, packed, packed")
    for cut in range(1, len(packed)):
        with pytest.raises(ProtocolFailure) as caught:
            unfold(encoding, [packed[:cut]])
        assert caught.value.reason == "truncated"
    assert unfold(encoding, []) == unfold(encoding, [b""]) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bytes_that_are_not_compressed_are_a_decode_failure(encoding: str) -> None:
    """A header that lies."""
    with pytest.raises(ProtocolFailure, match="broken") as caught:
        unfold(encoding, [b"plain text, not compressed at all"])
    assert caught.value.reason == "decode"
