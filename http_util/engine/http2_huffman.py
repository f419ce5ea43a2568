"""
The Huffman code of header strings (RFC 7541, 5.2 and appendix B), for reading. Pure.

The code is canonical: codes of one length follow each other in the order of their symbols, and longer ones begin where
shorter ones end. So the lengths say everything. A string is read a byte at a time: each step leads from one node of the
code's tree to another and gives the characters that ended on the way. Steps are worked out when they are first needed;
there are at most 65,536 of them (some 10 MB, should a peer care to use them all), a few hundred in practice.

Spec: HTU-02
"""

from __future__ import annotations

from typing import Final

END: Final = 256
"""The symbol behind the last byte value. It never stands in a string; its first bits fill the last byte."""

# sixteen a line, so that a symbol can be found
# fmt: off
CODE_LENGTHS: Final = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
)
# fmt: on
"""Bits of the code of each byte value, and of `END`."""

_ROOT: Final = 0
_FILLING_BITS: Final = 7
"""Most bits that may fill the last byte."""


def codes() -> list[tuple[int, int, int]]:
    """Return the code: symbol, its bits as a number, how many bits these are; the shortest first."""
    code: list[tuple[int, int, int]] = []
    bits = length = 0
    for symbol in sorted(range(END + 1), key=lambda symbol: (CODE_LENGTHS[symbol], symbol)):
        bits <<= CODE_LENGTHS[symbol] - length
        length = CODE_LENGTHS[symbol]
        code.append((symbol, bits, length))
        bits += 1
    return code


def _tree() -> list[list[int]]:
    """Return the nodes of the code's tree, the root first: where a 0 and where a 1 leads, a leaf as ``~symbol``."""
    tree = [[_ROOT, _ROOT]]
    for symbol, bits, length in codes():
        node = _ROOT
        for shift in range(length - 1, 0, -1):
            bit = bits >> shift & 1
            if tree[node][bit] == _ROOT:
                tree[node][bit] = len(tree)
                tree.append([_ROOT, _ROOT])
            node = tree[node][bit]
        tree[node][bits & 1] = ~symbol
    return tree


class _Steps(dict[int, tuple[int, bytes]]):
    """From ``node << 8 | byte`` to the node that the byte leads to, and the characters that ended on the way."""

    def __init__(self) -> None:
        super().__init__()
        self._tree = _tree()
        # the bits that fill the last byte are the first ones of END, which are ones
        self.ends = {_ROOT}
        node = _ROOT
        for _ in range(_FILLING_BITS):
            node = self._tree[node][1]
            self.ends.add(node)

    def __missing__(self, key: int) -> tuple[int, bytes]:
        """Walk the eight bits, once."""
        node, byte = key >> 8, key & 0xFF
        ended = bytearray()
        for shift in range(7, -1, -1):
            node = self._tree[node][byte >> shift & 1]
            if node < 0:
                ended.append(~node)  # a ValueError for END, which is no byte
                node = _ROOT
        step = self[key] = node, bytes(ended)
        return step


_STEPS: Final = _Steps()


def huffman_decoded(text: bytes) -> bytes:
    r"""
    Return the string behind a code.

    >>> huffman_decoded(b"\xa8\xeb\x10\x64\x9c\xbf")
    b'no-cache'

    Raises:
        ValueError: It is no code: it names `END`, or its last byte is not filled up with ones.
    """
    steps = _STEPS
    node = _ROOT
    decoded = bytearray()
    for byte in text:
        node, ended = steps[node << 8 | byte]
        decoded += ended
    if node not in steps.ends:
        raise ValueError("the last byte of a Huffman code is not filled up with ones")
    return bytes(decoded)
