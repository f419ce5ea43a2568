"""
`client.beta.chat`: the name under which older code of the official SDK finds `parse` and `stream` of `client.chat`.

It is no beta service, and needs none enabled. Loads nothing before it is used.

Spec: CLI-02, CLI-MIG-01
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from openai_client.binding import AsyncResource, SyncResource

if TYPE_CHECKING:
    from openai_client._generated.operations.chat import AsyncChat, Chat


class OlderChat(SyncResource):
    """What `client.beta` has beyond the API's description, blocking."""

    @cached_property
    def chat(self) -> Chat:
        """`client.chat`, by its older name."""
        from openai_client._generated.operations.chat import Chat

        return Chat(self._client)


class AsyncOlderChat(AsyncResource):
    """What `client.beta` has beyond the API's description, awaited."""

    @cached_property
    def chat(self) -> AsyncChat:
        """`client.chat`, by its older name."""
        from openai_client._generated.operations.chat import AsyncChat

        return AsyncChat(self._client)
