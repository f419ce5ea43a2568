"""
TLS settings, made explicitly: version 1.2 or newer, certificates and host names verified, nothing from the environment.

The context is built from the protocol and not by `ssl.create_default_context`, because that one obeys SSLKEYLOGFILE,
and its default certificates obey SSL_CERT_FILE and SSL_CERT_DIR.

Spec: SEC-09, SEC-12, HTU-EXP-1105
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import certifi

if TYPE_CHECKING:
    from pathlib import Path


def build_ssl_context(
    *,
    ca_file: Path | None = None,
    http2: bool = True,
    insecure_skip_verify_for_tests_only: bool = False,
) -> ssl.SSLContext:
    """
    Return a client context that trusts the bundled public authorities and those in *ca_file*.

    Args:
        ca_file: PEM file with further authorities.
        http2: Whether HTTP/2 is offered in the handshake, before HTTP/1.1.
        insecure_skip_verify_for_tests_only: Accept any certificate and host name.

    Raises:
        ValueError: *ca_file* cannot be read or holds no certificate; the text names the field.

    Spec: SEC-09
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    if insecure_skip_verify_for_tests_only:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.load_verify_locations(cafile=certifi.where())
    if ca_file is not None:
        _add_authorities(context, ca_file)
    return context


def _add_authorities(context: ssl.SSLContext, ca_file: Path) -> None:
    """Trust the certificates in *ca_file* too."""
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:
        raise ValueError(f"ca_file must be a PEM file with certificates; {str(ca_file)!r} holds none") from None
    except OSError as error:
        raise ValueError(f"ca_file cannot be read: {str(ca_file)!r}: {error.strerror}") from None
