"""
The entry point `adapter-host`: looks whether the extra `host` is there, and hands over.

Spec: HST-12, HST-16
"""

from __future__ import annotations

import sys
from typing import Final

_EXTRA: Final = ("rich", "typer")
_USAGE: Final = 2
_INTERRUPTED: Final = 130


def main() -> None:
    """
    Run the command line; without the extra, say in one line how to get it and exit with 2.

    Ctrl-C while it is being loaded ends it without a word, as it does later.
    """
    try:
        from adapter_host.commands.app import app
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            f"adapter-host: the command line needs {exc.name}; install it with: pip install 'worker-adapters[host]'\n"
        )
        sys.exit(_USAGE)
    app()
