"""
The methods of resources that wait, as plans. Names and arguments are the official SDK's where it has them.

Each takes `PollKeywords`, and raises what `until_done` raises. The modules of operations are loaded by the plans, and
not by this module, because they load it.

Spec: CLI-20
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openai_client.plans.descriptor import steps_endpoint
from openai_client.polling import lifecycle
from openai_client.polling.plan import asking, split_keywords, until_done

if TYPE_CHECKING:
    from typing import Unpack

    from openai_client._generated.fields.videos import CreateVideoFields
    from openai_client.plans.steps import Steps
    from openai_client.polling.plan import PollKeywords
    from openai_client.types import Batch, EvalRun, FineTuningJob, OpenAIFile, Response, VideoResource

    class VideoFields(CreateVideoFields, PollKeywords, total=False):
        """The fields of a video, and how it is waited for."""


def poll_batch(batch_id: str, **how: Unpack[PollKeywords]) -> Steps[Batch]:
    """Wait until a batch is completed, a day at most if nothing else is said. Nothing is downloaded."""
    from openai_client._generated.operations.batches import retrieve_batch

    return until_done(retrieve_batch(batch_id, **asking(how)), lifecycle.BATCH, how)


def poll_eval_run(run_id: str, *, eval_id: str, **how: Unpack[PollKeywords]) -> Steps[EvalRun]:
    """Wait until a run of an evaluation is completed."""
    from openai_client._generated.operations.evals import get_eval_run

    return until_done(get_eval_run(run_id, eval_id=eval_id, **asking(how)), lifecycle.EVAL_RUN, how)


def poll_fine_tuning_job(fine_tuning_job_id: str, **how: Unpack[PollKeywords]) -> Steps[FineTuningJob]:
    """Wait until a fine-tuning job has succeeded, a week at most if nothing else is said."""
    from openai_client._generated.operations.fine_tuning import retrieve_fine_tuning_job

    asked = retrieve_fine_tuning_job(fine_tuning_job_id, **asking(how))
    return until_done(asked, lifecycle.FINE_TUNING_JOB, how)


def poll_response(response_id: str, **how: Unpack[PollKeywords]) -> Steps[Response]:
    """Wait until a response that was begun with `background=True` is completed, or is as complete as it will be."""
    from openai_client._generated.operations.responses import get_response

    return until_done(get_response(response_id, **asking(how)), lifecycle.RESPONSE, how)


def poll_video(video_id: str, **how: Unpack[PollKeywords]) -> Steps[VideoResource]:
    """Wait until a video is made."""
    from openai_client._generated.operations.videos import get_video

    return until_done(get_video(video_id, **asking(how)), lifecycle.VIDEO, how)


def create_video_and_poll(**fields: Unpack[VideoFields]) -> Steps[VideoResource]:
    """Begin a video and wait until it is made; takes the fields of `create`."""
    from openai_client._generated.operations.videos import create_video_with, get_video

    # a TypedDict is a dict
    begin, how = split_keywords(fields)  # type: ignore[arg-type]
    seen = yield create_video_with(**begin)
    return (yield from until_done(get_video(seen.result.id, **asking(how)), lifecycle.VIDEO, how, seen))


def wait_for_file(
    file_id: str, *, poll_interval: float | None = None, **how: Unpack[PollKeywords]
) -> Steps[OpenAIFile]:
    """Wait until a file is processed, half an hour at most if nothing else is said; *poll_interval* is in seconds."""
    from openai_client._generated.operations.files import retrieve_file

    if poll_interval is not None:
        how["poll_interval_ms"] = poll_interval * 1000
    return until_done(retrieve_file(file_id, **asking(how)), lifecycle.FILE, how)


class BatchWaiting:
    """What `client.batches` has besides its operations."""

    poll = steps_endpoint(poll_batch)


class EvalRunWaiting:
    """What `client.evals.runs` has besides its operations."""

    poll = steps_endpoint(poll_eval_run)


class FineTuningJobWaiting:
    """What `client.fine_tuning.jobs` has besides its operations."""

    poll = steps_endpoint(poll_fine_tuning_job)


class ResponseWaiting:
    """What `client.responses` has besides its operations."""

    poll = steps_endpoint(poll_response)


class VideoWaiting:
    """What `client.videos` has besides its operations."""

    poll = steps_endpoint(poll_video)
    create_and_poll = steps_endpoint(create_video_and_poll)


class FileWaiting:
    """What `client.files` has besides its operations."""

    wait_for_processing = steps_endpoint(wait_for_file)
