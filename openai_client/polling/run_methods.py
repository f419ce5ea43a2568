"""
The methods of assistants' runs that wait, as plans; the rest is as for `openai_client.polling.methods`.

Spec: CLI-20
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai_client.plans.descriptor import steps_endpoint
from openai_client.polling import lifecycle
from openai_client.polling.plan import asking, split_keywords, until_done

if TYPE_CHECKING:
    from typing import Unpack

    from openai_client._generated.fields.threads import (
        CreateRunFields,
        CreateThreadAndRunFields,
        SubmitToolOutputsRunFields,
    )
    from openai_client.operation import Operation
    from openai_client.plans.steps import Seen, Steps
    from openai_client.polling.plan import PollKeywords
    from openai_client.types import RunObject

    class RunFields(CreateRunFields, PollKeywords, total=False):
        """The fields of a run, and how it is waited for."""

    class ThreadAndRunFields(CreateThreadAndRunFields, PollKeywords, total=False):
        """The fields of a thread with its run, and how that is waited for."""

    class ToolOutputFields(SubmitToolOutputsRunFields, PollKeywords, total=False):
        """The outputs of tools, and how the run is waited for."""


def poll_run(run_id: str, thread_id: str, **how: Unpack[PollKeywords]) -> Steps[RunObject]:
    """Wait until a run is completed, or wants the outputs of tools (`requires_action`)."""
    return until_done(_asked(run_id, thread_id, how), lifecycle.RUN, how)


def create_run_and_poll(thread_id: str, **fields: Unpack[RunFields]) -> Steps[RunObject]:
    """Begin a run and wait as `poll` does; takes the fields of `create`."""
    from openai_client._generated.operations.beta.threads import create_run_with

    # a TypedDict is a dict
    begin, how = split_keywords(fields)  # type: ignore[arg-type]
    return (yield from _begun(create_run_with(thread_id, **begin), how, thread_id))


def submit_tool_outputs_and_poll(
    run_id: str, *, thread_id: str, **fields: Unpack[ToolOutputFields]
) -> Steps[RunObject]:
    """Give a run the outputs of its tools and wait as `poll` does."""
    from openai_client._generated.operations.beta.threads import submit_tool_outputs_to_run_with

    # a TypedDict is a dict
    begin, how = split_keywords(fields)  # type: ignore[arg-type]
    return (yield from _begun(submit_tool_outputs_to_run_with(run_id, thread_id=thread_id, **begin), how, thread_id))


def create_thread_and_run_poll(**fields: Unpack[ThreadAndRunFields]) -> Steps[RunObject]:
    """Begin a thread with a run and wait as `poll` does; takes the fields of `create_and_run`."""
    from openai_client._generated.operations.beta.threads import create_thread_and_run_with

    # a TypedDict is a dict
    begin, how = split_keywords(fields)  # type: ignore[arg-type]
    return (yield from _begun(create_thread_and_run_with(**begin), how))


def _begun(begin: Operation[RunObject], how: PollKeywords, thread_id: str | None = None) -> Steps[RunObject]:
    seen: Seen = yield begin
    run: Any = seen.result
    asked = _asked(run.id, thread_id or run.thread_id, how)
    return (yield from until_done(asked, lifecycle.RUN, how, seen))


def _asked(run_id: str, thread_id: str, how: PollKeywords) -> Operation[RunObject]:
    from openai_client._generated.operations.beta.threads import get_run

    return get_run(run_id, thread_id=thread_id, **asking(how))


class RunWaiting:
    """What `client.beta.threads.runs` has besides its operations."""

    poll = steps_endpoint(poll_run)
    create_and_poll = steps_endpoint(create_run_and_poll)
    submit_tool_outputs_and_poll = steps_endpoint(submit_tool_outputs_and_poll)


class ThreadWaiting:
    """What `client.beta.threads` has besides its operations."""

    create_and_run_poll = steps_endpoint(create_thread_and_run_poll)
