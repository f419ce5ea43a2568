import contextvars
import re

import pytest

from adapter_api import CORRELATION_HEADER, correlation_id, current_correlation_id

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.requirement("AH-1003")
def test_the_id_of_the_context_is_the_one_in_use() -> None:
    """What a host sets around `submit` is what an adapter reads, and it does not leak out of the context."""

    def inside() -> str:
        correlation_id.set("c-1")
        return current_correlation_id()

    assert contextvars.Context().run(inside) == "c-1"
    assert correlation_id.get() is None


@pytest.mark.requirement("AH-1003")
def test_without_an_id_a_new_uuid4_is_made_each_time() -> None:
    """Outside of a task every call gives another UUIDv4."""
    first, second = contextvars.Context().run(lambda: (current_correlation_id(), current_correlation_id()))
    assert UUID4.fullmatch(first)
    assert UUID4.fullmatch(second)
    assert first != second


def test_the_header_is_the_one_of_the_orchestrator() -> None:
    """The header's name is fixed."""
    assert CORRELATION_HEADER == "X-Correlation-Id"
