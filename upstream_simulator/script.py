"""
Which faults the next requests get: a queue, and what applies to all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from upstream_simulator.faults import NO_FAULTS, Faults, InvalidFault, read_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upstream_simulator.faults import Wish


class Script:
    """
    The faults waiting for requests that come without a wish of their own.

    Spec: SIM-06
    """

    def __init__(self) -> None:
        self._queue: list[Faults] = []
        self._always = NO_FAULTS

    def __repr__(self) -> str:
        return f"<Script {len(self._queue)} waiting>"

    def add(self, wishes: Sequence[Wish], always: Wish = None) -> int:
        """
        Append to the queue.

        Args:
            wishes: One per request; None lets a request pass in peace.
            always: For every request for which the queue has nothing; None leaves it as it is.

        Returns:
            How many entries wait now.

        Raises:
            InvalidFault: A wish is not understood; nothing is added then.
        """
        added = [read_faults(wish) for wish in wishes]
        if always is not None:
            self._always = read_faults(always)
        self._queue += added
        return len(self._queue)

    def clear(self) -> None:
        """
        Forget all faults.
        """
        self._queue.clear()
        self._always = NO_FAULTS

    def take(self, method: str, path: str) -> Faults:
        """
        Give the faults of a request, and use them up.

        Args:
            method: Entries without a path are for POST.
            path: Without the query; entries with a path wait for it.
        """
        for position, entry in enumerate(self._queue):
            if entry.path == path or (entry.path is None and method == "POST"):
                if entry.times > 1:
                    self._queue[position] = msgspec.structs.replace(entry, times=entry.times - 1)
                else:
                    del self._queue[position]
                return entry
        applies = self._always.path == path or (self._always.path is None and method == "POST")
        return self._always if applies else NO_FAULTS


def read_script(body: bytes) -> tuple[list[Wish], Wish]:
    """
    Read the body of POST /_sim/script: a list of wishes, or `{"queue": [...], "always": wish}`.

    Raises:
        InvalidFault: It is neither.
    """
    try:
        script = msgspec.json.decode(body, type=_Script | list[str | dict[str, object] | None])
    except msgspec.MsgspecError as exc:
        raise InvalidFault(f"script not understood: {exc}") from exc
    if isinstance(script, _Script):
        return list(script.queue), script.always
    return list(script), None


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    queue: list[str | dict[str, object] | None] = []
    always: str | dict[str, object] | None = None
