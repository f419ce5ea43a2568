"""
Every operation in both colours: what leaves the client is what the description asks for, by keywords and by one model.

The description is read by `facts`, and its documents are judged by a JSON Schema validator; nothing of the client's own
generation has a say. The table at the end is the one list of what is tested: a row an operation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.contract.operations.asking import Asked, every, model_of, smallest_answer
from tests.contract.operations.callers import ADMIN_KEY, BASE_URL, KEY, ScriptedCaller
from tests.contract.operations.facts import FORM, Fact, facts
from tests.contract.operations.forms import check_form
from tests.contract.operations.schemas import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


def check_request(request: httpx.Request, asked: Asked) -> None:
    """Compare a request with what was asked."""
    fact = asked.fact
    url = urlsplit(str(request.url))
    assert request.method == fact.method
    assert f"{url.scheme}://{url.netloc}{url.path}" == BASE_URL + asked.path
    assert sorted(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))) == asked.pairs
    check_headers(request, fact)
    check_body(request, asked)


def check_headers(request: httpx.Request, fact: Fact) -> None:
    """One key and no other, and the beta header where it is due and nowhere else."""
    wanted, other = (ADMIN_KEY, KEY) if fact.is_admin else (KEY, ADMIN_KEY)
    assert request.headers["authorization"] == f"Bearer {wanted}"
    assert other not in f"{request.url}{dict(request.headers)}"
    assert request.headers.get("openai-beta") == fact.beta


def check_body(request: httpx.Request, asked: Asked) -> None:
    """The fields that were given and no others, as the description's media type."""
    if asked.body is None:
        assert request.content == b""
        assert "content-type" not in request.headers
        return
    media, _, _ = request.headers["content-type"].partition(";")
    assert media == asked.content_type
    if media == FORM:
        check_form(request.headers["content-type"], request.content, asked)
        return
    sent = json.loads(request.content)
    assert sent == asked.body
    assert problems(asked.fact.bodies[media], sent) == ()


def test_every_operation_of_the_description_has_its_row() -> None:
    """None is left out, none is named twice."""
    assert sorted(row.values[0] for row in OPERATIONS) == sorted(facts())
    assert len(OPERATIONS) == 288


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the operations, which stand below the tests, to those that take one."""
    if "operation" in metafunc.fixturenames:
        metafunc.parametrize("operation", OPERATIONS)


async def test_the_request_is_the_one_that_the_description_asks_for(operation: str, caller: ScriptedCaller) -> None:
    """With what is required alone, with everything, and with every alternative of every field."""
    for number, asked in enumerate(every(operation)):
        for model in ways(asked, caller, is_special=number < SPECIAL):
            await make(caller, asked, model)
            check_request(caller.request, asked)


SPECIAL = 2
"""The first calls of `every`: with what is required, and with everything."""


def ways(asked: Asked, caller: ScriptedCaller, *, is_special: bool) -> Iterator[Any]:
    """As keywords and as one model; what is not special the one way in one colour, the other way in the other."""
    has_model = asked.body is not None
    if asked.has_keywords and (is_special or not caller.is_async or not has_model):
        yield None
    if has_model and (is_special or caller.is_async or not asked.has_keywords):
        yield model_of(asked.fact, asked.content_type)


async def make(caller: ScriptedCaller, asked: Asked, model: Any) -> None:
    """Make a call that is answered as shortly as it can be."""
    kind, content = smallest_answer(asked.fact)
    caller.answers(content, kind=kind, status=asked.fact.status)
    await caller.call(asked, model)


OPERATIONS = [
    pytest.param("listModels", marks=pytest.mark.requirement("EP-MODELS-01")),
    pytest.param("retrieveModel", marks=pytest.mark.requirement("EP-MODELS-02")),
    pytest.param("deleteModel", marks=pytest.mark.requirement("EP-MODELS-03")),
    pytest.param("createChatCompletion", marks=pytest.mark.requirement("EP-CHAT-01")),
    pytest.param("createEmbedding", marks=pytest.mark.requirement("EP-EMB-01")),
    pytest.param("createFile", marks=pytest.mark.requirement("EP-FILES-01")),
    pytest.param("listFiles", marks=pytest.mark.requirement("EP-FILES-02")),
    pytest.param("retrieveFile", marks=pytest.mark.requirement("EP-FILES-03")),
    pytest.param("deleteFile", marks=pytest.mark.requirement("EP-FILES-04")),
    pytest.param("downloadFile", marks=pytest.mark.requirement("EP-FILES-05")),
    pytest.param("createBatch", marks=pytest.mark.requirement("EP-BATCH-01")),
    pytest.param("retrieveBatch", marks=pytest.mark.requirement("EP-BATCH-02")),
    pytest.param("cancelBatch", marks=pytest.mark.requirement("EP-BATCH-03")),
    pytest.param("listBatches", marks=pytest.mark.requirement("EP-BATCH-04")),
    pytest.param("createImage", marks=pytest.mark.requirement("EP-IMG-01")),
    pytest.param("createImageEdit", marks=pytest.mark.requirement("EP-IMG-02")),
    pytest.param("createImageVariation", marks=pytest.mark.requirement("EP-IMG-03")),
    pytest.param("createTranscription", marks=pytest.mark.requirement("EP-AUD-01")),
    pytest.param("createTranslation", marks=pytest.mark.requirement("EP-AUD-02")),
    pytest.param("createSpeech", marks=pytest.mark.requirement("EP-AUD-03")),
    pytest.param("listVoiceConsents", marks=pytest.mark.requirement("EP-AUD-04")),
    pytest.param("createVoiceConsent", marks=pytest.mark.requirement("EP-AUD-05")),
    pytest.param("getVoiceConsent", marks=pytest.mark.requirement("EP-AUD-06")),
    pytest.param("updateVoiceConsent", marks=pytest.mark.requirement("EP-AUD-07")),
    pytest.param("deleteVoiceConsent", marks=pytest.mark.requirement("EP-AUD-08")),
    pytest.param("createVoice", marks=pytest.mark.requirement("EP-AUD-09")),
    pytest.param("createModeration", marks=pytest.mark.requirement("EP-MOD-01")),
    pytest.param("createAssistant", marks=pytest.mark.requirement("EP-ASST-01")),
    pytest.param("listAssistants", marks=pytest.mark.requirement("EP-ASST-02")),
    pytest.param("getAssistant", marks=pytest.mark.requirement("EP-ASST-03")),
    pytest.param("modifyAssistant", marks=pytest.mark.requirement("EP-ASST-04")),
    pytest.param("deleteAssistant", marks=pytest.mark.requirement("EP-ASST-05")),
    pytest.param("createThread", marks=pytest.mark.requirement("EP-THR-01")),
    pytest.param("getThread", marks=pytest.mark.requirement("EP-THR-02")),
    pytest.param("modifyThread", marks=pytest.mark.requirement("EP-THR-03")),
    pytest.param("deleteThread", marks=pytest.mark.requirement("EP-THR-04")),
    pytest.param("createMessage", marks=pytest.mark.requirement("EP-MSG-01")),
    pytest.param("listMessages", marks=pytest.mark.requirement("EP-MSG-02")),
    pytest.param("getMessage", marks=pytest.mark.requirement("EP-MSG-03")),
    pytest.param("modifyMessage", marks=pytest.mark.requirement("EP-MSG-04")),
    pytest.param("deleteMessage", marks=pytest.mark.requirement("EP-MSG-05")),
    pytest.param("createRun", marks=pytest.mark.requirement("EP-RUN-01")),
    pytest.param("listRuns", marks=pytest.mark.requirement("EP-RUN-02")),
    pytest.param("getRun", marks=pytest.mark.requirement("EP-RUN-03")),
    pytest.param("modifyRun", marks=pytest.mark.requirement("EP-RUN-04")),
    pytest.param("cancelRun", marks=pytest.mark.requirement("EP-RUN-05")),
    pytest.param("submitToolOuputsToRun", marks=pytest.mark.requirement("EP-RUN-06")),
    pytest.param("listRunSteps", marks=pytest.mark.requirement("EP-RUN-07")),
    pytest.param("getRunStep", marks=pytest.mark.requirement("EP-RUN-08")),
    pytest.param("createThreadAndRun", marks=pytest.mark.requirement("EP-RUN-09")),
    pytest.param("createVectorStore", marks=pytest.mark.requirement("EP-VS-01")),
    pytest.param("listVectorStores", marks=pytest.mark.requirement("EP-VS-02")),
    pytest.param("getVectorStore", marks=pytest.mark.requirement("EP-VS-03")),
    pytest.param("modifyVectorStore", marks=pytest.mark.requirement("EP-VS-04")),
    pytest.param("deleteVectorStore", marks=pytest.mark.requirement("EP-VS-05")),
    pytest.param("createVectorStoreFile", marks=pytest.mark.requirement("EP-VSF-01")),
    pytest.param("listVectorStoreFiles", marks=pytest.mark.requirement("EP-VSF-02")),
    pytest.param("getVectorStoreFile", marks=pytest.mark.requirement("EP-VSF-03")),
    pytest.param("deleteVectorStoreFile", marks=pytest.mark.requirement("EP-VSF-04")),
    pytest.param("createVectorStoreFileBatch", marks=pytest.mark.requirement("EP-VSB-01")),
    pytest.param("getVectorStoreFileBatch", marks=pytest.mark.requirement("EP-VSB-02")),
    pytest.param("cancelVectorStoreFileBatch", marks=pytest.mark.requirement("EP-VSB-03")),
    pytest.param("listFilesInVectorStoreBatch", marks=pytest.mark.requirement("EP-VSB-04")),
    pytest.param("createFineTuningJob", marks=pytest.mark.requirement("EP-FT-01")),
    pytest.param("listPaginatedFineTuningJobs", marks=pytest.mark.requirement("EP-FT-02")),
    pytest.param("retrieveFineTuningJob", marks=pytest.mark.requirement("EP-FT-03")),
    pytest.param("cancelFineTuningJob", marks=pytest.mark.requirement("EP-FT-04")),
    pytest.param("listFineTuningEvents", marks=pytest.mark.requirement("EP-FT-05")),
    pytest.param("listFineTuningJobCheckpoints", marks=pytest.mark.requirement("EP-FT-06")),
    pytest.param("runGrader", marks=pytest.mark.requirement("EP-FT-07")),
    pytest.param("validateGrader", marks=pytest.mark.requirement("EP-FT-08")),
    pytest.param("listFineTuningCheckpointPermissions", marks=pytest.mark.requirement("EP-FT-09")),
    pytest.param("createFineTuningCheckpointPermission", marks=pytest.mark.requirement("EP-FT-10")),
    pytest.param("deleteFineTuningCheckpointPermission", marks=pytest.mark.requirement("EP-FT-11")),
    pytest.param("pauseFineTuningJob", marks=pytest.mark.requirement("EP-FT-12")),
    pytest.param("resumeFineTuningJob", marks=pytest.mark.requirement("EP-FT-13")),
    pytest.param("createResponse", marks=pytest.mark.requirement("EP-RESP-01")),
    pytest.param("getResponse", marks=pytest.mark.requirement("EP-RESP-02")),
    pytest.param("deleteResponse", marks=pytest.mark.requirement("EP-RESP-03")),
    pytest.param("cancelResponse", marks=pytest.mark.requirement("EP-RESP-04")),
    pytest.param("listInputItems", marks=pytest.mark.requirement("EP-RESP-05")),
    pytest.param("Compactconversation", marks=pytest.mark.requirement("EP-RESP-06")),
    pytest.param("Getinputtokencounts", marks=pytest.mark.requirement("EP-RESP-07")),
    pytest.param("createCompletion", marks=pytest.mark.requirement("EP-COMP-01")),
    pytest.param("create-realtime-client-secret", marks=pytest.mark.requirement("EP-RT-01")),
    pytest.param("create-realtime-session", marks=pytest.mark.requirement("EP-RT-02")),
    pytest.param("create-realtime-transcription-session", marks=pytest.mark.requirement("EP-RT-03")),
    pytest.param("create-realtime-call", marks=pytest.mark.requirement("EP-RT-04")),
    pytest.param("accept-realtime-call", marks=pytest.mark.requirement("EP-RT-05")),
    pytest.param("hangup-realtime-call", marks=pytest.mark.requirement("EP-RT-06")),
    pytest.param("refer-realtime-call", marks=pytest.mark.requirement("EP-RT-07")),
    pytest.param("reject-realtime-call", marks=pytest.mark.requirement("EP-RT-08")),
    pytest.param("create-realtime-translation-client-secret", marks=pytest.mark.requirement("EP-RT-09")),
    pytest.param("createUpload", marks=pytest.mark.requirement("EP-UPL-01")),
    pytest.param("addUploadPart", marks=pytest.mark.requirement("EP-UPL-02")),
    pytest.param("completeUpload", marks=pytest.mark.requirement("EP-UPL-03")),
    pytest.param("cancelUpload", marks=pytest.mark.requirement("EP-UPL-04")),
    pytest.param("list-users", marks=pytest.mark.requirement("EP-ADM-USR-01")),
    pytest.param("retrieve-user", marks=pytest.mark.requirement("EP-ADM-USR-02")),
    pytest.param("modify-user", marks=pytest.mark.requirement("EP-ADM-USR-03")),
    pytest.param("delete-user", marks=pytest.mark.requirement("EP-ADM-USR-04")),
    pytest.param("list-user-role-assignments", marks=pytest.mark.requirement("EP-ADM-USR-05")),
    pytest.param("assign-user-role", marks=pytest.mark.requirement("EP-ADM-USR-06")),
    pytest.param("retrieve-user-role", marks=pytest.mark.requirement("EP-ADM-USR-07")),
    pytest.param("unassign-user-role", marks=pytest.mark.requirement("EP-ADM-USR-08")),
    pytest.param("list-invites", marks=pytest.mark.requirement("EP-ADM-INV-01")),
    pytest.param("inviteUser", marks=pytest.mark.requirement("EP-ADM-INV-02")),
    pytest.param("retrieve-invite", marks=pytest.mark.requirement("EP-ADM-INV-03")),
    pytest.param("delete-invite", marks=pytest.mark.requirement("EP-ADM-INV-04")),
    pytest.param("list-projects", marks=pytest.mark.requirement("EP-ADM-PRJ-01")),
    pytest.param("create-project", marks=pytest.mark.requirement("EP-ADM-PRJ-02")),
    pytest.param("retrieve-project", marks=pytest.mark.requirement("EP-ADM-PRJ-03")),
    pytest.param("modify-project", marks=pytest.mark.requirement("EP-ADM-PRJ-04")),
    pytest.param("archive-project", marks=pytest.mark.requirement("EP-ADM-PRJ-05")),
    pytest.param("list-project-users", marks=pytest.mark.requirement("EP-ADM-PRJ-06")),
    pytest.param("create-project-user", marks=pytest.mark.requirement("EP-ADM-PRJ-07")),
    pytest.param("retrieve-project-user", marks=pytest.mark.requirement("EP-ADM-PRJ-08")),
    pytest.param("modify-project-user", marks=pytest.mark.requirement("EP-ADM-PRJ-09")),
    pytest.param("delete-project-user", marks=pytest.mark.requirement("EP-ADM-PRJ-10")),
    pytest.param("list-project-service-accounts", marks=pytest.mark.requirement("EP-ADM-PRJ-11")),
    pytest.param("create-project-service-account", marks=pytest.mark.requirement("EP-ADM-PRJ-12")),
    pytest.param("retrieve-project-service-account", marks=pytest.mark.requirement("EP-ADM-PRJ-13")),
    pytest.param("delete-project-service-account", marks=pytest.mark.requirement("EP-ADM-PRJ-14")),
    pytest.param("list-project-api-keys", marks=pytest.mark.requirement("EP-ADM-PRJ-15")),
    pytest.param("retrieve-project-api-key", marks=pytest.mark.requirement("EP-ADM-PRJ-16")),
    pytest.param("delete-project-api-key", marks=pytest.mark.requirement("EP-ADM-PRJ-17")),
    pytest.param("list-project-rate-limits", marks=pytest.mark.requirement("EP-ADM-PRJ-18")),
    pytest.param("update-project-rate-limits", marks=pytest.mark.requirement("EP-ADM-PRJ-19")),
    pytest.param("listProjectCertificates", marks=pytest.mark.requirement("EP-ADM-PRJ-20")),
    pytest.param("activateProjectCertificates", marks=pytest.mark.requirement("EP-ADM-PRJ-21")),
    pytest.param("deactivateProjectCertificates", marks=pytest.mark.requirement("EP-ADM-PRJ-22")),
    pytest.param("retrieve-project-data-retention", marks=pytest.mark.requirement("EP-ADM-PRJ-23")),
    pytest.param("update-project-data-retention", marks=pytest.mark.requirement("EP-ADM-PRJ-24")),
    pytest.param("list-project-groups", marks=pytest.mark.requirement("EP-ADM-PRJ-25")),
    pytest.param("add-project-group", marks=pytest.mark.requirement("EP-ADM-PRJ-26")),
    pytest.param("retrieve-project-group", marks=pytest.mark.requirement("EP-ADM-PRJ-27")),
    pytest.param("remove-project-group", marks=pytest.mark.requirement("EP-ADM-PRJ-28")),
    pytest.param("retrieve-project-hosted-tool-permissions", marks=pytest.mark.requirement("EP-ADM-PRJ-29")),
    pytest.param("update-project-hosted-tool-permissions", marks=pytest.mark.requirement("EP-ADM-PRJ-30")),
    pytest.param("retrieve-project-model-permissions", marks=pytest.mark.requirement("EP-ADM-PRJ-31")),
    pytest.param("update-project-model-permissions", marks=pytest.mark.requirement("EP-ADM-PRJ-32")),
    pytest.param("delete-project-model-permissions", marks=pytest.mark.requirement("EP-ADM-PRJ-33")),
    pytest.param("update-project-service-account", marks=pytest.mark.requirement("EP-ADM-PRJ-34")),
    pytest.param("CreateanAPIkeyforaserviceaccount", marks=pytest.mark.requirement("EP-ADM-PRJ-35")),
    pytest.param("list-project-spend-alerts", marks=pytest.mark.requirement("EP-ADM-PRJ-36")),
    pytest.param("create-project-spend-alert", marks=pytest.mark.requirement("EP-ADM-PRJ-37")),
    pytest.param("retrieve-project-spend-alert", marks=pytest.mark.requirement("EP-ADM-PRJ-38")),
    pytest.param("update-project-spend-alert", marks=pytest.mark.requirement("EP-ADM-PRJ-39")),
    pytest.param("delete-project-spend-alert", marks=pytest.mark.requirement("EP-ADM-PRJ-40")),
    pytest.param("Getprojectspendlimit", marks=pytest.mark.requirement("EP-ADM-PRJ-41")),
    pytest.param("Updateprojectspendlimit", marks=pytest.mark.requirement("EP-ADM-PRJ-42")),
    pytest.param("Deleteprojectspendlimit", marks=pytest.mark.requirement("EP-ADM-PRJ-43")),
    pytest.param("list-project-group-role-assignments", marks=pytest.mark.requirement("EP-ADM-PRJ-44")),
    pytest.param("assign-project-group-role", marks=pytest.mark.requirement("EP-ADM-PRJ-45")),
    pytest.param("retrieve-project-group-role", marks=pytest.mark.requirement("EP-ADM-PRJ-46")),
    pytest.param("unassign-project-group-role", marks=pytest.mark.requirement("EP-ADM-PRJ-47")),
    pytest.param("list-project-roles", marks=pytest.mark.requirement("EP-ADM-PRJ-48")),
    pytest.param("create-project-role", marks=pytest.mark.requirement("EP-ADM-PRJ-49")),
    pytest.param("retrieve-project-role", marks=pytest.mark.requirement("EP-ADM-PRJ-50")),
    pytest.param("update-project-role", marks=pytest.mark.requirement("EP-ADM-PRJ-51")),
    pytest.param("delete-project-role", marks=pytest.mark.requirement("EP-ADM-PRJ-52")),
    pytest.param("list-project-user-role-assignments", marks=pytest.mark.requirement("EP-ADM-PRJ-53")),
    pytest.param("assign-project-user-role", marks=pytest.mark.requirement("EP-ADM-PRJ-54")),
    pytest.param("retrieve-project-user-role", marks=pytest.mark.requirement("EP-ADM-PRJ-55")),
    pytest.param("unassign-project-user-role", marks=pytest.mark.requirement("EP-ADM-PRJ-56")),
    pytest.param("admin-api-keys-list", marks=pytest.mark.requirement("EP-ADM-ORG-01")),
    pytest.param("admin-api-keys-create", marks=pytest.mark.requirement("EP-ADM-ORG-02")),
    pytest.param("admin-api-keys-get", marks=pytest.mark.requirement("EP-ADM-ORG-03")),
    pytest.param("admin-api-keys-delete", marks=pytest.mark.requirement("EP-ADM-ORG-04")),
    pytest.param("list-audit-logs", marks=pytest.mark.requirement("EP-ADM-ORG-05")),
    pytest.param("listOrganizationCertificates", marks=pytest.mark.requirement("EP-ADM-ORG-06")),
    pytest.param("uploadCertificate", marks=pytest.mark.requirement("EP-ADM-ORG-07")),
    pytest.param("activateOrganizationCertificates", marks=pytest.mark.requirement("EP-ADM-ORG-08")),
    pytest.param("deactivateOrganizationCertificates", marks=pytest.mark.requirement("EP-ADM-ORG-09")),
    pytest.param("getCertificate", marks=pytest.mark.requirement("EP-ADM-ORG-10")),
    pytest.param("modifyCertificate", marks=pytest.mark.requirement("EP-ADM-ORG-11")),
    pytest.param("deleteCertificate", marks=pytest.mark.requirement("EP-ADM-ORG-12")),
    pytest.param("usage-costs", marks=pytest.mark.requirement("EP-ADM-ORG-13")),
    pytest.param("retrieve-organization-data-retention", marks=pytest.mark.requirement("EP-ADM-ORG-14")),
    pytest.param("update-organization-data-retention", marks=pytest.mark.requirement("EP-ADM-ORG-15")),
    pytest.param("list-groups", marks=pytest.mark.requirement("EP-ADM-ORG-16")),
    pytest.param("create-group", marks=pytest.mark.requirement("EP-ADM-ORG-17")),
    pytest.param("retrieve-group", marks=pytest.mark.requirement("EP-ADM-ORG-18")),
    pytest.param("update-group", marks=pytest.mark.requirement("EP-ADM-ORG-19")),
    pytest.param("delete-group", marks=pytest.mark.requirement("EP-ADM-ORG-20")),
    pytest.param("list-group-role-assignments", marks=pytest.mark.requirement("EP-ADM-ORG-21")),
    pytest.param("assign-group-role", marks=pytest.mark.requirement("EP-ADM-ORG-22")),
    pytest.param("retrieve-group-role", marks=pytest.mark.requirement("EP-ADM-ORG-23")),
    pytest.param("unassign-group-role", marks=pytest.mark.requirement("EP-ADM-ORG-24")),
    pytest.param("list-group-users", marks=pytest.mark.requirement("EP-ADM-ORG-25")),
    pytest.param("add-group-user", marks=pytest.mark.requirement("EP-ADM-ORG-26")),
    pytest.param("retrieve-group-user", marks=pytest.mark.requirement("EP-ADM-ORG-27")),
    pytest.param("remove-group-user", marks=pytest.mark.requirement("EP-ADM-ORG-28")),
    pytest.param("list-roles", marks=pytest.mark.requirement("EP-ADM-ORG-29")),
    pytest.param("create-role", marks=pytest.mark.requirement("EP-ADM-ORG-30")),
    pytest.param("retrieve-role", marks=pytest.mark.requirement("EP-ADM-ORG-31")),
    pytest.param("update-role", marks=pytest.mark.requirement("EP-ADM-ORG-32")),
    pytest.param("delete-role", marks=pytest.mark.requirement("EP-ADM-ORG-33")),
    pytest.param("list-organization-spend-alerts", marks=pytest.mark.requirement("EP-ADM-ORG-34")),
    pytest.param("create-organization-spend-alert", marks=pytest.mark.requirement("EP-ADM-ORG-35")),
    pytest.param("retrieve-organization-spend-alert", marks=pytest.mark.requirement("EP-ADM-ORG-36")),
    pytest.param("update-organization-spend-alert", marks=pytest.mark.requirement("EP-ADM-ORG-37")),
    pytest.param("delete-organization-spend-alert", marks=pytest.mark.requirement("EP-ADM-ORG-38")),
    pytest.param("Getorganizationspendlimit", marks=pytest.mark.requirement("EP-ADM-ORG-39")),
    pytest.param("Updateorganizationspendlimit", marks=pytest.mark.requirement("EP-ADM-ORG-40")),
    pytest.param("Deleteorganizationspendlimit", marks=pytest.mark.requirement("EP-ADM-ORG-41")),
    pytest.param("usage-audio-speeches", marks=pytest.mark.requirement("EP-ADM-ORG-42")),
    pytest.param("usage-audio-transcriptions", marks=pytest.mark.requirement("EP-ADM-ORG-43")),
    pytest.param("usage-code-interpreter-sessions", marks=pytest.mark.requirement("EP-ADM-ORG-44")),
    pytest.param("usage-completions", marks=pytest.mark.requirement("EP-ADM-ORG-45")),
    pytest.param("usage-embeddings", marks=pytest.mark.requirement("EP-ADM-ORG-46")),
    pytest.param("usage-file-search-calls", marks=pytest.mark.requirement("EP-ADM-ORG-47")),
    pytest.param("usage-images", marks=pytest.mark.requirement("EP-ADM-ORG-48")),
    pytest.param("usage-moderations", marks=pytest.mark.requirement("EP-ADM-ORG-49")),
    pytest.param("usage-vector-stores", marks=pytest.mark.requirement("EP-ADM-ORG-50")),
    pytest.param("usage-web-search-calls", marks=pytest.mark.requirement("EP-ADM-ORG-51")),
    pytest.param("listChatCompletions", marks=pytest.mark.requirement("EP-FUTURE-01")),
    pytest.param("getChatCompletion", marks=pytest.mark.requirement("EP-FUTURE-02")),
    pytest.param("updateChatCompletion", marks=pytest.mark.requirement("EP-FUTURE-03")),
    pytest.param("deleteChatCompletion", marks=pytest.mark.requirement("EP-FUTURE-04")),
    pytest.param("getChatCompletionMessages", marks=pytest.mark.requirement("EP-FUTURE-05")),
    pytest.param("CreateChatSessionMethod", marks=pytest.mark.requirement("EP-FUTURE-06")),
    pytest.param("CancelChatSessionMethod", marks=pytest.mark.requirement("EP-FUTURE-07")),
    pytest.param("ListThreadsMethod", marks=pytest.mark.requirement("EP-FUTURE-08")),
    pytest.param("GetThreadMethod", marks=pytest.mark.requirement("EP-FUTURE-09")),
    pytest.param("DeleteThreadMethod", marks=pytest.mark.requirement("EP-FUTURE-10")),
    pytest.param("ListThreadItemsMethod", marks=pytest.mark.requirement("EP-FUTURE-11")),
    pytest.param("ListContainers", marks=pytest.mark.requirement("EP-FUTURE-12")),
    pytest.param("CreateContainer", marks=pytest.mark.requirement("EP-FUTURE-13")),
    pytest.param("RetrieveContainer", marks=pytest.mark.requirement("EP-FUTURE-14")),
    pytest.param("DeleteContainer", marks=pytest.mark.requirement("EP-FUTURE-15")),
    pytest.param("ListContainerFiles", marks=pytest.mark.requirement("EP-FUTURE-16")),
    pytest.param("CreateContainerFile", marks=pytest.mark.requirement("EP-FUTURE-17")),
    pytest.param("RetrieveContainerFile", marks=pytest.mark.requirement("EP-FUTURE-18")),
    pytest.param("DeleteContainerFile", marks=pytest.mark.requirement("EP-FUTURE-19")),
    pytest.param("RetrieveContainerFileContent", marks=pytest.mark.requirement("EP-FUTURE-20")),
    pytest.param("Createcontentprovenancecheck", marks=pytest.mark.requirement("EP-FUTURE-21")),
    pytest.param("createConversation", marks=pytest.mark.requirement("EP-FUTURE-22")),
    pytest.param("getConversation", marks=pytest.mark.requirement("EP-FUTURE-23")),
    pytest.param("updateConversation", marks=pytest.mark.requirement("EP-FUTURE-24")),
    pytest.param("deleteConversation", marks=pytest.mark.requirement("EP-FUTURE-25")),
    pytest.param("listConversationItems", marks=pytest.mark.requirement("EP-FUTURE-26")),
    pytest.param("createConversationItems", marks=pytest.mark.requirement("EP-FUTURE-27")),
    pytest.param("getConversationItem", marks=pytest.mark.requirement("EP-FUTURE-28")),
    pytest.param("deleteConversationItem", marks=pytest.mark.requirement("EP-FUTURE-29")),
    pytest.param("listEvals", marks=pytest.mark.requirement("EP-FUTURE-30")),
    pytest.param("createEval", marks=pytest.mark.requirement("EP-FUTURE-31")),
    pytest.param("getEval", marks=pytest.mark.requirement("EP-FUTURE-32")),
    pytest.param("updateEval", marks=pytest.mark.requirement("EP-FUTURE-33")),
    pytest.param("deleteEval", marks=pytest.mark.requirement("EP-FUTURE-34")),
    pytest.param("getEvalRuns", marks=pytest.mark.requirement("EP-FUTURE-35")),
    pytest.param("createEvalRun", marks=pytest.mark.requirement("EP-FUTURE-36")),
    pytest.param("getEvalRun", marks=pytest.mark.requirement("EP-FUTURE-37")),
    pytest.param("cancelEvalRun", marks=pytest.mark.requirement("EP-FUTURE-38")),
    pytest.param("deleteEvalRun", marks=pytest.mark.requirement("EP-FUTURE-39")),
    pytest.param("getEvalRunOutputItems", marks=pytest.mark.requirement("EP-FUTURE-40")),
    pytest.param("getEvalRunOutputItem", marks=pytest.mark.requirement("EP-FUTURE-41")),
    pytest.param("beta_Compactconversation", marks=pytest.mark.requirement("EP-FUTURE-42")),
    pytest.param("beta_Getinputtokencounts", marks=pytest.mark.requirement("EP-FUTURE-43")),
    pytest.param("beta_cancelResponse", marks=pytest.mark.requirement("EP-FUTURE-44")),
    pytest.param("beta_listInputItems", marks=pytest.mark.requirement("EP-FUTURE-45")),
    pytest.param("beta_getResponse", marks=pytest.mark.requirement("EP-FUTURE-46")),
    pytest.param("beta_deleteResponse", marks=pytest.mark.requirement("EP-FUTURE-47")),
    pytest.param("beta_createResponse", marks=pytest.mark.requirement("EP-FUTURE-48")),
    pytest.param("ListSkills", marks=pytest.mark.requirement("EP-FUTURE-49")),
    pytest.param("CreateSkill", marks=pytest.mark.requirement("EP-FUTURE-50")),
    pytest.param("GetSkill", marks=pytest.mark.requirement("EP-FUTURE-51")),
    pytest.param("UpdateSkillDefaultVersion", marks=pytest.mark.requirement("EP-FUTURE-52")),
    pytest.param("DeleteSkill", marks=pytest.mark.requirement("EP-FUTURE-53")),
    pytest.param("GetSkillContent", marks=pytest.mark.requirement("EP-FUTURE-54")),
    pytest.param("ListSkillVersions", marks=pytest.mark.requirement("EP-FUTURE-55")),
    pytest.param("CreateSkillVersion", marks=pytest.mark.requirement("EP-FUTURE-56")),
    pytest.param("GetSkillVersion", marks=pytest.mark.requirement("EP-FUTURE-57")),
    pytest.param("DeleteSkillVersion", marks=pytest.mark.requirement("EP-FUTURE-58")),
    pytest.param("GetSkillVersionContent", marks=pytest.mark.requirement("EP-FUTURE-59")),
    pytest.param("updateVectorStoreFileAttributes", marks=pytest.mark.requirement("EP-FUTURE-60")),
    pytest.param("retrieveVectorStoreFileContent", marks=pytest.mark.requirement("EP-FUTURE-61")),
    pytest.param("searchVectorStore", marks=pytest.mark.requirement("EP-FUTURE-62")),
    pytest.param("ListVideos", marks=pytest.mark.requirement("EP-FUTURE-63")),
    pytest.param("createVideo", marks=pytest.mark.requirement("EP-FUTURE-64")),
    pytest.param("CreateVideoCharacter", marks=pytest.mark.requirement("EP-FUTURE-65")),
    pytest.param("GetVideoCharacter", marks=pytest.mark.requirement("EP-FUTURE-66")),
    pytest.param("CreateVideoEdit", marks=pytest.mark.requirement("EP-FUTURE-67")),
    pytest.param("CreateVideoExtend", marks=pytest.mark.requirement("EP-FUTURE-68")),
    pytest.param("GetVideo", marks=pytest.mark.requirement("EP-FUTURE-69")),
    pytest.param("DeleteVideo", marks=pytest.mark.requirement("EP-FUTURE-70")),
    pytest.param("RetrieveVideoContent", marks=pytest.mark.requirement("EP-FUTURE-71")),
    pytest.param("CreateVideoRemix", marks=pytest.mark.requirement("EP-FUTURE-72")),
]
