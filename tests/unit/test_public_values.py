"""Every public error and configuration of the six packages is a value: it is copied, pickled and written as JSON."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import BaseModel

import adapter_api
import adapter_host
import http_util
import openai_client
import providers
import worker_adapters.openai_http
from adapter_api import Attempt, InvalidTask, OrderViolation, Outcome, TaskCancelled, WorkerError
from adapter_host import ConfigError, HostConfig, PluginError, Problem, QuarantinedPlugin
from http_util import (
    BodyLog,
    BreakerPolicy,
    EgressPolicy,
    Endpoint,
    HealthPolicy,
    HttpConfig,
    HttpFailure,
    InvalidSettings,
    RateLimits,
    RequestCompression,
    Resilience,
    RetryPolicy,
    Secret,
    Timeouts,
)
from http_util.settings_errors import SettingProblem
from openai_client import ApiVersionConfig, Auth, BatchPolicy, CallOptions, ClientConfig, Environment, OpenAIError
from providers import ProviderConfig, ProviderError, StreamRefused
from worker_adapters.openai_http import OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGES: Final = (adapter_api, http_util, openai_client, worker_adapters.openai_http, providers, adapter_host)
URL: Final = "https://upstream.example/v1"
CONFIGURATION: Final = re.compile(r"(?:Config|Policy|Options|Limits|Timeouts|Log|Compression)$")

COPIES: Final[dict[str, Callable[[Any], Any]]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


def public_classes() -> Iterator[type]:
    """Yield the classes that the packages name as theirs, but for the models of the API."""
    for package in PACKAGES:
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value) and "_generated" not in value.__module__:
                yield value


# errors

ATTEMPT: Final = Attempt(
    number=1,
    outcome=Outcome.UNKNOWN,
    reason="reset",
    http_status=502,
    delay=0.0,
    elapsed=0.25,
    endpoint="https://a:443",
)
FACTS: Final[dict[str, Any]] = {"outcome": Outcome.UNKNOWN, "http_status": 502, "attempts": (ATTEMPT,)}


def errors_of(kind: type) -> list[BaseException]:
    """Return errors of a class, with all that they carry; none for one that is only there to be caught."""
    if issubclass(kind, OpenAIError):
        return [kind("it happened", retry_after=1.5, code="a", param="b", **FACTS)] if kind._is_leaf else []
    if kind is HttpFailure or not issubclass(kind, HttpFailure):
        return EXAMPLES[kind]
    return [kind("it happened", reason="reset", retry_after=1.5, **FACTS)]


EXAMPLES: Final[dict[type, list[BaseException]]] = {
    HttpFailure: [],
    WorkerError: [WorkerError("reset", "it happened", retry_after_ms=1500, streaming=True, **FACTS)],
    InvalidTask: [InvalidTask("prompt", "expected a text, got int")],
    TaskCancelled: [TaskCancelled("stopped", **FACTS)],
    OrderViolation: [OrderViolation("openai-http: expected token 1, got token 2")],
    InvalidSettings: [
        InvalidSettings([SettingProblem(("http", "proxy"), "is refused"), SettingProblem((), "all wrong")])
    ],
    ConfigError: [
        ConfigError([Problem("a.toml", "pools.chat", "is required"), Problem("a.toml", "", "is empty")]),
        ConfigError([Problem("a.toml", "pools.chat.adapter", "is not installed")], is_unknown_adapter=True),
    ],
    PluginError: [PluginError([QuarantinedPlugin(name="echo", origin="sample 1.0", reason="it raises")])],
    ProviderError: [ProviderError("truncated", request_id="r-1", outcome=Outcome.PARTIAL, retry_after=1.5)],
    StreamRefused: [StreamRefused(request_id="r-1")],
}
"""Of every public error that is not one of the two trees."""

ERRORS: Final = [error for kind in public_classes() if issubclass(kind, BaseException) for error in errors_of(kind)]


def told(error: BaseException) -> tuple[Any, ...]:
    """Return all that an error says."""
    facts = {name: value for name, value in vars(error).items() if not name.startswith("__")}
    return type(error), str(error), repr(error), error.args, facts


@pytest.mark.requirement("ERR-12", "HTU-05")
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_public_error_survives_copying_and_pickling(error: BaseException, how: str) -> None:
    """Class, words and facts; a cause with its frames and sockets stays where it is."""
    error.__cause__ = OSError("socket 7")
    twin = COPIES[how](error)
    assert told(twin) == told(error)
    assert twin.__cause__ is None


@pytest.mark.requirement("ERR-12")
@pytest.mark.parametrize("error", [e for e in ERRORS if hasattr(e, "payload")], ids=lambda e: type(e).__name__)
def test_every_error_with_a_json_form_is_the_same_behind_it(error: Any) -> None:
    """Also through the base class, which is all that a reader knows."""
    written = json.loads(json.dumps(error.payload()))
    twin = type(error).from_payload(written)
    assert str(twin) == str(error)
    assert twin.payload() == error.payload()


# configurations

CONFIGURATIONS: Final[tuple[Any, ...]] = (
    HttpConfig(base_url=URL, connect_timeout=2, proxy="http://proxy.example", no_proxy=("a.example",)),
    OpenAIHttpConfig(base_url=URL, model="m", retry="available", rate_limit={"requests_per_minute": 60}),
    OpenAIHttpConfig(
        base_url=URL,
        retry=RetryPolicy(name="own", max_attempts=2, statuses=frozenset({429, 503})),
        circuit_breaker={"failure_threshold": 3},
        failover={"endpoints": [{"base_url": "https://other.example/v1"}]},
    ),
    OpenAIHttpConfig(base_url=URL, retry=None),
    ClientConfig(base_url=URL, api_key=None, retry="available", default_headers={"x-a": "b"}, http={"http2": False}),
    Environment(base_url=URL, organization="o"),
    Endpoint(base_url=URL),
    Auth(organization="o"),
    ApiVersionConfig(enable_beta=True),
    ProviderConfig(provider="fake", settings={"models": ["a"]}),
    HostConfig.from_mapping({"pools": {"a": {"adapter": "echo", "settings": {"slots": 2}}}}),
    BatchPolicy(),
    BodyLog(log_request_bodies=True),
    BreakerPolicy(failure_threshold=3),
    CallOptions(timeout=2.0),
    EgressPolicy.parse(["a.example:8443"]),
    HealthPolicy(interval=2.0),
    RateLimits(requests_per_minute=60),
    openai_client.RateLimits(),
    RequestCompression(),
    Resilience(retry=RetryPolicy(name="own")),
    RetryPolicy(name="own", statuses=frozenset({503})),
    openai_client.SessionLimits(idle_timeout=2.0),
    Timeouts(),
)


def name_of(value: object) -> str:
    """Return the name under which pytest shows a value."""
    return type(value).__name__


def test_every_public_configuration_has_an_example() -> None:
    """One that is added without fails here."""
    public = {kind for kind in public_classes() if CONFIGURATION.search(kind.__name__)}
    assert public - {adapter_host.LoadedConfig} <= {type(value) for value in CONFIGURATIONS}


@pytest.mark.requirement("ERR-12", "CLI-04")
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("value", CONFIGURATIONS, ids=name_of)
def test_every_public_configuration_survives_copying_and_pickling(value: object, how: str) -> None:
    """Equal, and printed alike."""
    twin = COPIES[how](value)
    assert (type(twin), twin, repr(twin)) == (type(value), value, repr(value))


@pytest.mark.requirement("CLI-04")
@pytest.mark.parametrize("value", [v for v in CONFIGURATIONS if isinstance(v, BaseModel)], ids=name_of)
def test_every_configuration_that_is_a_model_is_the_same_behind_json(value: BaseModel) -> None:
    """With what was not given as its default."""
    assert type(value).model_validate_json(value.model_dump_json()) == value


@pytest.mark.requirement("CLI-04")
def test_the_configuration_of_a_client_is_the_same_behind_json() -> None:
    """Its own form leaves the credentials out, which are given anew."""
    (config,) = (value for value in CONFIGURATIONS if isinstance(value, ClientConfig))
    assert ClientConfig.from_settings(json.loads(json.dumps(config.settings())), api_key=None) == config


PLAIN: Final = (
    ApiVersionConfig,
    BatchPolicy,
    HealthPolicy,
    RateLimits,
    RequestCompression,
    openai_client.SessionLimits,
    Timeouts,
)
"""Without a function among their fields, such as a breaker's `counts`."""


@pytest.mark.parametrize("value", [v for v in CONFIGURATIONS if isinstance(v, PLAIN)], ids=name_of)
def test_every_configuration_of_plain_values_is_the_same_behind_json(value: Any) -> None:
    """As a mapping of its fields."""
    assert type(value)(**json.loads(json.dumps(dataclasses.asdict(value)))) == value


@pytest.mark.requirement("SEC-01")
@pytest.mark.parametrize(
    "value",
    [
        HttpConfig(base_url=URL, proxy="http://p", proxy_auth="user:hunter2"),
        OpenAIHttpConfig(base_url=URL, api_key="hunter2"),
        ClientConfig(base_url=URL, api_key="hunter2"),
        ClientConfig(base_url=URL, api_key=None, webhook_secret="hunter2"),
        Environment(base_url=URL, api_key=Secret("hunter2")),
        Auth(api_key=Secret("hunter2")),
        HostConfig.from_mapping({"pools": {"a": {"adapter": "echo", "settings": {"key": Secret("hunter2")}}}}),
    ],
    ids=name_of,
)
def test_a_configuration_with_a_credential_is_not_pickled(value: object) -> None:
    """A pickle is a file; what is copied inside of the process keeps its credential."""
    with pytest.raises(TypeError, match="cannot be pickled") as caught:
        pickle.dumps(value)
    assert "hunter2" not in str(caught.value)
    twin = copy.deepcopy(value)
    assert twin == value
    assert "hunter2" not in repr(twin)
