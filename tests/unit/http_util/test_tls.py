"""TLS settings: explicit, verified, deaf to the environment."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from http_util.tls import build_ssl_context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.requirement("SEC-09", "HTU-EXP-1105")
def test_certificates_and_names_are_verified_from_version_1_2_on() -> None:
    """And the bundled authorities are trusted."""
    context = build_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) > 50


@pytest.mark.requirement("SEC-12", "HTU-EXP-1101")
def test_no_variable_of_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key log is written and no other authority is trusted, though both variables are set."""
    other = tmp_path / "ca.pem"
    trustme.CA(organization_name="From The Environment").cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = build_ssl_context()
    assert context.keylog_filename is None
    assert not any("From The Environment" in str(ca["subject"]) for ca in context.get_ca_certs())


@pytest.mark.requirement("SEC-09")
def test_a_file_of_authorities_is_trusted_beside_the_bundled_ones(tmp_path: Path) -> None:
    """It adds and replaces nothing."""
    ca_file = tmp_path / "ca.pem"
    trustme.CA(organization_name="Ours").cert_pem.write_to_path(str(ca_file))
    authorities = build_ssl_context(ca_file=ca_file).get_ca_certs()
    assert len(authorities) == len(build_ssl_context().get_ca_certs()) + 1
    assert any("Ours" in str(ca["subject"]) for ca in authorities)


def test_a_file_that_is_missing_or_holds_no_certificate_is_refused_by_the_name_of_its_field(tmp_path: Path) -> None:
    """Both texts name ca_file and the path."""
    with pytest.raises(ValueError, match=r"ca_file cannot be read.*No such file"):
        build_ssl_context(ca_file=tmp_path / "missing.pem")
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing here")
    with pytest.raises(ValueError, match=r"ca_file must be a PEM file.*empty\.pem"):
        build_ssl_context(ca_file=empty)


@pytest.mark.requirement("HTU-EXP-1105")
def test_verification_is_off_only_by_the_loudly_named_switch() -> None:
    """There is no other argument that does it."""
    context = build_ssl_context(insecure_skip_verify_for_tests_only=True)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
