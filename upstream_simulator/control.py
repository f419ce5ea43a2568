"""
The control paths, by which tests tell the server what to do and ask what it saw.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from upstream_simulator.faults import InvalidFault
from upstream_simulator.script import read_script
from upstream_simulator.steps import Finish, Head, Send, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstream_simulator.received import Received
    from upstream_simulator.server import Server

CONTROL_PREFIX: Final = "/_sim/"
_TICK: Final = 0.005


def answer_control(server: Server, received: Received) -> Iterator[Step]:
    """
    Act on a request to a control path.

    Args:
        server: Whose script and log are meant.
        received: `GET /_sim/log?since=N&settle=SECONDS`, `POST /_sim/script` or `POST /_sim/reset`.

    Yields:
        The reply, always JSON: the log, how many faults wait, or an error.

    Spec: SIM-06, SIM-08
    """
    name = f"{received.method} {received.path.removeprefix(CONTROL_PREFIX)}"
    if name == "GET log":
        asked = parse_qs(received.query)
        since, left = int(asked.get("since", ["0"])[0]), float(asked.get("settle", ["0"])[0])
        while left > 0 and not server.log.is_settled:
            yield Wait(_TICK)
            left -= _TICK
        yield from plain_answer(200, msgspec.json.encode(server.seen(since)))
    elif name == "POST script":
        try:
            waiting = server.script.add(*read_script(received.body))
        except InvalidFault as exc:
            yield from plain_answer(400, _dumps(error=str(exc)))
        else:
            yield from plain_answer(200, _dumps(waiting=waiting))
    elif name == "POST reset":
        server.reset()
        yield from plain_answer(200, b"{}")
    else:
        yield from plain_answer(404, _dumps(error=f"no control path {name}"))


def plain_answer(status: int, body: bytes, content_type: str = "application/json") -> Iterator[Step]:
    """
    Make the steps of an undisturbed answer.
    """
    yield Head(status, [("content-type", content_type), ("content-length", str(len(body)))], "length")
    yield Send(body)
    yield Finish()


def _dumps(**document: object) -> bytes:
    return json.dumps(document).encode()
