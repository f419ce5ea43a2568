import re
from pathlib import Path

import pytest

from adapter_api import REASONS, ErrorKind, Reason, Variant, WorkerError, reason_row

CONTRACT = Path(__file__).resolve().parents[3] / "docs" / "contract.md"
NAMED_BY_THE_CONTRACT = """
    invalid_task missing_required_field invalid_field_value malformed_request serialization context_length
    token_limit content_filtered safety_violation refused not_found deleted conflict too_early rate_limited
    quota_exceeded queue_full slots_exhausted invalid_api_key expired_api_key permission_denied
    connection_failed dns_failed tls_failed connect_timeout pool_timeout write_timeout first_byte_timeout
    idle_timeout content_timeout deadline request_timeout server_error bad_gateway service_unavailable
    gateway_timeout overloaded circuit_open truncated reset protocol content_type decode redirect
    egress_denied missing_api_key invalid_base_url configuration internal cancelled order_violation
    engine_version pool_unready pool_unknown closed
"""
DIFFERENT_WHILE_STREAMING = {
    "idle_timeout": (Variant.DECODE_TIMEOUT, ErrorKind.DECODE_TIMEOUT),
    "content_timeout": (Variant.DECODE_TIMEOUT, ErrorKind.DECODE_TIMEOUT),
    "reset": (Variant.WORKER_RESET, ErrorKind.WORKER_RESET),
}
# Variant, code and advice of each kind of failure: the projection that orchestrators are written against.
PROJECTION = {
    (Variant.ADAPTER, ErrorKind.INVALID_PARAMS, False): """invalid_task malformed_request missing_required_field
        invalid_field_value serialization context_length token_limit content_filtered safety_violation refused
        not_found""",
    (Variant.ADAPTER, ErrorKind.MODEL_DEPRECATED, False): "deleted",
    (Variant.ADAPTER, ErrorKind.ADMISSION_REJECT, True): "conflict too_early rate_limited slots_exhausted",
    (Variant.ADAPTER, ErrorKind.QUEUE_FULL_DROP_LRU, True): "queue_full",
    (Variant.ADAPTER, ErrorKind.INTERNAL, False): "protocol content_type decode redirect",
    (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, False): """invalid_api_key expired_api_key permission_denied
        quota_exceeded dns_failed tls_failed pool_unknown closed""",
    (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, True): """connection_failed connect_timeout pool_timeout
        write_timeout first_byte_timeout request_timeout server_error bad_gateway service_unavailable gateway_timeout
        overloaded circuit_open idle_timeout content_timeout reset""",
    (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNREADY, True): "pool_unready",
    (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNREADY, False): "engine_version",
    (Variant.WORKER_RESET, ErrorKind.WORKER_RESET, True): "truncated",
    (Variant.DEADLINE_UNMET, ErrorKind.DEADLINE_UNMET, False): "deadline",
    (Variant.TASK_CANCELLED, None, False): "cancelled",
    (Variant.INTERNAL, ErrorKind.INTERNAL, False): """egress_denied missing_api_key invalid_base_url configuration
        order_violation internal""",
}
EXPECTED = {name: row for row, names in PROJECTION.items() for name in names.split()}


@pytest.mark.requirement("ADAPT-3002")
def test_the_list_holds_every_reason_and_no_other() -> None:
    """A reason is added or dropped knowingly: the contract's documents name each."""
    assert set(REASONS) == set(NAMED_BY_THE_CONTRACT.split())
    assert set(EXPECTED) == set(REASONS)


@pytest.mark.requirement("ADAPT-3002", "ADP-06", "HTU-ERR-4002")
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_reason_decides_variant_code_and_advice(name: str) -> None:
    """Row by row, the table gives what orchestrators expect."""
    row = reason_row(name)
    assert (row.name, row.variant, row.code, row.retriable) == (name, *EXPECTED[name])


@pytest.mark.parametrize("name", sorted(REASONS))
def test_each_reason_is_found_under_its_own_snake_case_name_and_has_a_meaning(name: str) -> None:
    """Name and key agree, and a person can read what it means."""
    assert REASONS[name].name == name
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert REASONS[name].meaning


@pytest.mark.requirement("ADAPT-3002", "HTU-ERR-4002")
@pytest.mark.parametrize("name", sorted(REASONS))
def test_after_started_only_what_the_stream_did_changes_its_code(name: str) -> None:
    """A timeout becomes the decoder's and a broken connection the worker's; every other row stays as it is."""
    before, after = reason_row(name), reason_row(name, streaming=True)
    variant, code = DIFFERENT_WHILE_STREAMING.get(name, (before.variant, before.code))
    assert after == before._replace(variant=variant, code=code)


@pytest.mark.requirement("ADAPT-3002")
@pytest.mark.parametrize("streaming", [False, True])
def test_an_unknown_reason_counts_as_internal(streaming: bool) -> None:
    """The projection is total: no name is without a row."""
    assert reason_row("no_such_reason", streaming=streaming) == REASONS["internal"]


@pytest.mark.requirement("ADAPT-3002")
def test_every_variant_of_the_taxonomy_is_used() -> None:
    """The six variants of the contract, and the cancelled task beside them, each have a reason."""
    rows = [reason_row(name, streaming=streaming) for name in REASONS for streaming in (False, True)]
    assert {row.variant for row in rows} == set(Variant)
    assert {variant.value for variant in Variant} == {
        "DeadlineUnmet",
        "PoolUnavailable",
        "DecodeTimeout",
        "WorkerReset",
        "Internal",
        "Adapter",
        "TaskCancelled",
    }


@pytest.mark.requirement("ADP-06")
def test_the_codes_are_those_that_orchestrators_know() -> None:
    """Twelve codes, each spelt as it is named."""
    assert [kind.value for kind in ErrorKind] == [kind.name for kind in ErrorKind]
    assert {kind.value for kind in ErrorKind} == {
        "ADMISSION_REJECT",
        "QUEUE_FULL_DROP_LRU",
        "INVALID_PARAMS",
        "POOL_UNREADY",
        "POOL_UNAVAILABLE",
        "REPLICA_EXHAUSTED",
        "DECODE_TIMEOUT",
        "WORKER_RESET",
        "INTERNAL",
        "DEADLINE_UNMET",
        "MODEL_DEPRECATED",
        "UNTRUSTED_ARTIFACT",
    }


@pytest.mark.requirement("ADP-06")
def test_only_a_cancelled_task_has_no_code() -> None:
    """Everything that is somebody's error has a code."""
    assert [name for name, row in REASONS.items() if row.code is None] == ["cancelled"]
    assert WorkerError("cancelled", "stopped").code is None


def test_the_list_cannot_be_changed_from_outside() -> None:
    """A plugin cannot bend the projection for everybody."""
    with pytest.raises(TypeError):
        REASONS["mine"] = REASONS["internal"]


@pytest.mark.requirement("ADAPT-3002")
def test_the_documents_show_the_table_as_it_is() -> None:
    """docs/contract.md holds one row for each reason, generated from the list, in its order."""
    text = CONTRACT.read_text("utf-8")
    table = text.partition("| reason | variant | code | retriable | meaning |\n")[2].partition("\n\n")[0]
    documented = table.strip().splitlines()[1:]
    assert documented == [documented_row(row) for row in REASONS.values()]


def documented_row(row: Reason) -> str:
    """The row of docs/contract.md that describes *row*."""
    after = reason_row(row.name, streaming=True)
    variant, code = row.variant.value, row.code.value if row.code else "none"
    if after != row:
        variant, code = f"{variant}; {after.variant.value} after `started`", f"{code}; {after.code} after `started`"
    return f"| `{row.name}` | {variant} | {code} | {'yes' if row.retriable else 'no'} | {row.meaning} |"
