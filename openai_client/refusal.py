"""
Answers that are refusals: an explicit check for callers who want an error instead of a field.

The client never calls it: a refusal is an answer like any other until somebody says that it is not.

Spec: ERR-01, CLI-01
"""

from __future__ import annotations

from typing import TypeVar

from openai_client.errors import ContentFiltered, RefusedByModel

A = TypeVar("A")


def require_answer(answer: A) -> A:
    """
    Return a chat completion, a completion or a response that is an answer.

    Args:
        answer: What an endpoint returned, or an accumulator's result.

    Raises:
        RefusedByModel: The model refused; what it said stays in *answer*.
        ContentFiltered: The upstream's filter cut the answer.

    Spec: ERR-01
    """
    for choice in getattr(answer, "choices", None) or ():
        if getattr(getattr(choice, "message", None), "refusal", None):
            raise RefusedByModel(f"choice {choice.index or 0}: the model refused to answer", param="refusal")
        if getattr(choice, "finish_reason", None) == "content_filter":
            raise ContentFiltered(f"choice {choice.index or 0}: the content filter cut it", param="finish_reason")
    for item in getattr(answer, "output", None) or ():
        if any(getattr(part, "type", None) == "refusal" for part in getattr(item, "content", None) or ()):
            raise RefusedByModel("the model refused to answer", param="refusal")
    details = getattr(answer, "incomplete_details", None)
    if getattr(details, "reason", None) == "content_filter":
        raise ContentFiltered("the content filter cut the answer", param="incomplete_details.reason")
    return answer
