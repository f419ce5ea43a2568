"""
Webhooks: the service calls you, and you find out that it was the service, and what it says.

`client.webhooks` uses the client's secret and clock; `verify_signature` and `unwrap` are the same without a client.

Spec: WHK-01, WHK-02, WHK-03
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from http_util.clock import SystemSyncClock
from http_util.frames import shows_no_arguments
from http_util.secret import Secret
from openai_client.errors import DeserializationError, InvalidConfiguration
from openai_client.secret_loading import unchecked_key
from openai_client.webhook_signature import TOLERANCE, check_signature

if TYPE_CHECKING:
    from http_util.clock import Clock, SyncClock
    from openai_client._generated.models.webhooks import WebhookEvent
    from openai_client.base_model import WireParser
    from openai_client.config import ClientConfig
    from openai_client.webhook_signature import WebhookHeaders


@shows_no_arguments
def verify_signature(
    payload: str | bytes,
    headers: WebhookHeaders,
    *,
    secret: Secret | str,
    tolerance: float = TOLERANCE,
    clock: SyncClock | Clock | None = None,
) -> None:
    """
    Make sure that a delivery is from the service, and recent.

    Args:
        payload: The body exactly as it came.
        headers: Of the request, names in any case.
        secret: As the service shows it, `whsec_...`.
        tolerance: Seconds that the delivery's time may be away from now, either way.
        clock: Source of the time, by default the system's.

    Raises:
        InvalidWebhookSignature: It is not; `param` names the header at fault.
        InvalidConfiguration: The secret cannot be one. It is never shown.

    Spec: WHK-01, WHK-02
    """
    known = _sealed(secret)
    _verify(payload, headers, known, tolerance, clock or SystemSyncClock())


@shows_no_arguments
def unwrap(
    payload: str | bytes,
    headers: WebhookHeaders,
    *,
    secret: Secret | str,
    tolerance: float = TOLERANCE,
    clock: SyncClock | Clock | None = None,
) -> WebhookEvent:
    """
    Return the event of a delivery that is from the service; one of an unknown type as `Unknown`, with every field.

    Arguments as `verify_signature`.

    Raises:
        InvalidWebhookSignature: It is not from the service; `param` names the header at fault.
        InvalidConfiguration: The secret cannot be one.
        DeserializationError: It is, and is no event.

    Spec: WHK-01, WHK-03
    """
    known = _sealed(secret)
    _verify(payload, headers, known, tolerance, clock or SystemSyncClock())
    return read_event(payload)


def read_event(payload: str | bytes) -> WebhookEvent:
    """
    Return the event in a body that was verified already.

    Raises:
        DeserializationError: It is none.

    Spec: WHK-03
    """
    try:
        return _parser()(payload.encode() if isinstance(payload, str) else payload)
    except ValidationError as problem:
        fault = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        said = f"{place}: {fault['type']}" if place else fault["type"]
    except UnicodeEncodeError:
        said = "no text"
    # the frame may be shown in a traceback
    del payload
    raise DeserializationError(f"the body of the webhook is no event: {said}")


class Webhooks:
    """
    `client.webhooks`: the client's secret and clock applied to deliveries. Nothing is sent, so it has no colour.

    Spec: WHK-01
    """

    def __init__(self, config: ClientConfig, clock: SyncClock | Clock) -> None:
        """Take the settings and the source of the time."""
        self._config = config
        self._clock = clock

    @shows_no_arguments
    def unwrap(
        self, payload: str | bytes, headers: WebhookHeaders, *, secret: Secret | str | None = None
    ) -> WebhookEvent:
        """
        Return the event of a delivery that is from the service; as the function `unwrap`.

        Args:
            payload: The body exactly as it came.
            headers: Of the request.
            secret: Used instead of the client's `webhook_secret`.

        Raises:
            InvalidWebhookSignature: It is not from the service.
            InvalidConfiguration: There is no secret, or it cannot be one.
            DeserializationError: It is from the service, and is no event.
        """
        known = self._secret(secret)
        _verify(payload, headers, known, TOLERANCE, self._clock)
        return read_event(payload)

    @shows_no_arguments
    def verify_signature(
        self,
        payload: str | bytes,
        headers: WebhookHeaders,
        *,
        secret: Secret | str | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        """Make sure that a delivery is from the service; as the function, with the client's secret and clock."""
        known = self._secret(secret)
        _verify(payload, headers, known, tolerance, self._clock)

    def _secret(self, given: Secret | str | None) -> Secret | None:
        """Return the secret to be used, with the client's audit trail on it; None when what was given cannot be one."""
        found = self._config.webhook_secret if given is None else _sealed(given)
        if given is None and found is None:
            raise InvalidConfiguration("webhook_secret: give one to the client or to the call")
        return None if found is None else found.audited(self._config.audit)


class ReadsWebhooks:
    """What a client, or what stands in front of one, has for webhooks."""

    _clock: Any

    if TYPE_CHECKING:

        @property
        def config(self) -> ClientConfig:
            """The settings."""

    @cached_property
    def webhooks(self) -> Webhooks:
        """
        Verifies and reads the deliveries of webhooks.

        Spec: WHK-01
        """
        return Webhooks(self.config, self._clock)


def _sealed(secret: Secret | str) -> Secret | None:
    """Return a secret that may be given as text, None when it cannot be one."""
    if isinstance(secret, Secret):
        return secret
    try:
        return unchecked_key(secret)
    except InvalidConfiguration:
        return None


def _verify(
    payload: str | bytes, headers: WebhookHeaders, secret: Secret | None, tolerance: float, clock: SyncClock | Clock
) -> None:
    """Do as `verify_signature`; no secret is one that cannot be used."""
    if secret is None:
        raise InvalidConfiguration("webhook_secret: must be printable ASCII without spaces (value not shown)")
    check_signature(payload, headers, secret=secret, now=clock.time(), tolerance=tolerance)


@cache
def _parser() -> WireParser[WebhookEvent]:
    """Return the parser of events, which is made when the first one comes."""
    from openai_client._generated.models.webhooks import WebhookEvent
    from openai_client.base_model import WireParser

    return WireParser(WebhookEvent)
