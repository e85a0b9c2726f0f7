"""The markets of a venue as `openbell watch` shows them: read from the topics, written as rows of texts."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Any, Final

from exchange import topics
from exchange.channel import Inbound
from exchange.host import Record
from exchange.packets import decode_book_deltas, decode_book_snapshots, decode_trades
from exchange.topics import topic_name
from exchange.views import MarketView
from wire.reader import fresh

TOPICS: Final = (topics.TRADES, topics.BOOK_DELTAS, topics.BOOK_SNAPSHOTS)
RATE_S: Final = 5.0
"""Over how many seconds trades a second are averaged."""
RATE_SAMPLES_MAX: Final = 64


class Markets:
    """All symbols of a venue. Snapshots are read for the listings alone, which say what a tick and a lot are."""

    def __init__(self, venue: str) -> None:
        self.views: dict[str, MarketView] = {}
        self._trades, self._deltas = topic_name(venue, topics.TRADES), topic_name(venue, topics.BOOK_DELTAS)
        self._seen = {self._trades: Inbound(), self._deltas: Inbound()}
        self._samples: deque[tuple[float, dict[str, int]]] = deque(maxlen=RATE_SAMPLES_MAX)

    def add(self, record: Record) -> None:
        """Take in a record of one of `TOPICS`."""
        if record.topic == self._trades:
            for trade in fresh(self._seen[self._trades], [record], decode_trades):
                self._view(trade.symbol).trade(trade)
        elif record.topic == self._deltas:
            for event in fresh(self._seen[self._deltas], [record], decode_book_deltas):
                self._view(event.symbol).event(event)
        else:
            for snapshot in decode_book_snapshots(record.value):
                view = self._view(snapshot.symbol)
                view.listed(snapshot)
                view.shown()

    def sample(self, now_s: float) -> None:
        """Take note of how many trades there are at this moment of the wall's clock, in seconds."""
        self._samples.append((now_s, {symbol: view.trades for symbol, view in self.views.items()}))

    def trades_per_s(self, symbol: str) -> float:
        """Return a symbol's trades a second over the last `RATE_S` seconds."""
        if not self._samples:
            return 0.0
        last_s, last = self._samples[-1]
        first_s, first = next(sample for sample in self._samples if last_s - sample[0] <= RATE_S)
        return (last.get(symbol, 0) - first.get(symbol, 0)) / (last_s - first_s) if last_s > first_s else 0.0

    def time_ms(self) -> int | None:
        """Return the time of the data, in milliseconds, or None before there is any."""
        return max((view.time_ms for view in self.views.values()), default=None)

    def snapshot(self) -> list[dict[str, Any]]:
        """Return what is known of each symbol; prices and quantities as decimal strings, None where there is none."""
        return [self._row(view) for _, view in sorted(self.views.items())]

    def _row(self, view: MarketView) -> dict[str, Any]:
        day, change, indicated = view.day, view.change(), view.indication
        bid, ask = view.book.bids.best(), view.book.asks.best()
        return {
            "symbol": view.symbol,
            "phase": view.phase,
            "last": _price(view, day.close if day else None),
            "change_percent": None if change is None else round(change * 100, 2),
            "bid": _price(view, bid),
            "bid_quantity": _quantity(view, view.book.bids.quantities.get(bid) if bid else None),
            "ask": _price(view, ask),
            "ask_quantity": _quantity(view, view.book.asks.quantities.get(ask) if ask else None),
            "indicative_price": _price(view, indicated.price or None if indicated else None),
            "indicative_volume": _quantity(view, indicated.volume if indicated else None),
            "indicative_imbalance": _quantity(view, indicated.imbalance if indicated else None),
            "day_volume": _quantity(view, day.volume if day else None),
            "trades": view.trades,
            "time_ms": view.time_ms,
        }

    def _view(self, symbol: str) -> MarketView:
        view = self.views.get(symbol)
        if view is None:
            view = self.views[symbol] = MarketView(symbol)
        return view


def _price(view: MarketView, ticks: int | None) -> str | None:
    if ticks is None:
        return None
    return trimmed(view.instrument.price_text(ticks)) if view.instrument else f"{ticks} ticks"


def _quantity(view: MarketView, lots: int | None) -> str | None:
    if lots is None:
        return None
    return view.instrument.quantity_text(lots) if view.instrument else f"{lots} lots"


def trimmed(price: str) -> str:
    """Shorten a price to two decimals where the others are 0.

    >>> trimmed("118.5600"), trimmed("14.2675"), trimmed("7")
    ('118.56', '14.2675', '7')
    """
    whole, point, decimals = price.partition(".")
    return whole + point + decimals[:2] + decimals[2:].rstrip("0")


def time_text(time_ms: int | None) -> str:
    """Write a time of the data in UTC, or a dash before there is any."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}" if time_ms else "-"
