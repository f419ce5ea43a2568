"""
The methods of vector stores that wait, as plans; the rest is as for `openai_client.polling.methods`.

Spec: CLI-20
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai_client.errors import InvalidFieldValue
from openai_client.plans.descriptor import steps_endpoint
from openai_client.plans.steps import Together
from openai_client.polling import lifecycle
from openai_client.polling.plan import asking, split_keywords, until_done

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from openai_client._generated.fields.vector_stores import CreateVectorStoreFileBatchFields
    from openai_client.calling import CallKeywords
    from openai_client.file_input import FileInput
    from openai_client.plans.steps import Steps
    from openai_client.polling.plan import PollKeywords
    from openai_client.types import (
        ChunkingStrategyRequestParam,
        VectorStoreFileBatchObject,
        VectorStoreFileObject,
        VectorStoreObject,
    )

    class BatchFields(CreateVectorStoreFileBatchFields, PollKeywords, total=False):
        """The fields of a file batch, and how it is waited for."""


def poll_vector_store(vector_store_id: str, **how: Unpack[PollKeywords]) -> Steps[VectorStoreObject]:
    """Wait until a vector store has processed its files."""
    from openai_client._generated.operations.vector_stores import get_vector_store

    return until_done(get_vector_store(vector_store_id, **asking(how)), lifecycle.VECTOR_STORE, how)


def poll_file(file_id: str, *, vector_store_id: str, **how: Unpack[PollKeywords]) -> Steps[VectorStoreFileObject]:
    """Wait until a file of a vector store is processed."""
    from openai_client._generated.operations.vector_stores import get_vector_store_file

    asked = get_vector_store_file(file_id, vector_store_id=vector_store_id, **asking(how))
    return until_done(asked, lifecycle.VECTOR_STORE_FILE, how)


def create_file_and_poll(
    file_id: str,
    *,
    vector_store_id: str,
    attributes: Mapping[str, str | float | bool] | None = None,
    chunking_strategy: ChunkingStrategyRequestParam | Mapping[str, Any] | None = None,
    **how: Unpack[PollKeywords],
) -> Steps[VectorStoreFileObject]:
    """Put a file that was uploaded into a vector store, and wait until it is processed."""
    from openai_client._generated.operations.vector_stores import create_vector_store_file_with, get_vector_store_file

    # a TypedDict is a dict
    begin, waiting = split_keywords(how)  # type: ignore[arg-type]
    fields = _given(file_id=file_id, attributes=attributes, chunking_strategy=chunking_strategy)
    seen = yield create_vector_store_file_with(vector_store_id, **fields, **begin)
    asked = get_vector_store_file(seen.result.id, vector_store_id=vector_store_id, **asking(waiting))
    return (yield from until_done(asked, lifecycle.VECTOR_STORE_FILE, waiting, seen))


def upload_file(
    *,
    vector_store_id: str,
    file: FileInput,
    chunking_strategy: ChunkingStrategyRequestParam | Mapping[str, Any] | None = None,
    **call: Unpack[CallKeywords],
) -> Steps[VectorStoreFileObject]:
    """Upload a file and put it into a vector store, without waiting for it to be processed."""
    from openai_client._generated.operations.files import create_file_with
    from openai_client._generated.operations.vector_stores import create_vector_store_file_with

    seen = yield create_file_with(file=file, purpose="assistants", **call)
    fields = _given(file_id=seen.result.id, chunking_strategy=chunking_strategy)
    seen = yield create_vector_store_file_with(vector_store_id, **fields, **call)
    return seen.result  # type: ignore[no-any-return] # a call returns what its operation says


def upload_file_and_poll(
    *,
    vector_store_id: str,
    file: FileInput,
    attributes: Mapping[str, str | float | bool] | None = None,
    chunking_strategy: ChunkingStrategyRequestParam | Mapping[str, Any] | None = None,
    **how: Unpack[PollKeywords],
) -> Steps[VectorStoreFileObject]:
    """Upload a file, put it into a vector store, and wait until it is processed."""
    from openai_client._generated.operations.files import create_file_with

    # a TypedDict is a dict
    begin, _ = split_keywords(how)  # type: ignore[arg-type]
    seen = yield create_file_with(file=file, purpose="assistants", **begin)
    return (
        yield from create_file_and_poll(
            seen.result.id,
            vector_store_id=vector_store_id,
            attributes=attributes,
            chunking_strategy=chunking_strategy,
            **how,
        )
    )


def poll_file_batch(
    batch_id: str, *, vector_store_id: str, **how: Unpack[PollKeywords]
) -> Steps[VectorStoreFileBatchObject]:
    """Wait until the files of a batch are processed. Its `file_counts` tell how many of them failed."""
    from openai_client._generated.operations.vector_stores import get_vector_store_file_batch

    asked = get_vector_store_file_batch(batch_id, vector_store_id=vector_store_id, **asking(how))
    return until_done(asked, lifecycle.VECTOR_STORE_FILE_BATCH, how)


def create_file_batch_and_poll(
    vector_store_id: str, **fields: Unpack[BatchFields]
) -> Steps[VectorStoreFileBatchObject]:
    """Put several files that were uploaded into a vector store, and wait until they are processed."""
    from openai_client._generated.operations.vector_stores import (
        create_vector_store_file_batch_with,
        get_vector_store_file_batch,
    )

    # a TypedDict is a dict
    begin, how = split_keywords(fields)  # type: ignore[arg-type]
    seen = yield create_vector_store_file_batch_with(vector_store_id, **begin)
    asked = get_vector_store_file_batch(seen.result.id, vector_store_id=vector_store_id, **asking(how))
    return (yield from until_done(asked, lifecycle.VECTOR_STORE_FILE_BATCH, how, seen))


def upload_file_batch_and_poll(
    vector_store_id: str,
    *,
    files: Sequence[FileInput],
    max_concurrency: int = 5,
    file_ids: Sequence[str] = (),
    chunking_strategy: ChunkingStrategyRequestParam | Mapping[str, Any] | None = None,
    **how: Unpack[PollKeywords],
) -> Steps[VectorStoreFileBatchObject]:
    """
    Upload files, put them into a vector store together with *file_ids*, and wait until they are processed.

    An event loop uploads *max_concurrency* at once, blocking code one after another. When one upload fails, what was
    uploaded stays where it is.
    """
    from openai_client._generated.operations.files import create_file_with

    if not files and not file_ids:
        raise InvalidFieldValue("files: there must be one at least, or file_ids", param="files")
    if max_concurrency < 1:
        raise InvalidFieldValue(f"max_concurrency: must be 1 or more, not {max_concurrency!r}", param="max_concurrency")
    # a TypedDict is a dict
    begin, _ = split_keywords(how)  # type: ignore[arg-type]
    uploads = [create_file_with(file=file, purpose="assistants", **begin) for file in files]
    seen = yield Together(uploads, max_concurrency)
    ids = [*file_ids, *(file.id for file in seen.result)]
    fields = _given(file_ids=ids, chunking_strategy=chunking_strategy)
    return (yield from create_file_batch_and_poll(vector_store_id, **fields, **how))


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class VectorStoreWaiting:
    """What `client.vector_stores` has besides its operations."""

    poll = steps_endpoint(poll_vector_store)


class VectorStoreFileWaiting:
    """What `client.vector_stores.files` has besides its operations."""

    poll = steps_endpoint(poll_file)
    create_and_poll = steps_endpoint(create_file_and_poll)
    upload = steps_endpoint(upload_file)
    upload_and_poll = steps_endpoint(upload_file_and_poll)


class VectorStoreFileBatchWaiting:
    """What `client.vector_stores.file_batches` has besides its operations."""

    poll = steps_endpoint(poll_file_batch)
    create_and_poll = steps_endpoint(create_file_batch_and_poll)
    upload_and_poll = steps_endpoint(upload_file_batch_and_poll)
