"""
Faults of a body's bytes: line ends, encodings, splits, drips and cuts. Each turns steps into steps.
"""

from __future__ import annotations

import re
import zlib
from itertools import chain
from typing import TYPE_CHECKING, Final

from upstream_simulator.steps import Break, Send, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upstream_simulator.faults import Faults

_MIB: Final = 1 << 20
_COMMENT_LINE: Final = b":" + b" " * 1022 + b"\n"
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
# Long enough for the first half to leave and be read as a read of its own, short enough to test with.
_SPLIT_PAUSE: Final = 0.002
_BOM: Final = b"\xef\xbb\xbf"
_CODECS: Final = {"latin-1": "latin-1", "utf-16": "utf-16-le"}
# magic number, no options, a window of 1 MiB; a last block without content
_ZSTD_HEAD: Final = bytes.fromhex("28b52ffd0050")
_ZSTD_END: Final = bytes.fromhex("010000")
_ZSTD_BLOCK: Final = 128 << 10
_CHARACTER_START: Final = re.compile(rb"[\xc2-\xf4]")


def apply_body_faults(steps: Iterable[Step], faults: Faults) -> Iterator[Step]:
    """
    Do to the bytes of a body whatever the faults ask for.

    Args:
        steps: `Send` and `Wait` steps of the body.
        faults: What to do.

    Returns:
        The steps, with a `Break` as the last one where the body is cut.

    Spec: SIM-06
    """
    if faults.crlf or faults.cr:
        steps = _with_line_ends(steps, b"\r\n" if faults.crlf else b"\r")
    if faults.charset is not None:
        steps = _in_charset(steps, _CODECS[faults.charset])
    if faults.bom:
        steps = chain([Send(_BOM)], steps)
    if faults.encoding == "zstd":
        steps = _as_zstd(steps)
    elif faults.encoding in _WINDOW_BITS or faults.bomb_mib:
        steps = _compressed(steps, faults.encoding or "gzip", faults.bomb_mib)
    if faults.split_utf8:
        steps = _split_characters(steps)
    if faults.drip:
        steps = _drip(steps, faults.drip, faults.drip_ms / 1000)
    if faults.cut is not None:
        steps = _cut(steps, faults.cut, Break(faults.cut_by, faults.h2_error))
    if faults.cut_after_tokens is not None:
        steps = _cut_after_tokens(steps, faults.cut_after_tokens, Break(faults.cut_by, faults.h2_error))
    return iter(steps)


def join_tokens(steps: Iterable[Step], tokens_per_write: int) -> Iterator[Step]:
    """
    Gather several tokens into one write.

    Args:
        steps: Steps of a body; pauses between gathered writes come before them.
        tokens_per_write: How many tokens to gather.

    Yields:
        Fewer, longer `Send` steps.
    """
    held: list[Send] = []
    for step in steps:
        if isinstance(step, Send):
            held.append(step)
            if sum(send.tokens for send in held) >= tokens_per_write:
                yield _joined(held)
                held = []
        else:
            yield step
    if held:
        yield _joined(held)


def _joined(sends: list[Send]) -> Send:
    return Send(b"".join(send.data for send in sends), sum(send.tokens for send in sends))


def _with_line_ends(steps: Iterable[Step], end: bytes) -> Iterator[Step]:
    for step in steps:
        yield step._replace(data=step.data.replace(b"\n", end)) if isinstance(step, Send) else step


def _in_charset(steps: Iterable[Step], codec: str) -> Iterator[Step]:
    for step in steps:
        yield (
            step._replace(data=step.data.decode("utf-8", "replace").encode(codec, "replace"))
            if isinstance(step, Send)
            else step
        )


def _as_zstd(steps: Iterable[Step]) -> Iterator[Step]:
    """
    Write one Zstandard frame of raw blocks (RFC 8878, 3.1.1): a good encoding that compresses nothing.
    """
    yield Send(_ZSTD_HEAD)
    for step in steps:
        if not isinstance(step, Send):
            yield step
            continue
        pieces = (step.data[at : at + _ZSTD_BLOCK] for at in range(0, len(step.data), _ZSTD_BLOCK))
        yield step._replace(data=b"".join((len(piece) << 3).to_bytes(3, "little") + piece for piece in pieces))
    yield Send(_ZSTD_END)


def _compressed(steps: Iterable[Step], encoding: str, bomb_mib: int) -> Iterator[Step]:
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS.get(encoding, 31))
    for _ in range(bomb_mib):
        yield Send(packer.compress(_COMMENT_LINE * (_MIB // len(_COMMENT_LINE))) + packer.flush(zlib.Z_SYNC_FLUSH))
    for step in steps:
        if isinstance(step, Send):
            yield step._replace(data=packer.compress(step.data) + packer.flush(zlib.Z_SYNC_FLUSH))
        else:
            yield step
    yield Send(packer.flush(zlib.Z_FINISH))


def _split_characters(steps: Iterable[Step]) -> Iterator[Step]:
    """
    Cut each write after the first byte of every multi-byte character in it.
    """
    for step in steps:
        if not isinstance(step, Send):
            yield step
            continue
        start = 0
        for found in _CHARACTER_START.finditer(step.data):
            yield Send(step.data[start : found.start() + 1])
            yield Wait(_SPLIT_PAUSE)
            start = found.start() + 1
        yield Send(step.data[start:], step.tokens)


def _drip(steps: Iterable[Step], size: int, pause: float) -> Iterator[Step]:
    for step in steps:
        if not isinstance(step, Send):
            yield step
            continue
        for start in range(0, len(step.data), size):
            is_last = start + size >= len(step.data)
            yield Send(step.data[start : start + size], step.tokens if is_last else 0)
            yield Wait(pause)


def _cut(steps: Iterable[Step], left: int, end: Break) -> Iterator[Step]:
    """
    Let *left* bytes pass; what the last write announced beyond them stays announced.
    """
    for step in steps:
        if isinstance(step, Send) and len(step.data) > left:
            yield Send(step.data[:left], 0, len(step.data) - left)
            yield end
            return
        if isinstance(step, Send):
            left -= len(step.data)
        yield step
    # The body was shorter: it is broken off where its orderly end would be.
    yield end


def _cut_after_tokens(steps: Iterable[Step], left: int, end: Break) -> Iterator[Step]:
    for step in steps:
        if left <= 0:
            break
        yield step
        if isinstance(step, Send):
            left -= step.tokens
    yield end
