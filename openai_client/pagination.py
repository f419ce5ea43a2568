"""
Lists, page by page. A list operation returns one page; going on is always asked for.

Spec: CLI-18
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from openai_client.metadata import ResponseMetadata
    from openai_client.operation import CallOptions, ListPage, PageOperation

T = TypeVar("T")


class PageCaller(Protocol):
    """What a page asks its client for."""

    def fetch_page(self, operation: PageOperation[T], options: CallOptions) -> Page[T]:
        """Make the call and return the page."""


class AsyncPageCaller(Protocol):
    """What a page asks its client for."""

    async def fetch_page(self, operation: PageOperation[T], options: CallOptions) -> AsyncPage[T]:
        """Make the call and return the page."""


class _OnePage(Generic[T]):
    """What a page knows without asking anybody."""

    def __init__(self, operation: PageOperation[T], document: ListPage[T], metadata: ResponseMetadata) -> None:
        self.document: ListPage[T] = document
        """The whole list object, with whatever else the upstream put into it."""
        self.metadata: ResponseMetadata = metadata
        """The head of the answer."""
        self._following: PageOperation[T] | None = operation.following(document)

    @property
    def data(self) -> Sequence[T]:
        """The items of this page, in the order asked for."""
        return self.document.data

    @property
    def has_next(self) -> bool:
        """Whether the upstream says that there is another page."""
        return self._following is not None

    def __len__(self) -> int:
        """Return the number of items on this page."""
        return len(self.data)

    def __repr__(self) -> str:
        """Return how many items there are; not what they are."""
        return f"{type(self).__name__}({len(self)} items, has_next={self.has_next})"


class Page(_OnePage[T]):
    """
    One page of a list, for blocking code. Iterating yields the items of this page only.

    Spec: CLI-18
    """

    def __init__(
        self, client: PageCaller, operation: PageOperation[T], document: ListPage[T], metadata: ResponseMetadata
    ) -> None:
        """Keep what *client* got for *operation*."""
        super().__init__(operation, document, metadata)
        self._client = client

    def __iter__(self) -> Iterator[T]:
        """Yield the items of this page."""
        return iter(self.data)

    def next_page(self) -> Page[T] | None:
        """
        Fetch the page after this one; None when there is none.

        Raises:
            OpenAIError: The call failed.
        """
        following = self._following
        return None if following is None else self._client.fetch_page(following, following.options)

    def pages(self) -> Iterator[Page[T]]:
        """Yield this page and all after it; each is fetched when it is asked for."""
        page: Page[T] | None = self
        while page is not None:
            yield page
            page = page.next_page()


class AsyncPage(_OnePage[T]):
    """
    One page of a list, on an event loop. Iterating yields the items of this page only, without waiting.

    Spec: CLI-18
    """

    def __init__(
        self, client: AsyncPageCaller, operation: PageOperation[T], document: ListPage[T], metadata: ResponseMetadata
    ) -> None:
        """Keep what *client* got for *operation*."""
        super().__init__(operation, document, metadata)
        self._client = client

    def __iter__(self) -> Iterator[T]:
        """Yield the items of this page."""
        return iter(self.data)

    async def next_page(self) -> AsyncPage[T] | None:
        """
        Fetch the page after this one; None when there is none.

        Raises:
            OpenAIError: The call failed.
        """
        following = self._following
        return None if following is None else await self._client.fetch_page(following, following.options)

    async def pages(self) -> AsyncIterator[AsyncPage[T]]:
        """Yield this page and all after it; each is fetched when it is asked for."""
        page: AsyncPage[T] | None = self
        while page is not None:
            yield page
            page = await page.next_page()
