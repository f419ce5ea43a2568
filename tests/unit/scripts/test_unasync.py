from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import unasync

if TYPE_CHECKING:
    from pathlib import Path

EVERY_WORD = "\n".join(pattern.replace("\\", "") for pattern, _ in unasync.SUBSTITUTIONS) + "\n"

WORDS = (
    (r"async def", "def"),
    (r"async with", "with"),
    (r"await ", ""),
    (r"_async", "_sync"),
    (r"httpx\.AsyncClient", "httpx.Client"),
    (r"aclose", "close"),
    (r"AsyncExchange", "Exchange"),
)
"""A table of its own, so that the project's may change."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with one async module that uses every substitution."""
    source = tmp_path / "http_util" / "_async"
    source.mkdir(parents=True)
    (source / "exchange.py").write_text(EVERY_WORD, "utf-8")
    return tmp_path


def copy_of(tree: Path) -> Path:
    """Where the copy of the one module stands."""
    return tree / "http_util" / "_sync" / "exchange.py"


@pytest.mark.parametrize(
    ("source", "copy"),
    [
        ("async def aclose(self) -> None:", "def close(self) -> None:"),
        ("async with await self.open(call) as stream:", "with self.open(call) as stream:"),
        ("from http_util._async.exchange import AsyncExchange", "from http_util._sync.exchange import Exchange"),
        ("client: httpx.AsyncClient", "client: httpx.Client"),
        ("# it awaits nothing, and MyAsyncExchange is left alone", None),
        ("raw.aclose_quietly", None),
    ],
)
def test_the_copy_replaces_whole_words_only(source: str, copy: str | None) -> None:
    """Every substitution stands between word borders; None means that the line stays as it is."""
    assert unasync.Unasync(WORDS).copy(source) == (source if copy is None else copy)


def test_a_run_writes_the_copies_and_the_check_then_agrees(tree: Path) -> None:
    """What a run wrote passes the check, and says where it came from."""
    assert unasync.main([], root=tree) == 0
    assert (
        copy_of(tree).read_text("utf-8").startswith("# Written by scripts/unasync.py from http_util/_async/exchange.py")
    )
    assert unasync.main(["--check"], root=tree) == 0


@pytest.mark.parametrize("damage", ["edited", "missing", "left over"])
def test_the_check_fails_on_a_copy_that_is_not_what_a_run_would_write(
    tree: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edited, a missing and a left-over copy are each named, and the check writes nothing."""
    unasync.main([], root=tree)
    path = copy_of(tree)
    match damage:
        case "edited":
            path.write_text(path.read_text("utf-8") + "#", "utf-8")
        case "missing":
            path.unlink()
        case _:
            path = path.with_name("gone.py")
            path.write_text("", "utf-8")
    before = path.exists()
    assert unasync.main(["--check"], root=tree) == 1
    assert f"http_util/_sync/{path.name} is stale" in capsys.readouterr().err
    assert path.exists() is before
    assert unasync.main([], root=tree) == 0
    assert unasync.main(["--check"], root=tree) == 0


def test_a_substitution_that_nothing_uses_fails_the_run(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name changed on one side only shows as an unused substitution."""
    source = tree / "http_util" / "_async" / "exchange.py"
    source.write_text(EVERY_WORD.replace("AsyncEventStream", "AsyncStream"), "utf-8")
    assert unasync.main([], root=tree) == 1
    assert "'AsyncEventStream' was never used" in capsys.readouterr().err


def test_without_a_source_there_is_nothing_to_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty tree passes, and says so."""
    assert unasync.main(["--check"], root=tmp_path) == 0
    assert "nothing to copy" in capsys.readouterr().out
