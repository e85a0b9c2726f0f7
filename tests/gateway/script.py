"""What machines might say, written down by hand and numbered as they would number it."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange import messages as m
from exchange import topics
from exchange.instruments import Instrument, Rules
from exchange.packets import encode
from tests.gateway.projected import AAPL, NOW_MS, SHARDS, Projected

SYMBOL = AAPL.symbol
COARSE = msgspec.structs.replace(AAPL, tick="0.1")
"""AAPLUSD with a tick ten times as large."""


class Script:
    """Appends messages to the topics of a venue whose machines say nothing."""

    def __init__(self, projected: Projected) -> None:
        self.projected = projected
        self.counts: dict[str, int] = {}

    def _next(self, channel: str) -> int:
        self.counts[channel] = self.counts.get(channel, 0) + 1
        return self.counts[channel]

    def _write(self, topic: str, message: m.Message) -> None:
        self.projected.venue.written[topic].append(encode([message]))

    def list(self, version: int, instrument: Instrument = AAPL, **fields: Any) -> None:
        """Publish a version's first snapshot, of an empty book unless `fields` say otherwise."""
        shown = {
            "delta": self.counts.get(topics.BOOK_DELTAS, 0),
            "trade": self.counts.get(topics.TRADES, 0),
            "bids": [],
            "asks": [],
            "rules": Rules(),
        }
        seq = self._next(topics.BOOK_SNAPSHOTS)
        snapshot = m.BookSnapshot(
            symbol=SYMBOL, seq=seq, time_ms=NOW_MS, listing=version, instrument=instrument, **{**shown, **fields}
        )
        self._write(topics.BOOK_SNAPSHOTS, snapshot)

    def book(self, kind: type[Any], /, **fields: Any) -> None:
        """Publish an event of the book."""
        seq = self._next(topics.BOOK_DELTAS)
        self._write(topics.BOOK_DELTAS, kind(symbol=SYMBOL, seq=seq, time_ms=NOW_MS, **fields))

    def trade(self, price: int, listing: int = 1, **fields: Any) -> None:
        """Publish a trade of five lots."""
        common = {"quantity": 5, "taker_side": "buy", "maker_order": 1, "taker_order": 2, "time_ms": NOW_MS}
        seq = self._next(topics.TRADES)
        self._write(
            topics.TRADES, m.Trade(symbol=SYMBOL, seq=seq, price=price, listing=listing, **{**common, **fields})
        )

    def report(self, kind: type[Any], /, account: str = "ann", **fields: Any) -> None:
        """Publish a report on an account."""
        shard = m.shard_of(account, SHARDS)
        seq = self._next(f"{topics.ORDER_REPORTS} {shard}")
        self._write(topics.ORDER_REPORTS, kind(source=shard, seq=seq, time_ms=NOW_MS, account=account, **fields))

    def order(self, order_id: int, account: str = "ann", **fields: Any) -> None:
        """Publish that a book has taken an order to buy ten lots."""
        wanted = {"symbol": SYMBOL, "side": "buy", "price": 100, "quantity": 10, "request_id": f"o{order_id}"}
        self.report(m.OrderAccepted, account, order_id=order_id, **{**wanted, **fields})

    def update(self, kind: type[Any], /, account: str = "ann", **fields: Any) -> None:
        """Publish something about an account's balances."""
        shard = m.shard_of(account, SHARDS)
        seq = self._next(f"{topics.ACCOUNT_UPDATES} {shard}")
        self._write(topics.ACCOUNT_UPDATES, kind(source=shard, seq=seq, time_ms=NOW_MS, account=account, **fields))
