"""From the first byte of a request to the head of its answer, and what lies on a connection that is used again."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from openai_client import errors
from tests.faults.case import (
    BOTH,
    H1,
    H2,
    INVALID,
    LATER,
    NEVER,
    RAISED,
    REJECTED,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.groups.connect import SHORT
from tests.faults.groups.wire import WHOLE, answer, replying
from tests.faults.run import AVAILABLE
from tests.faults.upstreams import Http1, Http2, simulated

if TYPE_CHECKING:
    from tests.faults.run import Run
    from tests.faults.upstreams import Upstream
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

BROKEN: Final = Failure(UNAVAILABLE, "reset", UNKNOWN, LATER)
SILENT: Final = Failure(UNAVAILABLE, "first_byte_timeout", UNKNOWN, LATER)
TOO_BIG: Final = Failure(INVALID, "malformed_request", REJECTED, NEVER)
SERVER: Final = Failure(UNAVAILABLE, "server_error", UNKNOWN, LATER)

LARGE: Final = {"prompt": "sea " * 500_000, "ctx": 1_000_000}
"""A task that no socket takes at once."""


def row(name: str, upstream: Upstream, failure: Failure, **more: Any) -> Case:
    """A case that fails before `started`."""
    return Case(name=name, group="request", upstream=upstream, sequence=RAISED, failure=failure, **more)


def answered(name: str, upstream: Upstream, **more: Any) -> Case:
    """A case that is odd and goes well."""
    given = {"sequence": "started token*3 end", "facts": {"evidence": "finish_reason"}, **more}
    return Case(name=name, group="request", upstream=upstream, **given)


# upstreams that do not read


async def deaf(connection: Http1Connection) -> None:
    """Read the head of a request, and nothing of its body for as long as the case takes."""
    await connection.request(with_body=False)
    await asyncio.sleep(2 * SHORT)
    await connection.until_gone()


async def early_refusal(connection: Http1Connection) -> None:
    """Refuse a request before its body was read, and read it after all."""
    await connection.request(with_body=False)
    await connection.send(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await connection.until_gone()


async def deaf_stream(stream_: Stream) -> None:
    """Give no credit for what is sent."""


async def refuse_stream_early(stream_: Stream) -> None:
    """Refuse a request before its body has come, and ask for no more of it."""
    stream_.head(413, end=True)
    stream_.reset(0)


# two tasks, one after the other


async def two_tasks(run: Run) -> None:
    """Send a task, read it, and send another, which is the one that the row is about."""
    first = await run.submit(run.task("t-0"))
    await run.read(first)
    run.events.clear()
    await asyncio.sleep(0.02)
    run.watch.restart()
    await run.read(await run.submit())


async def late_poison(connection: Http1Connection) -> None:
    """Answer well, and a moment later with what nobody has asked for."""
    await connection.request()
    await connection.send(WHOLE)
    await asyncio.sleep(0.005)
    await connection.send(answer(b'data: {"choices":[{"index":0,"delta":{"content":"poison"}}]}\n\ndata: [DONE]\n\n'))
    await connection.until_gone()


GOOD_THEN_CLOSED: Final = partial(replying, WHOLE, ends=True)


DROPS: Final = (
    row("reset-before-head", simulated(always="drop=reset"), BROKEN, leaf=errors.ConnectionFailed),
    row("closed-before-head", simulated(always="drop=close"), BROKEN, leaf=errors.ConnectionFailed),
    row(
        "reset-before-head-available",
        simulated(always="drop=reset"),
        BROKEN,
        posts=4,
        settings={"retry": AVAILABLE},
        client={"retry": AVAILABLE},
        leaf=errors.ConnectionFailed,
    ),
    row(
        "500-available",
        simulated(always="status=500"),
        SERVER,
        posts=4,
        settings={"retry": AVAILABLE},
        client={"retry": AVAILABLE},
        leaf=errors.InternalServerError,
    ),
    row(
        "500-no-policy",
        simulated(always="status=500"),
        SERVER,
        settings={"retry": None},
        client={"retry": None},
        leaf=errors.InternalServerError,
    ),
    Case(
        name="429-then-good",
        group="request",
        upstream=simulated("status=429", "status=503"),
        sequence="started token*8 end",
        posts=3,
    ),
    Case(
        name="reset-then-good-available",
        group="request",
        upstream=simulated("drop=reset"),
        sequence="started token*8 end",
        posts=2,
        settings={"retry": AVAILABLE},
    ),
)

SILENCE: Final = (
    row(
        "no-head",
        simulated(always="stall=30"),
        SILENT,
        settings={"first_byte_timeout": SHORT},
        client={"first_byte_timeout": SHORT, "idle_timeout": SHORT},
        leaf=errors.Timeout,
        after=SHORT,
        within=SHORT,
    ),
    row(
        "no-head-available",
        simulated("stall=30", "stall=30", always="status=500"),
        SERVER,
        posts=4,
        settings={"first_byte_timeout": 0.1, "retry": AVAILABLE},
        after=0.2,
        within=0.3,
    ),
    row(
        "body-not-read",
        Http1(lambda: deaf),
        SILENT,
        protocols=(H1,),
        task=LARGE,
        settings={"first_byte_timeout": SHORT},
        after=SHORT,
        within=SHORT + 0.1,
    ),
    row(
        "no-window-for-the-body",
        Http2(deaf_stream, {"gives_credit": False}),
        SILENT,
        protocols=(H2,),
        task=LARGE,
        settings={"first_byte_timeout": SHORT},
        after=SHORT,
        within=SHORT + 0.1,
    ),
    row(
        "refused-while-sending",
        Http1(lambda: early_refusal),
        TOO_BIG,
        protocols=(H1,),
        task=LARGE,
    ),
    row(
        "refused-while-sending-h2",
        Http2(refuse_stream_early, {"gives_credit": False}),
        TOO_BIG,
        protocols=(H2,),
        task=LARGE,
    ),
)


REUSE: Final = (
    answered("closed-while-idle", Http1(GOOD_THEN_CLOSED), consumer=two_tasks, posts=2, attempts=1, protocols=(H1,)),
    answered(
        "answer-nobody-asked-for",
        Http1(partial(replying, WHOLE + answer(b"data: poison\n\n"), WHOLE)),
        consumer=two_tasks,
        posts=2,
        attempts=1,
        protocols=(H1,),
    ),
    answered(
        "late-answer-nobody-asked-for",
        Http1(lambda: late_poison),
        consumer=two_tasks,
        posts=2,
        attempts=1,
        protocols=(H1,),
    ),
    answered(
        "bytes-behind-the-answer",
        Http1(partial(replying, WHOLE + b"junk", WHOLE)),
        consumer=two_tasks,
        posts=2,
        attempts=1,
        protocols=(H1,),
    ),
    Case(
        name="hangs-up-after-each",
        group="request",
        upstream=simulated(always="hangs_up"),
        sequence="started token*8 end",
        consumer=two_tasks,
        posts=2,
        attempts=1,
        protocols=BOTH,
    ),
    Case(
        name="body-until-close",
        group="request",
        upstream=simulated(always="framing=close"),
        sequence="started token*8 end",
        consumer=two_tasks,
        posts=2,
        attempts=1,
    ),
)

CASES: Final = (*DROPS, *SILENCE, *REUSE)
