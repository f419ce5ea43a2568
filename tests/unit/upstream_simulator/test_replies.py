from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from upstream_simulator.faults import read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.options import Options
from upstream_simulator.replies import _GENERATORS, Request, reply
from upstream_simulator.steps import Break, Finish, Head, Send, Step, Wait

CHAT = {"model": "m", "stream": True, "max_tokens": 3, "messages": [{"role": "user", "content": "hi"}]}


def steps_of(
    wish: str | None = None,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    body: object = CHAT,
    headers: dict[str, str] | None = None,
    flavour: str = "generic",
    **options: Any,
) -> list[Step]:
    """All steps of the reply to a request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(number=7, method=method, path=path, headers=headers or {}, body=data, received_at=0.0)
    return list(reply(request, Options(**options), read_faults(wish), FLAVOURS[flavour]))


def answered(*arguments: Any, **options: Any) -> tuple[int, Any]:
    """Status and decoded body of a reply in JSON."""
    steps = steps_of(*arguments, **options)
    (head,) = [step for step in steps if isinstance(step, Head)]
    return head.status, json.loads(b"".join(step.data for step in steps if isinstance(step, Send)))


@pytest.mark.requirement("SIM-04")
def test_a_reply_is_a_head_a_body_and_an_end() -> None:
    """In that order, with the request's number in its id header."""
    head, *body, end = steps_of()
    assert isinstance(head, Head)
    assert dict(head.headers)["x-request-id"] == "req_00000007"
    assert head.framing == "chunked"
    assert all(isinstance(step, Send) for step in body)
    assert sum(step.tokens for step in body if isinstance(step, Send)) == 3
    assert end == Finish()


@pytest.mark.requirement("SIM-03", "SIM-06")
def test_pauses_stand_where_they_were_asked_for() -> None:
    """Before the head, before the body, after a token, before each token, before the end."""
    assert steps_of("stall=9")[0] == Wait(9.0)
    assert steps_of("stall=9;stall_at=body")[1] == Wait(9.0)
    stalled = steps_of("stall=9;stall_at=1")
    before = stalled[: stalled.index(Wait(9.0))]
    assert sum(step.tokens for step in before if isinstance(step, Send)) == 1
    assert steps_of(tokens_per_second=4).count(Wait(0.25, is_pace=True)) == 3
    assert steps_of("tokens_per_second=0", tokens_per_second=4).count(Wait(0.25, is_pace=True)) == 0
    assert steps_of("linger=9")[-2:] == [Wait(9.0), Finish()]
    assert steps_of(first_token_delay=2)[1] == Wait(2)


@pytest.mark.requirement("SIM-03")
def test_a_plain_answer_takes_as_long_as_its_tokens() -> None:
    """At a pace, all tokens are generated before the head; they are counted with the body."""
    wait, _, body, _ = steps_of(tokens_per_second=4, body={**CHAT, "stream": False})
    assert wait == Wait(0.75)
    assert isinstance(body, Send)
    assert body.tokens == 3


@pytest.mark.requirement("SIM-06")
def test_a_reply_that_breaks_off_has_no_head() -> None:
    """Dropped, refused or below a GOAWAY: the break is all there is."""
    assert steps_of("drop=close") == [Break("close")]
    assert steps_of("refuse_stream") == [Break("refused")]
    assert steps_of("goaway=below;h2_error=NO_ERROR") == [Break("goaway", "NO_ERROR")]
    assert steps_of("goaway=allowed")[-1] == Finish(goaway=True)


@pytest.mark.requirement("SIM-03")
def test_several_tokens_go_into_one_write() -> None:
    """The server's option gathers them."""
    assert max(step.tokens for step in steps_of(tokens_per_write=3) if isinstance(step, Send)) == 3


@pytest.mark.requirement("SIM-07")
@pytest.mark.parametrize(
    ("flavour", "body"),
    [
        ("generic", None),
        ("vllm", {"error": "Unauthorized"}),
        ("transformers", {"detail": "Incorrect API key provided."}),
    ],
)
def test_a_missing_key_is_refused_in_the_form_of_the_flavour(flavour: str, body: object) -> None:
    """401 without the key, with a wrong one, never with the right one in any of three headers."""
    status, refused = answered(flavour=flavour, api_key="k")
    assert status == 401
    assert refused == body or body is None
    assert answered(flavour=flavour, api_key="k", headers={"authorization": "Bearer x"})[0] == 401
    for name, value in (("authorization", "bearer k"), ("api-key", "k"), ("x-api-key", "k")):
        head = steps_of(api_key="k", headers={name: value})[0]
        assert isinstance(head, Head)
        assert head.status == 200
    assert answered(path="/health", method="GET", api_key="k") == (200, {"status": "ok"})


@pytest.mark.requirement("SIM-04", "SIM-07")
def test_requests_that_lead_nowhere_are_refused() -> None:
    """Unknown path, wrong method, unknown model, bad JSON, each with its status."""
    assert answered(path="/v1/nothing")[0] == 404
    assert answered(path="/v1/nothing", method="GET")[0] == 404
    assert answered(method="GET")[0] == 405
    assert answered(models=("a",))[0] == 404
    assert answered(body=b"{")[0] == 400
    assert answered(body=b"{", flavour="llama-server")[0] == 500
    assert answered(path="/v1/models/nope", method="GET")[0] == 404
    for method in ("GET", "POST"):
        assert answered(path="/v1/nothing", method=method, flavour="vllm")[1] == {"detail": "Not Found"}


@pytest.mark.requirement("SIM-04")
def test_the_documents_list_what_is_served() -> None:
    """Every path of the table leads somewhere, and every operation that is generated is in it."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulator.md").read_text("utf-8")
    table = page.partition("## What it serves")[2].partition("It keeps nothing")[0]
    paths = set(re.findall(r"[ `](/[\w/]+)`", table)) - {"/v1/realtime"}
    assert paths >= set(_GENERATORS)
    for path in paths:
        name = path.replace("NAME", "simulated-small")
        method = "POST" if path in _GENERATORS or path == "/v1/embeddings" else "GET"
        body = {**CHAT, "stream": False, "prompt": "a", "input": "a"}
        assert answered(path=name, method=method, body=body, flavour="llama-server")[0] == 200, path


@pytest.mark.requirement("SIM-04", "SIM-07")
def test_an_unknown_path_is_not_called_an_unknown_model() -> None:
    """Each server says it in its own words; the code is the model's alone."""
    shown = {"message": "Invalid URL (POST /chat/completions)", "type": "invalid_request_error", "param": None}
    assert answered(path="/chat/completions") == (404, {"error": {**shown, "code": None}})
    body = answered(path="/chat/completions", flavour="llama-server")[1]
    facts = {"message": "File Not Found", "type": "not_found_error", "code": 404}
    assert {name: body["error"][name] for name in facts} == facts
    assert answered(models=("a",))[1]["error"]["code"] == "model_not_found"


@pytest.mark.requirement("SIM-04", "SIM-09")
def test_lookups_have_the_shape_of_the_flavour() -> None:
    """Lists of models differ; version and props are there where the server has them."""

    def models(flavour: str) -> Any:
        return answered(path="/v1/models", method="GET", flavour=flavour)[1]

    assert "created" not in models("llama-cpp-python")["data"][0]
    assert models("transformers")["data"] == []
    assert models("llama-server")["models"][0]["name"] == "simulated-small"
    assert answered(path="/version", method="GET", flavour="vllm")[1] == {"version": "0.32.0"}
    assert answered(path="/props", method="GET", flavour="llama-server")[1]["total_slots"] == 4
    assert answered(path="/props", method="GET")[0] == 404


@pytest.mark.requirement("SIM-04")
def test_azure_paths_lead_to_the_same_answers() -> None:
    """A deployment's path and /openai/v1 are the API's."""
    for prefix in ("/openai/deployments/d", "/openai/v1"):
        status, body = answered(path=f"{prefix}/chat/completions", body={**CHAT, "stream": False})
        assert (status, body["usage"]["completion_tokens"]) == (200, 3)


@pytest.mark.requirement("SIM-04")
def test_embeddings_come_as_floats_and_as_base64() -> None:
    """The same vector in both forms, one per input, in the length asked for."""
    ask = {"model": "m", "input": ["a", "b"], "dimensions": 4}
    _, floats = answered(path="/v1/embeddings", body=ask)
    _, packed = answered(path="/v1/embeddings", body={**ask, "encoding_format": "base64"})
    assert [len(item["embedding"]) for item in floats["data"]] == [4, 4]
    assert isinstance(packed["data"][0]["embedding"], str)
    assert answered(path="/v1/embeddings", body={**ask, "dimensions": 10**9})[0] == 400
    assert answered(path="/v1/embeddings", body={**ask, "encoding_format": "int8"})[0] == 400


@pytest.mark.requirement("SIM-09")
def test_llama_server_hangs_up_after_streams_only() -> None:
    """Its connection ends after a stream, unannounced; plain answers keep it."""
    assert steps_of(flavour="llama-server")[-1] == Finish(hangs_up=True)
    assert steps_of(flavour="llama-server", body={**CHAT, "stream": False})[-1] == Finish()
    assert steps_of("hangs_up=false", flavour="llama-server")[-1] == Finish()


@pytest.mark.requirement("SIM-06")
@pytest.mark.parametrize("wish", ["pad_mib=3", "pad_mib=3;status=500"])
def test_blanks_before_a_body_leave_it_json(wish: str) -> None:
    """As many MiB as asked for, in pieces, before an answer and before an error; its length is not announced."""
    head, *body, _ = steps_of(wish, body={**CHAT, "stream": False})
    assert isinstance(head, Head)
    assert head.framing == "chunked"
    data = b"".join(step.data for step in body if isinstance(step, Send))
    assert len(data) - len(data.lstrip()) == 3 << 20
    assert isinstance(json.loads(data), dict)
