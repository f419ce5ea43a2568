"""
An OpenAI-compatible server of its own process on loopback, with deterministic answers and faults by name.

>>> import upstream_simulator
>>> with upstream_simulator.start() as simulator:
...     simulator.script("status=429;retry-after=2")
1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upstream_simulator.exchange_log import Exchange, Seen
    from upstream_simulator.faults import Faults, InvalidFault
    from upstream_simulator.flavours import FLAVOURS, Flavour
    from upstream_simulator.local import LocalSimulator, serve
    from upstream_simulator.options import InvalidOption, Options
    from upstream_simulator.simulator import Simulator, SimulatorError, start
    from upstream_simulator.tls import MissingExtra

__all__ = [
    "FLAVOURS",
    "Exchange",
    "Faults",
    "Flavour",
    "InvalidFault",
    "InvalidOption",
    "LocalSimulator",
    "MissingExtra",
    "Options",
    "Seen",
    "Simulator",
    "SimulatorError",
    "serve",
    "start",
]

_ROOMS = {
    "FLAVOURS": "flavours",
    "Exchange": "exchange_log",
    "Faults": "faults",
    "Flavour": "flavours",
    "InvalidFault": "faults",
    "InvalidOption": "options",
    "LocalSimulator": "local",
    "MissingExtra": "tls",
    "Options": "options",
    "Seen": "exchange_log",
    "Simulator": "simulator",
    "SimulatorError": "simulator",
    "serve": "local",
    "start": "simulator",
}


def __getattr__(name: str) -> object:
    """
    Import a public name's room on first use: whoever starts a process needs no server in his own.
    """
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
