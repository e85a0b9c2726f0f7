"""Orders of nobody in particular, straight into the books: quotes that replace each other, and what takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from exchange import topics
from exchange.messages import MARKET, EnterOrder, PullOrder, Side
from gateway.sim.venue import SimVenue

Level = tuple[Side, int, int]
"""Side, price in ticks and quantity in lots."""
_SOURCES_MAX: Final = 1_000


class MarketFlow:
    """One source of `@market` flow, which has no account, no balances and no limits. `number` (from 1) tells the sources of a venue apart."""

    def __init__(self, venue: SimVenue, number: int) -> None:
        assert 1 <= number < _SOURCES_MAX, "order ids are told apart by it"
        self._venue = venue
        self._number = number
        self._orders = 0
        self._seq: dict[str, int] = defaultdict(int)
        self._standing: dict[str, list[int]] = defaultdict(list)

    def quote(self, symbol: str, listing: int, levels: Sequence[Level], take: Level | None = None) -> None:
        """Let `levels` stand in the place of what this source quoted before; then `take` what stands at a price or better."""
        messages: list[Any] = [
            PullOrder(
                source=self._source, seq=self._next(symbol), time_ms=0, account=MARKET, order_id=order_id, symbol=symbol
            )
            for order_id in self._standing[symbol]
        ]
        entered = [self._enter(symbol, listing, *level) for level in levels]
        self._standing[symbol] = [each.order_id for each in entered]
        messages += entered
        if take is not None:
            messages.append(self._enter(symbol, listing, *take, time_in_force="IOC"))
        if messages:
            self._venue.write(topics.BOOK_INBOX, symbol, messages)

    @property
    def _source(self) -> str:
        return f"@sim-{self._number}"

    def _next(self, symbol: str) -> int:
        self._seq[symbol] += 1
        return self._seq[symbol]

    def _enter(self, symbol: str, listing: int, side: Side, price: int, quantity: int, **more: Any) -> EnterOrder:
        self._orders += 1
        return EnterOrder(
            source=self._source,
            seq=self._next(symbol),
            time_ms=0,
            account=MARKET,
            order_id=-(self._orders * _SOURCES_MAX + self._number),
            symbol=symbol,
            listing=listing,
            side=side,
            price=price,
            quantity=quantity,
            **more,
        )
