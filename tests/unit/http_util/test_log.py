"""The structlog processor that keeps secrets out of our own lines."""

from __future__ import annotations

import pytest

from http_util.log import RedactSecrets
from http_util.secret import Secret


@pytest.mark.requirement("LOG-05", "HTU-1004", "SEC-07")
def test_a_line_is_masked_by_name_by_value_and_by_shape() -> None:
    """Known secrets, sensitive names, shapes, nested values and control characters."""
    line = {
        "event": "sent Bearer hunter2hunter2\n",
        "authorization": "x",
        "api_key": None,
        "note": "my-plain-passphrase here",
        "headers": {"cookie": "a=b"},
        "attempt": 1,
    }
    assert RedactSecrets([Secret("my-plain-passphrase")])(None, "info", line) == {
        "event": "sent Bearer ****\\n",
        "authorization": "****",
        "api_key": None,
        "note": "**** here",
        "headers": {"cookie": "****"},
        "attempt": 1,
    }
