"""The methods that wait, through clients of both colours."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer, FakeClock, Stall
from openai_client import (
    ApiVersionConfig,
    CachingClient,
    InvalidFieldValue,
    MemoryStore,
    NotFound,
    WorkFailed,
    WorkUnfinished,
    wait_for,
    wait_for_async,
)
from openai_client.polling.methods import BatchWaiting, poll_batch
from openai_client.polling.vector_store_methods import upload_file_batch_and_poll
from openai_client.types import VectorStoreFileBatchObject
from tests.unit.openai_client.conftest import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePair = Callable[..., Pair]


def answer(status: str | None, *, poll_after_ms: str | None = None, **fields: Any) -> Answer:
    """An object in a state."""
    headers = {} if poll_after_ms is None else {"openai-poll-after-ms": poll_after_ms}
    return Answer.json(json.dumps({"id": "id-1", "status": status, **fields}).encode(), headers=headers)


# the method, its arguments, the path that it asks, states that pass, the last one
POLLS: dict[str, tuple[Callable[[Any], Any], str, str, str]] = {
    "batch": (lambda c: c.batches.poll("b/1"), "/batches/b%2F1", "validating", "completed"),
    "eval run": (lambda c: c.evals.runs.poll("r", eval_id="e"), "/evals/e/runs/r", "queued", "completed"),
    "job": (lambda c: c.fine_tuning.jobs.poll("j"), "/fine_tuning/jobs/j", "running", "succeeded"),
    "response": (lambda c: c.responses.poll("r"), "/responses/r", "queued", "incomplete"),
    "video": (lambda c: c.videos.poll("v"), "/videos/v", "in_progress", "completed"),
    "file": (lambda c: c.files.wait_for_processing("f"), "/files/f", "uploaded", "processed"),
    "store": (lambda c: c.vector_stores.poll("v"), "/vector_stores/v", "in_progress", "completed"),
    "stored file": (
        lambda c: c.vector_stores.files.poll("f", vector_store_id="v"),
        "/vector_stores/v/files/f",
        "in_progress",
        "completed",
    ),
    "file batch": (
        lambda c: c.vector_stores.file_batches.poll("b", vector_store_id="v"),
        "/vector_stores/v/file_batches/b",
        "in_progress",
        "completed",
    ),
    "run": (lambda c: c.beta.threads.runs.poll("r", "t"), "/threads/t/runs/r", "queued", "requires_action"),
}
BETA = ApiVersionConfig(enable_beta=True)
# what the models of some objects cannot be understood without
EXTRA = {"name": "n", "output": [], "created_at": 1, "usage_bytes": 0, "file_counts": {}}


@pytest.mark.requirement("CLI-20")
@pytest.mark.parametrize("kind", POLLS)
async def test_every_kind_of_work_is_waited_for(pair: MakePair, kind: str) -> None:
    """In both colours, by the pauses that the upstream asks for and no others."""
    method, path, passes, last = POLLS[kind]
    states = (answer(passes, poll_after_ms="1000", **EXTRA), answer(passes, poll_after_ms="2000", **EXTRA))
    made = pair(*states, answer(last, **EXTRA), api_version=BETA)
    result = await made.call(method)
    assert (result.id, result.status) == ("id-1", last)
    assert [request.url.removeprefix("http://localhost:8000/v1") for request in made.requests] == [path] * 3
    assert [round(seconds) for seconds in made.sleeps] == [1, 2]
    assert all(1.0 <= seconds / least <= 1.1 for seconds, least in zip(made.sleeps, (1, 2), strict=True))


@pytest.mark.requirement("CLI-20")
async def test_work_that_failed_is_an_error_with_the_object(pair: MakePair) -> None:
    """And so is work that takes too long."""
    made = pair(answer("failed", errors={"data": []}), answer("validating"), answer("in_progress"))
    with pytest.raises(WorkFailed, match="batch id-1 is failed") as failed:
        await made.call(lambda client: client.batches.poll("b"))
    assert failed.value.result.status == "failed"
    with pytest.raises(WorkUnfinished) as unfinished:
        await made.call(lambda client: client.batches.poll("b", max_wait_seconds=0.5, poll_interval_ms=2000))
    assert unfinished.value.result.status == "in_progress"
    assert made.sleeps == [0.5]


@pytest.mark.requirement("CLI-20")
async def test_a_call_that_fails_ends_the_waiting(pair: MakePair) -> None:
    """Nothing is repeated that no policy repeats."""
    made = pair(answer("validating"), Answer.json(b"{}", status=404))
    with pytest.raises(NotFound):
        await made.call(lambda client: client.batches.poll("b", poll_interval_ms=10, extra_headers={"x-a": "1"}))
    assert [request.headers["x-a"] for request in made.requests] == ["1", "1"]


@pytest.mark.requirement("CLI-20")
async def test_a_run_is_begun_and_waited_for(pair: MakePair) -> None:
    """By the official names; each begins with one POST, and looks for the run in its thread."""
    run = {"thread_id": "t"}
    cases: list[tuple[Callable[[Any], Any], str]] = [
        (lambda c: c.beta.threads.runs.create_and_poll("t", assistant_id="a", poll_interval_ms=5), "/threads/t/runs"),
        (lambda c: c.beta.threads.create_and_run_poll(assistant_id="a", poll_interval_ms=5), "/threads/runs"),
        (
            lambda c: c.beta.threads.runs.submit_tool_outputs_and_poll(
                "id-1", thread_id="t", tool_outputs=[{"tool_call_id": "c", "output": "4"}], poll_interval_ms=5
            ),
            "/threads/t/runs/id-1/submit_tool_outputs",
        ),
    ]
    for method, path in cases:
        made = pair(answer("queued", **run), answer("in_progress", **run), answer("completed", **run), api_version=BETA)
        assert (await made.call(method)).status == "completed"
        asked = [(request.method, request.url.removeprefix("http://localhost:8000/v1")) for request in made.requests]
        assert asked == [("POST", path), ("GET", "/threads/t/runs/id-1"), ("GET", "/threads/t/runs/id-1")]
        assert made.sleeps == [0.005, 0.005]


@pytest.mark.requirement("CLI-20")
async def test_a_run_is_found_in_the_thread_that_was_given(pair: MakePair) -> None:
    """Also when the answer does not say which one it is in."""
    made = pair(answer("queued"), answer("completed"), api_version=BETA)
    await made.call(lambda c: c.beta.threads.runs.create_and_poll(thread_id="th", assistant_id="a", poll_interval_ms=5))
    assert made.requests[1].url.endswith("/threads/th/runs/id-1")


@pytest.mark.requirement("CLI-20", "ERR-01")
@pytest.mark.parametrize("how", [{"on_poll": 3}, {"pace": 3}, {"poll_interval_ms": 0}, {"max_wait_seconds": -1}])
async def test_nothing_is_begun_that_cannot_be_waited_for(pair: MakePair, how: dict[str, Any]) -> None:
    """An argument of the waiting is looked at first."""
    made = pair(answer("queued"), answer("completed"))
    (name,) = how
    for method in (
        lambda c: c.videos.create_and_poll(prompt="x", **how),
        lambda c: c.batches.poll("b", **how),
    ):
        with pytest.raises(InvalidFieldValue, match=f"^{name}: must be ") as caught:
            await made.call(method)
        assert caught.value.param == name
    assert made.requests == []


@pytest.mark.requirement("CLI-20")
async def test_a_file_is_put_into_a_store_and_waited_for(pair: MakePair) -> None:
    """The body holds what was given and nothing else; the key against repeating goes with it alone."""
    made = pair(answer("in_progress"), answer("completed"))
    result = await made.call(
        lambda c: c.vector_stores.files.create_and_poll(
            "f", vector_store_id="v", attributes={"a": 1}, idempotency_key="k", poll_interval_ms=5
        )
    )
    assert result.status == "completed"
    first, second = made.requests
    assert json.loads(first.content) == {"file_id": "f", "attributes": {"a": 1}}
    assert (first.headers["idempotency-key"], "idempotency-key" in second.headers) == ("k", False)
    assert second.url.endswith("/vector_stores/v/files/id-1")


@pytest.mark.requirement("CLI-20")
async def test_a_batch_of_files_is_put_into_a_store_and_waited_for(pair: MakePair) -> None:
    """By their ids."""
    made = pair(answer("in_progress"), answer("completed"))
    await made.call(
        lambda c: c.vector_stores.file_batches.create_and_poll("v", file_ids=["a", "b"], poll_interval_ms=5)
    )
    assert json.loads(made.requests[0].content) == {"file_ids": ["a", "b"]}
    assert made.requests[1].url.endswith("/vector_stores/v/file_batches/id-1")


class Uploads:
    """A client that answers uploads with ids, and everything else with a batch that is done."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.asked: list[Any] = []
        self.at_once = self.most_at_once = 0
        self._fails_at = fails_at

    def execute(self, operation: Any, options: Any) -> Any:
        """Answer at once."""
        del options
        self.asked.append(operation)
        if operation.operation_id != "createFile":
            return VectorStoreFileBatchObject.model_validate({"id": "b", "status": "completed"})
        number = sum(one.operation_id == "createFile" for one in self.asked)
        if number == self._fails_at:
            raise NotFound("no such place")
        return type("Uploaded", (), {"id": f"up-{operation.body.file.name}"})()


class AsyncUploads(Uploads):
    """The same for an event loop; every upload takes a turn."""

    async def execute(self, operation: Any, options: Any) -> Any:
        """Answer after a turn of the loop."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.wait((asyncio.ensure_future(_nothing()),))
            return super().execute(operation, options)
        finally:
            self.at_once -= 1


async def _nothing() -> None:
    """End in the next turn."""


def files(*names: str) -> list[Any]:
    """Files of a name."""
    return [(name, b"content") for name in names]


@pytest.mark.requirement("CLI-20", "CLI-17")
async def test_files_are_uploaded_together_and_batched_in_their_order() -> None:
    """On an event loop at most so many at once; blocking, one after another."""
    steps = upload_file_batch_and_poll("v", files=files("a", "b", "c", "d"), max_concurrency=2, file_ids=["old"])
    client: Any = AsyncUploads()
    assert (await wait_for_async(client, steps)).id == "b"
    assert client.most_at_once == 2
    blocking: Any = Uploads()
    wait_for(blocking, upload_file_batch_and_poll("v", files=files("a", "b", "c", "d"), file_ids=["old"]))
    for asked in (client.asked, blocking.asked):
        assert asked[-1].body.file_ids == ["old", "up-a", "up-b", "up-c", "up-d"]
        assert {one.body.purpose for one in asked[:-1]} == {"assistants"}


@pytest.mark.requirement("CLI-20")
async def test_an_upload_that_fails_ends_the_others() -> None:
    """And nothing is made of what was uploaded."""
    client: Any = AsyncUploads(fails_at=2)
    steps = upload_file_batch_and_poll("v", files=files(*"abcdefgh"), max_concurrency=1)
    with pytest.raises(NotFound):
        await wait_for_async(client, steps)
    assert len(client.asked) == 2
    assert client.at_once == 0


@pytest.mark.requirement("CLI-20")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"files": []}, "files: there must be one"), ({"files": files("a"), "max_concurrency": 0}, "max_c")],
)
def test_a_batch_of_nothing_is_refused(arguments: Any, said: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidFieldValue, match=said):
        next(upload_file_batch_and_poll("v", **arguments))


@pytest.mark.requirement("CLI-20", "ERR-11")
async def test_waiting_can_be_cancelled_in_a_pause_and_in_a_call() -> None:
    """Nothing is asked afterwards."""
    for seconds, requests in ((0.5, 1), (1.0, 2)):
        made = Pair("async", answer("validating"), Answer(before_head=(Stall(),)))
        clock = FakeClock()
        steps = poll_batch("b", poll_interval_ms=1000)
        task = asyncio.ensure_future(wait_for_async(made.client, steps, clock=clock))
        await clock.run_for(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(made.requests) == requests
        with pytest.raises(StopIteration):
            next(steps)


@pytest.mark.requirement("CLI-20", "CCH-01")
def test_waiting_through_a_cache_asks_the_upstream() -> None:
    """A state that was kept would be waited for until the time is up."""
    made = Pair("sync", answer("validating"), answer("completed"))
    caching = CachingClient(made.client, MemoryStore(), tenant="t", clock=made.sync_clock)
    assert caching.batches.poll("b", poll_interval_ms=1000).status == "completed"
    assert made.sleeps == [1.0]


@pytest.mark.requirement("CLI-20")
def test_a_plan_is_a_value_until_somebody_walks_it() -> None:
    """Nothing is sent by making it, and it can be walked by hand."""
    made = Pair("sync", answer("completed"))
    steps = poll_batch("b")
    assert made.requests == []
    assert wait_for(made.client, steps).status == "completed"
    assert BatchWaiting.poll.build is poll_batch
