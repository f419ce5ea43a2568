"""
A package's public names, each loaded with its module when it is first used.

Example, the whole of a package's `__init__.py`:

    __getattr__, __dir__, __all__ = lazy_names(__name__, {"errors": ("Failed", "Late"), "client": ("Client",)})

Type checkers and editors read the `__init__.pyi` beside it, which `scripts/public_names.py` writes from the same table:
so a name that is not there is an error for them too, which a `__getattr__` that they can see would hide.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, names_of: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """
    Return `__getattr__`, `__dir__` and `__all__` for *package*.

    Args:
        package: The package's own `__name__`.
        names_of: The public names by the module that they live in, seen from the package: `{"errors": ("Failed",)}`.
    """
    home_of = {name: module for module, names in names_of.items() for name in names}
    public = sorted(home_of)

    def load(name: str) -> Any:
        """Load the module that *name* lives in, and keep what was found."""
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: list(public), public
