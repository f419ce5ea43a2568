from __future__ import annotations

import pytest

from adapter_api import REASONS, Outcome, WorkerError, WorkerHealth
from adapter_api.testing import ScriptedAdapter, make_task
from adapter_host import unreadiness
from http_util.breaker import State

pytestmark = pytest.mark.requirement("HST-02")


class Unwell(ScriptedAdapter):
    """Is not ready, for a reason."""

    def __init__(self, reason: str | None) -> None:
        super().__init__()
        self._reason = reason

    async def health(self) -> WorkerHealth:
        return WorkerHealth(live=True, ready=False, reason=self._reason)


@pytest.mark.parametrize(
    ("said", "told", "retriable"),
    [
        (["invalid_api_key"], "invalid_api_key", False),
        (["tls_failed", "tls_failed"], "tls_failed", False),
        (["model_missing"], "not_found", False),
        (["invalid_api_key", "tls_failed"], "pool_unready", False),
        (["invalid_api_key", "overloaded"], "pool_unready", True),
        (["connection_failed"], "pool_unready", True),
        (["deadline"], "pool_unready", True),
        (["no such reason"], "pool_unready", True),
        ([None], "pool_unready", True),
    ],
)
async def test_a_lasting_reason_that_all_replicas_share_is_told(host, said, told, retriable):
    """A wrong key does not become right by waiting; where one replica may come back, the task may be tried again."""
    for number, reason in enumerate(said):
        host.bind("chat", str(number), Unwell(reason))
    for number in range(8):
        with pytest.raises(WorkerError) as caught:
            await host.submit("chat", make_task(f"t-{number}"))
        error = caught.value
        assert (error.reason, error.retriable, error.outcome) == (told, retriable, Outcome.NOT_SENT)
        first = said[0] or "no answer yet"
        one, several = f"the upstream is not ready: {first}", f"no replica is ready; 0: {first}; 1: "
        assert error.message.startswith(one if len(said) == 1 else several)
    assert host.breaker_state("chat") is State.CLOSED


def test_every_lasting_reason_is_known_and_not_retriable():
    """The list agrees with the contract's."""
    assert not [name for name in unreadiness._LASTING if REASONS[name].retriable]
