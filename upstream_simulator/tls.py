"""
A local certificate authority and a certificate for this machine, made afresh for every start.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple


class MissingExtra(ImportError):
    """
    A part of the `simulator` extra is not installed; the message says how to get it.
    """


class Identity(NamedTuple):
    """
    What a TLS server needs, and what its clients must trust.
    """

    context: ssl.SSLContext
    ca_file: Path
    """Certificate of the authority (PEM)."""
    is_temporary: bool
    """Nobody but us named the file."""

    def discard(self) -> None:
        """
        Remove the file, unless it was asked for by name.
        """
        if self.is_temporary:
            self.ca_file.unlink(missing_ok=True)


def make_identity(ca_file: str | None = None, *, http2: bool = True) -> Identity:
    """
    Make an authority and a server certificate for localhost, 127.0.0.1 and ::1.

    Args:
        ca_file: Where to write the authority's certificate; None makes a temporary one.
        http2: Offer `h2` by ALPN before `http/1.1`.

    Raises:
        MissingExtra: trustme is not installed.

    Spec: SIM-10
    """
    try:
        # An extra; whoever uses no TLS needs none of it.
        import trustme
    except ImportError as exc:
        raise MissingExtra("the simulator's TLS port needs trustme: pip install 'worker-adapters[simulator]'") from exc
    authority = trustme.CA(organization_name="upstream_simulator", key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert("localhost", "127.0.0.1", "::1", key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    path = Path(ca_file) if ca_file is not None else _temporary_file()
    authority.cert_pem.write_to_path(str(path))
    return Identity(context, path, ca_file is None)


def _temporary_file() -> Path:
    with tempfile.NamedTemporaryFile(prefix="upstream-simulator-ca-", suffix=".pem", delete=False) as file:
        return Path(file.name)
