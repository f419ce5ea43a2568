"""Client certificates, from the settings to the upstream, and the late refusal of TLS 1.3."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from http_util import build_async_client
from http_util.transport_errors import TRANSPORT_ERRORS, Phase, classify_transport_error
from http_util.urls import Origin
from tests.integration.http_util.engine.connect.peers import NAME, config, listening, shaking

if TYPE_CHECKING:
    from tests.integration.http_util.engine.connect.peers import Authority, Resolver

pytestmark = [pytest.mark.integration, pytest.mark.requirement("SEC-09", "ERR-09")]


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_an_upstream_that_wants_a_certificate_and_gets_none_has_processed_nothing(
    authority: Authority, resolver: Resolver, alpn: str
) -> None:
    """In TLS 1.3 it says so behind our request; that is a failure of TLS all the same, and not an answer cut off."""
    asking = authority.server(alpn=(alpn,))
    asking.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(asking)
    async with listening(shaking(asking)) as port:
        settings = config(Origin("https", NAME, port), authority)
        async with build_async_client(settings) as client:
            with pytest.raises(TRANSPORT_ERRORS) as caught:
                await client.post(settings.base_url, content=b"{}")
    failure = classify_transport_error(caught.value, Phase.SENDING)
    assert (failure.reason, failure.outcome.value) == ("tls_failed", "NOT_SENT")
