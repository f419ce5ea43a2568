"""Deliveries through a client and without one: the secret, the clock, the events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from http_util.secret import Secret
from http_util.secret_audit import SecretAudit
from http_util.testing import FakeClock, FakeSyncClock
from openai_client import AsyncClient, CachingClient, Client, ClientConfig, MemoryStore
from openai_client.environment import Environment
from openai_client.errors import DeserializationError, InvalidConfiguration
from openai_client.types import Unknown, WebhookResponseCompleted
from openai_client.webhook_signature import InvalidWebhookSignature
from openai_client.webhooks import unwrap, verify_signature
from tests.shown_errors import with_locals
from tests.unit.openai_client.test_webhook_signature import signed

TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = bytes.fromhex("31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0")
EVENT = {"object": "event", "id": "evt_1", "type": "response.completed", "created_at": 7, "data": {"id": "resp_1"}}
LOCAL: dict[str, Any] = {"base_url": "http://localhost:1/v1", "api_key": None}


def delivery(event: Any = None, at: int = 0) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a delivery."""
    body = event if isinstance(event, bytes) else json.dumps(EVENT if event is None else event).encode()
    return body, {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(at),
        "webhook-signature": signed(body, KEY, str(at)),
    }


@pytest.mark.requirement("WHK-01", "WHK-03")
def test_a_delivery_becomes_a_typed_event() -> None:
    """Both clients, what stands in front of one, and the plain function do the same, by the clock that is given."""
    body, headers = delivery(at=int(FakeSyncClock().time()))
    with Client(**LOCAL, webhook_secret=TEXT, clock=FakeSyncClock()) as client:
        row = CachingClient(client, MemoryStore(), tenant="t", clock=FakeSyncClock())
        events = [
            client.webhooks.unwrap(body, headers),
            row.webhooks.unwrap(body.decode(), headers),
            AsyncClient(**LOCAL, webhook_secret=TEXT, clock=FakeClock()).webhooks.unwrap(body, headers),
            unwrap(body, headers, secret=TEXT, clock=FakeSyncClock()),
        ]
        client.webhooks.verify_signature(body, headers)
        client.webhooks.verify_signature(body, headers, tolerance=0)
    for event in events:
        assert isinstance(event, WebhookResponseCompleted)
        assert (event.id, event.data.id) == ("evt_1", "resp_1")


@pytest.mark.requirement("WHK-02")
def test_the_clients_clock_says_what_is_too_old() -> None:
    """Five minutes later the same delivery is refused."""
    clock = FakeSyncClock()
    body, headers = delivery(at=int(clock.time()))
    with Client(**LOCAL, webhook_secret=TEXT, clock=clock) as client:
        clock.advance(300)
        client.webhooks.unwrap(body, headers)
        clock.advance(2)
        with pytest.raises(InvalidWebhookSignature, match="too old"):
            client.webhooks.unwrap(body, headers)
        client.webhooks.verify_signature(body, headers, tolerance=400)


@pytest.mark.requirement("WHK-03", "FWD-02")
def test_an_event_that_nobody_knows_is_kept_whole() -> None:
    """Its type and its data are there as they came."""
    told = {"type": "robot.woke", "data": {"mood": "fine"}}
    body, headers = delivery(told)
    event = unwrap(body, headers, secret=TEXT, clock=FakeSyncClock(), tolerance=1e10)
    assert isinstance(event, Unknown)
    assert event.model_extra == told


@pytest.mark.requirement("WHK-03")
@pytest.mark.parametrize("body", [b"my secret", b"[]", b'{"type":"response.completed","data":"my secret"}', b"\xff"])
def test_a_signed_body_that_is_no_event_is_told_without_its_content(body: bytes) -> None:
    """The service broke its own format; what it sent is shown nowhere."""
    _, headers = delivery(body)
    with pytest.raises(DeserializationError, match="the body of the webhook is no event") as caught:
        unwrap(body, headers, secret=TEXT, clock=FakeSyncClock(), tolerance=1e10)
    assert "my secret" not in str(caught.value)


@pytest.mark.requirement("WHK-01")
def test_a_body_is_read_only_after_its_signature_was() -> None:
    """What is not signed is never parsed."""
    _, headers = delivery()
    with pytest.raises(InvalidWebhookSignature):
        unwrap(b"no JSON", headers, secret=TEXT, clock=FakeSyncClock(), tolerance=1e10)


@pytest.mark.requirement("WHK-01")
def test_the_secret_of_a_call_wins_over_the_clients() -> None:
    """Several endpoints have several secrets; without any there is one error that names the setting."""
    body, headers = delivery(at=int(FakeSyncClock().time()))
    with Client(**LOCAL, webhook_secret="another", clock=FakeSyncClock()) as client:
        client.webhooks.unwrap(body, headers, secret=TEXT)
        client.webhooks.unwrap(body, headers, secret=Secret(TEXT))
        with pytest.raises(InvalidWebhookSignature):
            client.webhooks.unwrap(body, headers)
    with Client(**LOCAL) as client, pytest.raises(InvalidConfiguration, match="webhook_secret: give one"):
        client.webhooks.unwrap(body, headers)


@pytest.mark.requirement("WHK-04", "SEC-16")
@pytest.mark.parametrize("secret", ["my secret", "", "sécret", 7])
def test_a_secret_that_cannot_be_one_is_told_and_not_shown(secret: Any) -> None:
    """As a setting and as an argument, in no text and no frame."""
    body, headers = delivery()

    def ask_client() -> None:
        with Client(**LOCAL) as client:
            client.webhooks.unwrap(body, headers, secret=secret)

    attempts = [
        lambda: ClientConfig(**LOCAL, webhook_secret=secret),
        lambda: unwrap(body, headers, secret=secret),
        lambda: verify_signature(body, headers, secret=secret),
        ask_client,
    ]
    for attempt in attempts:
        with pytest.raises(InvalidConfiguration, match="webhook_secret") as caught:
            attempt()
        if secret and isinstance(secret, str):
            assert secret not in with_locals(caught.value)


@pytest.mark.requirement("WHK-04", "SEC-16")
def test_a_forged_delivery_shows_neither_secret_nor_body_in_any_frame() -> None:
    """Neither the client's, nor one that was given as text."""
    body, headers = delivery()
    with Client(**LOCAL, webhook_secret=TEXT) as client:
        for attempt in (
            lambda: client.webhooks.unwrap(body, headers, secret=TEXT),
            lambda: client.webhooks.verify_signature(body, headers),
            lambda: unwrap(body, headers, secret=TEXT),
            lambda: verify_signature(body, headers, secret=TEXT),
        ):
            with pytest.raises(InvalidWebhookSignature) as caught:
                attempt()
            assert TEXT not in with_locals(caught.value)
            assert TEXT.removeprefix("whsec_") not in with_locals(caught.value)
            assert repr(body)[2:-1] not in with_locals(caught.value)


@pytest.mark.requirement("WHK-04", "SEC-01", "SEC-06")
def test_the_secret_is_a_setting_that_is_kept_like_a_key() -> None:
    """It is sealed, shown nowhere, left out of what is told, and each reading is recorded."""
    audit = SecretAudit()
    clock = FakeSyncClock()
    config = ClientConfig(**LOCAL, webhook_secret=TEXT, audit=audit)
    assert isinstance(config.webhook_secret, Secret)
    assert TEXT not in repr(config)
    assert "webhook_secret" not in config.settings()
    assert ClientConfig.from_settings(config.settings(), api_key=None, webhook_secret=TEXT) == config
    assert config.with_settings(timeout=1.0).webhook_secret == config.webhook_secret
    body, headers = delivery(at=int(clock.time()))
    with Client(config, clock=clock) as client:
        client.webhooks.unwrap(body, headers)
        client.webhooks.unwrap(body, headers, secret=TEXT)
    assert audit.count == 2


@pytest.mark.requirement("WHK-04", "CLI-05")
def test_the_secret_may_come_from_the_environment() -> None:
    """`OPENAI_WEBHOOK_SECRET` is read with the other variables; a value that cannot be one is refused by its name."""
    env = {"OPENAI_BASE_URL": "http://localhost:1/v1", "OPENAI_WEBHOOK_SECRET": TEXT}
    assert Environment.from_env(env=env).webhook_secret == Secret(TEXT)
    with Client.from_env(env=env, api_key=None) as client:
        assert client.config.webhook_secret == Secret(TEXT)
    with Client.from_env(env=env, api_key=None, webhook_secret="another") as client:
        assert client.config.webhook_secret == Secret("another")
    assert Environment.from_env(env=env | {"OPENAI_WEBHOOK_SECRET": ""}).webhook_secret is None
    with pytest.raises(InvalidConfiguration, match="OPENAI_WEBHOOK_SECRET") as caught:
        Environment.from_env(env=env | {"OPENAI_WEBHOOK_SECRET": "my secret"})
    assert "my secret" not in with_locals(caught.value)
