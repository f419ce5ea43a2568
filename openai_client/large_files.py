"""
Large files in parts, in both colours: the thin part that waits. What is done in which order stands in `upload_plan`.

Memory holds a few pieces of each part that is on its way, whatever the size of file and parts.

Spec: CLI-17, EP-UPL-01
"""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import suppress
from typing import TYPE_CHECKING

from openai_client.binding import AsyncResource, SyncResource
from openai_client.errors import OpenAIError
from openai_client.file_slices import SharedFile
from openai_client.resource_methods import shows_fields
from openai_client.upload_plan import UploadPlan, file_to_upload

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import Unpack

    from openai_client._generated.models.uploads import Upload
    from openai_client.binding import AsyncCaller, SyncCaller
    from openai_client.file_input import FileInput
    from openai_client.upload_plan import FilePart, UploadKeywords


def upload_large_file(
    client: SyncCaller, file: FileInput | str | os.PathLike[str], **wanted: Unpack[UploadKeywords]
) -> Upload:
    """
    Upload *file* in parts, several at once, and return the completed upload; its `file` is the new file.

    When anything fails, or the caller is interrupted, the upload is cancelled at the upstream, and what failed is
    raised. Parts that are on their way then end with their next 64 KiB.

    Args:
        client: Makes the calls.
        file: A path, bytes, or a binary file that can seek, from where it stands; or one of these with name and type.
        wanted: `purpose`, and what else `UploadKeywords` tells. What belongs to a call counts for every request of the
            flow: `timeout` is that of one part. `on_progress` is told how much of the whole file was sent, from several
            threads, and never from two at once.

    Raises:
        OpenAIError: A call failed, or the file cannot be read.

    Spec: CLI-17
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    chosen = file_to_upload(file, wanted)
    # this frame may be shown in a traceback
    del file
    with SharedFile(chosen) as shared:
        plan = UploadPlan(chosen, shared.size, wanted)
        upload = client.execute(plan.create(), plan.options)

        def send(part: FilePart) -> None:
            operation = plan.add(upload, part, shared.slice(part.offset, part.size))
            plan.added(part, client.execute(operation, operation.options))

        try:
            with ThreadPoolExecutor(plan.parallel, thread_name_prefix="upload") as pool:
                running = [pool.submit(contextvars.copy_context().run, send, part) for part in plan.parts]
                try:
                    for done in as_completed(running):
                        done.result()
                except BaseException:
                    plan.stop()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            return client.execute(plan.complete(upload), plan.options)
        except BaseException:
            with suppress(OpenAIError):
                client.execute(plan.cancel(upload), plan.last_options)
            raise


async def upload_large_file_async(
    client: AsyncCaller, file: FileInput | str | os.PathLike[str], **wanted: Unpack[UploadKeywords]
) -> Upload:
    """
    Upload *file* in parts, several at once, and return the completed upload; as `upload_large_file`.

    When the caller is cancelled, the parts are at once; the upload is then cancelled at the upstream, which may take
    five seconds, before the cancellation goes on. `on_progress` is called on the event loop.

    Spec: CLI-17
    """
    chosen = file_to_upload(file, wanted)
    # this frame may be shown in a traceback
    del file
    with await asyncio.to_thread(SharedFile, chosen) as shared:
        plan = UploadPlan(chosen, shared.size, wanted)
        upload = await client.execute(plan.create(), plan.options)

        async def send(parts: Iterator[FilePart]) -> None:
            for part in parts:
                operation = plan.add(upload, part, shared.slice(part.offset, part.size))
                plan.added(part, await client.execute(operation, operation.options))

        try:
            waiting = iter(plan.parts)
            async with asyncio.TaskGroup() as group:
                for _ in range(plan.parallel):
                    group.create_task(send(waiting))
            return await client.execute(plan.complete(upload), plan.options)
        except BaseException as error:
            with suppress(OpenAIError):
                await client.execute(plan.cancel(upload), plan.last_options)
            if isinstance(error, BaseExceptionGroup):
                # the first one has ended the others
                raise error.exceptions[0] from None
            raise


class ChunkedUploads(SyncResource):
    """What `client.uploads` has beside its operations, blocking."""

    @shows_fields
    def upload_file_chunked(
        self, *, file: FileInput | str | os.PathLike[str], **wanted: Unpack[UploadKeywords]
    ) -> Upload:
        """Upload *file* in parts, several at once; see `openai_client.large_files.upload_large_file`."""
        return upload_large_file(self._client, file, **wanted)


class AsyncChunkedUploads(AsyncResource):
    """What `client.uploads` has beside its operations, awaited."""

    @shows_fields
    async def upload_file_chunked(
        self, *, file: FileInput | str | os.PathLike[str], **wanted: Unpack[UploadKeywords]
    ) -> Upload:
        """Upload *file* in parts, several at once; see `openai_client.large_files.upload_large_file_async`."""
        return await upload_large_file_async(self._client, file, **wanted)
