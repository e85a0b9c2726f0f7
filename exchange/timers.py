"""Deadlines of accounts: which come next, whatever is set anew or called off meanwhile."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

SLACK_MAX = 1_000
"""How many deadlines that were moved may pile up, besides as many as there are accounts, before they are dropped."""


class Timers:
    """One deadline a name; the earliest is at hand."""

    __slots__ = ("_heap", "due_ms")

    def __init__(self) -> None:
        self.due_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, name: str, due_ms: int) -> None:
        """Set a name's deadline instead of the one it has; 0: it has none."""
        if not due_ms:
            self.due_ms.pop(name, None)
            return
        self.due_ms[name] = due_ms
        heappush(self._heap, (due_ms, name))
        if len(self._heap) > 2 * len(self.due_ms) + SLACK_MAX:
            self._heap = [(due_ms, name) for name, due_ms in self.due_ms.items()]
            heapify(self._heap)

    def earliest(self) -> int | None:
        """Return the next deadline, or None."""
        heap = self._heap
        while heap and self.due_ms.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now_ms: int) -> list[str]:
        """Call off the deadlines that have come, and return whose they were, earliest first, then by name."""
        names = []
        while (due_ms := self.earliest()) is not None and due_ms <= now_ms:
            name = heappop(self._heap)[1]
            del self.due_ms[name]
            names.append(name)
        return names
