import re

import pytest

from adapter_api import ADAPTER_API_VERSION, is_compatible


@pytest.mark.requirement("ADP-07")
def test_the_version_is_major_and_minor() -> None:
    """`ADAPTER_API_VERSION` reads MAJOR.MINOR."""
    assert re.fullmatch(r"[0-9]+\.[0-9]+", ADAPTER_API_VERSION)


@pytest.mark.requirement("ADP-07")
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (ADAPTER_API_VERSION, True),
        ("1.0", True),
        ("1.99", True),
        ("1", True),
        ("0.9", False),
        ("2.0", False),
        ("10.0", False),
        ("11", False),
        ("", False),
        ("v1.0", False),
    ],
)
def test_only_the_same_major_is_compatible(version: str, expected: bool) -> None:
    """Any minor of our major may be loaded, nothing else."""
    assert is_compatible(version) is expected
