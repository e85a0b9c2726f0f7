"""What one symbol's book comes to: spread, depth imbalance and order-flow imbalance, a second at a time.

Theory of operation: the book is folded from its events. A second ends when an event of a later one comes; what is told of it is the book as its
last event left it, and the sum of the order flow in it. The levels are stored in pages of neighbouring prices, of which only the changed ones are
written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from exchange.analysis import BOOK_SOURCE, Indicators
from exchange.messages import BookDelta, BookSnapshot, Side
from exchange.views import BookView
from udfs.indicators import DepthImbalance, OrderFlowImbalance, name_of
from udfs.watch.worth import Worth

SECOND_MS: Final = 1_000
LEVELS: Final = 5
PAGE_BITS: Final = 6
_PAGE_SIZE: Final = 1 << PAGE_BITS
_SIDES: Final[tuple[Side, ...]] = ("buy", "sell")


class _Second(msgspec.Struct, array_like=True):
    """The second that is open, and what the flow is reckoned from. `order_flow` is in lots."""

    start_ms: int = 0
    version: int = 0
    seconds: int = 0
    order_flow: float = 0.0
    open: bool = False
    flow: OrderFlowImbalance = msgspec.field(default_factory=OrderFlowImbalance)
    best: tuple[int, int, int, int] | None = None
    moved: tuple[int | None, int | None] = (None, None)
    """The best prices at the end of the last second in which they changed."""
    untold: bool = False
    """Whether there are events that have not been told."""


class QuoteWatch:
    """The book of one symbol."""

    def __init__(self, symbol: str, entries: Mapping[str, str]) -> None:
        self.symbol = symbol
        self.book = BookView()
        for name, text in entries.items():
            if name.startswith("levels "):
                side = self.book.side("buy" if name.split()[1] == "buy" else "sell")
                for price, quantity in _decode_page(text):
                    side.set(price, quantity)
        self._at = _decode(entries["second"]) if "second" in entries else _Second()
        self._ended: list[Indicators] = []
        self._pages: set[tuple[Side, int]] = set()
        self._touched = False
        self._moved = False
        self._depth = DepthImbalance(LEVELS)

    # In

    def add(self, delta: BookDelta, worth: Worth | None) -> None:
        """Take in the next delta."""
        at = self._at
        if delta.time_ms >= at.start_ms + SECOND_MS:
            self._end(worth)
            at.start_ms = delta.time_ms - delta.time_ms % SECOND_MS
        self.book.add(delta)
        self._pages.add((delta.side, delta.price >> PAGE_BITS))
        self._touched = at.open = at.untold = True
        at.version = delta.seq
        best = self._best()
        if best == at.best:
            return
        at.best = best
        if best is None:
            at.flow = OrderFlowImbalance()
            return
        flow = at.flow.step(*best)
        if flow is not None:
            at.order_flow += flow

    def begin(self, snapshot: BookSnapshot) -> None:
        """Go on from a snapshot."""
        for side in _SIDES:
            self._pages |= {(side, price >> PAGE_BITS) for price in self.book.side(side).quantities}
        self.book = BookView(snapshot.bids, snapshot.asks)
        for side in _SIDES:
            self._pages |= {(side, price >> PAGE_BITS) for price in self.book.side(side).quantities}
        at = self._at
        at.flow, at.best = OrderFlowImbalance(), self._best()
        if at.best is not None:
            at.flow.step(*at.best)
        self._touched = True

    def _best(self) -> tuple[int, int, int, int] | None:
        """Return the best bid and ask with their quantities; None while one is missing or they are crossed."""
        bid, ask = self.book.bids.best(), self.book.asks.best()
        if bid is None or ask is None or bid >= ask:
            return None
        return bid, self.book.bids.quantities[bid], ask, self.book.asks.quantities[ask]

    @property
    def best(self) -> tuple[int | None, int | None]:
        """The best bid and the best ask, in ticks."""
        return self.book.bids.best(), self.book.asks.best()

    def _end(self, worth: Worth | None) -> None:
        """End the second that is open."""
        at = self._at
        if at.open:
            told = self._told(worth, closed=True)
            if told is not None:
                at.seconds += 1
                self._ended.append(told)
            self._moved |= at.moved != self.best
            at.moved = self.best
        at.order_flow, at.open = 0.0, False

    # Out

    @property
    def is_untold(self) -> bool:
        """Whether there are events that have not been told."""
        return self._at.untold

    @property
    def is_due(self) -> bool:
        """Whether a second has ended that has not been told."""
        return self._moved or bool(self._ended)

    def publish(self, worth: Worth | None) -> tuple[list[Indicators], bool]:
        """Return what the events since the last call have changed, and whether a second has ended in which the best prices changed."""
        out, self._ended = self._ended + self.open(worth), []
        moved, self._moved = self._moved, False
        if self._at.untold:
            self._at.untold, self._touched = False, True
        return out, moved

    def open(self, worth: Worth | None) -> list[Indicators]:
        """Return what the open second comes to; nothing if `publish` has told it. This changes no state."""
        told = self._told(worth, closed=False) if self._at.untold and self._at.open else None
        return [] if told is None else [told]

    def closing(self, worth: Worth | None, now_ms: int) -> tuple[list[Indicators], bool]:
        """Return the same of the open second, as closed, if it has ended by the wall's clock."""
        if not self._at.open or self._at.start_ms + SECOND_MS > now_ms:
            return [], False
        told = self._told(worth, closed=True)
        return [] if told is None else [told], self._at.moved != self.best

    def next_end_ms(self, after_ms: int) -> int | None:
        """Return when the open second ends, if it is open and ends after `after_ms`."""
        end_ms = self._at.start_ms + SECOND_MS
        return end_ms if self._at.open and end_ms > after_ms else None

    def _told(self, worth: Worth | None, *, closed: bool) -> Indicators | None:
        at = self._at
        if at.best is None or worth is None:
            return None
        bid, _, ask, _ = at.best
        middle = worth.price((bid + ask) / 2)
        depths = (sum(size for _, size in side.top(LEVELS)) for side in (self.book.bids, self.book.asks))
        values = {
            "spread": worth.price(ask - bid),
            name_of(self._depth): self._depth.step(*depths) or 0.0,
            "order_flow_imbalance": worth.quantity(at.order_flow),
        }
        return Indicators(
            symbol=self.symbol,
            source=BOOK_SOURCE,
            span_ms=SECOND_MS,
            start_ms=at.start_ms,
            version=at.version,
            bars=at.seconds + 1,
            open=middle,
            high=middle,
            low=middle,
            close=middle,
            volume=0.0,
            values=values,
            closed=closed,
        )

    # As entries

    def changes(self, into: dict[str, str | None]) -> None:
        """Add the state entries that have changed since the last call."""
        if not self._touched:
            return
        into["second"] = msgspec.json.encode(self._at).decode()
        for side, page in self._pages:
            quantities = self.book.side(side).quantities
            first = page << PAGE_BITS
            rows = [(price, quantities[price]) for price in range(first, first + _PAGE_SIZE) if price in quantities]
            into[f"levels {side} {page}"] = msgspec.json.encode(rows).decode() if rows else None
        self._pages.clear()
        self._touched = False


_decode = msgspec.json.Decoder(_Second).decode
_decode_page = msgspec.json.Decoder(list[tuple[int, int]]).decode
