"""Public names that load on first use."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from http_util.lazy_names import lazy_names


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of two modules, one of which cannot be loaded."""
    module = ModuleType("lazy_example")
    module.__path__ = []
    monkeypatch.setitem(sys.modules, "lazy_example", module)
    shapes = ModuleType("lazy_example.shapes")
    shapes.Circle, shapes.Square = object(), object()
    monkeypatch.setitem(sys.modules, "lazy_example.shapes", shapes)
    table = {"shapes": ("Square", "Circle"), "absent": ("Ghost",)}
    module.__getattr__, module.__dir__, module.__all__ = lazy_names("lazy_example", table)
    return module


def test_the_names_are_known_before_anything_is_loaded(package) -> None:
    """Sorted, whatever module they come from; the list that is shown is not the one that is kept."""
    assert package.__all__ == dir(package) == ["Circle", "Ghost", "Square"]
    dir(package).clear()
    package.__dir__().clear()
    assert package.__all__ == ["Circle", "Ghost", "Square"]


def test_a_name_is_found_in_its_module_once(package) -> None:
    """The second use does not ask again."""
    assert "Circle" not in vars(package)
    assert package.Circle is sys.modules["lazy_example.shapes"].Circle
    assert vars(package)["Circle"] is package.Circle


def test_a_name_that_is_not_public_is_an_attribute_error(package) -> None:
    """As for every module, and nothing is loaded for it."""
    with pytest.raises(AttributeError, match="module 'lazy_example' has no attribute 'nothing'"):
        _ = package.nothing


def test_a_module_that_cannot_be_loaded_says_so(package) -> None:
    """Its own failure is not made an AttributeError, which `hasattr` would swallow."""
    with pytest.raises(ModuleNotFoundError, match="absent"):
        _ = package.Ghost
