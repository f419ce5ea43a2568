"""The plugin: cheap to import, no connection, no credential."""

from __future__ import annotations

import subprocess
import sys
import traceback

import pytest

from adapter_api import ADAPTER_API_VERSION
from http_util.settings_errors import InvalidSettings
from worker_adapters import openai_http
from worker_adapters.openai_http import plugin
from worker_adapters.openai_http.adapter import OpenAIHttpAdapter


@pytest.mark.requirement("ADP-60", "ADP-61")
def test_the_hook_offers_a_factory_and_what_there_is_to_know() -> None:
    """Name, versions, schema and policies; the factory builds an adapter from plain settings."""
    offered = plugin.worker_adapter_plugins()
    settings = {"base_url": "http://127.0.0.1:8000/v1", "model": "m", "api_key": "sk-hidden-000"}
    assert (offered.name, offered.contract_version) == ("openai-http", ADAPTER_API_VERSION)
    assert isinstance(offered.factory(settings), OpenAIHttpAdapter)
    assert "base_url" in offered.config_schema()["properties"]
    policies = offered.policies(settings)
    assert policies["retry"]["name"] == "billing_safe"
    assert "hidden" not in repr(policies)


@pytest.mark.requirement("ADP-35")
def test_policies_that_can_never_be_in_force_are_refused() -> None:
    """Offline, before any task meets them: a file that is not there is one."""
    offered = plugin.worker_adapter_plugins()
    with pytest.raises(ValueError, match=r"ca_file: cannot be read: 'nowhere\.pem'"):
        offered.policies({"base_url": "http://127.0.0.1:8000/v1", "ca_file": "nowhere.pem"})


@pytest.mark.requirement("ADP-14", "HST-10")
def test_files_are_looked_at_beside_other_mistakes() -> None:
    """All that is wrong comes together; a file whose setting is wrong itself is told once, and no key is shown."""
    offered = plugin.worker_adapter_plugins()
    files = {"ca_file": "no.pem", "client_cert_file": "no.pem"}
    told = "cannot be read: 'no.pem': No such file or directory"

    def refusal(**settings: object) -> list[str]:
        with pytest.raises(InvalidSettings) as caught:
            offered.policies({"base_url": "https://a.example/v1", "api_key": "sk-hidden-000", **files, **settings})
        assert caught.value.__context__ is None
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [frame.locals for frame in shown.stack if frame.filename.endswith("openai_http/config.py")]
        assert frames
        assert "hidden" not in str(frames)
        return str(caught.value).splitlines()

    certificate, authority = (f"{name}: {told}" for name in ("client_cert_file", "ca_file"))
    assert refusal(modl="x") == ["modl: unknown key; did you mean 'model'?", authority, certificate]
    assert refusal(client_key_file=3)[1:] == [authority]
    assert refusal(ca_file=3)[1:] == [certificate]
    assert refusal(modl="x", ca_file=None, client_cert_file=None) == ["modl: unknown key; did you mean 'model'?"]


@pytest.mark.requirement("ADP-62")
def test_importing_the_plugin_loads_no_http_library_and_opens_nothing() -> None:
    """Discovery pays for the contract only."""
    script = (
        "import sys; import worker_adapters.openai_http.plugin as p; p.worker_adapter_plugins();"
        "print(sorted({'httpx', 'pydantic', 'openai_client', 'h2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.requirement("ADP-62")
def test_the_package_has_its_two_names_and_no_other() -> None:
    """They load on first use."""
    assert openai_http.__all__ == ["OpenAIHttpAdapter", "OpenAIHttpConfig"]
    assert openai_http.OpenAIHttpAdapter is OpenAIHttpAdapter
    with pytest.raises(AttributeError, match="nothing"):
        _ = openai_http.nothing
