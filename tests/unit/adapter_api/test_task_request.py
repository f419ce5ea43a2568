import dataclasses
import json
import re
from collections import UserDict
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_api import InvalidTask, Placement, TaskRequest, prompt_of
from adapter_api.task_fields import MAX_DEPTH, MAX_PROMPT_CHARACTERS

REQUIRED = {
    "task_id": "t-1",
    "session_id": "s-1",
    "workload": "completion",
    "model_ref": "m",
    "engine": "openai",
    "ctx": 8192,
    "priority": "interactive",
    "max_tokens": 64,
    "deadline_ms": 30_000,
}
OPTIONAL = {
    "prompt": "Hello",
    "inputs": ["Hello"],
    "messages": [{"role": "user", "content": "Hello"}],
    "seed": 7,
    "determinism": "strict",
    "sampler_profile_version": "p-1",
    "expected_tokens": 10,
    "kv_hint": "reuse",
    "placement": Placement(mode="pin", pin_pool_id="pool-1"),
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": -1,
    "frequency_penalty": 1.5,
    "stop": ["\n\n"],
    "n": 1,
    "extra_body": {"top_k": 40},
}
INT64 = 2**63 - 1
DEEP: dict = {}
for _ in range(MAX_DEPTH):
    DEEP = {"a": DEEP}


def task(**fields: object) -> TaskRequest:
    """A valid task with any field replaced."""
    return TaskRequest(**(REQUIRED | fields))


def refused(**fields: object) -> InvalidTask:
    """The refusal of a task with those fields."""
    with pytest.raises(InvalidTask) as caught:
        task(**fields)
    return caught.value


@pytest.mark.requirement("ADP-03")
def test_the_required_fields_are_these() -> None:
    """Nine fields make a task, in the order of the contract."""
    fields = dataclasses.fields(TaskRequest)
    assert [field.name for field in fields if field.default is dataclasses.MISSING] == list(REQUIRED)
    assert {field.name for field in fields if field.default is None} == set(OPTIONAL)
    assert task() == TaskRequest(**REQUIRED)


@pytest.mark.requirement("ADP-03")
@pytest.mark.parametrize("name", REQUIRED)
def test_a_task_without_a_required_field_cannot_be_made(name: str) -> None:
    """Each required field is missed by its name, from keywords and from plain values."""
    rest = {key: value for key, value in REQUIRED.items() if key != name}
    with pytest.raises(TypeError, match=name):
        TaskRequest(**rest)
    with pytest.raises(InvalidTask, match=f"^INVALID_PARAMS .*: {name}: is required$") as caught:
        TaskRequest.from_mapping(rest)
    assert caught.value.field == name


@pytest.mark.requirement("ADP-03", "ADP-13")
@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_field_is_not_none(name: str) -> None:
    """None is no value for it."""
    assert refused(**{name: None}).field == name


def named(value: object) -> str:
    """How a parameter is called: short, and the same in every process."""
    shown = repr(value[:40] if isinstance(value, str) else value)
    return re.sub(" at 0x[0-9a-f]+", "", shown)[:40]


ACCEPTED = [
    *[(name, value) for name in ("task_id", "session_id") for value in ("a", "a" * 128)],
    ("model_ref", "a"),
    ("model_ref", "a" * 512),
    ("workload", "completion"),
    ("workload", "embedding"),
    ("workload", "rerank"),
    *[("engine", engine) for engine in ("llamacpp", "vllm", "tgi", "triton", "openai")],
    ("priority", "interactive"),
    ("priority", "batch"),
    *[(name, value) for name in ("ctx", "max_tokens") for value in (1, 2, INT64)],
    *[("deadline_ms", value) for value in (-1, 0, 1, INT64)],
    ("prompt", "a"),
    ("prompt", "a\tb\r\nc"),
    ("prompt", "a" * MAX_PROMPT_CHARACTERS),
    ("inputs", []),
    ("inputs", ("a", "b")),
    ("messages", [{"role": "user", "content": ""}]),
    *[("seed", value) for value in (-INT64, 0, INT64)],
    ("determinism", "strict"),
    ("determinism", "best_effort"),
    ("sampler_profile_version", "a" * 128),
    *[("expected_tokens", value) for value in (0, 1, INT64)],
    ("kv_hint", "reuse"),
    ("kv_hint", "cold"),
    ("placement", Placement()),
    *[("temperature", value) for value in (0, 0.0, 1, 2)],
    *[("top_p", value) for value in (0, 0.5, 1)],
    *[(name, value) for name in ("presence_penalty", "frequency_penalty") for value in (-2, 0, 2)],
    ("stop", "\n"),
    ("stop", ["a", "b"]),
    ("stop", []),
    ("n", 1),
    ("n", 2),
    ("extra_body", {}),
    ("extra_body", UserDict({"a": 1})),
]


@pytest.mark.requirement("ADP-03", "ADP-04")
@pytest.mark.parametrize(("name", "value"), ACCEPTED, ids=named)
def test_a_value_within_its_bounds_is_kept_as_it_is(name: str, value: object) -> None:
    """Both ends of every range, and every member of every enumeration, are accepted unchanged."""
    assert getattr(task(**{name: value}), name) is value


def wrong_types(*types: object) -> list[object]:
    """Values of types that a field does not take, but for those named."""
    samples = [True, 5, 1.5, "text", b"bytes", ["list"], {"a": 1}, object()]
    return [sample for sample in samples if type(sample) not in types]


REFUSED = [
    *[
        (name, value)
        for name in ("task_id", "session_id")
        for value in ("", "a" * 129, "a\n", "\ud800", *wrong_types(str))
    ],
    *[("model_ref", value) for value in ("", "a" * 513, "a\x00b", *wrong_types(str))],
    *[("workload", value) for value in ("", "chat", "Completion", *wrong_types(str))],
    *[("engine", value) for value in ("", "ollama", *wrong_types(str))],
    *[("priority", value) for value in ("", "urgent", *wrong_types(str))],
    *[(name, value) for name in ("ctx", "max_tokens") for value in (0, -1, INT64 + 1, *wrong_types(int))],
    *[("deadline_ms", value) for value in (-INT64 - 1, INT64 + 1, *wrong_types(int))],
    *[("prompt", value) for value in ("", "a" * (MAX_PROMPT_CHARACTERS + 1), "\ud800", "\x00", *wrong_types(str))],
    *[("inputs", value) for value in ("a", [""], ["\x07"], [1], *wrong_types(str, list))],
    *[("messages", value) for value in ([], [{}], [{"role": "user", "content": DEEP}], *wrong_types())],
    *[("seed", value) for value in (-INT64 - 1, INT64 + 1, *wrong_types(int))],
    *[("determinism", value) for value in ("", "loose", *wrong_types(str))],
    *[("sampler_profile_version", value) for value in ("", "a" * 129, "a\n", *wrong_types(str))],
    *[("expected_tokens", value) for value in (-1, INT64 + 1, *wrong_types(int))],
    *[("kv_hint", value) for value in ("", "warm", *wrong_types(str))],
    *[("placement", value) for value in wrong_types()],
    *[("temperature", value) for value in (-0.01, 2.01, float("nan"), float("inf"), *wrong_types(int, float))],
    *[("top_p", value) for value in (-0.01, 1.01, float("nan"), *wrong_types(int, float))],
    *[
        (name, value)
        for name in ("presence_penalty", "frequency_penalty")
        for value in (-2.01, 2.01, float("nan"), *wrong_types(int, float))
    ],
    *[("stop", value) for value in ("", [""], [1], "\x00", *wrong_types(str, list))],
    *[("n", value) for value in (0, -1, INT64 + 1, *wrong_types(int))],
    *[
        ("extra_body", value)
        for value in ({1: 1}, {"a": object()}, {"a": float("nan")}, {"a": DEEP}, *wrong_types(dict))
    ],
]


@pytest.mark.requirement("ADP-03", "ADP-04", "ADP-13")
@pytest.mark.parametrize(("name", "value"), REFUSED, ids=named)
def test_a_value_out_of_its_bounds_is_refused_by_the_fields_name(name: str, value: object) -> None:
    """One below, one above, every wrong type, a boolean for a number: one error, which names the field first."""
    error = refused(**{name: value})
    assert error.code == "INVALID_PARAMS"
    assert error.field.partition("[")[0].partition(".")[0].partition(" ")[0] == name
    assert error.message.startswith(error.field)
    assert len(error.message) < 300


def test_every_field_is_tested_with_good_and_with_bad_values() -> None:
    """The two tables above leave no field out."""
    names = {field.name for field in dataclasses.fields(TaskRequest)}
    assert {name for name, _ in ACCEPTED} == names
    assert {name for name, _ in REFUSED} == names


@pytest.mark.requirement("ADP-13")
def test_a_prompt_of_50_mb_is_refused_with_its_length() -> None:
    """The refusal is short, however long the prompt."""
    message = refused(prompt="x" * 50_000_000).message
    assert message == f"prompt: expected 1 to {MAX_PROMPT_CHARACTERS} characters, got 50000000"


@pytest.mark.requirement("ADP-13")
def test_a_message_of_50_mb_is_refused_with_its_place() -> None:
    """A long text is found inside a conversation too."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "x" * 50_000_000}]}]
    assert refused(messages=messages).field == "messages[0].content[0].text"


@pytest.mark.requirement("ADP-03")
@pytest.mark.parametrize("name", ["n_predict", "Prompt", "api_key"])
def test_an_unknown_field_is_refused(name: str) -> None:
    """A misspelt field is not dropped in silence, from keywords and from plain values."""
    with pytest.raises(TypeError, match=name):
        task(**{name: 1})
    with pytest.raises(InvalidTask, match=f"{name}: is not a field of a task"):
        TaskRequest.from_mapping(REQUIRED | {name: 1})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, "task: expected a mapping, got NoneType"),
        ([("task_id", "t")], "task: expected a mapping, got list"),
        ({5: 5}, "5: is not a field of a task"),
        ({"a\nb": 5}, "a?b: is not a field of a task"),
        (REQUIRED | {"placement": {"pool": "p"}}, "placement.pool: is not a field of a placement"),
        (REQUIRED | {"placement": "pin"}, "placement: expected a Placement, got str"),
        (REQUIRED | {"placement": {"mode": "no"}}, "placement.mode: expected one of pin, prefer, auto, got 'no'"),
    ],
)
def test_plain_values_that_are_no_task_are_refused(values: object, expected: object) -> None:
    """What comes off a wire is told apart field by field."""
    with pytest.raises(InvalidTask) as caught:
        TaskRequest.from_mapping(values)
    assert caught.value.message == expected


@pytest.mark.requirement("ADP-03")
def test_absent_optionals_are_left_out_of_the_wire_form() -> None:
    """A task with the required fields alone has those and nothing else: no null."""
    assert task().to_dict() == REQUIRED
    assert list(task().to_dict()) == list(REQUIRED)


@pytest.mark.requirement("ADP-03")
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_that_is_given_is_written_and_read_back(name: str) -> None:
    """Each optional survives JSON, and brings no other with it."""
    given = task(**{name: OPTIONAL[name]})
    plain = json.loads(json.dumps(given.to_dict()))
    assert set(plain) == {*REQUIRED, name}
    assert TaskRequest.from_mapping(plain) == given


@pytest.mark.requirement("ADP-03")
@pytest.mark.parametrize(("name", "value"), [("temperature", 0), ("seed", 0), ("expected_tokens", 0), ("top_p", 0.0)])
def test_zero_is_a_value_and_not_absent(name: str, value: object) -> None:
    """What counts as false is written all the same."""
    assert task(**{name: value}).to_dict()[name] == value


@pytest.mark.requirement("ADP-03")
def test_the_wire_form_is_made_of_plain_values() -> None:
    """Tuples become lists and foreign mappings dicts, at every depth, so that any JSON encoder takes them."""
    given = task(inputs=("a",), extra_body=MappingProxyType({"a": MappingProxyType({"b": (1, (2,))})}), stop=("x",))
    plain = given.to_dict()
    assert (plain["inputs"], plain["extra_body"], plain["stop"]) == (["a"], {"a": {"b": [1, [2]]}}, ["x"])
    assert type(plain["extra_body"]) is type(plain["extra_body"]["a"]) is dict


@pytest.mark.requirement("ADP-04")
def test_a_placement_is_written_without_its_defaults() -> None:
    """Only what differs is sent; a placement that says nothing is an empty mapping."""
    given = task(placement=Placement(mode="prefer", prefer_pools=("a", "b"), allow_fallback=False))
    assert given.to_dict()["placement"] == {"mode": "prefer", "prefer_pools": ["a", "b"], "allow_fallback": False}
    assert task(placement=Placement()).to_dict()["placement"] == {}
    assert TaskRequest.from_mapping(REQUIRED | {"placement": MappingProxyType({})}).placement == Placement()


@pytest.mark.requirement("ADP-04")
def test_a_placement_falls_back_unless_told_otherwise() -> None:
    """The defaults of a placement: automatic, no pool named, fallback allowed."""
    assert dataclasses.asdict(Placement()) == {
        "mode": "auto",
        "pin_pool_id": None,
        "prefer_pools": (),
        "avoid_pools": (),
        "require_device_mask": None,
        "allow_fallback": True,
    }


@pytest.mark.requirement("ADP-04")
@pytest.mark.parametrize("mode", ["pin", "prefer", "auto"])
def test_a_placement_takes_its_modes_and_pools(mode: str) -> None:
    """Every mode, one pool to pin, lists of pools to prefer and to avoid, a device mask."""
    placement = Placement(
        mode=mode, pin_pool_id="a" * 128, prefer_pools=["b"], avoid_pools=("c",), require_device_mask="GPU0"
    )
    assert placement.mode == mode


@pytest.mark.requirement("ADP-04")
@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("mode", "force", "placement.mode"),
        ("mode", None, "placement.mode"),
        ("pin_pool_id", "", "placement.pin_pool_id"),
        ("pin_pool_id", 3, "placement.pin_pool_id"),
        ("prefer_pools", "pool", "placement.prefer_pools"),
        ("prefer_pools", ["a", ""], "placement.prefer_pools[1]"),
        ("avoid_pools", [None], "placement.avoid_pools[0]"),
        ("avoid_pools", None, "placement.avoid_pools"),
        ("require_device_mask", "a" * 129, "placement.require_device_mask"),
        ("allow_fallback", 1, "placement.allow_fallback"),
    ],
)
def test_a_placement_that_is_wrong_is_refused_at_the_field(field: str, value: object, where: str) -> None:
    """The error names the field with its path."""
    with pytest.raises(InvalidTask) as caught:
        Placement(**{field: value})
    assert caught.value.field == where


@pytest.mark.requirement("ADP-13", "OQ-04")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"prompt": "a"}, "a"),
        ({"inputs": ["a"]}, "a"),
        ({"inputs": ("a",)}, "a"),
        ({"messages": [{"role": "user", "content": "a"}]}, [{"role": "user", "content": "a"}]),
    ],
)
def test_a_completion_has_one_input(given: dict[str, object] | list[str], expected: object) -> None:
    """A prompt, a single entry of `inputs`, or a conversation."""
    assert prompt_of(task(**given)) == expected


@pytest.mark.requirement("ADP-13", "OQ-04")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "prompt: expected exactly one of prompt, inputs and messages, got none of them"),
        (["prompt", "inputs"], "got prompt and inputs"),
        (["prompt", "messages"], "got prompt and messages"),
        (["inputs", "messages"], "got inputs and messages"),
        (["prompt", "inputs", "messages"], "got prompt and inputs and messages"),
    ],
)
def test_a_completion_without_an_input_or_with_two_is_refused(
    given: dict[str, object] | list[str], expected: object
) -> None:
    """Nothing is dropped in silence: the refusal says which were given."""
    with pytest.raises(InvalidTask, match=f"{expected}$"):
        prompt_of(task(**{name: OPTIONAL[name] for name in given}))


@pytest.mark.requirement("ADP-13", "OQ-04")
@pytest.mark.parametrize("entries", [[], ["a", "b"]])
def test_a_completion_takes_exactly_one_entry_of_inputs(entries: list[str]) -> None:
    """None and two are refused with their number."""
    with pytest.raises(InvalidTask, match=f"^.*inputs: a completion takes exactly one entry, got {len(entries)}$"):
        prompt_of(task(inputs=entries))


def test_a_task_cannot_be_changed() -> None:
    """A task is handed through many rooms; none of them can alter it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        task().max_tokens = 5
    assert not hasattr(task(), "__dict__")


def test_a_replaced_field_is_checked_again() -> None:
    """`dataclasses.replace` makes a task, and so checks it."""
    assert dataclasses.replace(task(), max_tokens=5).max_tokens == 5
    with pytest.raises(InvalidTask):
        dataclasses.replace(task(), max_tokens=0)


SECRET = "correct horse battery staple"


def test_the_repr_of_a_task_shows_no_text_that_may_be_private() -> None:
    """Prompt, inputs, messages, stop texts and vendor fields stay out of logs; ids are shown."""
    private = {
        "prompt": SECRET,
        "inputs": [SECRET],
        "messages": [{"role": "user", "content": SECRET}],
        "stop": SECRET,
        "extra_body": {"a": SECRET},
    }
    assert SECRET not in repr(task(**private))
    assert "task_id='t-1'" in repr(task(**private))


MARK = "\u2620"
BAD = st.sampled_from(["\x00", "\x1b", "\ud800", "\udfff", "\x7f"])


@pytest.mark.requirement("ADP-13")
@settings(deadline=None)
@given(head=st.text(max_size=20), bad=BAD, tail=st.text(max_size=20))
@pytest.mark.parametrize("where", ["prompt", "inputs", "messages", "nested", "stop", "extra_body"])
def test_no_error_shows_what_a_prompt_says(where: str, head: str, bad: str, tail: str) -> None:
    """Whatever is wrong with a text, wherever it stands, none of it is in the error."""
    words = f"{MARK}{head}{bad}{tail}{MARK}"
    fields = {
        "prompt": {"prompt": words},
        "inputs": {"inputs": [words]},
        "messages": {"messages": [{"role": "user", "content": words}]},
        "nested": {"messages": [{"role": "user", "content": [{"text": words}]}]},
        "stop": {"stop": [words]},
        "extra_body": {"extra_body": {"guided": {"regex": words}}},
    }[where]
    error = refused(**fields)
    assert MARK not in f"{error} {error!r} {error.args} {error.payload()}"
    assert error.field.startswith(next(iter(fields)))


@pytest.mark.requirement("ADP-13")
@settings(deadline=None)
@given(words=st.text(min_size=1, max_size=40).map(lambda words: MARK + words))
@pytest.mark.parametrize(
    "name", ["ctx", "max_tokens", "deadline_ms", "seed", "n", "temperature", "inputs", "placement"]
)
def test_a_text_in_the_wrong_field_is_not_shown_either(name: str, words: str) -> None:
    """A prompt that slips into a field of another type is refused by its type alone."""
    assert MARK not in refused(**{name: words}).message
