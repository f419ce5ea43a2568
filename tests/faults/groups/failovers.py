"""Other endpoints to go to: when a call moves, when it stays, and what the other one is told."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from http_util.breaker import BreakerPolicy
from http_util.failover import Endpoint, Failover
from http_util.resilience import Resilience
from http_util.secret import Secret
from openai_client.auth import Auth
from tests.faults.case import (
    H2,
    INVALID,
    LATER,
    NEVER,
    PARTIAL,
    RAISED,
    REJECT,
    REJECTED,
    RESET,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.groups import connect
from tests.faults.groups.beforehand import reasons
from tests.faults.permits import RememberingBreakers
from tests.faults.run import read_to_the_end
from tests.faults.upstreams import Beside, Nowhere, Place, Socket, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.run import Run
    from tests.faults.upstreams import Upstream

SERVER: Final = Failure(UNAVAILABLE, "server_error", UNKNOWN, LATER)
BROKEN: Final = Failure(RESET, "reset", PARTIAL, LATER)
WHOLE: Final = "started token*8 end"

OTHER_KEY: Final = "sk-of-the-other-endpoint"


def going_on(
    auth: Auth | None = None, breaker: BreakerPolicy | None = None, **how: Any
) -> Callable[[Place], Resilience]:
    """Return what makes a failover to the place's other endpoint."""

    def make(place: Place) -> Resilience:
        failover = Failover([Endpoint(base_url=place.elsewhere, auth=auth)], **how)
        return Resilience(failover=failover, breaker=None if breaker is None else RememberingBreakers(breaker))

    return make


def moving(name: str, first: Upstream, failure: Failure | None = None, resilience: Any = None, **more: Any) -> Case:
    """A case with another endpoint to go to, which is in good health."""
    upstream = Beside(first, more.pop("second", simulated(second=True)))
    given = {"sequence": WHOLE if failure is None else RAISED, "settings": {"retry": None}, **more}
    return Case(
        name=name, group="failover", upstream=upstream, failure=failure, resilience=resilience or going_on(), **given
    )


def _served_elsewhere(run: Run) -> bool:
    """Whether the last line of the ledger names the other endpoint."""
    return run.place.elsewhere.startswith(run.facts["attempts"][-1]["endpoint"])


async def there(run: Run) -> None:
    """One task, which the other endpoint serves, as its ledger says."""
    await read_to_the_end(run)
    assert _served_elsewhere(run)


async def remembers(run: Run) -> None:
    """One task finds out; the row is about the next one, which goes there at once."""
    assert await reasons(run, 1) == {"end": 1}
    await there(run)


async def with_its_own_key(run: Run) -> None:
    """The other endpoint is shown its own key and nothing else."""
    await there(run)
    shown = [dict(seen.headers).get("authorization") for seen in run.place.log()]
    assert shown == [f"sha256:{hashlib.sha256(f'Bearer {OTHER_KEY}'.encode()).hexdigest()[:12]}"]


async def without_a_key(run: Run) -> None:
    """An endpoint without credentials is shown none."""
    await there(run)
    assert [seen.has_authorization for seen in run.place.log()] == [False]


async def behind_an_open_breaker(run: Run) -> None:
    """Three failures open the breaker of the first endpoint; the row is about the task that goes elsewhere then."""
    assert await reasons(run, 3) == {"server_error": 3}
    await there(run)


FAILOVER: Final = (
    moving("nobody-listens", Nowhere(), consumer=there, posts=1, attempts=2),
    moving("503", simulated(always="status=503"), consumer=there, posts=2),
    moving("529", simulated(always="status=529"), consumer=there, posts=2),
    moving("refused-stream", simulated(always="refuse_stream"), consumer=there, posts=5, protocols=(H2,)),
    moving("500-stays", simulated(always="status=500"), SERVER),
    moving(
        "500-after-unknown",
        simulated(always="status=500"),
        resilience=going_on(after_unknown=True),
        consumer=there,
        posts=2,
    ),
    moving("400-stays", simulated(always="status=400"), Failure(INVALID, "malformed_request", REJECTED, NEVER)),
    moving("429-stays", simulated(always="status=429"), Failure(REJECT, "rate_limited", REJECTED, LATER)),
    moving("401-stays", simulated(always="status=401"), Failure(UNAVAILABLE, "invalid_api_key", REJECTED, NEVER)),
    moving(
        "silence-stays",
        simulated(always="stall=30"),
        Failure(UNAVAILABLE, "first_byte_timeout", UNKNOWN, LATER),
        settings={"retry": None, "first_byte_timeout": 0.1},
        after=0.1,
        within=0.1,
    ),
    moving(
        "stranger-stays",
        Socket(connect.serve_nothing, connect.by_a_stranger, alerts=True),
        connect.NOT_TRUSTED,
        posts=0,
        attempts=1,
    ),
    moving("broken-stream-stays", simulated(always="cut_after_tokens=3"), BROKEN, sequence="started token*3 error"),
    moving("both-down", Nowhere(), connect.NO_CONNECTION, second=Nowhere(), posts=0, attempts=2),
    moving("both-down-and-again", Nowhere(), connect.NO_CONNECTION, second=Nowhere(), settings={}, posts=0, attempts=8),
    moving("remembers", Nowhere(), consumer=remembers, posts=2, attempts=1),
    moving(
        "own-key",
        Nowhere(),
        resilience=going_on(Auth(api_key=Secret(OTHER_KEY))),
        consumer=with_its_own_key,
        posts=1,
        attempts=2,
    ),
    moving("no-key", Nowhere(), consumer=without_a_key, posts=1, attempts=2),
    moving(
        "open-breaker",
        simulated(always="status=500"),
        resilience=going_on(breaker=BreakerPolicy(failure_threshold=3, per_endpoint=True)),
        consumer=behind_an_open_breaker,
        posts=4,
        attempts=1,
    ),
)


CASES: Final = FAILOVER
