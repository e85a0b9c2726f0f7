"""What the public sees resting in one book: levels, their checksums, single orders, and when bids may meet asks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from typing import Final
from zlib import crc32

from exchange.audits.orders import Flaw
from exchange.instruments import Rules
from exchange.messages import (
    CALL_PHASES,
    INDICATED_PHASES,
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    BookEvent,
    OrderDelta,
    Phase,
    PhaseChanged,
    Side,
)

CHECKSUM_LEVELS: Final = 10


class LevelAudit:
    """Folds one symbol's `book-deltas`, and `book-orders` where a listing has them.

    A book of price-time or pro-rata matching is never crossed while its market is continuous. One exception lasts for one message: what is left
    of a taker that a price band has stopped rests across the spread, and the market is halted at once. Checksums say what
    the levels add up to.
    """

    def __init__(self) -> None:
        self.levels: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}
        self.shown: dict[Side, int] = {"buy": 0, "sell": 0}
        self.orders: dict[int, tuple[Side, int, int]] = {}
        self.phase: Phase = "continuous"
        self.rules = Rules()
        self._prices: dict[Side, list[int]] = {"buy": [], "sell": []}
        self._order_totals: Counter[tuple[Side, int]] = Counter()
        self._crossed: str | None = None

    def take(self, event: BookEvent) -> None:
        """Take the next message of `book-deltas`."""
        if self._crossed is not None and not (isinstance(event, PhaseChanged) and event.phase in CALL_PHASES):
            raise Flaw(self._crossed)
        if isinstance(event, BookDelta):
            self._delta(event)
            self._crossed = self._crossing()
            if self._crossed is not None and not self.rules.band_ppm:
                raise Flaw(self._crossed)
        elif isinstance(event, BookChecksum):
            if event.crc32 != self.checksum():
                raise Flaw(f"the checksum is not that of the levels, {self.checksum()}")
        elif isinstance(event, PhaseChanged):
            self._change(event.phase)
        elif isinstance(event, AuctionIndicated):
            self._indicated(event)

    def best(self, side: Side) -> int | None:
        """Return the best price of a side."""
        prices = self._prices[side]
        return None if not prices else prices[-1] if side == "buy" else prices[0]

    def checksum(self) -> int:
        """Return the CRC32 of the best levels, written as the protocol says."""
        bids = self._prices["buy"][: -CHECKSUM_LEVELS - 1 : -1]
        asks = self._prices["sell"][:CHECKSUM_LEVELS]
        said = []
        for place in range(CHECKSUM_LEVELS):
            said += [f"{price}:{self.levels['buy'][price]}" for price in bids[place : place + 1]]
            said += [f"{price}:{self.levels['sell'][price]}" for price in asks[place : place + 1]]
        return crc32(":".join(said).encode())

    def take_order(self, event: OrderDelta) -> None:
        """Take the next message of `book-orders`."""
        before = self.orders.pop(event.number, None)
        if before is not None:
            side, price, quantity = before
            if (side, price) != (event.side, event.price):
                raise Flaw(f"order {event.number} moves from {side} {price} to {event.side} {event.price}")
            self._order_totals[side, price] -= quantity
        elif not event.quantity:
            raise Flaw(f"there is no order {event.number} to take away")
        if event.quantity:
            self.orders[event.number] = (event.side, event.price, event.quantity)
            self._order_totals[event.side, event.price] += event.quantity

    def forget_orders(self) -> None:
        """Follow single orders no more."""
        self.orders.clear()
        self._order_totals.clear()

    def agree(self, side: Side, price: int) -> None:
        """Check, when a command is done, that the orders at a price add up to its level."""
        total, level = self._order_totals[side, price], self.levels[side].get(price, 0)
        if not total:
            del self._order_totals[side, price]
        if total != level:
            raise Flaw(f"orders of {total} lots to {side} at {price} make a level of {level}")

    def finish(self) -> None:
        """Check, when a command is done, that nothing is left to come."""
        if self._crossed is not None:
            raise Flaw(self._crossed)

    def _delta(self, delta: BookDelta) -> None:
        levels, prices = self.levels[delta.side], self._prices[delta.side]
        before = levels.get(delta.price, 0)
        if delta.quantity:
            if not before:
                insort(prices, delta.price)
            levels[delta.price] = delta.quantity
        elif levels.pop(delta.price, None) is None:
            raise Flaw(f"there is no level at {delta.price} to take away")
        else:
            del prices[bisect_left(prices, delta.price)]
        self.shown[delta.side] += delta.quantity - before

    def _crossing(self) -> str | None:
        bids, asks = self._prices["buy"], self._prices["sell"]
        if self.phase in CALL_PHASES or self.rules.pairs:
            return None
        if bids and asks and bids[-1] >= asks[0]:
            return f"the book is crossed: bid {bids[-1]}, ask {asks[0]}"
        return None

    def _change(self, phase: Phase) -> None:
        if phase == self.phase:
            raise Flaw(f"the market is in phase {phase} already")
        self.phase = phase
        self._crossed = self._crossing()
        if self._crossed is not None:
            raise Flaw(self._crossed)

    def _indicated(self, event: AuctionIndicated) -> None:
        if self.phase not in INDICATED_PHASES:
            raise Flaw(f"an auction is indicated in phase {self.phase}")
        if bool(event.price) != bool(event.volume) or (event.imbalance and not event.price):
            raise Flaw(f"an auction at {event.price} cannot trade {event.volume} with {event.imbalance} left over")
