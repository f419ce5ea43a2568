"""Each fault, as a client sees it over a bare HTTP/1.1 socket."""

from __future__ import annotations

import gzip
import json
import zlib
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from upstream_simulator import SimulatorError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

pytestmark = [pytest.mark.integration, pytest.mark.requirement("SIM-06", "TST-10")]
Ask = Any


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_body_is_cut_at_any_byte_inside_its_chunk_framing(ask: Ask, simulator: Any, how: str) -> None:
    """Exactly the bytes before the cut arrive, and never the end of the framing."""
    whole = ask().body
    for size in (0, 1, 50, len(whole) // 2, len(whole) - 1):
        heard = ask(f"cut={size};cut_by={how}")
        assert (heard.body, heard.end) == (whole[:size], how)
        assert not heard.is_complete
    assert {exchange.left for exchange in simulator.log(settle=1)[1:]} == {"cut"}


def test_a_cut_behind_the_last_byte_leaves_the_framing_open(ask: Ask) -> None:
    """A cut at the body's length delivers all of it and withholds only its end."""
    whole = ask().body
    heard = ask(f"cut={len(whole)};cut_by=close")
    assert heard.body == whole
    assert not heard.is_complete


@pytest.mark.parametrize(("framing", "announced"), [("close", False), ("length", True)])
def test_a_body_is_cut_in_the_other_framings(ask: Ask, framing: str, announced: bool) -> None:
    """A close-delimited body just ends; a body with a length ends before it."""
    heard = ask(f"framing={framing};cut=100;cut_by=close")
    assert len(heard.framed) == 100
    assert ("content-length" in heard.headers) is announced
    assert int(heard.headers.get("content-length", 101)) > 100


def test_a_stream_is_cut_after_a_number_of_tokens(ask: Ask) -> None:
    """cut_after_tokens delivers whole tokens."""
    heard = ask("cut_after_tokens=3")
    assert heard.end == "reset"
    assert sum(bool(chunk["choices"][0]["delta"].get("content")) for chunk in heard.chunks) == 3


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_dropped_request_gets_no_byte(ask: Ask, how: str) -> None:
    """The connection ends without an answer."""
    heard = ask(f"drop={how}")
    assert (heard.head, heard.end) == (b"", how)


@pytest.mark.parametrize("place", ["head", "body", "2"])
def test_a_stall_delays_what_comes_after_its_place(ask: Ask, place: str) -> None:
    """What comes before the stall comes at once; the rest comes after it, complete."""
    heard = ask(f"stall=0.1;stall_at={place}")
    assert heard.seconds >= 0.1
    assert heard.is_complete
    assert (len(heard.reads) == 1 and heard.reads[0].endswith(b"\r\n\r\n")) or len(heard.reads) > 1 or place == "head"


def test_a_body_drips(ask: Ask) -> None:
    """Every drip is a read of its own, and together they are the body."""
    heard = ask("drip=100;drip_ms=2")
    assert len(heard.reads) >= len(heard.body) // 100
    assert heard.body == ask().body


def test_characters_are_split_across_writes(ask: Ask) -> None:
    """Some read ends inside a character, and the whole is still the same text."""
    heard = ask("words=unicode;split_utf8")
    broken = [piece for piece in heard.reads if is_broken(piece)]
    assert broken
    assert heard.text == ask("words=unicode").text
    assert len(heard.text.encode()) > len(heard.text)


def is_broken(piece: bytes) -> bool:
    """Tell whether a piece is not UTF-8 by itself."""
    try:
        piece.decode()
    except UnicodeDecodeError:
        return True
    return False


def test_hostile_text_arrives_whole(ask: Ask) -> None:
    """Line separators and control characters inside the text end no event."""
    text = ask("words=hostile;tokens=200").text
    assert {"\u2028", "\u2029", "\x85"} & set(text)


def test_lines_end_with_crlf(ask: Ask) -> None:
    """Crlf changes every line end of the stream and nothing else."""
    assert ask("crlf").body == ask().body.replace(b"\n", b"\r\n")


def test_an_answer_is_encoded(ask: Ask) -> None:
    """Gzip and deflate decode to the plain body; br is only claimed."""
    plain = ask()
    packed, deflated, claimed = ask("encoding=gzip"), ask("encoding=deflate"), ask("encoding=br")
    assert gzip.decompress(packed.body) == zlib.decompress(deflated.body) == claimed.body == plain.body
    assert [heard.headers["content-encoding"] for heard in (packed, deflated, claimed)] == ["gzip", "deflate", "br"]


def test_a_gzip_bomb_is_small_on_the_wire(ask: Ask) -> None:
    """Eight MiB of comments travel in a hundredth of it, and the stream follows."""
    heard = ask("bomb_mib=8")
    inflated = gzip.decompress(heard.body)
    assert len(heard.body) < len(inflated) / 100
    assert len(inflated) > 8 << 20
    assert inflated.endswith(b"data: [DONE]\n\n")


def test_leftover_bytes_follow_the_complete_answer(ask: Ask) -> None:
    """What stands behind the answer belongs to nothing."""
    heard = ask("leftover=HTTP/1.1 200 OK stolen")
    assert heard.framed.endswith(b"0\r\n\r\nHTTP/1.1 200 OK stolen")


def test_a_connection_is_closed_unannounced(connect: Callable[[], socket.socket]) -> None:
    """hangs_up closes after the answer although nothing said so."""
    sock = connect()
    sock.sendall(b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nx-simulate: hangs_up\r\ncontent-length: 25\r\n\r\n")
    sock.sendall(b'{"model":"m","input":"x"}')
    data = b""
    while piece := sock.recv(65536):
        data += piece
    assert data.endswith(b"}")
    assert b"connection:" not in data


def test_a_status_comes_with_any_body_and_headers(ask: Ask) -> None:
    """Status, content type, body and headers are as the wish says."""
    wish = {"status": 418, "body": {"tea": True}, "headers": {"X-Pot": "short", "server": None}}
    heard = ask(json.dumps(wish))
    assert (heard.status, heard.body) == (418, b'{"tea": true}')
    assert heard.headers["x-pot"] == "short"
    assert "server" not in heard.headers
    custom = ask("status=502;body=<html>;content-type=text/html")
    assert (custom.headers["content-type"], custom.body) == ("text/html", b"<html>")


def test_a_status_without_a_body_has_none(ask: Ask) -> None:
    """204 ends with its head."""
    heard = ask("status=204;error_form=empty")
    assert (heard.status, heard.framed) == (204, b"")


@pytest.mark.parametrize(
    ("form", "inside"),
    [
        ("openai", '"code":"rate_limit_exceeded"'),
        ("int_code", '"code":429'),
        ("string_code", '"code":"429"'),
        ("string", '"error":"slow down"'),
        ("flat", '"object":"error"'),
        ("detail", '"detail":"slow down"'),
        ("litellm", '"type":null'),
        ("text", "slow down"),
        ("html", "<h1>429 Too Many Requests</h1>"),
        ("empty", ""),
    ],
)
def test_an_error_is_written_in_every_form(ask: Ask, form: str, inside: str) -> None:
    """The same refusal in each of the forms that servers use."""
    heard = ask(f"status=429;error_form={form};error_message=slow down")
    assert heard.status == 429
    assert inside in heard.body.decode()


def test_retry_after_comes_in_seconds_as_a_date_and_in_milliseconds(ask: Ask) -> None:
    """All three variants of the wish to be left alone."""
    assert ask("status=429;retry_after=7").headers["retry-after"] == "7"
    assert ask("status=429;retry_after_ms=250").headers["retry-after-ms"] == "250"
    dated = ask("status=503;retry_after_date=60").headers["retry-after"]
    assert parsedate_to_datetime(dated).tzinfo is not None


def test_a_redirect_points_elsewhere(ask: Ask) -> None:
    """307 with the location asked for."""
    heard = ask("redirect=http://127.0.0.1:1/v1/chat/completions")
    assert (heard.status, heard.headers["location"]) == (307, "http://127.0.0.1:1/v1/chat/completions")


def test_the_key_is_echoed_when_asked_for(ask: Ask) -> None:
    """An upstream that repeats the key it was sent, in whichever header it came."""
    assert b"sk-echo-1" in ask("echo_key", authorization="Bearer sk-echo-1").body
    assert b"sk-echo-2" in ask("echo_key", api_key="sk-echo-2").body
    assert ask("echo_key").status == 401


@pytest.mark.parametrize(
    ("what", "content_type", "beginning"),
    [
        ("html", "text/html; charset=utf-8", b"<html>"),
        ("json", "application/json", b"{"),
        ("text", "text/plain; charset=utf-8", b"upstream"),
        ("empty", "text/event-stream; charset=utf-8", b""),
    ],
)
def test_something_else_comes_under_a_200(ask: Ask, what: str, content_type: str, beginning: bytes) -> None:
    """A page, an object, text or nothing where the stream should be."""
    heard = ask(f"instead={what}")
    assert (heard.status, heard.headers["content-type"]) == (200, content_type)
    assert heard.body.startswith(beginning)
    assert b"data:" not in heard.body


def test_comments_come_alone_for_a_while(ask: Ask) -> None:
    """Pings fill the time before the first chunk."""
    heard = ask("ping_for=0.1;ping_every=0.02")
    assert heard.body.startswith(b": ping\n\n" * 5)
    assert heard.seconds >= 0.1
    assert heard.events[-1] == "[DONE]"


def test_the_script_hands_out_its_faults_in_order(ask: Ask, simulator: Any) -> None:
    """Queued faults meet the next requests, None lets one pass, a header goes before the queue."""
    assert simulator.script("status=503", None, {"status": 500, "times": 2}) == 3
    assert ask("status=418").status == 418
    assert [ask().status for _ in range(5)] == [503, 200, 500, 500, 200]


def test_the_script_waits_for_a_path_and_has_an_always(ask: Ask, simulator: Any) -> None:
    """An entry with a path leaves other requests alone; always applies when the queue is empty, until a reset."""
    simulator.script("path=/v1/completions;status=501", always="status=502")
    assert [ask().status, ask(path="/v1/completions").status, ask().status] == [502, 501, 502]
    simulator.reset()
    assert ask().status == 200


def test_what_is_not_understood_is_said(ask: Ask, simulator: Any) -> None:
    """A wrong fault is answered with 400 and its name, a wrong script raises and adds nothing."""
    heard = ask("cutt=5")
    assert heard.status == 400
    assert b"cutt" in heard.body
    with pytest.raises(SimulatorError, match="status"):
        simulator.script("status=200", "status=9999")
    assert simulator.script() == 0
