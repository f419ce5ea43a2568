"""
What is common to all requests for several embeddings: their limit, the order of their answers, their refusals. Pure.

Spec: BAT-01, CLI-21
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from adapter_api.outcome import Outcome
from openai_client.errors import ContentPolicyError, RequestError, TokenLimitExceeded, UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai_client._generated.models.embeddings import Embedding

MOST_INPUTS: Final = 2048
"""Inputs that the API takes in one request."""

# a smaller request may be accepted where this one was not
_SPLIT: Final = (RequestError, ContentPolicyError, TokenLimitExceeded)


def may_be_one_inputs_fault(error: Exception) -> bool:
    """
    Tell whether a smaller request may succeed where the whole one was refused, and nothing was processed or billed.

    Example:
        >>> from openai_client.errors import InvalidFieldValue, QuotaExceeded
        >>> [
        ...     may_be_one_inputs_fault(InvalidFieldValue("no", param=param))
        ...     for param in ("input[3]", None, "dimensions")
        ... ]
        [True, True, False]
        >>> may_be_one_inputs_fault(QuotaExceeded("no"))
        False
    """
    if not isinstance(error, _SPLIT) or error.outcome in {Outcome.UNKNOWN, Outcome.PARTIAL}:
        return False
    return error.param is None or error.param.startswith(("input", "$.input"))


def in_order(data: Sequence[Embedding], wanted: int) -> Sequence[Embedding]:
    """
    Return the embeddings in the order of the inputs.

    Raises:
        UnexpectedResponse: There is not exactly one for each of the *wanted* inputs.
    """
    indices = [item.index for item in data]
    if set(indices) == {None} and len(data) == wanted:
        return data
    if sorted(index for index in indices if index is not None) != list(range(wanted)) or len(data) != wanted:
        raise UnexpectedResponse(
            f"the answer has {len(data)} embeddings for {wanted} inputs, or not one for each", outcome=Outcome.UNKNOWN
        )
    return sorted(data, key=lambda item: cast("int", item.index))
