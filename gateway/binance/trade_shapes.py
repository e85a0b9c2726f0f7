"""Trades as Binance tells them: one by one, and those of one taker order at one price together. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import msgspec

from exchange.instruments import Instrument
from gateway.binance.klines import total
from gateway.binance.numbers import rounded
from gateway.shown import TradeShown


def trade(shown: TradeShown, instrument: Instrument) -> dict[str, Any]:
    """Return a trade as `trades` tells it; every trade is at the best price there was."""
    return {
        "id": shown.seq,
        "price": shown.price,
        "qty": shown.quantity,
        "quoteQty": rounded(Decimal(shown.price) * Decimal(shown.quantity), instrument.quote_scale),
        "time": shown.time_ms,
        "isBuyerMaker": shown.taker_side == "sell",
        "isBestMatch": True,
    }


class Aggregate(msgspec.Struct, frozen=True):
    """The consecutive trades of one taker order at one price: the first one's number names them."""

    first: int
    last: int
    price: str
    quantity: str
    time_ms: int
    buyer_made: bool
    """Whether the buyer was the maker."""

    @property
    def row(self) -> dict[str, Any]:
        """Return it as `aggTrades` tells it."""
        return {
            "a": self.first,
            "p": self.price,
            "q": self.quantity,
            "f": self.first,
            "l": self.last,
            "T": self.time_ms,
            "m": self.buyer_made,
            "M": True,
        }


def aggregates(trades: Iterable[TradeShown]) -> list[Aggregate]:
    """Return the aggregates of trades that are in their order."""
    return [
        _aggregate(list(some))
        for _, some in groupby(trades, lambda one: (one.taker_order, one.taker_side, one.price, one.time_ms))
    ]


def whole_aggregates(newest: Sequence[TradeShown], kept: int) -> list[Aggregate]:
    """Return the aggregates of the newest trades (the newest first), of which `kept` are kept: not the oldest, if it may have lost trades."""
    found = aggregates(reversed(newest))
    cut = len(newest) >= kept and newest[-1].seq > 1
    return found[1:] if cut else found


def _aggregate(trades: Sequence[TradeShown]) -> Aggregate:
    first, last = trades[0], trades[-1]
    return Aggregate(
        first=first.seq,
        last=last.seq,
        price=first.price,
        quantity=total(one.quantity for one in trades),
        time_ms=first.time_ms,
        buyer_made=first.taker_side == "sell",
    )
