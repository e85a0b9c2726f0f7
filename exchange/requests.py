"""Request ids: what makes any retry of a command safe.

Theory of operation: a command from outside carries an id and the time of its creation, both kept through retries. The
first outcome of each id is remembered for `KEPT_MS` by the time at which the broker appended it, and a command created
longer ago than that is refused as stale, so that an id is never forgotten while a retry could still come. At the full
bound new commands are refused; ids are never pushed out.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Any

import msgspec

from exchange.machine import Entries
from exchange.messages import AccountCommand, RejectReason
from exchange.pages import Pages

DAY_MS = 86_400_000
AHEAD_MS = 60_000
"""How far ahead of the broker's time a command's creation time may be."""
KEPT_MS = DAY_MS + AHEAD_MS
REQUESTS_MAX = 1_000_000
"""Greatest number of ids that one account shard remembers."""


class Request:
    """A remembered command: when it came, what it said, and its first outcome."""

    __slots__ = ("account", "arrival_ms", "digest", "order_id", "reason", "request_id")

    def __init__(
        self,
        arrival_ms: int,
        account: str,
        request_id: str,
        digest: str,
        order_id: int = 0,
        reason: RejectReason | None = None,
    ) -> None:
        self.arrival_ms = arrival_ms
        self.account = account
        self.request_id = request_id
        self.digest = digest
        self.order_id = order_id
        self.reason: RejectReason | None = reason

    def row(self) -> tuple[Any, ...]:
        """Return the durable form: `__init__`'s arguments."""
        return (self.arrival_ms, self.account, self.request_id, self.digest, self.order_id, self.reason)


class Requests:
    """The remembered commands of one shard."""

    def __init__(self, entries: Entries, requests_max: int = REQUESTS_MAX) -> None:
        self.requests_max = requests_max
        self.pages: Pages[Request] = Pages("r")
        self.by_id: dict[tuple[str, str], Request] = {}
        self.ages: deque[tuple[int, Request]] = deque()
        self.count = 0
        for number, row in self.pages.load(entries):
            self._add(number, Request(*row))
        self.pages.dirty.clear()

    def find(self, account: str, request_id: str) -> Request | None:
        """Return the remembered command of this id, if any."""
        return self.by_id.get((account, request_id))

    def untimely(self, command: AccountCommand, arrival_ms: int) -> RejectReason | None:
        """Say why a new command may not come now, or None if it may."""
        if command.created_ms < arrival_ms - DAY_MS:
            return "STALE"
        if command.created_ms > arrival_ms + AHEAD_MS:
            return "CLOCK_AHEAD"
        if len(self.by_id) >= self.requests_max:
            return "REQUESTS_FULL"
        return None

    def remember(self, command: AccountCommand, arrival_ms: int) -> Request:
        """Remember a new command; the caller fills in its outcome while it applies it."""
        request = Request(arrival_ms, command.account, command.request_id, digest(command))
        self._add(self.count + 1, request)
        return request

    def forget(self, arrival_ms: int) -> None:
        """Forget the ids that no retry can still use."""
        oldest = arrival_ms - KEPT_MS
        while self.ages and self.ages[0][1].arrival_ms < oldest:
            number, request = self.ages.popleft()
            del self.by_id[request.account, request.request_id]
            self.pages.remove(number)

    def _add(self, number: int, request: Request) -> None:
        self.count = number
        self.by_id[request.account, request.request_id] = request
        self.ages.append((number, request))
        self.pages.add(number, request)


def digest(command: AccountCommand) -> str:
    """Return a fingerprint of what a command asks: all of it but its creation time."""
    content = msgspec.structs.astuple(command)
    return blake2b(repr((type(command).__name__, content[:2], content[3:])).encode(), digest_size=8).hexdigest()
