"""The processor time that a running service uses, to lay beside what it did meanwhile: it says more than a rate where others share the cores."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from openbell.supervise.processes import group_members

EVERY_S: Final = 0.05


class Used:
    """Notes of the processor time used so far, in seconds, by the wall's clock."""

    def __init__(self) -> None:
        self._notes: list[tuple[float, float]] = []

    def note(self, wall_ms: float, seconds: float) -> None:
        """Take down what had been used at a moment."""
        self._notes.append((wall_ms, seconds))

    def between(self, begin_ms: float, end_ms: float) -> float:
        """Return the seconds used between two moments."""
        return self._at(end_ms) - self._at(begin_ms)

    def _at(self, wall_ms: float) -> float:
        place = min(max(1, bisect_left(self._notes, (wall_ms, 0.0))), len(self._notes) - 1)
        (before_ms, before_s), (after_ms, after_s) = self._notes[place - 1 : place + 1]
        return before_s + (after_s - before_s) * (wall_ms - before_ms) / (after_ms - before_ms)


@contextmanager
def watched(groups: Iterable[int]) -> Iterator[Used]:
    """Note what some process groups use, again and again while the context lasts. What has ended counts as it was last seen."""
    used, stop = Used(), threading.Event()
    last_s = dict.fromkeys((process for group in groups for process in group_members(group)), 0.0)

    def note() -> None:
        for process, before_s in last_s.items():
            last_s[process] = _seconds(process, before_s)
        used.note(time.time() * 1_000, sum(last_s.values()))

    def watch() -> None:
        last = False
        while not last:
            last = stop.wait(EVERY_S)
            note()

    note()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield used
    finally:
        stop.set()
        thread.join()


def _seconds(process: int, before_s: float) -> float:
    """Return the processor time of a process; if it has ended, what it was before."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return before_s
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))
