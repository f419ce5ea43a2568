"""Settings: bounds, repetitions, and how ours are written."""

from __future__ import annotations

import struct

import pytest
from hyperframe.frame import SettingsFrame

from http_util.engine.http2_frames import ConnectionFault, ErrorCode
from http_util.engine.http2_settings import MAX_SETTINGS, Setting, read_settings, settings_frame
from tests.unit.http_util.engine.http2_doubles import frames


def payload(*pairs: tuple[int, int]) -> bytes:
    """The payload of a SETTINGS frame."""
    return b"".join(struct.pack(">HI", *pair) for pair in pairs)


def test_our_settings_are_written_as_another_library_reads_them() -> None:
    """Numbers and values."""
    (found,) = frames(settings_frame({Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}))
    assert isinstance(found, SettingsFrame)
    assert found.settings == {2: 0, 4: 2**31 - 1}


def test_settings_are_read_and_unknown_ones_are_too() -> None:
    """Whoever uses them asks by name."""
    assert read_settings(payload((3, 100), (0x4242, 2**32 - 1))) == {3: 100, 0x4242: 2**32 - 1}
    assert read_settings(b"") == {}


def test_the_later_of_two_holds() -> None:
    """6.5.3."""
    assert read_settings(payload((3, 100), (3, 7))) == {3: 7}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (Setting.HEADER_TABLE_SIZE, 2**32 - 1),
        (Setting.ENABLE_PUSH, 0),
        (Setting.MAX_CONCURRENT_STREAMS, 0),
        (Setting.INITIAL_WINDOW_SIZE, 0),
        (Setting.INITIAL_WINDOW_SIZE, 2**31 - 1),
        (Setting.MAX_FRAME_SIZE, 2**14),
        (Setting.MAX_FRAME_SIZE, 2**24 - 1),
        (Setting.MAX_HEADER_LIST_SIZE, 0),
    ],
)
def test_a_value_at_its_bound_is_taken(setting: Setting, value: int) -> None:
    """6.5.2."""
    assert read_settings(payload((setting, value))) == {setting: value}


@pytest.mark.parametrize(
    ("setting", "value", "error_code"),
    [
        (Setting.ENABLE_PUSH, 1, ErrorCode.PROTOCOL_ERROR),
        (Setting.ENABLE_PUSH, 2, ErrorCode.PROTOCOL_ERROR),
        (Setting.INITIAL_WINDOW_SIZE, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
        (Setting.MAX_FRAME_SIZE, 2**14 - 1, ErrorCode.PROTOCOL_ERROR),
        (Setting.MAX_FRAME_SIZE, 2**24, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_a_value_beyond_its_bound_ends_the_connection(setting: Setting, value: int, error_code: ErrorCode) -> None:
    """Also when a good one follows; the message names the setting and what would be allowed."""
    with pytest.raises(ConnectionFault, match=f"{setting.name} is {value}; .* allowed") as caught:
        read_settings(payload((setting, value), (setting, 2**14)))
    assert caught.value.error_code == error_code


@pytest.mark.parametrize("size", [1, 5, 7])
def test_settings_that_are_cut_off_end_the_connection(size: int) -> None:
    """6.5."""
    with pytest.raises(ConnectionFault, match="cut off") as caught:
        read_settings(bytes(size))
    assert caught.value.error_code == ErrorCode.FRAME_SIZE_ERROR


def test_there_is_a_bound_of_settings_in_one_frame() -> None:
    """At it, and one above."""
    assert len(read_settings(payload(*((number, 0) for number in range(100, 100 + MAX_SETTINGS))))) == MAX_SETTINGS
    with pytest.raises(ConnectionFault, match="32 settings") as caught:
        read_settings(payload(*((3, 0) for _ in range(MAX_SETTINGS + 1))))
    assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM
