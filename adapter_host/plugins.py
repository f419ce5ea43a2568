"""
Which adapters are installed: found by their distributions' metadata, loaded one by one.

One broken plugin takes nobody with it. Each is loaded in a thread of its own, within a time bound, and called alone;
what goes wrong puts it into quarantine, with its distribution and the reason, and the next one is loaded.

Two plugins of one name clash. The distribution that holds this host keeps its name; of all others that clash none is
loaded, because which one comes first is an accident of the search path.

Spec: HST-03, ADP-07, ADP-60, ADP-61, ADP-62, ADP-64
"""

from __future__ import annotations

import importlib.metadata
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pluggy

from adapter_api import ADAPTER_API_VERSION, ENTRY_POINT_GROUP, AdapterPlugin, hookspecs, is_compatible
from http_util.redact import safe_message

if TYPE_CHECKING:
    from collections.abc import Iterable

BUILT_IN: Final = "worker-adapters"
"""The distribution that wins when its adapter's name is taken twice."""

LOAD_TIMEOUT: Final = 10.0
"""Seconds that one plugin may take to be imported and to answer its hook. A large one takes about 2, cold."""

_HOOK: Final = "worker_adapter_plugins"
_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a plugin comes from."""

    distribution: str
    """Name of the installed distribution."""
    version: str
    """The distribution's version."""
    entry_point: str
    """`name = module` as the distribution's metadata says it."""

    def __str__(self) -> str:
        """Distribution and version."""
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPlugin:
    """A plugin that may be used."""

    plugin: AdapterPlugin
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedPlugin:
    """A plugin that is installed and may not be used."""

    name: str
    """The adapter's name, or the entry point's while the adapter's is not known."""
    origin: Origin
    reason: str
    """What is wrong with it: one redacted sentence."""


class PluginError(Exception):
    """
    Strict discovery found plugins that cannot be used. The text lists them, one a line.

    Spec: HST-03
    """

    def __init__(self, quarantined: Sequence[QuarantinedPlugin]) -> None:
        """Report *quarantined*."""
        lines = [f"{one.name} of {one.origin}: {one.reason}" for one in quarantined]
        super().__init__("\n".join(lines))
        self.quarantined: tuple[QuarantinedPlugin, ...] = tuple(quarantined)
        """The plugins that cannot be used."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the plugins; the text follows from them."""
        return type(self), (self.quarantined,)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """
    The installed adapters, good and bad.

    Example:
        >>> catalogue = discover(entry_points=())
        >>> sorted(catalogue.plugins), catalogue.quarantined
        ([], ())
    """

    plugins: Mapping[str, InstalledPlugin] = field(default_factory=dict)
    """Usable plugins by name, in order of name."""
    quarantined: tuple[QuarantinedPlugin, ...] = ()
    """The others, in order of name."""

    def quarantined_as(self, name: str) -> QuarantinedPlugin | None:
        """The plugin in quarantine that is called *name*, if there is one."""
        return next((one for one in self.quarantined if one.name == name), None)


class _Unusable(Exception):
    """Why a plugin cannot be used."""


def discover(
    *,
    strict: bool = False,
    timeout: float = LOAD_TIMEOUT,
    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
) -> Catalogue:
    """
    Load every installed plugin and say what became of each.

    Args:
        strict: Raise when a plugin cannot be used, once all have been tried.
        timeout: Most seconds for one plugin; one that takes longer is left behind in its thread.
        entry_points: What to load instead of what the installed distributions offer.

    Raises:
        PluginError: *strict* is on and a plugin cannot be used.

    Spec: HST-03
    """
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP) if entry_points is None else entry_points
    loaded: list[InstalledPlugin] = []
    bad: list[QuarantinedPlugin] = []
    # A distribution may stand on the search path twice, as when it is both installed and worked on.
    for entry_point in dict.fromkeys(found):
        origin = _origin_of(entry_point)
        try:
            loaded.extend(InstalledPlugin(plugin=one, origin=origin) for one in _load(entry_point, timeout))
        except _Unusable as exc:
            bad.append(QuarantinedPlugin(name=entry_point.name, origin=origin, reason=str(exc)))
    good, clashing = _without_clashes(loaded)
    quarantined = sorted([*bad, *clashing], key=lambda one: (one.name, one.origin.distribution))
    if strict and quarantined:
        raise PluginError(quarantined)
    return Catalogue(
        {one.plugin.name: one for one in sorted(good, key=lambda one: one.plugin.name)},
        tuple(quarantined),
    )


def _origin_of(entry_point: importlib.metadata.EntryPoint) -> Origin:
    distribution = entry_point.dist
    return Origin(
        distribution="unknown" if distribution is None else distribution.name,
        version="unknown" if distribution is None else distribution.version,
        entry_point=f"{entry_point.name} = {entry_point.value}",
    )


def _load(entry_point: importlib.metadata.EntryPoint, timeout: float) -> list[AdapterPlugin]:
    """Import and ask one plugin in a thread of its own, so that it can neither hang nor end this process."""
    outcome: list[list[AdapterPlugin] | str] = []

    def work() -> None:
        try:
            outcome.append(_ask(entry_point))
        except _Unusable as exc:
            outcome.append(str(exc))
        # Importing a stranger's module may raise anything, SystemExit and KeyboardInterrupt included.
        except BaseException as exc:  # noqa: BLE001
            outcome.append(f"loading it raised {type(exc).__name__}: {safe_message(_text_of(exc), limit=200)}")

    thread = threading.Thread(target=work, name=f"load-{entry_point.name}", daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise _Unusable(f"loading it took longer than {timeout:g} s")
    if isinstance(outcome[0], str):
        raise _Unusable(outcome[0])
    return outcome[0]


def _text_of(exc: BaseException) -> str:
    """The text of an exception whose own `__str__` may fail."""
    try:
        return str(exc) or "no text"
    # A stranger's exception class is a stranger's code too.
    except Exception:  # noqa: BLE001
        return "no text"


def _ask(entry_point: importlib.metadata.EntryPoint) -> list[AdapterPlugin]:
    """Register one plugin in a manager of its own and call its hooks one at a time."""
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    manager.register(entry_point.load(), name=entry_point.name)
    implementations = manager.hook.worker_adapter_plugins.get_hookimpls()
    if not implementations:
        raise _Unusable(f"{entry_point.value} has no hook implementation {_HOOK}")
    offered: list[AdapterPlugin] = []
    for implementation in implementations:
        answer = implementation.function()
        several = answer if isinstance(answer, Sequence) and not isinstance(answer, (str, bytes)) else [answer]
        offered.extend(_checked(one) for one in several)
    if not offered:
        raise _Unusable(f"{_HOOK} gave no plugin")
    return offered


def _checked(offered: object) -> AdapterPlugin:
    """The plugin as offered, when every field is what the contract says."""
    if not isinstance(offered, AdapterPlugin):
        raise _Unusable(f"{_HOOK} gave {type(offered).__name__}, expected AdapterPlugin or a list of them")
    for name in ("name", "version", "contract_version"):
        value = getattr(offered, name)
        if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_NAME or not value.isprintable():
            raise _Unusable(f"{name} of the plugin is not a printable text of 1 to {_LONGEST_NAME} characters")
    for name in ("factory", "config_schema", "policies"):
        if not callable(getattr(offered, name)):
            raise _Unusable(f"{name} of the plugin cannot be called")
    if not is_compatible(offered.contract_version):
        built_for = safe_message(offered.contract_version)
        raise _Unusable(f"it speaks version {built_for} of the contract, this host speaks {ADAPTER_API_VERSION}")
    return offered


def _without_clashes(loaded: Sequence[InstalledPlugin]) -> tuple[list[InstalledPlugin], list[QuarantinedPlugin]]:
    """Those whose name is theirs alone, and the others."""
    by_name: dict[str, list[InstalledPlugin]] = defaultdict(list)
    for one in loaded:
        by_name[one.plugin.name].append(one)
    good: list[InstalledPlugin] = []
    bad: list[QuarantinedPlugin] = []
    for name, claimants in by_name.items():
        built_in = [one for one in claimants if one.origin.distribution == BUILT_IN]
        winners = built_in if len(built_in) == 1 else claimants if len(claimants) == 1 else []
        good.extend(winners)
        owners = ", ".join(sorted(one.origin.distribution for one in claimants))
        reason = f"the name {name!r} is taken more than once, by {owners}"
        losers = [one for one in claimants if one not in winners]
        bad.extend(QuarantinedPlugin(name=name, origin=one.origin, reason=reason) for one in losers)
    return good, bad
