"""A new operation of the API: what has to be done until it can be called."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import openai_client
from codegen import description, generate
from codegen.__main__ import main

PACKAGE = Path(openai_client.__file__).parent
FORTUNES: dict[str, Any] = {
    "post": {
        "operationId": "createFortune",
        "parameters": [
            {"name": "teller_id", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "schema": {"type": "integer"}},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["question"],
                        "properties": {"question": {"type": "string"}, "doubt": {"type": "number"}},
                    }
                }
            },
        },
        "responses": {
            "200": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["id", "answer"],
                            "properties": {"id": {"type": "string"}, "answer": {"type": "string"}},
                        }
                    }
                }
            }
        },
    }
}
PROGRAM = """
import httpx
from http_util.client import build_client
from http_util.testing import Answer, FakeSyncClock, ScriptedUpstream
from openai_client import Client, ClientConfig, HttpTransport

config = ClientConfig(base_url="http://localhost/v1", api_key="k")
upstream = ScriptedUpstream(Answer.json(b'{"id": "f", "answer": "no"}'))
http_client = build_client(config.http, transport=upstream)
transport = HttpTransport(config.http, clock=FakeSyncClock(), http_client=http_client)
client = Client(config, transport=transport, clock=FakeSyncClock())
fortune = client.models.fortunes.create("t/1", question="Will it rain?", limit=2)
request = upstream.requests[0]
print(request.method, request.url, request.content.decode(), fortune.answer)
"""


@pytest.mark.slow
def test_an_operation_added_to_the_description_is_there_after_generating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else has to be written: it has its model, its method, its place, and can be called."""
    document = json.loads(description._SPEC.read_text(encoding="utf-8"))
    document["paths"]["/models/{teller_id}/fortunes"] = FORTUNES
    spec, digest = tmp_path / "facts.json", tmp_path / "facts.json.sha256"
    spec.write_text(json.dumps(document), encoding="utf-8")
    digest.write_text(hashlib.sha256(spec.read_bytes()).hexdigest(), encoding="utf-8")
    monkeypatch.setattr(description, "_SPEC", spec)
    monkeypatch.setattr(description, "_DIGEST", digest)
    monkeypatch.setattr(generate, "formatted", dict)
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))

    assert main(["--into", str(tmp_path / PACKAGE.name / "_generated")]) == 0

    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[str(tmp_path), str(PACKAGE.parent)]}\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == (
        'POST http://localhost/v1/models/t%2F1/fortunes?limit=2 {"question":"Will it rain?"} no'
    )
