"""
TLS settings, made explicitly: version 1.2 or newer, certificates and host names verified, nothing from the environment.

A client certificate is shown to an upstream that asks for one.

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

    from http_util.secret import Secret


def build_ssl_context(
    *,
    ca_file: Path | None = None,
    client_cert_file: Path | None = None,
    client_key_file: Path | None = None,
    client_key_password: Secret | None = None,
    http2: bool = True,
    insecure_skip_verify_for_tests_only: bool = False,
) -> ssl.SSLContext:
    """
    Return a client context that trusts the bundled public authorities and those in *ca_file*.

    Args:
        ca_file: PEM file with further authorities.
        client_cert_file: PEM file with the certificate, and its chain, to show when the upstream asks for one.
        client_key_file: PEM file with its key; None when the key is in *client_cert_file*.
        client_key_password: Password of the key, when it is encrypted.
        http2: Whether HTTP/2 is offered in the handshake, before HTTP/1.1.
        insecure_skip_verify_for_tests_only: Accept any certificate and host name.

    Raises:
        ValueError: A file cannot be read or does not hold what it should; the text names the field.

    Spec: SEC-09
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    if client_cert_file is not None:
        _add_client_certificate(context, client_cert_file, client_key_file, client_key_password)
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


def _add_client_certificate(
    context: ssl.SSLContext, cert_file: Path, key_file: Path | None, password: Secret | None
) -> None:
    """Show the certificate in *cert_file* to whoever asks."""
    # OpenSSL's own errors say neither which file nor which field it is about
    _require_pem(b"CERTIFICATE-----", "client_cert_file", cert_file, "a certificate")
    if key_file is None:
        _require_pem(_KEY, "client_cert_file", cert_file, "the certificate's key, or client_key_file must be set")
    else:
        _require_pem(_KEY, "client_key_file", key_file, "the key of client_cert_file")
    given = _GivenPassword(password)
    field = "client_cert_file" if key_file is None else "client_key_file"
    try:
        context.load_cert_chain(cert_file, key_file, given)
    except _NoPassword:
        raise ValueError(f"client_key_password must be set: the key in {field} is encrypted") from None
    except ValueError:
        raise ValueError("client_key_password is longer than TLS libraries take, which is 1024 characters") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"{field} must hold the key of the certificate in client_cert_file, not another") from None
        if given.was_asked:
            raise ValueError(f"client_key_password does not open the key in {field} (value not shown)") from None
        raise ValueError(f"client_cert_file and its key must be valid PEM: {error.reason or 'broken'}") from None


# the end of the line above a key: PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY, ENCRYPTED PRIVATE KEY
_KEY = b"PRIVATE KEY-----"


def _require_pem(marker: bytes, field: str, file: Path, wanted: str) -> None:
    """
    Look whether *file* holds what it should.

    Raises:
        ValueError: It cannot be read, or holds nothing of that kind; the text names *field*.
    """
    try:
        found = marker in file.read_bytes()
    except OSError as error:
        raise ValueError(f"{field} cannot be read: {str(file)!r}: {error.strerror}") from None
    if not found:
        raise ValueError(f"{field} must be a PEM file with {wanted}; {str(file)!r} holds none")


class _NoPassword(Exception):
    """The key is encrypted, and nobody gave a password. Without this OpenSSL would ask on the terminal."""


class _GivenPassword:
    """What OpenSSL calls when it finds an encrypted key."""

    was_asked = False

    def __init__(self, password: Secret | None) -> None:
        """Keep the password of the settings."""
        self._password = password

    def __call__(self) -> str:
        """
        Return the password.

        Raises:
            _NoPassword: There is none.
        """
        self.was_asked = True
        if self._password is None:
            raise _NoPassword
        return self._password.reveal()
