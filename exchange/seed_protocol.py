"""Books driven by the orders of an older design, a line each, that answer in that design's own trades: `seed_formats`.

Each instrument that is named has a book, with a tick and a lot fine enough for any of them. There is no clock but the
orders' own times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from exchange.book import Book
from exchange.errors import ExchangeError, InvalidPacket
from exchange.instruments import Instrument, Rule
from exchange.messages import ListInstrument, OrderRejected, Trade
from exchange.seed_formats import SeedFormat, SeedOrder, encode_seed, rules_of
from exchange.seed_orders import SeedOrders

STEP: Final = "0.0001"
SOURCE: Final = "@lines"
INSTRUMENTS_MAX: Final = 10_000
_REFUSED: Final = {
    "DUPLICATE": "an order of this id is still open",
    "EXPIRED": "its time in force has run out",
    "RULE_UNSUPPORTED": "the matching rule takes plain limit orders only",
}


@dataclass(frozen=True)
class _Market:
    book: Book
    orders: SeedOrders


class SeedBooks:
    """The books of all instruments that have been named."""

    def __init__(self, seed: SeedFormat, rule: Rule | None = None) -> None:
        self.seed = seed
        self.rules = rules_of(seed, rule)
        self.markets: dict[str, _Market] = {}
        self.taken = 0

    def apply(self, line: bytes) -> Iterator[bytes]:
        """Enter an order and yield what comes of it, a line each.

        Raises:
            InvalidPacket: if it is none, or the book refuses it; what came before that is right.
        """
        order = self.seed.decode(line, None)
        market = self._market(order.instrument)
        try:
            message = market.orders.enter(order, self.taken + 1)
        except ExchangeError as error:
            raise InvalidPacket(f"order {order.id}: {error}") from error
        self.taken += 1
        if self.seed.sides:
            yield self._line(self.seed.sides[order.side], self.seed.passed_on(line))
        for event in market.book.apply(message, 0):
            if isinstance(event, Trade):
                yield self._traded(market, event)
            elif isinstance(event, OrderRejected):
                raise InvalidPacket(_refusal(order, event))

    def _traded(self, market: _Market, trade: Trade) -> bytes:
        found = market.orders.traded(trade)
        assert found is not None, "only lines enter orders"
        return self._line(self.seed.trades, self.seed.traded(*found))

    def _line(self, stream: str, record: Any) -> bytes:
        """Write a record, and where there are several streams, say which one it is of."""
        return encode_seed({"stream": stream, **record} if self.seed.sides else record) + b"\n"

    def _market(self, name: str) -> _Market:
        market = self.markets.get(name)
        if market is None:
            if len(self.markets) >= INSTRUMENTS_MAX:
                raise InvalidPacket(f"more than {INSTRUMENTS_MAX} instruments")
            symbol = f"S{len(self.markets) + 1}"  # a name of theirs need not be a symbol
            instrument = Instrument(
                symbol=symbol, base=symbol, quote="Q", tick=STEP, lot=STEP, base_scale=4, quote_scale=8
            )
            book = Book(symbol, "replay", 1)
            book.apply(ListInstrument(key=symbol, instrument=instrument, rules=self.rules), 0)
            market = self.markets[name] = _Market(book, SeedOrders(SOURCE, instrument))
        return market


def _refusal(order: SeedOrder, event: OrderRejected) -> str:
    why = _REFUSED.get(event.reason)
    return f"order {order.id}: {event.reason}{f', {why}' if why else ''}"
