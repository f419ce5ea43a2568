"""
A secret that does not print, pickle, format, serialise or compare in variable time, and may tell who reads it.

Spec: SEC-01, SEC-06, HTU-1004, HTU-CAP-1005
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as _random
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from http_util.secret_audit import SecretAudit

_MASKED: Final = "Secret(****)"
_LONGEST: Final = 8192
_FIRST_PRINTABLE: Final = 0x21
_LAST_PRINTABLE: Final = 0x7E

# 48 bits tell a program's few secrets apart.
_FINGERPRINT_BYTES: Final = 6

# Makes hashes of equal secrets equal inside this process and useless outside it.
_HASH_KEY: Final = _random.token_bytes(32)


class Secret:
    """
    A credential. `reveal` is the one way to read it, and tells every audit trail that the secret carries.

    >>> key = Secret("sk-example-000000000000")
    >>> f"{key} {key!r}"
    'Secret(****) Secret(****)'

    Spec: SEC-01, SEC-06
    """

    __slots__ = ("__audits", "__value")

    def __init__(self, value: object) -> None:
        """
        Take a credential that can stand in a header.

        Args:
            value: A str of 1 to 8192 printable ASCII characters, no spaces, no line breaks; or a `Secret`, whose audit
                trails come along.

        Raises:
            TypeError: *value* is neither text nor a `Secret`.
            ValueError: *value* is empty, too long, or holds another character. The text never shows the value.
        """
        self.__audits: tuple[SecretAudit, ...] = ()
        if isinstance(value, Secret):
            # copying shows the value to nobody
            self.__value: str = value.__value  # noqa: SLF001 - of the same class
            self.__audits = value.__audits  # noqa: SLF001 - of the same class
            return
        if not isinstance(value, str):
            kind = type(value).__name__
            del value
            raise TypeError(f"a secret must be a str, not {kind}")
        problem = _problem(value)
        if problem is not None:
            # The frame of this call may be shown in a traceback.
            del value
            raise ValueError(problem)
        self.__value = value

    def reveal(self) -> str:
        """Return the value itself. Use it where it is needed and keep it in no variable that outlives the call."""
        for audit in self.__audits:
            audit.record(self)
        return self.__value

    def audited(self, audit: SecretAudit | None) -> Secret:
        """
        Return the same secret, each reading of which *audit* records, beside the trails that it carries already.

        Args:
            audit: The trail; None returns the secret itself.

        Spec: SEC-06
        """
        if audit is None or audit in self.__audits:
            return self
        made = Secret(self)
        made.__audits = (*self.__audits, audit)
        return made

    def fingerprint(self, key: bytes) -> str:
        """
        Return twelve hexadecimal digits: the same for equal secrets, and no help to guess one without *key*.

        Args:
            key: 16 to 64 random bytes, which belong to whoever compares the digits.

        Spec: SEC-06
        """
        return hashlib.blake2b(self.__value.encode(), key=key, digest_size=_FINGERPRINT_BYTES).hexdigest()

    def __repr__(self) -> str:
        """Return a text that says that there is a secret, not which."""
        return _MASKED

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Return the same text whatever the format asks for."""
        return _MASKED

    def __eq__(self, other: object) -> bool:
        """Compare two secrets in constant time; a secret never equals plain text."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        """Hash with a key of this process, so that the number tells nothing."""
        return hash(hmac.digest(_HASH_KEY, self.__value.encode(), "sha256"))

    def __copy__(self) -> Self:
        """Return the same object; it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same object; it never changes."""
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """
        Refuse to be pickled.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a Secret cannot be pickled; pass its source along and read it again")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic fields take text or a `Secret`, and dump the mask."""
        # Only whoever declares a pydantic field has it loaded already.
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _validated,
            serialization=core_schema.to_string_ser_schema(),
            json_schema_input_schema=core_schema.str_schema(min_length=1, max_length=_LONGEST),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the field as a write-only password."""
        return {"type": "string", "format": "password", "writeOnly": True, "minLength": 1, "maxLength": _LONGEST}


def _validated(value: object) -> Secret:
    """Return *value* as a secret, with an error that pydantic reports for the field."""
    if not isinstance(value, str | Secret):
        # pydantic turns only a ValueError into a field error
        raise ValueError(f"a secret must be a str, not {type(value).__name__}")  # noqa: TRY004 - as it says above
    return Secret(value)


def _problem(value: str) -> str | None:
    """Return what is wrong with a credential without showing any part of it, or None."""
    if not value:
        return "a secret must not be empty"
    if len(value) > _LONGEST:
        return f"a secret must have at most {_LONGEST} characters, this one has {len(value)}"
    if any(not _FIRST_PRINTABLE <= ord(char) <= _LAST_PRINTABLE for char in value):
        return (
            "a secret must be printable ASCII without spaces or line breaks; "
            "this one holds another character (value not shown)"
        )
    return None


def bearer_headers(token: Secret | None) -> Mapping[str, str]:
    """
    Return the ``authorization`` header for *token*; no token, no header.

    Spec: HTU-CAP-1005
    """
    return {} if token is None else {"authorization": f"Bearer {token.reveal()}"}
