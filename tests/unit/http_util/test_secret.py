"""The secret type: nothing that prints, dumps or pickles shows it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from http_util.secret import Secret, bearer_headers

KEY = "sk-hunter2-0123456789"


@pytest.mark.requirement("SEC-01")
def test_no_text_form_of_a_secret_shows_it() -> None:
    """repr, str, every format, and what holds a secret."""
    secret = Secret(KEY)
    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:x}",
        repr([secret]),
    ):
        assert "hunter2" not in text
    assert f"{secret}" == "Secret(****)"
    assert not hasattr(secret, "__dict__")


@pytest.mark.requirement("SEC-01")
def test_a_secret_cannot_be_pickled_or_turned_into_json() -> None:
    """It does not leave the process by accident."""
    secret = Secret(KEY)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.mark.requirement("SEC-01")
def test_a_logged_secret_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """As an argument and inside a mapping."""
    logging.getLogger("test").warning("key %s in %r", Secret(KEY), {"k": Secret(KEY)})
    assert "hunter2" not in caplog.text


def test_reveal_is_the_one_way_to_read_it() -> None:
    """A secret made of a secret is the same secret."""
    assert Secret(KEY).reveal() == Secret(Secret(KEY)).reveal() == KEY


def test_secrets_compare_and_hash_by_value_and_never_equal_text() -> None:
    """Copies are the object itself."""
    secret = Secret(KEY)
    assert secret == Secret(KEY)
    assert hash(secret) == hash(Secret(KEY))
    assert secret != Secret(KEY + "x")
    assert secret != KEY
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


@pytest.mark.requirement("SEC-06")
def test_a_fingerprint_tells_secrets_apart_and_depends_on_its_key() -> None:
    """Twelve hexadecimal digits that are no help without the key."""
    secret = Secret(KEY)
    one, other = b"k" * 16, b"l" * 16
    assert secret.fingerprint(one) == Secret(KEY).fingerprint(one)
    assert secret.fingerprint(one) != secret.fingerprint(other)
    assert secret.fingerprint(one) != Secret(KEY + "x").fingerprint(one)
    assert len(bytes.fromhex(secret.fingerprint(one))) == 6


@pytest.mark.requirement("SEC-01")
@pytest.mark.parametrize(
    "bad",
    [
        "",
        "two words",
        "line\nbreak",
        "tab\tbed",
        "carriage\rreturn",
        "nul\0",
        "umlautä",
        "\u200bzero",
        "\x7f",
        "hunter2" * 2000,
    ],
    ids=["empty", "space", "lf", "tab", "cr", "nul", "non-ascii", "zero-width", "del", "long"],
)
def test_a_value_that_cannot_stand_in_a_header_is_refused_without_being_shown(bad: str) -> None:
    """Neither the message nor the printed traceback, with its locals, holds any part of it."""
    with pytest.raises(ValueError, match=r"^a secret must") as caught:
        Secret(bad)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    secret_frame = shown.split("http_util/secret.py")[-1]
    assert "hunter2" not in str(caught.value)
    assert "hunter2hunter2" not in secret_frame


@pytest.mark.parametrize("bad", [None, 5, b"bytes"])
def test_a_value_that_is_no_text_is_a_type_error(bad: object) -> None:
    """The text names the type only."""
    with pytest.raises(TypeError, match=f"not {type(bad).__name__}"):
        Secret(bad)


class Settings(BaseModel):
    """A model with a secret."""

    model_config = ConfigDict(hide_input_in_errors=True)
    key: Secret


@pytest.mark.requirement("SEC-01")
def test_a_model_takes_text_or_a_secret_and_dumps_the_mask() -> None:
    """Both dumps and the repr hide it; the schema says password."""
    settings = Settings(key=KEY)
    assert settings == Settings(key=Secret(KEY))
    assert settings.key.reveal() == KEY
    assert settings.model_dump_json() == '{"key":"Secret(****)"}'
    assert "hunter2" not in repr(settings) + repr(settings.model_dump())
    assert Settings.model_json_schema()["properties"]["key"]["format"] == "password"


@pytest.mark.parametrize("bad", ["hunter2 with space", 5])
def test_a_wrong_value_is_an_error_of_its_field_without_the_value(bad: object) -> None:
    """Pydantic names the field and not the input."""
    with pytest.raises(ValidationError) as caught:
        Settings(key=bad)
    assert "key" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.requirement("HTU-CAP-1005")
def test_the_bearer_header_is_there_only_with_a_token() -> None:
    """No token, no header."""
    assert bearer_headers(Secret(KEY)) == {"authorization": f"Bearer {KEY}"}
    assert bearer_headers(None) == {}
