"""
The base of configurations: immutable, no unknown fields, and errors that show nothing of what was given.

pydantic's own error carries the values that it refused to wherever it is copied, pickled or asked for `errors()`; and
any value may be a secret that stands in the wrong place. So it never leaves: `InvalidSettings` does.

Spec: SEC-01, ERR-12, HTU-17
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from http_util.settings_errors import InvalidSettings, SettingProblem, setting_problems

if TYPE_CHECKING:
    from typing import NoReturn, Self


class SettingsModel(BaseModel):
    """
    A configuration. Every way to make one raises `InvalidSettings` in the place of pydantic's error.

    >>> class Timers(SettingsModel):
    ...     wait: float = 1.0
    >>> Timers(wait="sk-in-the-wrong-place")
    Traceback (most recent call last):
    http_util.settings_errors.InvalidSettings: wait: expected a number, got a text
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    if not TYPE_CHECKING:  # type checkers take the fields for the arguments, as pydantic has it

        def __init__(self, **settings: Any) -> None:
            """
            Check *settings*.

            Raises:
                InvalidSettings: One line for each that is wrong.
            """
            try:
                super().__init__(**settings)
            except ValidationError as error:
                problems = self._problems(error, settings)
            else:
                return
            # this frame may be shown in a traceback, and credentials may stand in the settings and in what is half made
            settings.clear()
            del self
            raise InvalidSettings(problems)

        # inside of another model a configuration is validated as pydantic does it, field by field, and not by this
        __init__.__pydantic_base_init__ = True

        @classmethod
        def model_validate(cls, obj: Any, **options: Any) -> Self:
            """As pydantic's; raises `InvalidSettings`."""
            try:
                return super().model_validate(obj, **options)
            except ValidationError as error:
                problems = cls._problems(error, obj)
            del obj
            raise InvalidSettings(problems)

        @classmethod
        def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
            """As pydantic's; raises `InvalidSettings`."""
            try:
                return super().model_validate_json(json_data, **options)
            except ValidationError as error:
                problems = cls._problems(error, None)
            del json_data
            raise InvalidSettings(problems)

        @classmethod
        def model_validate_strings(cls, obj: Any, **options: Any) -> Self:
            """As pydantic's; raises `InvalidSettings`."""
            try:
                return super().model_validate_strings(obj, **options)
            except ValidationError as error:
                problems = cls._problems(error, obj)
            del obj
            raise InvalidSettings(problems)

        def __setattr__(self, name: str, value: object) -> NoReturn:
            """Refuse; raises `InvalidSettings`, which does not hold the value as pydantic's error would."""
            del value
            raise InvalidSettings([SettingProblem((name,), "cannot be changed: a configuration is immutable")])

    @classmethod
    def _problems(cls, error: ValidationError, given: object) -> tuple[SettingProblem, ...]:
        """What *error* says is wrong with the settings that were *given*, without the values."""
        return setting_problems(error, given if isinstance(given, Mapping) else {}, cls.model_json_schema())
