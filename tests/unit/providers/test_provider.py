from __future__ import annotations

import inspect

import pytest

from providers import PROVIDER_API_VERSION, FakeProvider, OpenAIProvider, Provider


@pytest.mark.requirement("PRV-01")
def test_the_interface_has_a_version_and_four_coroutines():
    """Each takes the correlation id by name."""
    assert PROVIDER_API_VERSION == "1.0"
    names = [name for name in vars(Provider) if not name.startswith("_")]
    assert names == ["list_models", "create_embeddings", "create_completion", "create_chat_completion"]
    for name in names:
        method = getattr(Provider, name)
        assert inspect.iscoroutinefunction(method)
        assert inspect.signature(method).parameters["request_id"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.requirement("PRV-01", "PRV-11")
@pytest.mark.parametrize("kind", [FakeProvider, OpenAIProvider])
def test_our_providers_have_its_very_signatures(kind):
    """Callers can name every argument, whichever provider is behind."""
    for name in ("list_models", "create_embeddings", "create_completion", "create_chat_completion"):
        assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(Provider, name))
