"""
Settings: what each side tells the other about itself (RFC 9113, 6.5; sections in brackets). Pure.

Spec: HTU-02
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from http_util.engine.http2_frames import MAX_FRAME_BYTES, MAX_STREAM_ID, ConnectionFault, ErrorCode, FrameType, frame

if TYPE_CHECKING:
    from collections.abc import Mapping

INITIAL_WINDOW: Final = 65_535
"""The window of a stream until settings say another one, and of the connection until it is raised (6.9.2)."""

MAX_WINDOW: Final = MAX_STREAM_ID
"""No window is larger (6.9.1)."""

MAX_SETTINGS: Final = 32
"""Most settings in one frame; six are defined. nghttp2 takes as many."""

_LARGEST_FRAME: Final = 2**24 - 1
_SETTING: Final = struct.Struct(">HI")


class Setting(IntEnum):
    """The settings that the protocol defines (6.5.2); others are ignored."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


_BOUNDS: Final[Mapping[int, tuple[int, int, ErrorCode]]] = {
    # we are no server, so there is nothing that the peer might let us push
    Setting.ENABLE_PUSH: (0, 0, ErrorCode.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, MAX_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (MAX_FRAME_BYTES, _LARGEST_FRAME, ErrorCode.PROTOCOL_ERROR),
}
"""Least value, largest value, and the error of another one; a setting that is not named here takes any (6.5.2)."""


def settings_frame(settings: Mapping[Setting, int]) -> bytes:
    """Return the frame that tells the peer our *settings*."""
    payload = b"".join(_SETTING.pack(setting, value) for setting, value in settings.items())
    return frame(FrameType.SETTINGS, 0, 0, payload)


def read_settings(payload: bytes) -> dict[int, int]:
    """
    Return the settings of a frame. Where one stands twice, the later one holds (6.5.3).

    Raises:
        ConnectionFault: The frame is cut off, has too many settings, or a value that is not allowed.
    """
    if len(payload) % _SETTING.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "the upstream's settings are cut off (6.5)")
    if len(payload) > MAX_SETTINGS * _SETTING.size:
        raise ConnectionFault(
            ErrorCode.ENHANCE_YOUR_CALM, f"the upstream sent more than {MAX_SETTINGS} settings at once"
        )
    settings: dict[int, int] = {}
    for setting, value in _SETTING.iter_unpack(payload):
        least, largest, error_code = _BOUNDS.get(setting, (0, value, ErrorCode.NO_ERROR))
        if not least <= value <= largest:
            said = f"the upstream's {Setting(setting).name} is {value}; {least} to {largest} are allowed (6.5.2)"
            raise ConnectionFault(error_code, said)
        settings[setting] = value
    return settings
