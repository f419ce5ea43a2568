# Written by scripts/public_names.py from the table in __init__.py; do not edit.

from providers.border import guarded as guarded
from providers.border import refuse_stream as refuse_stream
from providers.configuration import ProviderConfig as ProviderConfig
from providers.configuration import make_provider as make_provider
from providers.configuration import open_provider as open_provider
from providers.conformance import check_provider as check_provider
from providers.errors import ProviderError as ProviderError
from providers.errors import StreamRefused as StreamRefused
from providers.errors import provider_error as provider_error
from providers.fake_provider import FakeProvider as FakeProvider
from providers.normalisation import Origin as Origin
from providers.normalisation import normal_chat_completion as normal_chat_completion
from providers.normalisation import normal_completion as normal_completion
from providers.normalisation import normal_embeddings as normal_embeddings
from providers.normalisation import normal_models as normal_models
from providers.openai_provider import OpenAIProvider as OpenAIProvider
from providers.provider import PROVIDER_API_VERSION as PROVIDER_API_VERSION
from providers.provider import Provider as Provider
from providers.results import ChatCompletionResult as ChatCompletionResult
from providers.results import CompletionResult as CompletionResult
from providers.results import EmbeddingResult as EmbeddingResult
