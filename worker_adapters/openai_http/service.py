"""
The stateless streaming service: one serialized prompt in, one ordered stream of tokens out.

It is handed everything that it uses (exchange, credentials, endpoint, policy, hooks, clock, and per call the watch by
which the call is cancelled), and keeps nothing from one call to the next.

Spec: SVC-01, SVC-02, SVC-03, SVC-12, SVC-13, SVC-14, SVC-15, SVC-21
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapter_api import Outcome, WorkerError
from http_util.call import HttpCall
from http_util.errors import HttpFailure
from http_util.frames import without_frames
from openai_client.auth import MaskedHeaders
from openai_client.endpoint_keys import has_providers, open_endpoints, open_endpoints_async, written_for
from openai_client.error_mapping import from_failure, refiner
from openai_client.errors import OpenAIError
from worker_adapters.openai_http.call_report import CallReport
from worker_adapters.openai_http.streamed_tokens import StreamedTokens
from worker_adapters.openai_http.worker_errors import shown_cause, worker_error

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from http_util import AsyncExchange, Clock, Secret
    from http_util.call import Target
    from http_util.compression import RequestCompression
    from http_util.failover import Failover
    from openai_client.auth import Auth, Authorization
    from openai_client.endpoint_keys import OpenEndpoint
    from worker_adapters.openai_http.request_body import SerializedPrompt
    from worker_adapters.openai_http.service_call import CallContext, StreamPolicy
    from worker_adapters.openai_http.service_hooks import ServiceHooks

    T = TypeVar("T")

_HEADERS: Final = {
    "accept": "text/event-stream",
    "accept-encoding": "identity",
    "content-type": "application/json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingService:
    """
    Turns serialized prompts into streams. Immutable; may be shared by any number of calls at once.

    Spec: SVC-01, SVC-02
    """

    exchange: AsyncExchange
    url: str
    """Of the operation, absolute."""
    auth: Auth
    policy: StreamPolicy
    hooks: ServiceHooks
    clock: Clock
    base_url: str = ""
    """The part of `url` that another endpoint's takes the place of; needed with `failover`."""
    family: str = ""
    """The kind of operation, for limits that differ by it."""
    failover: Failover | None = None
    """Where else a call may go."""
    compression: RequestCompression | None = None
    """Packs the bodies of calls; None sends them as they are."""
    known_secrets: tuple[Secret, ...] = ()
    """Other credentials on the way, such as a proxy's: whoever gets to see them may repeat them."""

    async def stream(self, prompt: SerializedPrompt, context: CallContext) -> StreamedTokens:
        """
        Send *prompt*; return its tokens once the first valid chunk is there.

        Raises:
            WorkerError: Anything that fails before that chunk; the upstream is closed then. `service_kind` of its
                reason and status is the structured kind of the failure.
            asyncio.CancelledError: The calling task was cancelled; the upstream is closed.

        Spec: SVC-03, SVC-05, SVC-16
        """
        _check_collaborators(self, context)
        report = CallReport(
            self.hooks,
            self.clock,
            trace_id=context.trace_id,
            request_id=context.request_id,
            bytes_sent=len(prompt.body),
        )
        secrets: tuple[Secret, ...] = ()
        try:
            try:
                # a key that is at hand costs no coroutine
                authorization = (
                    await self._awaited(context, self.auth.authorize_async())
                    if self.auth.is_provided()
                    else self.auth.authorize()
                )
                endpoints = () if self.failover is None else await self._endpoints(self.failover, context)
                call, secrets = self._call(prompt, context, authorization, endpoints)
                # a prompt is sent whole
                report.sends(len(call.content) if isinstance(call.content, bytes) else 0)
                stream = await self.exchange.open(call, watch=context.watch)
            except OpenAIError as error:
                raise worker_error(error, streaming=False) from without_frames(error)
            except HttpFailure as failure:
                raise worker_error(
                    from_failure(failure, secrets), streaming=False, private=context.private
                ) from shown_cause(failure, context.private)
        except WorkerError as error:
            report.ended(status=error.http_status, reason=error.reason, bytes_received=0)
            raise
        except BaseException:
            report.ended(status=None, reason="cancelled", bytes_received=0)
            raise
        report.opened(stream.head.status)
        tokens = StreamedTokens(stream, context, self.policy, report, secrets=secrets)
        await tokens.start()
        return tokens

    async def _endpoints(self, failover: Failover, context: CallContext) -> tuple[OpenEndpoint, ...]:
        """The endpoints of the failover list that have a key now."""
        if not has_providers(failover):
            return open_endpoints(failover, self.auth.audit)
        return await self._awaited(context, open_endpoints_async(failover, self.auth.audit))

    async def _awaited(self, context: CallContext, credentials: Coroutine[Any, Any, T]) -> T:
        """
        The credentials from a provider, which is given up when the task is over.

        Spec: SEC-17
        """
        try:
            return await context.watch.guard(credentials)
        except HttpFailure as failure:
            raise failure.replace(outcome=Outcome.NOT_SENT) from None

    def _call(
        self,
        prompt: SerializedPrompt,
        context: CallContext,
        authorization: Authorization,
        endpoints: tuple[OpenEndpoint, ...],
    ) -> tuple[HttpCall, tuple[Secret, ...]]:
        """The call for *prompt*, and the secrets in it."""
        headers = MaskedHeaders(_HEADERS, **context.headers)
        headers.update(authorization.headers)
        alternatives, others = self._alternatives(headers, endpoints)
        secrets = authorization.secrets + others + self.known_secrets
        call = HttpCall(
            method="POST",
            url=self.url,
            headers=headers,
            content=prompt.body,
            timeouts=self.policy.timeouts,
            deadline=context.deadline,
            retry=self.policy.retry,
            # nothing of an answer has been handed on yet; what the policy repeats, it repeats knowing the outcome
            replay_safe=True,
            refine=refiner(secrets),
            secrets=secrets,
            family=self.family,
            request_id=context.request_id,
            tokens=prompt.estimated_tokens,
            alternatives=alternatives,
        )
        return call if self.compression is None else self.compression.compress(call), secrets

    def _alternatives(
        self, headers: MaskedHeaders, endpoints: tuple[OpenEndpoint, ...]
    ) -> tuple[tuple[Target, ...], tuple[Secret, ...]]:
        """The same call at the endpoints of the failover list, and the secrets in it."""
        if not endpoints:
            return (), ()
        return written_for(endpoints, self.url.removeprefix(self.base_url), headers, self.auth.written_headers())


def _check_collaborators(service: StreamingService, context: CallContext) -> None:
    """Refuse to work with a collaborator that is missing: none is made up here."""
    given: dict[str, object | None] = {
        "exchange": service.exchange,
        "auth": service.auth,
        "policy": service.policy,
        "hooks": service.hooks,
        "clock": service.clock,
        "watch": context.watch,
        "deadline": context.deadline,
    }
    missing = [name for name, collaborator in given.items() if collaborator is None]
    if missing:
        raise WorkerError("configuration", f"the streaming service needs {', '.join(missing)}; none is made up")
