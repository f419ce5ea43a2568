"""Writes what clients need of all families: the list, one attribute a family, and where each model lives."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from codegen.annotations import literal
from codegen.models_source import NOTICE, ROOT
from codegen.plan import class_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMES_WIDTH: Final = 108
_MODULE: Final = '''"""
The families of the API and where they live. Nothing is imported before a family is first used.

{notice}
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from openai_client.binding import AsyncCaller, SyncCaller

if TYPE_CHECKING:
    from collections.abc import Mapping

{imports}


class Family(NamedTuple):
    """Where the operations of a family live."""

    module: str
    """The module of its operations."""
    sync_class: str
    """The class whose operations block."""
    async_class: str
    """The class whose operations are awaited."""


FAMILIES: Final[Mapping[str, Family]] = {{
{entries}
}}
"""Every generated family by its name in the client."""


class SyncFamilies(SyncCaller):
    """What a blocking client inherits: one attribute a family, imported on first use."""

{sync}


class AsyncFamilies(AsyncCaller):
    """What a client on an event loop inherits: one attribute a family, imported on first use."""

{asynchronous}
'''

_INDEX: Final = '''"""
Where each model lives, so that `openai_client.types` can load it when it is first used.

{notice}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

{imports}

_NAMES: Final = {{
{entries}
}}

MODELS: Final[Mapping[str, tuple[str, ...]]] = {{module: tuple(names.split()) for module, names in _NAMES.items()}}
"""Names of models by their module below `openai_client._generated.models`."""
'''

_IMPORT: Final = "    from {root}.operations.{family} import Async{name}, {name}"
_ENTRY: Final = '    "{family}": Family({module}, "{name}", "Async{name}"),'
_ATTRIBUTE: Final = '''    @cached_property
    def {family}(self) -> {name}:
        """The {family} family, {how}."""
        from {root}.operations.{family} import {name}

        return {name}(self)
'''


def families_source(families: tuple[str, ...]) -> str:
    """Return the source of the module that lists *families*, not yet formatted."""
    names = {family: class_name((family,)) for family in families}
    return _MODULE.format(
        notice=NOTICE,
        imports="\n".join(_IMPORT.format(root=ROOT, family=family, name=names[family]) for family in sorted(families)),
        entries="\n".join(
            _ENTRY.format(family=family, module=literal(f"{ROOT}.operations.{family}"), name=names[family])
            for family in families
        ),
        sync="\n".join(
            _ATTRIBUTE.format(root=ROOT, family=family, name=names[family], how="blocking") for family in families
        ),
        asynchronous="\n".join(
            _ATTRIBUTE.format(root=ROOT, family=family, name=f"Async{names[family]}", how="awaited")
            for family in families
        ),
    )


def index_source(models: Mapping[str, Iterable[str]]) -> str:
    """Return the source of the module that says where models live, given their names by module; not yet formatted."""
    return _INDEX.format(
        notice=NOTICE,
        imports="\n".join(f"    from {ROOT}.models.{module} import *" for module in sorted(models)),
        entries="\n".join(
            f"    {literal(module)}: (\n{_lines(sorted(models[module]))}\n    )," for module in sorted(models)
        ),
    )


def _lines(names: list[str]) -> str:
    lines = textwrap.wrap(" ".join(names), _NAMES_WIDTH, break_long_words=False)
    return "\n".join(f"        {literal(line + ' ')}" for line in lines)
