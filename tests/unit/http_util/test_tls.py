"""TLS settings: explicit, verified, deaf to the environment."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from http_util.secret import Secret
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


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a client certificate, its key in clear and encrypted, both in one file, and another key."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    mine, other = ca.issue_cert("client.example"), ca.issue_cert("other.example")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    contents = {
        "cert": mine.cert_chain_pems[0].bytes(),
        "key": mine.private_key_pem.bytes(),
        "both": mine.private_key_and_cert_chain_pem.bytes(),
        "encrypted": encrypted,
        "both_encrypted": encrypted + mine.cert_chain_pems[0].bytes(),
        "other_key": other.private_key_pem.bytes(),
        "garbled": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "nothing": b"nothing here",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in [*contents, "missing"]}


@pytest.mark.parametrize(
    ("cert", "key", "password"),
    [
        ("cert", "key", None),
        ("both", None, None),
        ("both", "key", None),
        ("cert", "encrypted", "hunter2"),
        ("both_encrypted", None, "hunter2"),
        ("both", None, "not needed"),
    ],
)
def test_a_client_certificate_may_have_its_key_beside_it_or_elsewhere_and_encrypted(
    files: dict[str, Path], cert: str, key: str | None, password: str | None
) -> None:
    """A password that is not needed does no harm."""
    build_ssl_context(
        client_cert_file=files[cert],
        client_key_file=None if key is None else files[key],
        client_key_password=None if password is None else Secret(password.replace(" ", "-")),
    )


@pytest.mark.parametrize(
    ("cert", "key", "password", "text"),
    [
        ("missing", None, None, "client_cert_file cannot be read: .*missing.*No such file"),
        ("nothing", None, None, "client_cert_file must be a PEM file with a certificate; .*nothing.* holds none"),
        ("key", None, None, "client_cert_file must be a PEM file with a certificate"),
        ("cert", None, None, "client_cert_file must be .* key, or client_key_file must be set"),
        ("cert", "missing", None, "client_key_file cannot be read: .*missing"),
        ("cert", "nothing", None, "client_key_file must be a PEM file with the key of client_cert_file"),
        ("cert", "cert", None, "client_key_file must be a PEM file with the key"),
        ("cert", "other_key", None, "client_key_file must hold the key of the certificate in client_cert_file, not"),
        ("garbled", "key", None, "client_cert_file and its key must be valid PEM"),
        ("cert", "encrypted", None, "client_key_password must be set: the key in client_key_file is encrypted"),
        ("both_encrypted", None, None, "client_key_password must be set: the key in client_cert_file is encrypted"),
        ("cert", "encrypted", "wrong-hunter2", "client_key_password does not open the key in client_key_file"),
        ("both_encrypted", None, "wrong-hunter2", "client_key_password does not open the key in client_cert_file"),
        ("cert", "encrypted", "hunter2" * 200, "client_key_password is longer than"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_refused_by_the_name_of_the_field(
    files: dict[str, Path], cert: str, key: str | None, password: str | None, text: str
) -> None:
    """Nobody is asked for a password on a terminal, and none is shown."""
    with pytest.raises(ValueError, match=f"^{text}") as caught:
        build_ssl_context(
            client_cert_file=files[cert],
            client_key_file=None if key is None else files[key],
            client_key_password=None if password is None else Secret(password),
        )
    assert "hunter2" not in str(caught.value)


@pytest.mark.requirement("HTU-EXP-1105")
def test_the_switch_for_tests_does_not_leave_the_client_certificate_out(files: dict[str, Path]) -> None:
    """A wrong file is still noticed."""
    with pytest.raises(ValueError, match="client_cert_file"):
        build_ssl_context(client_cert_file=files["nothing"], insecure_skip_verify_for_tests_only=True)
