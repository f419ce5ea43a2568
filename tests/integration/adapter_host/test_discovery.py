from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time

import pytest

from adapter_host import AdapterHost, ConfigError, HostConfig, PluginError, discover

pytestmark = pytest.mark.integration

OFFER = """
    @hookimpl
    def worker_adapter_plugins():
        return plugin({name!r})
"""

BROKEN = {
    "raises-on-import": (
        "raise RuntimeError('sk-abcdefgh12345678 \\x1b[2J')",
        r"raised RuntimeError: \*\*\*\*",
    ),
    "exits-on-import": ("raise SystemExit(3)", "loading it raised SystemExit: 3"),
    "interrupts-on-import": ("raise KeyboardInterrupt", "loading it raised KeyboardInterrupt: no text"),
    "misses-a-module": ("import no_such_module_anywhere", "loading it raised ModuleNotFoundError"),
    "hangs-on-import": ("import threading; threading.Event().wait()", "loading it took longer than 0.3 s"),
    "has-no-hook": ("", "has no hook implementation worker_adapter_plugins"),
    "hook-raises": (
        "@hookimpl\ndef worker_adapter_plugins(): raise ValueError('no')",
        "raised ValueError: no",
    ),
    "hook-exits": ("@hookimpl\ndef worker_adapter_plugins(): raise SystemExit", "loading it raised SystemExit"),
    "hook-wants-more": (
        "@hookimpl\ndef worker_adapter_plugins(config): return []",
        "loading it raised PluginValidationError",
    ),
    "gives-none": ("@hookimpl\ndef worker_adapter_plugins(): return None", "gave NoneType, expected AdapterPlugin"),
    "gives-a-text": ("@hookimpl\ndef worker_adapter_plugins(): return 'x'", "gave str, expected AdapterPlugin"),
    "gives-nothing": ("@hookimpl\ndef worker_adapter_plugins(): return []", "gave no plugin"),
    "has-no-name": (
        "@hookimpl\ndef worker_adapter_plugins(): return plugin('')",
        "name of the plugin is not",
    ),
    "has-no-factory": (
        "@hookimpl\ndef worker_adapter_plugins(): return __import__('dataclasses').replace(plugin('x'), factory=None)",
        "factory of the plugin cannot be called",
    ),
    "speaks-another-contract": (
        "@hookimpl\ndef worker_adapter_plugins(): return plugin('x', '2.0')",
        "it speaks version 2.0 of the contract, this host speaks 1.0",
    ),
    "exception-has-no-text": (
        "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
        "loading it raised E: no text",
    ),
}


@pytest.mark.requirement("HST-03", "ADP-07")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_quarantined_and_the_others_load(install, name: str):
    """With its distribution, version, entry point and a redacted reason."""
    code, reason = BROKEN[name]
    install(name, code, version="3.2.1")
    install("good-neighbour", OFFER.format(name="neighbour"))
    catalogue = discover(timeout=0.3 if name == "hangs-on-import" else 10.0)
    (quarantined,) = catalogue.quarantined
    assert {"neighbour", "openai-http"} <= set(catalogue.plugins)
    assert (quarantined.name, quarantined.origin.distribution, quarantined.origin.version) == (name, name, "3.2.1")
    assert quarantined.origin.entry_point == f"{name} = {name.replace('-', '_')}"
    assert catalogue.quarantined_as(name) is quarantined
    assert catalogue.quarantined_as("neighbour") is None

    assert re.search(reason, quarantined.reason)
    assert "\x1b" not in quarantined.reason
    assert "sk-abc" not in quarantined.reason


@pytest.mark.requirement("HST-03")
def test_one_that_hangs_costs_no_more_than_its_bound(install):
    """And leaves only a daemon thread behind, which cannot keep the process."""
    install("hangs-here", "import threading; threading.Event().wait()")
    began_at = time.monotonic()
    discover(timeout=0.2)
    assert time.monotonic() - began_at < 5
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "load-hangs-here")


@pytest.mark.requirement("HST-03")
def test_of_strangers_with_one_name_none_is_loaded(install):
    """Both are named in both reasons."""
    install("first-claim", OFFER.format(name="same"))
    install("second-claim", OFFER.format(name="same"))
    catalogue = discover()
    assert "same" not in catalogue.plugins
    assert [one.origin.distribution for one in catalogue.quarantined] == ["first-claim", "second-claim"]
    assert {one.reason for one in catalogue.quarantined} == {
        "the name 'same' is taken more than once, by first-claim, second-claim"
    }


@pytest.mark.requirement("HST-03")
def test_a_stranger_cannot_take_the_name_of_a_built_in_adapter(install):
    """Ours stays, the other is in quarantine."""
    install("usurper", OFFER.format(name="openai-http"))
    catalogue = discover()
    assert catalogue.plugins["openai-http"].origin.distribution == "worker-adapters"
    assert [one.origin.distribution for one in catalogue.quarantined] == ["usurper"]


@pytest.mark.requirement("HST-03")
def test_strict_discovery_raises_once_all_have_been_tried(install):
    """Every one that is broken is told."""
    install("broken-one", "raise RuntimeError('one')")
    install("broken-two", "raise RuntimeError('two')")
    with pytest.raises(PluginError, match=r"broken-one of broken-one 1.0: .*one\nbroken-two of .*two") as caught:
        discover(strict=True)
    assert len(caught.value.quarantined) == 2


def test_one_distribution_may_offer_several_adapters(install):
    """A list of plugins is as good as one."""
    install("several", "@hookimpl\ndef worker_adapter_plugins(): return [plugin('one'), plugin('two')]")
    assert {"one", "two"} <= set(discover().plugins)


@pytest.mark.requirement("ADP-60", "ADP-64")
def test_the_sample_plugin_is_found_in_a_process_of_its_own(adapter_host, sample_site):
    """Built as a wheel, installed into a folder, found by its metadata; without the folder it is not there."""
    result = adapter_host("list", "--json", site=sample_site)
    assert result.returncode == 0, result.stderr
    found = {one["name"]: one for one in json.loads(result.stdout)["plugins"]}
    assert found["echo"]["distribution"] == "echo-adapter"
    assert found["echo"]["entry_point"] == "echo = echo_adapter.plugin"
    assert "echo" not in adapter_host("list").stdout.decode()


@pytest.mark.requirement("ADP-08", "ADP-64")
async def test_the_sample_plugin_passes_the_conformance_suite(sample_site, site, monkeypatch):
    """What the guide shows keeps the contract."""
    from adapter_api.testing import CHECKS, check_worker_adapter, make_task

    monkeypatch.syspath_prepend(str(sample_site))
    factory = discover().plugins["echo"].plugin.factory
    prompt = "one two three four five six seven eight nine ten"
    passed = await check_worker_adapter(lambda: factory({}), lambda task_id: make_task(task_id, prompt=prompt))
    assert passed == tuple(CHECKS)
    with pytest.raises(ValueError, match="slots"):
        factory({"slots": 0})


@pytest.mark.requirement("ADP-62")
def test_discovery_opens_no_connection_and_reads_no_credential(adapter_host):
    """Seen from the interpreter's audit events, in a process of its own; file reads of modules apart."""
    code = (
        "import sys, os\n"
        "seen = []\n"
        "class Environment(dict):\n"
        "    def get(self, name, default=None):\n"
        "        seen.append(name) if 'KEY' in str(name) else None\n"
        "        return super().get(name, default)\n"
        "sys.addaudithook(lambda event, args: seen.append(event) if event.startswith('socket.conn') else None)\n"
        "from adapter_host import discover\n"
        "os.environ = Environment(os.environ)\n"
        "catalogue = discover()\n"
        "assert 'openai-http' in catalogue.plugins, catalogue\n"
        "print(seen)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.requirement("AH-3002", "SEC-11")
def test_a_pool_whose_egress_does_not_allow_its_upstream_is_refused():
    """The adapter's policy decides where it may call; the host refuses the configuration, and names the setting."""
    pool = {"adapter": "openai-http", "settings": {"base_url": "http://127.0.0.1:9/v1", "egress": ["127.0.0.1:10"]}}
    with pytest.raises(ConfigError, match=r"^pools\.chat\.settings\.egress: must allow the host of base_url"):
        AdapterHost.from_config(HostConfig.from_mapping({"pools": {"chat": pool}}))
