"""
Whose manners the simulator copies: each server's shape on the wire, as data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """
    How one kind of server writes what it writes. Faults override single fields with `dataclasses.replace`.

    Spec: SIM-09
    """

    name: str
    first_delta: str = "empty"
    """First chat chunk: a role with content `empty`, `null_content`, `absent`, or `text`; `none` for none."""
    finish_with_text: bool = False
    """The last token and the finish_reason share one chunk."""
    null_finish: bool = True
    """`finish_reason: null` (and logprobs) stand in every chunk before the last."""
    finish: bool = True
    """A finish_reason is sent at all."""
    done: bool = True
    """Chat and completions streams end with `[DONE]`."""
    responses_done: bool = False
    """Responses streams end with `[DONE]` too."""
    responses_event_lines: bool = True
    """Responses streams carry `event:` lines."""
    responses_numbers: bool = True
    """Responses events carry a sequence_number."""
    usage: str = "asked"
    """
    `asked` (its own chunk if include_usage), `unasked` (always), `none`, `with_finish` (in the chunk that has the
    reason), `with_choice` (asked, beside an empty delta) or `zero` (zeros in every chunk).
    """
    null_usage: bool = False
    """`usage: null` in every chunk before, when it was asked for."""
    created: bool = True
    fingerprint: str = "all"
    """`all`, `blank` (an empty string), `last` (final chunk only) or `none`."""
    tool_style: str = "openai"
    """
    `openai`; `vllm` (first delta has no arguments; a named tool ends with "stop"); `repeated` (id, name in each);
    `late_name` (id and name behind the arguments).
    """
    reasoning_key: str = "reasoning_content"
    timings: bool = False
    """The last chunk and the plain answer carry llama.cpp's `timings`."""
    vllm_keys: bool = False
    """Choices carry `stop_reason` and `token_ids`."""
    spaced_json: bool = False
    """JSON with spaces and \\u escapes."""
    error_form: str = "openai"
    """A name of `error_bodies.FORMS`."""
    unauthorized_form: str = "openai"
    routing_form: str = "openai"
    """Form of 404 and 405 for unknown paths and methods."""
    bad_json_status: int = 400
    request_id_header: str | None = "x-request-id"
    server: str = "upstream-simulator"
    hangs_up: bool = False
    """Closes the connection after each stream without having said so."""
    models_list: str = "openai"
    """`openai`, `no_created`, `with_models` (a second list beside `data`) or `empty`."""
    owned_by: str = "simulator"
    version: str = "1.0.0"
    obeys_completion_limit: bool = True
    """max_completion_tokens is honoured, not ignored."""


FLAVOURS: Final[dict[str, Flavour]] = {
    flavour.name: flavour
    for flavour in (
        Flavour(name="generic", null_usage=True),
        Flavour(
            name="vllm",
            finish_with_text=True,
            fingerprint="last",
            tool_style="vllm",
            reasoning_key="reasoning",
            vllm_keys=True,
            error_form="int_code",
            unauthorized_form="string",
            routing_form="detail",
            request_id_header=None,
            server="uvicorn",
            owned_by="vllm",
            version="0.32.0",
        ),
        Flavour(
            name="llama-server",
            first_delta="null_content",
            responses_numbers=False,
            timings=True,
            error_form="int_code",
            unauthorized_form="int_code",
            routing_form="int_code",
            bad_json_status=500,
            request_id_header=None,
            server="llama.cpp",
            hangs_up=True,
            models_list="with_models",
            owned_by="llamacpp",
            version="b7000",
        ),
        Flavour(
            name="llama-cpp-python",
            first_delta="absent",
            usage="none",
            fingerprint="none",
            tool_style="repeated",
            spaced_json=True,
            error_form="detail",
            unauthorized_form="detail",
            routing_form="detail",
            bad_json_status=500,
            server="uvicorn",
            models_list="no_created",
            owned_by="me",
            version="0.3.36",
            obeys_completion_limit=False,
        ),
        Flavour(
            name="litellm",
            first_delta="text",
            null_finish=False,
            responses_done=True,
            responses_event_lines=False,
            responses_numbers=False,
            usage="with_choice",
            error_form="string_code",
            unauthorized_form="string_code",
            routing_form="detail",
            request_id_header="x-litellm-call-id",
            server="uvicorn",
            owned_by="openai",
            version="1.106.0",
        ),
        Flavour(
            name="transformers",
            first_delta="absent",
            null_finish=False,
            done=False,
            responses_event_lines=False,
            usage="with_finish",
            fingerprint="blank",
            error_form="detail",
            unauthorized_form="detail",
            routing_form="detail",
            server="uvicorn",
            models_list="empty",
            version="5.23.0",
        ),
    )
}
"""Every flavour by name; `generic` behaves as the OpenAI API is documented."""
