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
from exchange.messages import AccountCommand, PlaceBracket, PlaceOco, PlaceOrder, RejectReason
from exchange.pages import Pages

DAY_MS = 86_400_000
AHEAD_MS = 60_000
"""How far ahead of the broker's time a command's creation time may be."""
KEPT_MS = DAY_MS + AHEAD_MS
REQUESTS_MAX = 1_000_000
"""Greatest number of ids that one account shard remembers."""
IDS_MAX = 4
"""Greatest number of ids that one command takes."""


class Request:
    """A remembered command: when it came, what it said, and its first outcome."""

    __slots__ = ("account", "arrival_ms", "digest", "number", "order_id", "reason", "request_id")

    def __init__(
        self,
        arrival_ms: int,
        account: str,
        request_id: str,
        digest: str,
        order_id: int = 0,
        reason: RejectReason | None = None,
    ) -> None:
        self.number = 0
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
        self.ages: deque[Request] = deque()
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
        room = self.requests_max - len(self.by_id)
        if room < IDS_MAX and room < 1 + len(leg_ids(command)):
            return "REQUESTS_FULL"
        return None

    def remember(self, command: AccountCommand, arrival_ms: int) -> Request:
        """Remember a new command; the caller fills in its outcome while it applies it."""
        request = Request(arrival_ms, command.account, command.request_id, digest(command))
        self._add(self.count + 1, request)
        return request

    def remember_legs(self, group: Request, leg_ids: tuple[str, ...], order_ids: tuple[int, ...]) -> None:
        """Remember the ids of a group's orders, too, so that they can be cancelled by them and no other command has them."""
        for leg_id, order_id in zip(leg_ids, order_ids, strict=True):
            self._add(self.count + 1, Request(group.arrival_ms, group.account, leg_id, group.digest, order_id))

    def end(self, account: str, request_id: str, order_id: int, reason: RejectReason | None) -> None:
        """Fill in the outcome of a remembered id that was known later than the command came."""
        request = self.by_id.get((account, request_id))
        if request is not None:
            request.order_id, request.reason = order_id, reason
            self.pages.touch(request.number)

    def forget(self, arrival_ms: int) -> None:
        """Forget the ids that no retry can still use."""
        oldest = arrival_ms - KEPT_MS
        while self.ages and self.ages[0].arrival_ms < oldest:
            request = self.ages.popleft()
            del self.by_id[request.account, request.request_id]
            self.pages.remove(request.number)

    def _add(self, number: int, request: Request) -> None:
        self.count = request.number = number
        self.by_id[request.account, request.request_id] = request
        self.ages.append(request)
        self.pages.add(number, request)


def leg_ids(command: AccountCommand) -> tuple[str, ...]:
    """Return the ids, besides its own, that a command takes: those of a group's orders."""
    if isinstance(command, PlaceOco):
        return command.first.request_id, command.second.request_id
    if isinstance(command, PlaceBracket):
        return command.entry.request_id, command.take_profit.request_id, command.stop_loss.request_id
    return ()


def digest(command: AccountCommand) -> str:
    """Return a fingerprint of what a command asks: all of it but its creation time.

    It must stay what it was in earlier versions, whose requests are remembered: orders had no conditions then.
    """
    content = msgspec.structs.astuple(command)
    end = -1 if isinstance(command, PlaceOrder) and command.conditions is None else None
    return blake2b(repr((type(command).__name__, content[:2], content[3:end])).encode(), digest_size=8).hexdigest()
