"""
The simulator as a process: `python -m upstream_simulator`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.local import base_url
from upstream_simulator.options import InvalidOption, Options
from upstream_simulator.server import Server
from upstream_simulator.tls import Identity, MissingExtra, make_identity
from upstream_simulator.words import STYLES

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = """\
examples:
  python -m upstream_simulator --port 8000 --tokens-per-second 20
  python -m upstream_simulator --tls-port 8443 --api-key sk-local --flavour vllm
  curl -N http://127.0.0.1:8000/v1/chat/completions -H 'x-simulate: cut_after_tokens=5;cut_by=close' \\
       -d '{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run until interrupted, or until stdin closes if so asked.

    Args:
        arguments: Command line; None takes the process's own.

    Returns:
        Exit code: 0 after an orderly end, 2 for an option that is refused, 1 if the server could not start.

    Spec: SIM-01, SIM-11
    """
    chosen = _parser().parse_args(arguments)
    exits_with_stdin = chosen.exit_with_stdin
    wished = {name: value for name, value in vars(chosen).items() if name != "exit_with_stdin"}
    try:
        options = Options(**{**wished, "models": tuple(chosen.models)})
        identity = None if options.tls_port is None else make_identity(options.ca_file, http2=options.http2)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options, identity, exits_with_stdin=exits_with_stdin))
    except InvalidOption as exc:
        sys.stderr.write(f"upstream_simulator: {exc}\n")
        return 2
    except (MissingExtra, OSError) as exc:
        sys.stderr.write(f"upstream_simulator: {exc}\n")
        return 1
    return 0


async def _serve(options: Options, identity: Identity | None, *, exits_with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if not exits_with_stdin:
        loop.add_signal_handler(signal.SIGINT, ended.set)
    else:
        # Ctrl-C reaches the whole terminal; whoever started us decides when we end, and may still need us to cancel.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loop.add_reader(sys.stdin.fileno(), _read_stdin, loop, ended)
    server = Server(options)
    try:
        await server.start(None if identity is None else identity.context)
        _announce(server, identity)
        await ended.wait()
    finally:
        await server.stop()
        if identity is not None:
            identity.discard()


def _read_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        ended.set()


def _announce(server: Server, identity: Identity | None) -> None:
    """
    Print the ready line for programs, and a greeting for people.
    """
    host = server.options.host
    tls_base_url = None if server.tls_port is None else base_url("https", host, server.tls_port)
    ready = {
        "base_url": base_url("http", host, server.port),
        "tls_base_url": tls_base_url,
        "ca_file": None if identity is None else str(identity.ca_file),
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    if sys.stderr.isatty():
        sys.stderr.write(f"Simulated upstream ({server.options.flavour}) at {ready['base_url']}\n")
        if tls_base_url is not None:
            sys.stderr.write(f"  over TLS with HTTP/2 at {tls_base_url}, trust {ready['ca_file']}\n")
        sys.stderr.write("  Ctrl-C stops it.\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m upstream_simulator",
        description="An OpenAI-compatible server on loopback, with deterministic answers and faults on request.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="loopback address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=0, help="port for HTTP/1.1; 0 takes a free one (default)")
    add("--tls-port", type=int, help="port for HTTP/2 and HTTP/1.1 over TLS; 0 takes a free one")
    add("--ca-file", help="where to write the local authority's certificate (default: a temporary file)")
    add("--no-http2", dest="http2", action="store_false", help="offer only HTTP/1.1 on the TLS port")
    add("--api-key", help="the only key accepted (default: any, and none)")
    add("--flavour", default="generic", choices=sorted(FLAVOURS), help="whose manners to copy (default generic)")
    add("--model", dest="models", action="append", default=[], help="a model to serve; repeat for more (default: any)")
    add("--tokens", type=int, default=48, help="length of an answer without a limit (default 48)")
    add("--tokens-per-second", type=float, default=0.0, help="pace of every stream; 0 is as fast as possible (default)")
    add("--tokens-per-write", type=int, default=1, help="tokens per write to the connection (default 1)")
    add("--first-token-delay", type=float, default=0.0, help="seconds before the first token (default 0)")
    add("--context", type=int, help="longest prompt accepted, in tokens (default: no limit)")
    add("--words", default="plain", choices=sorted(STYLES), help="vocabulary of the answers (default plain)")
    add("--seed", type=int, default=0, help="seed of answers whose request has none (default 0)")
    add("--exit-with-stdin", action="store_true", help="stop when standard input closes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
