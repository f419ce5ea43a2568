"""
Calls whose result comes with the head of its answer: what the methods of `with_raw_response` do.

Loaded with the first of them.

Spec: CLI-16, CLI-MIG-01
"""

from __future__ import annotations

from typing import Any

from openai_client.errors import InvalidConfiguration
from openai_client.metadata import Answer
from openai_client.operation import PageOperation, StreamOperation


def answered(client: Any, operation: Any) -> Answer[Any]:
    """
    Make a call with a blocking client and return its result with the head of the answer; an open stream is a result.

    Raises:
        InvalidConfiguration: What stands in front of the client does not hand heads on.
        OpenAIError: The call failed.
    """
    _check_tells(client)
    if isinstance(operation, StreamOperation):
        stream = client.open_stream(operation, operation.options).open()
        return Answer(result=stream, metadata=stream.metadata)
    if isinstance(operation, PageOperation):
        page = client.fetch_page(operation, operation.options)
        return Answer(result=page, metadata=page.metadata)
    answer: Answer[Any] = client.with_metadata(operation, operation.options)
    return answer


async def answered_async(client: Any, operation: Any) -> Answer[Any]:
    """Do the same on an event loop; arguments and errors as `answered`."""
    _check_tells(client)
    if isinstance(operation, StreamOperation):
        stream = await client.open_stream(operation, operation.options).open()
        return Answer(result=stream, metadata=stream.metadata)
    if isinstance(operation, PageOperation):
        page = await client.fetch_page(operation, operation.options)
        return Answer(result=page, metadata=page.metadata)
    answer: Answer[Any] = await client.with_metadata(operation, operation.options)
    return answer


def _check_tells(client: Any) -> None:
    """Refuse what stands in front of a client and answers by itself: such an answer has no head."""
    if not hasattr(client, "with_metadata"):
        raise InvalidConfiguration(
            f"with_raw_response: {type(client).__name__} may answer without a call, and has no heads of answers; use "
            "the client behind it"
        )
