"""Clients in processes of their own, on the first core, asked in turn."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING

from benchmarks.cores import pin, settle_malloc
from benchmarks.typed.callers import CALLERS
from benchmarks.typed.documents import EXPECTED, MEASURES, Task
from benchmarks.typed.upstream import serve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

Figures = dict[tuple[Task, str, str], list[float]]
"""CPU microseconds of a call, for each round, by task, colour and make."""


class WrongReading(Exception):
    """A client read something else than was sent, so it has no figure."""


def work(control: Connection, base_url: str, colour: str, make: str) -> None:
    """Do the tasks that come from *control*, until None does; send back CPU seconds and what was read."""
    pin(0)
    settle_malloc()
    caller = CALLERS[colour][make](base_url)
    while (job := control.recv()) is not None:
        task, calls = job
        began = time.process_time()
        read = caller.run(task, calls)
        control.send((time.process_time() - began, read))
    caller.close()


def measure(tasks: Sequence[Task], makes: Sequence[str], rounds: int) -> Figures:
    """
    Do all tasks in turn, a process for each client and colour; the first round warms up and is left out.

    Raises:
        WrongReading: A client read something else than was sent.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    upstream = context.Process(target=serve, args=(there,), daemon=True)
    upstream.start()
    base_url = f"http://127.0.0.1:{here.recv()}/v1"
    workers: dict[tuple[str, str], Connection] = {}
    for colour in CALLERS:
        for make in makes:
            workers[colour, make], theirs = context.Pipe()
            context.Process(target=work, args=(theirs, base_url, colour, make), daemon=True).start()
    figures: Figures = {}
    for number in range(rounds + 1):
        for task in tasks:
            for (colour, make), worker in workers.items():
                spent = _ask(worker, task, f"{make}, {colour}")
                if number:
                    figures.setdefault((task, colour, make), []).append(spent)
    for control in (*workers.values(), here):
        control.send(None)
    return figures


def _ask(worker: Connection, task: Task, name: str) -> float:
    calls = MEASURES[task].calls
    worker.send((task, calls))
    spent, read = worker.recv()
    if read != [EXPECTED[task]] * calls:
        raise WrongReading(f"{name}: {task}: read {read[0]}, expected {EXPECTED[task]}")
    return float(spent) / calls * 1e6
