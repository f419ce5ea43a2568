"""
The engine version that the settings expect, and the tasks that are held to it.

A server that tells its version is asked before the task is sent; of another one, the model that answers is the version.

Spec: OC-ADAPT-OAI-6010, OQ-11
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_api import Outcome, WorkerError
from http_util.errors import HttpFailure
from http_util.frames import without_frames
from openai_client.error_mapping import from_failure
from worker_adapters.openai_http.worker_errors import worker_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_api import Attempt, TaskRequest
    from http_util import AsyncWatch
    from worker_adapters.openai_http.config import OpenAIHttpConfig
    from worker_adapters.openai_http.streamed_tokens import StreamedTokens
    from worker_adapters.openai_http.task_log import TaskLog
    from worker_adapters.openai_http.upstream_probe import UpstreamProbe


class VersionPin:
    """Refuses strict tasks of another version than *expected*, and warns of the others, once."""

    def __init__(self, expected: str, config: OpenAIHttpConfig, probe: UpstreamProbe) -> None:
        self._expected = expected
        self._server_tells = config.profile.version is not None
        self._probe = probe
        self._has_warned = False

    async def check_before(self, task: TaskRequest, watch: AsyncWatch, log: TaskLog) -> None:
        """
        Hold a server that tells its version to the expected one, before the task is sent.

        Raises:
            WorkerError: It cannot be asked, or is another one and the task is strict.
        """
        if not self._server_tells:
            return
        if self._probe.version is None:
            try:
                await watch.guard(self._probe.learn_version())
            except HttpFailure as failure:
                # the question was sent, the task was not
                unsent = failure.replace(outcome=Outcome.NOT_SENT)
                raise worker_error(from_failure(unsent), streaming=False) from without_frames(failure)
        self._hold(task, self._probe.version, log, outcome=Outcome.NOT_SENT)

    async def check_answer(self, task: TaskRequest, tokens: StreamedTokens, log: TaskLog) -> None:
        """
        Hold the model that answers to the expected version, where the server tells none of its own.

        Raises:
            WorkerError: It is another one and the task is strict; the answer is closed.
        """
        if self._server_tells:
            return
        try:
            self._hold(task, tokens.model, log, outcome=Outcome.PARTIAL, attempts=tokens.attempts)
        except WorkerError:
            await tokens.aclose()
            raise

    def _hold(
        self, task: TaskRequest, found: str | None, log: TaskLog, *, outcome: Outcome, attempts: Sequence[Attempt] = ()
    ) -> None:
        if found is None or found == self._expected:
            return
        if task.determinism == "strict":
            message = f"expected engine version {self._expected!r}, found {found!r}"
            raise WorkerError("engine_version", message, outcome=outcome, attempts=attempts)
        if not self._has_warned:
            self._has_warned = True
            log.other_version(self._expected, found)
