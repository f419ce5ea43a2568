"""The admin key and the API key: neither goes where the other belongs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest

from http_util import Failover, Resilience
from http_util.failover import Endpoint
from http_util.secret import Secret
from http_util.testing import Answer
from openai_client import Auth, CallOptions, Client, ClientConfig, MissingApiKey, raw_operation, raw_stream_operation
from openai_client._generated import operations as root
from openai_client.raw import is_admin_path
from openai_client.request_writing import write_call
from tests.unit.openai_client.test_every_list import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai_client.operation import Call
    from tests.unit.openai_client.conftest import Pair

    MakePair = Callable[..., Pair]

OFFICIAL_KEY = "sk-example-0000000000"
ADMIN_KEY = "sk-admin-0000000000"
EMPTY = Answer.json(b'{"data": []}')


def operations() -> list[Call]:
    """Every operation that needs no body, from every module of operations."""
    found: dict[str, Call] = {}
    for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        for name, build in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if (
                name.endswith("_with")
                or "body" in inspect.signature(build).parameters
                or build.__module__ != module.name
            ):
                continue
            positional, named = arguments(build)
            call = build(*positional, **named)
            found[call.operation_id] = call
    return list(found.values())


OPERATIONS = operations()


ODD_ADMIN_PATHS = (
    "//organization",
    "/organization;a/users",
    "/organization;a=1;b",
    "/%2Forganization",
    "/%5Corganization",
    "/organization%5Cusers",
    "/organization%3Fx",
    "/organization%23x",
    "/organization%00",
    "/%20organization%20/users",
    "/%256Frganization",
    "/%25256Frganization",
    "/PROJECTS%252Fp",
    "/organization%C2%A0",
    "/organization%E2%80%8B/users",
    "/%EF%BD%8Frganization",
    "/org%C2%ADanization",
    "/v1/organization/users",
    "/V2//organization;a",
    "/openai/v1/organization",
)


@pytest.mark.requirement("SEC-19")
def test_every_operation_of_the_administration_takes_the_admin_key_and_no_other_does() -> None:
    """By its path; what is written has one of the two keys and nothing of the other."""
    assert len(OPERATIONS) > 150
    config = ClientConfig(base_url="http://localhost/v1", api_key="api-key-1", admin_api_key="admin-key-1")
    for call in OPERATIONS:
        if call.beta is not None:
            continue
        written = write_call(call, config, 0.0).http
        is_admin = call.path.startswith(("/organization", "/projects"))
        assert (call.admin, is_admin_path(call.path)) == (is_admin, is_admin), call.operation_id
        assert written.headers["authorization"] == f"Bearer {'admin-key-1' if is_admin else 'api-key-1'}"


@pytest.mark.requirement("SEC-19")
async def test_an_admin_call_without_the_admin_key_is_one_clear_error(pair: MakePair) -> None:
    """The API key is not sent in its place, neither by a method nor by a raw call or stream."""
    made = pair(EMPTY)
    calls: list[Callable[[Any], Any]] = [
        lambda client: client.admin.organization.users.list(),
        lambda client: client.admin.organization.projects.archive("p"),
        lambda client: client.request("GET", "/organization/users"),
        lambda client: client.request("GET", "/projects/p/roles"),
        lambda client: client.request("POST", "//%4Frganization/invites", body={}),
    ]
    for call in calls:
        with pytest.raises(MissingApiKey, match=r"^admin_api_key: this call administers the organization"):
            await made.call(call)
    with pytest.raises(MissingApiKey, match=r"^admin_api_key: "):
        await made.stream(lambda client: client.request_stream("POST", "/organization/x", body={}))
    assert made.requests == []


@pytest.mark.requirement("SEC-19", "CLI-19")
async def test_a_raw_call_takes_the_key_that_its_path_needs(pair: MakePair) -> None:
    """However the path is written."""
    made = pair(EMPTY, EMPTY, EMPTY, admin_api_key="admin-key-1")
    for path in ("/organization/users", "/ORGANIZATION%2Fusers", "/models/organization"):
        await made.call(lambda client, path=path: client.request("GET", path))
    keys = [request.headers["authorization"] for request in made.requests]
    assert keys == ["Bearer admin-key-1", "Bearer admin-key-1", "Bearer local-test-key"]
    assert raw_operation("GET", "/organization").admin
    for path in ODD_ADMIN_PATHS:
        assert raw_operation("GET", path).admin, path
        assert raw_stream_operation("GET", path).admin, path
    for path in (
        "/x;/organization",
        "/models%2Forganization",
        "/organizations",
        "/projects2",
        "/a/projects",
        "/v1/models",
    ):
        assert not raw_operation("GET", path).admin, path
    assert raw_stream_operation("GET", "/projects/p").admin


@pytest.mark.requirement("SEC-19", "FO-01")
@pytest.mark.parametrize("is_admin", [True, False])
def test_an_admin_call_goes_to_no_other_endpoint(*, is_admin: bool) -> None:
    """The keys of equivalent endpoints are for ordinary calls."""
    other = Endpoint(base_url="https://b.example/v1", auth=Auth(api_key=Secret("other-key")))
    resilience = Resilience(failover=Failover([other]))
    config = ClientConfig(base_url="https://a.example/v1", api_key="k", admin_api_key="a")
    path = "/organization/users" if is_admin else "/models"
    call = write_call(raw_operation("GET", path), config, 0.0, resilience).http
    assert len(call.alternatives) == (0 if is_admin else 1)


@pytest.mark.requirement("SEC-19", "CLI-04")
async def test_a_client_with_the_admin_key_alone_makes_no_ordinary_call_at_the_official_service(pair: MakePair) -> None:
    """It says which key is missing, and sends nothing."""
    made = pair(EMPTY, base_url="https://api.openai.com/v1", api_key=None, admin_api_key=ADMIN_KEY)
    with pytest.raises(MissingApiKey, match=r"^api_key: listModels needs an API key"):
        await made.call(lambda client: client.models.list())
    assert made.requests == []
    await made.call(lambda client: client.admin.organization.users.list())
    assert made.requests[0].headers["authorization"] == f"Bearer {ADMIN_KEY}"


@pytest.mark.requirement("SEC-19", "SEC-18")
async def test_no_header_of_a_call_brings_a_key_of_its_own(pair: MakePair) -> None:
    """Neither to an admin route nor away from one."""
    made = pair(admin_api_key="admin-key-1")
    for call in ("/organization/users", "/models"):
        with pytest.raises(Exception, match="written from the credentials"):
            await made.call(
                lambda client, call=call: client.execute(
                    raw_operation("GET", call).with_options(_with_header("Authorization", "Bearer x"))
                )
            )
    assert made.requests == []


@pytest.mark.requirement("CLI-04", "CLI-05", "CF-13")
def test_the_constructor_takes_what_it_says_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly so; without a key it says what would be accepted, and that the environment is not read."""
    monkeypatch.setenv("OPENAI_API_KEY", OFFICIAL_KEY)
    with Client(
        api_key=OFFICIAL_KEY,
        admin_api_key=None,
        base_url="https://api.openai.com/v1",
        organization=None,
        project=None,
        timeout=60.0,
        max_retries=0,
    ) as client:
        assert (client.config.retry, client.config.timeout) == (None, 60.0)
        assert client.config == ClientConfig(api_key=OFFICIAL_KEY)
    with pytest.raises(MissingApiKey) as caught:
        Client()
    for said in ("as text, as a Secret, or as a function", "environment is not read", "Client.from_env()"):
        assert said in str(caught.value)
    Client.from_env().close()


def _with_header(name: str, value: str) -> Any:
    return CallOptions(headers={name: value})
