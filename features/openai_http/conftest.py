"""
Steps for the features of the OpenAI adapter. They drive its public API against an upstream of its own process.

Steps are plain functions that run a loop: pytest-bdd does not await.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from pytest_bdd import given, parsers, then, when

import upstream_simulator
from adapter_api import TaskCancelled, TaskRequest, WorkerError, testing
from http_util import RetryPolicy
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapter_api import TokenEvent
    from upstream_simulator import Simulator

PROMPT: Final = "A secret about the old oak."
KEY: Final = "sk-feature-0123456789"
POLICIES: Final = {
    "billing_safe": RetryPolicy(name="billing_safe", base=0.001, cap=0.002),
    "available": RetryPolicy(name="available", base=0.001, cap=0.002, retries_unknown=True),
}


@dataclass
class Story:
    """What one scenario has done so far."""

    runner: asyncio.Runner
    upstream: Simulator
    log: Callable[[], str]
    adapter: OpenAIHttpAdapter | None = None
    events: list[TokenEvent] = field(default_factory=list)
    after_cancel: list[TokenEvent] = field(default_factory=list)
    error: WorkerError | None = None

    @property
    def pool(self) -> OpenAIHttpAdapter:
        """The adapter of the scenario."""
        assert self.adapter is not None, "the scenario has no adapter yet"
        return self.adapter

    def run(self, coroutine: Any) -> Any:
        """The coroutine's result, in the scenario's one loop."""
        return self.runner.run(coroutine)

    async def submit(self, **fields: Any) -> None:
        """Submit a task and read its stream; an error before the start is kept."""
        try:
            stream = await self.pool.submit(make_task(**fields))
        except WorkerError as error:
            self.error = error
            return
        async with stream:
            self.events = [event async for event in stream]


def make_task(**fields: Any) -> TaskRequest:
    """A task of the scenario."""
    return testing.make_task(**{"max_tokens": 5, "deadline_ms": 20_000, "prompt": PROMPT, **fields})


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    """One upstream for all scenarios."""
    with upstream_simulator.start() as simulator:
        yield simulator


@pytest.fixture
def story(server: Simulator, caplog: pytest.LogCaptureFixture) -> Iterator[Story]:
    """A scenario with a loop of its own; whatever it opened is closed at its end."""
    server.reset()
    caplog.set_level(logging.DEBUG)
    with asyncio.Runner() as runner:
        # the test tool logs the sentences of the scenario itself, and the key is in one of them
        ours = (record for record in caplog.records if not record.name.startswith("pytest_bdd"))
        made = Story(runner, server, lambda: " ".join(str(vars(record)) for record in ours))
        yield made
        if made.adapter is not None:
            runner.run(made.adapter.aclose())


def build(story: Story, **settings: Any) -> None:
    """Give the scenario its adapter."""

    async def made() -> OpenAIHttpAdapter:
        return OpenAIHttpAdapter(OpenAIHttpConfig(base_url=story.upstream.base_url, model="m", **settings))

    story.adapter = story.run(made())


@given("an upstream")
def _an_upstream(story: Story) -> None:
    assert story.upstream.base_url.startswith("http://127.0.0.1:")


@given(parsers.re(r"an adapter for the (?P<api>\w+) API$"))
def _an_adapter(story: Story, api: str) -> None:
    build(story, api=api)


@given(parsers.parse("an adapter for the chat API with the policy {policy}"))
def _an_adapter_with_policy(story: Story, policy: str) -> None:
    build(story, retry=POLICIES[policy])


@given(parsers.parse('an adapter for the chat API with the key "{key}"'))
def _an_adapter_with_key(story: Story, key: str) -> None:
    build(story, api_key=key)


@given(parsers.parse('the upstream will do "{fault}"'))
def _the_upstream_will_do(story: Story, fault: str) -> None:
    story.upstream.script(fault)


@given(parsers.parse('the upstream will always do "{fault}"'))
def _the_upstream_will_always_do(story: Story, fault: str) -> None:
    story.upstream.script(always=fault)


@given("the environment names a proxy")
def _the_environment_names_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@when(parsers.parse("a task for {tokens:d} tokens is submitted"))
def _a_task_is_submitted(story: Story, tokens: int) -> None:
    story.run(story.submit(max_tokens=tokens))


@when(parsers.parse("a task with a deadline of {deadline:d} ms is submitted"))
def _a_task_with_a_deadline(story: Story, deadline: int) -> None:
    story.run(story.submit(deadline_ms=deadline))


@when(parsers.parse("a task for {tokens:d} tokens is submitted and cancelled after {after:d} tokens"))
def _cancelled_midway(story: Story, tokens: int, after: int) -> None:
    async def cancel_midway() -> None:
        stream = await story.pool.submit(make_task(max_tokens=tokens))
        async with stream:
            while len(story.events) < 1 + after:
                story.events.append(await anext(stream))
            await story.pool.cancel("t-1")
            story.after_cancel = [event async for event in stream]
        story.events += story.after_cancel

    story.run(cancel_midway())


@when("a task is cancelled while it waits for the upstream")
def _cancelled_while_waiting(story: Story) -> None:
    async def cancel_waiting() -> None:
        submit = asyncio.ensure_future(story.submit())
        while not story.upstream.log():
            await asyncio.sleep(0)
        await story.pool.cancel("t-1")
        await submit

    story.run(cancel_waiting())


@when("the task and an unknown task are cancelled")
def _cancelled_after_the_end(story: Story) -> None:
    story.run(story.pool.cancel("t-1"))
    story.run(story.pool.cancel("t-unknown"))


@then(parsers.re(r"the events are started, (?P<tokens>\d+) tokens, (?P<last>end|error)"), converters={"tokens": int})
def _the_events_are(story: Story, tokens: int, last: str) -> None:
    assert [event.kind for event in story.events] == ["started", *["token"] * tokens, last]


@then("the tokens are numbered from 0")
def _numbered(story: Story) -> None:
    indices = [event.index for event in story.events if event.kind == "token"]
    assert indices == list(range(len(indices)))


@then(parsers.parse("the end has the evidence {evidence}"))
def _evidence(story: Story, evidence: str) -> None:
    assert story.events[-1].data["evidence"] == evidence


@then(parsers.parse("the last event is an error with code {code}"))
def _last_is_an_error(story: Story, code: str) -> None:
    assert (story.events[-1].kind, story.events[-1].data["code"]) == ("error", code)


@then(parsers.parse("the error says that the outcome is {outcome}"))
def _outcome(story: Story, outcome: str) -> None:
    assert story.events[-1].data["outcome"] == outcome


@then(parsers.parse("the last event is an end with finish reason {reason}"))
def _last_is_an_end(story: Story, reason: str) -> None:
    assert (story.events[-1].kind, story.events[-1].data["finish_reason"]) == ("end", reason)


@then(parsers.re(r"submit raises (?P<code>[A-Z_]+) with (?P<fact>reason|outcome) (?P<value>\w+)"))
def _submit_raises(story: Story, code: str, fact: str, value: str) -> None:
    assert story.error is not None
    assert (story.error.code, getattr(story.error, fact)) == (code, value)
    assert story.events == []


@then("submit says that the task was cancelled")
def _submit_says_cancelled(story: Story) -> None:
    assert isinstance(story.error, TaskCancelled)


@then("no token follows the cancel")
def _no_token_follows(story: Story) -> None:
    assert [event.kind for event in story.after_cancel] == ["end"]


@then("the upstream has seen the client leave")
def _upstream_saw(story: Story) -> None:
    assert [exchange.left for exchange in story.upstream.log(settle=2.0)] in (["disconnected"], ["reset"])


@then("all slots are free")
def _slots(story: Story) -> None:
    props = story.run(story.pool.props())
    assert props.slots_free == props.slots_total


@then(parsers.parse("the upstream saw {requests:d} requests"))
def _upstream_saw_requests(story: Story, requests: int) -> None:
    assert len(story.upstream.log()) == requests


@then(parsers.parse("the ledger reads {outcomes}"))
def _ledger(story: Story, outcomes: str) -> None:
    lines = story.events[-1].data["attempts"]
    assert [line.get("outcome", "success") for line in lines] == outcomes.split(", ")


@then("the upstream was sent only model, messages, max_tokens, stream and stream_options")
def _sent_only(story: Story) -> None:
    body = json.loads(story.upstream.log()[0].body)
    assert list(body) == ["model", "messages", "max_tokens", "stream", "stream_options"]


@then("the adapter's policies name retry, timeouts, egress, proxy and TLS")
def _policies(story: Story) -> None:
    assert {"retry", "connect_timeout", "idle_timeout", "egress", "proxy", "tls"} <= story.pool.policies.keys()


@then("neither error, log nor adapter shows the key or the prompt")
def _nothing_shows(story: Story) -> None:
    for text in (str(story.error), repr(story.error), story.log(), repr(story.adapter), str(story.pool.policies)):
        assert KEY not in text
        assert "old oak" not in text
