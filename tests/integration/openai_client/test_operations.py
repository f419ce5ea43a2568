"""A sample of all operations over real sockets: HTTP/1.1 in the clear and HTTP/2 over TLS, in both colours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from codegen.instances import Fill
from openai_client import ApiVersionConfig, AsyncClient, Client
from tests.contract.operations.asking import MAKER, every, model_of, smallest_answer
from tests.contract.operations.callers import ADMIN_KEY, KEY, Caller, document_of
from tests.contract.operations.checking import check_request
from tests.contract.operations.facts import EVENTS, JSON, facts
from tests.contract.operations.test_streams import DONE, asking_for_stream, framed, runs, way_of, whole_fields
from tests.integration.http_util.engine.real_servers import Papers
from tests.integration.openai_client.recording_server import RecordingServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.integration

SAMPLE = [
    "listModels",
    "deleteModel",
    "createChatCompletion",
    "listChatCompletions",
    "createCompletion",
    "createResponse",
    "getResponse",
    "listInputItems",
    "createEmbedding",
    "createFile",
    "listFiles",
    "downloadFile",
    "createUpload",
    "addUploadPart",
    "createBatch",
    "createImage",
    "createImageEdit",
    "createTranscription",
    "createSpeech",
    "createModeration",
    "createVideo",
    "createFineTuningJob",
    "createEval",
    "createVectorStore",
    "listFilesInVectorStoreBatch",
    "createConversationItems",
    "DeleteContainerFile",
    "CreateSkill",
    "create-realtime-call",
    "list-audit-logs",
    "usage-completions",
    "createRun",
    "submitToolOuputsToRun",
    "CreateChatSessionMethod",
    "beta_createResponse",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordingServer]:
    """One server for the sample."""
    papers = Papers.write(trustme.CA(), tmp_path_factory.mktemp("papers"))
    running = RecordingServer(papers)
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def socket_caller(server: RecordingServer, protocol: str, colour: str) -> AsyncIterator[Caller]:
    """A client of one colour over one protocol."""
    given: dict[str, Any] = {"base_url": server.base_url}
    if protocol == "h2":
        given = {"base_url": server.tls_base_url, "http": {"ca_file": server.papers.ca_file}}
    given |= {"api_key": KEY, "admin_api_key": ADMIN_KEY, "api_version": ApiVersionConfig(enable_beta=True)}
    if colour == "async":
        async with AsyncClient(**given) as client:
            yield Caller(client)
    else:
        with Client(**given) as sync_client:
            yield Caller(sync_client)


@pytest.mark.requirement("CLI-03", "CLI-09")
async def test_the_sample_leaves_and_comes_back_over_sockets(
    socket_caller: Caller, server: RecordingServer, protocol: str
) -> None:
    """What a server of somebody else's reads from the connection is what the description asks for."""
    assert len(SAMPLE) == 35
    for operation in SAMPLE:
        fact = facts()[operation]
        kind, content = smallest_answer(fact)
        if fact.kind == "json":
            content = json.dumps(MAKER.of(fact.answers[JSON], Fill.FULL)).encode()
        for asked in every(operation)[:2]:
            for model in [*([None] if asked.has_keywords else []), *bodies(asked)]:
                server.answer = (fact.status, kind, content)
                result = await socket_caller.call(asked, model)
                seen = server.seen[-1]
                assert seen.http_version == {"h2": "2", "http/1.1": "1.1"}[protocol]
                check_request(replace(seen, url=f"http://x{seen.url}"), asked, "http://x/v1")
                if fact.kind == "json":
                    assert document_of(result) == json.loads(content)


def bodies(asked: Any) -> list[Any]:
    """The models that the body may be given as."""
    return [] if asked.body is None else [model_of(asked.fact, asked.content_type)]


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize("operation", ["createChatCompletion", "getResponse", "createRun", "createSpeech"])
async def test_events_come_whole_over_sockets(socket_caller: Caller, server: RecordingServer, operation: str) -> None:
    """All that may follow each other, in one stream."""
    fact, asked = facts()[operation], asking_for_stream(operation)
    run = next(runs(fact))
    server.answer = (200, EVENTS, b"".join(framed(fact, event) for event in run) + DONE)
    found, error = await socket_caller.streamed(whole_fields(asked), way_of(asked))
    assert error is None
    assert [document_of(event) for event in found] == run
