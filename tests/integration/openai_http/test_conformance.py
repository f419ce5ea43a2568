"""The adapter keeps the contract by the suite that every adapter is put through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapter_api.testing import check_worker_adapter, make_task
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from adapter_api import TaskRequest
    from upstream_simulator import Simulator


@pytest.mark.requirement("ADP-08", "OC-ADAPT-OAI-6000")
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_the_adapter_passes_the_conformance_suite(simulator: Simulator, protocol: str) -> None:
    """Over both protocols, against an upstream of its own process."""
    where = {"base_url": simulator.base_url}
    if protocol == "h2":
        where = {"base_url": str(simulator.tls_base_url), "ca_file": str(simulator.ca_file)}

    def adapter() -> OpenAIHttpAdapter:
        return OpenAIHttpAdapter(OpenAIHttpConfig.model_validate({**where, "model": "m", "max_slots": 8}))

    def task(task_id: str) -> TaskRequest:
        return make_task(task_id, prompt="a b c d e f g h")

    await check_worker_adapter(adapter, task)
