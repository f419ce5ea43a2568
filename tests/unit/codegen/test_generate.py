from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import openai_client
from codegen.__main__ import main
from codegen.generate import differences, formatted, generate, write

GENERATED = Path(openai_client.__file__).parent / "_generated"


@cache
def files() -> dict[str, str]:
    """What is generated today."""
    return generate()


@pytest.mark.slow
def test_what_is_checked_in_is_what_is_generated() -> None:
    """Nobody edits generated files, and nobody forgets to generate them."""
    assert differences(files(), GENERATED) == []
    assert main(["--check"]) == 0


@pytest.mark.slow
def test_generating_twice_gives_the_same_bytes() -> None:
    """No order of a set, no time, no machine shows."""
    assert generate() == files()


@pytest.mark.requirement("QLT-01")
def test_no_generated_file_is_longer_than_a_thousand_lines() -> None:
    """Larger families are split by subject."""
    assert max(text.count("\n") for text in files().values()) < 1000


def test_annotations_of_models_are_postponed_in_circles_only() -> None:
    """A class that names itself needs it; elsewhere pydantic would evaluate one text after the other for nothing."""
    postponed = {
        name
        for name, text in files().items()
        if name.startswith("models/") and "from __future__ import annotations" in text
    }
    assert postponed == {"models/beta_responses/tools.py", "models/responses/tools.py"}


def test_every_operation_says_its_method_path_and_name() -> None:
    """The docstring is where a reader looks first."""
    for name, text in files().items():
        if not name.startswith("operations/") or name.endswith("__init__.py"):
            continue
        functions = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
        assert functions
        for function_name, function in functions.items():
            if function_name.endswith("_with"):
                assert f"`{function_name.removesuffix('_with')}`" in (ast.get_docstring(function) or "")
                continue
            [method, path, *_] = (ast.get_docstring(function) or "").splitlines()[2].split()
            assert method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
            assert path.startswith("/")


def test_every_class_and_function_has_a_docstring() -> None:
    """Also in generated files."""
    for name, text in files().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module):
                assert ast.get_docstring(node), (name, getattr(node, "name", "module"))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("files", "content_type=FORM,"),
        ("files", "parse=as_binary,"),
        ("files", "download = download_endpoint(download_file)"),
        ("audio", "download = download_body_endpoint(create_speech, create_speech_with)"),
        ("realtime", 'part_types={"sdp": "application/sdp", "session": "application/json"},'),
        ("videos", "content_type=form_or_json(body),"),
        ("audio", "parse=text_where("),
        ("audio", 'fixed={"stream_format": "sse"},'),
        ("realtime", "parse=as_text,"),
        ("admin/organization/projects/users", "admin=True,"),
        ("admin/organization/usage", 'cursor="page",'),
        ("beta/responses", 'beta="responses_multi_agent=v1",'),
        ("beta/assistants", 'beta="assistants=v2",'),
        ("beta/threads", "named_events=True,"),
        ("vector_stores", 'headers={"openai-beta": "assistants=v2"},'),
        ("fine_tuning", "list_events = page_endpoint(list_fine_tuning_events)"),
    ],
)
def test_what_is_special_about_an_operation_stands_in_its_call(module: str, line: str) -> None:
    """Forms, files, texts, pages by token, beta services, the administration's key."""
    assert line in files()[f"operations/{module}.py"]


def test_the_fields_of_a_body_are_told_to_type_checkers_only() -> None:
    """No module of operations imports one of fields when it runs."""
    for name, text in files().items():
        if name.startswith("operations/"):
            imported = [node.module or "" for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
            assert not [module for module in imported if "._generated.fields" in module]


@pytest.mark.slow
def test_the_command_compares_without_writing() -> None:
    """It is what the gate runs."""
    done = subprocess.run([sys.executable, "-m", "codegen", "--check"], cwd=GENERATED.parent.parent, check=False)
    assert done.returncode == 0


def test_source_that_is_no_python_is_never_written() -> None:
    """The error shows what the formatter said."""
    with pytest.raises(RuntimeError, match="not Python"):
        formatted({"x.py": "def def"})


@pytest.mark.slow
def test_check_names_what_is_stale_and_writing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Changed, missing and superfluous files all count."""
    assert main(["--into", str(tmp_path)]) == 0
    (tmp_path / "families.py").write_text("# edited\n")
    (tmp_path / "index.py").unlink()
    (tmp_path / "models" / "horoscopes.py").write_text("")
    capsys.readouterr()
    assert main(["--check", "--into", str(tmp_path)]) == 1
    stale = [line.split(" ")[0] for line in capsys.readouterr().err.splitlines()]
    assert stale == ["families.py", "index.py", "models/horoscopes.py"]
    write(files(), tmp_path)
    assert differences(files(), tmp_path) == []
