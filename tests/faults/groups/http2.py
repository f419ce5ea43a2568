"""What only HTTP/2 can do wrong: codes of a reset, GOAWAY, windows, settings, pings, and frames that are none."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hyperframe import frame as frames

from openai_client import errors
from tests.faults.case import (
    DEADLINE,
    H2,
    INTERNAL,
    LATER,
    NEVER,
    NOT_SENT,
    PARTIAL,
    RAISED,
    RESET,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.groups.wire import DONE, chunk, stream, tokens
from tests.faults.upstreams import Http2
from tests.integration.http_util.engine.scripted_http2 import (
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    greeting,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.faults.run import Run
    from tests.integration.http_util.engine.scripted_http2 import Http2Connection, Stream

CODES: Final = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)
"""Of RFC 9113, section 7, each at the place of its number."""
REFUSED_STREAM: Final = 7
MOVES: Final = 3
"""How often the engine moves a request that was not processed to another connection, before the policy hears of it."""

BROKEN: Final = Failure(RESET, "reset", PARTIAL, LATER)
EARLY_BROKEN: Final = Failure(UNAVAILABLE, "reset", UNKNOWN, LATER)
UNPROCESSED: Final = Failure(UNAVAILABLE, "reset", NOT_SENT, LATER)
NO_PLACE: Final = Failure(UNAVAILABLE, "pool_timeout", NOT_SENT, LATER)
NO_PROTOCOL: Final = Failure(INTERNAL, "protocol", PARTIAL, NEVER)
EARLY_NO_PROTOCOL: Final = NO_PROTOCOL._replace(outcome=UNKNOWN)

EVENT_STREAM: Final = ("content-type", "text/event-stream")
WHOLE: Final = "started token*3 end"


def row(name: str, script: Callable[[Stream], Awaitable[None]], failure: Failure | None = None, **more: Any) -> Case:
    """A case over frames that a script writes; *options* are the server's."""
    upstream = Http2(script, more.pop("options", {}))
    sequence = WHOLE if failure is None else RAISED
    given = {"sequence": sequence, **more}
    return Case(name=name, group="http2", upstream=upstream, failure=failure, protocols=(H2,), **given)


def broken(name: str, script: Callable[[Stream], Awaitable[None]], failure: Failure = BROKEN, **more: Any) -> Case:
    """A case in which three tokens come, and then something else."""
    return row(name, script, failure, **{"sequence": "started token*3 error", **more})


def after_three(then: Callable[[Stream], object], pause: float = 0.02) -> Callable[[Stream], Awaitable[None]]:
    """Return the script that sends three tokens and does something *pause* seconds later."""

    async def script(stream_: Stream) -> None:
        stream_.head(200, EVENT_STREAM)
        stream_.data(tokens(3))
        await asyncio.sleep(pause)
        then(stream_)

    return script


def at_once(then: Callable[[Stream], object]) -> Callable[[Stream], Awaitable[None]]:
    """Return the script that does something in the place of an answer."""

    async def script(stream_: Stream) -> None:
        await stream_.ended.wait()
        then(stream_)

    return script


def in_turn(*steps: Callable[[Stream], object]) -> Callable[[Stream], None]:
    """Return the step that does several, one after the other."""

    def do(stream_: Stream) -> None:
        for step in steps:
            step(stream_)

    return do


def resetting(code: int) -> Callable[[Stream], None]:
    """Return the step that resets the stream."""
    return lambda stream_: stream_.reset(code)


def heading(head: list[tuple[str, str]]) -> Callable[[Stream], None]:
    """Return the step that sends a head as it is."""
    return lambda stream_: stream_.connection.send_headers(stream_.number, head)


def whole(stream_: Stream) -> None:
    """Answer well."""
    stream_.head(200, EVENT_STREAM)
    stream_.data(stream(), end=True)


def end(stream_: Stream) -> None:
    """End an answer of which the tokens were sent."""
    stream_.data(chunk({}, "stop") + DONE, end=True)


# resets

RESETS: Final = tuple(broken(f"reset-{name.lower()}", after_three(resetting(code))) for code, name in enumerate(CODES))
EARLY_RESETS: Final = tuple(
    row(f"early-reset-{name.lower()}", at_once(resetting(code)), EARLY_BROKEN)
    for code, name in enumerate(CODES)
    if code != REFUSED_STREAM
)


async def refuse_once(stream_: Stream) -> None:
    """Refuse the first request of all."""
    await stream_.ended.wait()
    if len(stream_.connection.server.streams) == 1:
        stream_.reset(REFUSED_STREAM)
    else:
        whole(stream_)


# GOAWAY


async def leave_once(stream_: Stream, code: int = 0) -> None:
    """On the first connection, process nothing and say so."""
    if stream_.connection.number == 0:
        stream_.connection.goaway(0, code)
    else:
        whole(stream_)


async def leave_and_finish(stream_: Stream) -> None:
    """Say GOAWAY in the middle of an answer that is finished all the same."""
    stream_.head(200, EVENT_STREAM)
    stream_.data(tokens(3))
    stream_.connection.goaway(stream_.number)
    await asyncio.sleep(0.02)
    end(stream_)


def leave_and_close(stream_: Stream, last: int | None = None, code: int = 2) -> None:
    """Say GOAWAY with an error, and close."""
    stream_.connection.goaway(stream_.number if last is None else last, code)
    stream_.connection.close()


# windows and settings


async def pour(stream_: Stream) -> None:
    """Answer as the client's windows allow, with more than they hold."""
    stream_.head(200, EVENT_STREAM)
    await stream_.pour((b": " + b"f" * 1_000 + b"\n\n") * 20_000 + stream())


async def overflow(stream_: Stream) -> None:
    """Send more than the client allows on a stream, and less than it allows on all together."""
    stream_.head(200, EVENT_STREAM)
    stream_.data(tokens(3))
    await asyncio.sleep(0.02)
    for _ in range(30):
        stream_.data(b":" + b" " * 16_000 + b"\n")


async def settings_change(stream_: Stream) -> None:
    """Allow fewer streams, smaller windows and no header table in the middle of an answer."""
    stream_.head(200, EVENT_STREAM)
    stream_.data(tokens(3))
    for settings in (
        {MAX_CONCURRENT_STREAMS: 1},
        {INITIAL_WINDOW_SIZE: 10},
        {frames.SettingsFrame.HEADER_TABLE_SIZE: 0},
    ):
        stream_.connection.set(settings)
        await asyncio.sleep(0.005)
    end(stream_)


async def many_at_once(run: Run) -> None:
    """Run five tasks at once; the row is about the last of them."""
    streams = await asyncio.gather(*(run.submit(run.task(f"other-{number}")) for number in range(4)), run.submit())
    texts = [await stream_.collect() for stream_ in streams[:-1] if stream_ is not None]
    assert [text.tokens for text in texts] == [3] * 4
    await run.read(streams[-1])


async def open_by_settings(stream_: Stream) -> None:
    """Let the rest of a body come by new settings, and answer when all of it is there."""
    await asyncio.sleep(0.02)
    stream_.connection.give(300_000)
    stream_.connection.set({INITIAL_WINDOW_SIZE: 300_000})
    await stream_.ended.wait()
    whole(stream_)


async def read_late(run: Run) -> None:
    """Take nothing for a while, so that no window is opened."""
    stream = await run.submit()
    await asyncio.sleep(0.1)
    await run.read(stream)


async def slow_whole(stream_: Stream) -> None:
    """Answer well, one moment later, so that others wait meanwhile."""
    await asyncio.sleep(0.01)
    whole(stream_)


async def allow_less(stream_: Stream) -> None:
    """Answer well, and allow no stream of this connection from then on."""
    await stream_.ended.wait()
    whole(stream_)
    stream_.connection.set({MAX_CONCURRENT_STREAMS: 0})


async def behind_others(run: Run) -> None:
    """Come when four tasks have found that there is no room, and be served behind them."""
    others = [asyncio.ensure_future(run.submit(run.task(f"other-{number}"))) for number in range(4)]
    await asyncio.sleep(0.07)
    await run.read(await run.submit())
    texts = [await stream_.collect() for stream_ in await asyncio.gather(*others) if stream_ is not None]
    assert [text.tokens for text in texts] == [3] * 4


async def one_after_the_other(run: Run) -> None:
    """Run three tasks, each to its end and a moment before the next; the row is about the last."""
    for name in ("first", "second"):
        before = await run.submit(run.task(name))
        assert before is not None
        await before.collect()
        await asyncio.sleep(0.02)
    await run.read(await run.submit())


async def refuse_all(stream_: Stream) -> None:
    """Allow no stream, and refuse the one that was opened before that was said."""
    await stream_.ended.wait()
    stream_.connection.set({MAX_CONCURRENT_STREAMS: 0})
    stream_.reset(REFUSED_STREAM)


async def refuse_at_first(stream_: Stream) -> None:
    """Allow no stream on two connections, and, a moment later, several on the first one."""
    connection = stream_.connection
    if stream_.number > 1:
        await slow_whole(stream_)
        return
    await refuse_all(stream_)
    if connection.number == 1:
        first = connection.server.connections[0]
        asyncio.get_running_loop().call_later(0.1, first.set, {MAX_CONCURRENT_STREAMS: 10})


async def no_greeting(connection: Http2Connection) -> None:
    """Send no settings."""


async def hang_up(connection: Http2Connection) -> None:
    """Close where the settings should be."""
    connection.close()


async def speak_http1(connection: Http2Connection) -> None:
    """Answer the preface as an HTTP/1.1 server does that was wrong about ALPN."""
    connection.raw(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


async def silent(stream_: Stream) -> None:
    """Never answer."""


SHORT_WAIT: Final[dict[str, Any]] = {
    "settings": {"pool_timeout": 0.2, "retry": None},
    "client": {"pool_timeout": 0.2, "retry": None},
    "leaf": errors.Timeout,
    "after": 0.2,
    "within": 0.3,
}
"""A wait for a place that ends soon, and is not begun again. It begins when two connections have said no."""

SAYS_NOTHING: Final = {"greeting": no_greeting, "acknowledges": False, "gives_credit": False}
"""No frame but those of the script: it knows whether a request comes before the settings or behind them."""

PINGS: Final = {"http2_ping_interval": 0.1, "http2_ping_timeout": 0.1}


GOAWAYS: Final = (
    row("goaway-before", leave_once, posts=2),
    row("goaway-before-calm", partial(leave_once, code=11), posts=2),
    row("goaway-always", at_once(lambda stream_: stream_.connection.goaway(0)), UNPROCESSED, posts=4 * (1 + MOVES)),
    row("goaway-then-finished", leave_and_finish),
    broken("goaway-and-closed", after_three(leave_and_close)),
    broken("goaway-below-a-running-stream", after_three(partial(leave_and_close, last=0, code=0))),
    row("goaway-and-closed-early", at_once(leave_and_close), EARLY_BROKEN),
    row("refused-once", refuse_once, posts=2),
    row("refused-always", at_once(lambda stream_: stream_.reset(REFUSED_STREAM)), UNPROCESSED, posts=4 * (1 + MOVES)),
    broken("refused-after-tokens", after_three(lambda stream_: stream_.reset(REFUSED_STREAM))),
    row("reset-no-error-after-the-end", at_once(in_turn(whole, resetting(0)))),
)

CONNECTIONS: Final = (
    row("more-than-the-window", pour, within=2.0),
    broken("window-overrun", overflow, NO_PROTOCOL, consumer=read_late),
    row("settings-change", settings_change),
    row(
        "window-opens-by-settings",
        open_by_settings,
        options={"gives_credit": False},
        task={"prompt": "sea " * 50_000, "ctx": 100_000},
    ),
    row(
        "one-stream-at-a-time",
        slow_whole,
        options={"greeting": greeting({MAX_CONCURRENT_STREAMS: 1})},
        consumer=many_at_once,
        posts=5,
        attempts=1,
    ),
    row("no-stream-allowed", refuse_all, NO_PLACE, options=SAYS_NOTHING, posts=2, attempts=3, **SHORT_WAIT),
    row("no-stream-allowed-until-later", refuse_at_first, options=SAYS_NOTHING, posts=3, after=0.1),
    row(
        "no-stream-allowed-until-the-deadline",
        refuse_all,
        Failure(DEADLINE, "deadline", NOT_SENT, NEVER),
        options=SAYS_NOTHING,
        task={"deadline_ms": 200},
        posts=2,
        attempts=3,
        after=0.2,
        within=0.2,
    ),
    row(
        "no-stream-allowed-and-many-wait",
        refuse_at_first,
        options=SAYS_NOTHING,
        consumer=behind_others,
        posts=7,
        attempts=1,
        after=0.1,
    ),
    row(
        "no-stream-allowed-any-more",
        allow_less,
        options={"greeting": greeting({MAX_CONCURRENT_STREAMS: 1})},
        consumer=one_after_the_other,
        posts=3,
        attempts=1,
    ),
    row("no-settings", at_once(whole), EARLY_NO_PROTOCOL, options={"greeting": no_greeting, "acknowledges": False}),
    row("settings-not-acknowledged", at_once(whole), options={"acknowledges": False}),
    row("closed-before-settings", silent, UNPROCESSED, options={"greeting": hang_up}, posts=0, attempts=4),
    row("http1-behind-alpn", silent, UNPROCESSED, options={"greeting": speak_http1}, posts=0, attempts=4),
    row(
        "ping-unanswered-early",
        silent,
        EARLY_BROKEN,
        options={"answers_pings": False},
        settings=PINGS,
        after=0.2,
        within=0.25,
    ),
    broken(
        "ping-unanswered",
        after_three(lambda _: None),
        options={"answers_pings": False},
        settings=PINGS,
        after=0.2,
        within=0.25,
    ),
    row("ping-answered", after_three(end, 0.35), settings=PINGS, after=0.35, within=0.4),
)

CASES: Final = (*RESETS, *EARLY_RESETS, *GOAWAYS, *CONNECTIONS)
