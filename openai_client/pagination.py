"""
Lists, page by page. A list operation returns one page; going on is always asked for.

`page.auto()` goes through all items from a page on, `page.pages()` through the pages. Neither asks for a page before
somebody wants an item of it, and both end with an error where an upstream leads in a circle.

Spec: CLI-18
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Never, Protocol, TypeVar, cast

from openai_client import moved_names
from openai_client.errors import InvalidFieldValue, UnexpectedResponse
from openai_client.moved_names import PointsOn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from pydantic import BaseModel

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


class _OnePage(PointsOn, Generic[T]):
    """What a page knows without asking anybody."""

    _moved = moved_names.PAGE

    def __init__(self, operation: PageOperation[T], document: ListPage[T], metadata: ResponseMetadata) -> None:
        self.operation: PageOperation[T] = operation
        """The call that brought the page."""
        self.document: ListPage[T] = document
        """The whole list object, with whatever else the upstream put into it."""
        self.metadata: ResponseMetadata = metadata
        """The head of the answer."""

    @property
    def data(self) -> Sequence[T]:
        """The items of this page, in the order asked for."""
        return self.document.data

    @property
    def has_next(self) -> bool:
        """Whether the upstream says that there is another page."""
        return bool(getattr(self.document, "has_more", None))

    @property
    def _request_id(self) -> str | None:
        """The id that the upstream gave the request."""
        return self.metadata.upstream_request_id

    def __len__(self) -> int:
        """Return the number of items on this page."""
        return len(self.data)

    def __iter__(self) -> Iterator[T]:
        """Yield the items of this page."""
        return iter(self.data)

    def __repr__(self) -> str:
        """Return how many items there are; not what they are."""
        return f"{type(self).__name__}({len(self)} items, has_next={self.has_next})"

    def model_dump(self, **how: Any) -> dict[str, Any]:
        """Return the list object as plain values; the arguments are pydantic's."""
        return cast("BaseModel", self.document).model_dump(**how)

    def model_dump_json(self, **how: Any) -> str:
        """Return the list object as JSON; the arguments are pydantic's."""
        return cast("BaseModel", self.document).model_dump_json(**how)


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

    def next_page(self) -> Page[T] | None:
        """
        Fetch the page after this one; None when there is none.

        Raises:
            UnexpectedResponse: There is one, and the upstream does not say where, or names this one again.
            OpenAIError: The call failed.
        """
        following = self.operation.following(self.document)
        return None if following is None else self._client.fetch_page(following, following.options)

    def previous_page(self) -> Page[T] | None:
        """
        Fetch the page before this one; None when this one is empty. What follows it is the page before it in turn.

        Raises:
            InvalidFieldValue: The list can be read forwards only.
            OpenAIError: The call failed.
        """
        preceding = self.operation.preceding(self.document)
        return None if preceding is None else self._client.fetch_page(preceding, preceding.options)

    def pages(self) -> Iterator[Page[T]]:
        """
        Yield this page and all after it; each is fetched when it is asked for.

        Raises:
            UnexpectedResponse: The upstream leads in a circle, or does not say where the next page is.
            OpenAIError: A call failed.
        """
        page: Page[T] | None = self
        way = _Way()
        while page is not None:
            way.passes(page.operation)
            yield page
            page = page.next_page()

    def auto(self, limit: int | None = None) -> Iterator[T]:
        """
        Return all items from this page on, at most *limit*. A page is fetched when its first item is asked for.

        Every page is a call with the options of the first: its `timeout` bounds a page, its `deadline` all of them.

        Args:
            limit: The largest number of items, zero or more; None: all.

        Raises:
            InvalidFieldValue: *limit* is something else.

        Spec: CLI-18
        """
        return islice((item for page in self.pages() for item in page.data), _checked(limit))


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

    async def next_page(self) -> AsyncPage[T] | None:
        """
        Fetch the page after this one; None when there is none.

        Raises:
            UnexpectedResponse: There is one, and the upstream does not say where, or names this one again.
            OpenAIError: The call failed.
        """
        following = self.operation.following(self.document)
        return None if following is None else await self._client.fetch_page(following, following.options)

    async def previous_page(self) -> AsyncPage[T] | None:
        """
        Fetch the page before this one; None when this one is empty. What follows it is the page before it in turn.

        Raises:
            InvalidFieldValue: The list can be read forwards only.
            OpenAIError: The call failed.
        """
        preceding = self.operation.preceding(self.document)
        return None if preceding is None else await self._client.fetch_page(preceding, preceding.options)

    if not TYPE_CHECKING:

        def __aiter__(self) -> Never:
            """Refuse: the items of this page wait for nobody, and those of the others are asked for by name."""
            raise TypeError(
                "an AsyncPage is iterated with `for`, over its own items; `async for item in page.auto()` goes through "
                "all items from it on"
            )

    async def pages(self) -> AsyncIterator[AsyncPage[T]]:
        """
        Yield this page and all after it; each is fetched when it is asked for.

        Raises:
            UnexpectedResponse: The upstream leads in a circle, or does not say where the next page is.
            OpenAIError: A call failed.
        """
        page: AsyncPage[T] | None = self
        way = _Way()
        while page is not None:
            way.passes(page.operation)
            yield page
            page = await page.next_page()

    def auto(self, limit: int | None = None) -> AsyncIterator[T]:
        """Return all items from this page on, at most *limit*; the rest is as for `Page.auto`."""
        return self._items(_checked(limit))

    async def _items(self, limit: int | None) -> AsyncIterator[T]:
        left = limit
        if left == 0:
            return
        async for page in self.pages():
            for item in page.data[:left]:
                yield item
            if left is not None and (left := left - len(page)) <= 0:
                return


class _Way:
    """The pages that were passed, so that nobody passes one twice."""

    def __init__(self) -> None:
        self._passed: set[tuple[str, str] | None] = set()

    def passes(self, operation: PageOperation[Any]) -> None:
        """Note a page; raises when it was passed before."""
        if operation.place in self._passed:
            raise UnexpectedResponse(
                f"{operation.operation_id}: the pages lead in a circle; page {len(self._passed) + 1} was there before"
            )
        self._passed.add(operation.place)


def _checked(limit: int | None) -> int | None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidFieldValue(f"limit: must be a number of items, zero or more, or None for all; got {limit!r}")
    return limit
