from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import public_names

if TYPE_CHECKING:
    from pathlib import Path

LAZY = """
from http_util.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {"shapes.round": ("CIRCLE", "Circle", "circle"), "edges": ("Edge",)},
)
"""
STUB = """\
# Written by scripts/public_names.py from the table in __init__.py; do not edit.

from pack.inner.edges import Edge as Edge
from pack.inner.shapes.round import CIRCLE as CIRCLE
from pack.inner.shapes.round import Circle as Circle
from pack.inner.shapes.round import circle as circle
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with one package whose names are lazy, and one that has none."""
    for name, text in {"pack/__init__.py": '"""Not lazy."""', "pack/inner/__init__.py": LAZY}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def test_each_name_is_a_line_of_the_stub(tree: Path) -> None:
    """And a package that is not lazy gets none."""
    assert public_names.main([], root=tree) == 0
    assert [path.relative_to(tree).as_posix() for path in tree.rglob("*.pyi")] == ["pack/inner/__init__.pyi"]
    assert (tree / "pack/inner/__init__.pyi").read_text("utf-8") == STUB


def test_a_stub_that_is_missing_or_stale_is_found(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, and not written."""
    assert public_names.main(["--check"], root=tree) == 1
    assert "pack/inner/__init__.pyi is stale" in capsys.readouterr().err
    public_names.main([], root=tree)
    assert public_names.main(["--check"], root=tree) == 0
    with (tree / "pack/inner/__init__.pyi").open("a", encoding="utf-8") as stub:
        stub.write("from pack.inner.gone import Gone as Gone\n")
    assert public_names.main(["--check"], root=tree) == 1


def test_words_about_the_function_are_no_table() -> None:
    """Only its call is."""
    assert public_names.table_of("from http_util.lazy_names import lazy_names") is None
    assert public_names.table_of("x = other(__name__, {})") is None
