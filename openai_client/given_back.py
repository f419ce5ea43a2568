"""
Messages of an answer that go back as they came: what a conversation needs of them is taken, the rest stays behind.

An answer's message says more than the API takes back (`annotations`, the sound of a voice), so a request that was given
its fields would refuse them, or be refused.

Spec: CLI-14, FWD-11
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from pydantic import model_validator

from openai_client.base_model import RequestModel


@runtime_checkable
class AssistantAnswer(Protocol):
    """What a model said: the message of a choice, also of one that was parsed."""

    @property
    def role(self) -> str | None:
        """Who speaks; `assistant`."""

    @property
    def content(self) -> str | None:
        """The text; None where tools are called."""

    @property
    def refusal(self) -> str | None:
        """What was said instead."""

    @property
    def tool_calls(self) -> Any:
        """The calls that the messages after it answer."""


class GivenBackMessage(RequestModel):
    """
    A message in whose place an answer's own may stand.

    Spec: CLI-14
    """

    @model_validator(mode="before")
    @classmethod
    def _take_from_answer(cls, given: object) -> object:
        """Return the fields that *given*, when it came in an answer, has in common with a request."""
        # mappings and models that were made to be sent are taken as they are
        if isinstance(given, RequestModel | dict) or not isinstance(given, AssistantAnswer):
            return given
        return _fields_of(given)


def _fields_of(answer: AssistantAnswer) -> dict[str, Any]:
    # a text of null is what servers expect beside calls of tools; the other fields are better left out than null
    fields: dict[str, Any] = {"role": "assistant", "content": answer.content}
    if answer.refusal is not None:
        fields["refusal"] = answer.refusal
    if answer.tool_calls:
        fields["tool_calls"] = answer.tool_calls
    called, audio = getattr(answer, "function_call", None), getattr(answer, "audio", None)
    if called is not None:
        fields["function_call"] = {"name": called.name, "arguments": called.arguments}
    if audio is not None:
        fields["audio"] = {"id": audio.id}
    return fields
