"""Exactly-once effect over at-least-once delivery.

Theory of operation: each pair of sender key and receiver key is a channel. The sender numbers its messages 1, 2, 3, ...
in its own keyed state; the receiver applies only the next number. After a failure the sender's state and its reading
position go back together, so that it sends the same messages again under the same numbers, whatever the packets they
come in, and the receiver drops what it has. A number that is too high means that messages before it were lost with a
failed sender; that sender goes back to before the hole and sends it again, so the early ones are dropped, too.
Public topics are channels whose receiver is the topic: readers drop repeats by the same rule.
"""

from __future__ import annotations

HOLE_ALERT_MS = 60_000
"""A hole that is still open after this long is reported, once."""


class Outbound:
    """Numbers what one sender key sends, a counter for each receiver key."""

    __slots__ = ("counts",)

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts = counts if counts is not None else {}

    def next(self, receiver: str) -> int:
        """Return the number of the next message to `receiver`, from 1."""
        number = self.counts.get(receiver, 0) + 1
        self.counts[receiver] = number
        return number


class Inbound:
    """Lets through, of each sender key, only the next message."""

    __slots__ = ("counts", "holes")

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts = counts if counts is not None else {}
        self.holes: dict[str, int] = {}

    def admit(self, source: str, seq: int, now_ms: int) -> bool:
        """Say whether message `seq` of `source` is the next one, and if so count it; `now_ms` times a hole."""
        last = self.counts.get(source, 0)
        if seq == last + 1:
            self.counts[source] = seq
            if self.holes:
                self.holes.pop(source, None)
            return True
        if seq > last:
            self.holes.setdefault(source, now_ms)
        return False

    def overdue(self, now_ms: int) -> list[str]:
        """Return, once each, the sources whose hole has lasted longer than `HOLE_ALERT_MS`."""
        late = [source for source, since in self.holes.items() if since and now_ms - since > HOLE_ALERT_MS]
        for source in late:
            self.holes[source] = 0
        return late
