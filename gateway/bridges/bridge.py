"""Carries a design's orders into a venue as `@market` flow, and the venue's trades back out in the design's own form.

Theory of operation: a bridge keeps no state. It reads the foreign orders from the first, and `standing` tells how many of each
instrument earlier bridges have entered; those it only takes note of, and goes on with the next under the next number of
the channel. If one of them got into the log unseen, the book drops what comes a second time. What cannot be an order is
written to `dead-letters`, and acknowledged, before any order after it: so a restart refuses the same ones, whatever has been
listed anew since. The trades are read from the first, too; those that earlier bridges have passed on are told by the keys of what
they wrote. Two bridges at once would do no harm to the books, but pass every trade on twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from exchange import topics
from exchange.channel import Inbound
from exchange.errors import ExchangeError, InvalidPacket
from exchange.host import Record
from exchange.instruments import Instrument, Rule
from exchange.messages import DeadLetter, EnterOrder, ListInstrument
from exchange.packets import decode_book_snapshots, decode_trades
from exchange.seed_formats import SeedFormat, encode_seed, rules_of
from exchange.seed_orders import SeedOrders
from gateway.bridges.standing import Standing, source_of
from wire.errors import WireError
from wire.reader import fresh

FIRST_NUMBERS: Final = {"seed-a": 10**15, "seed-b": 2 * 10**15}
"""An order's id in its book is minus this, minus the offset at which its foreign id came up first: nobody else counts up there."""
UNLISTED: Final = {
    "seed-a": {"quote": "INR", "tick": "0.01", "lot": "0.01", "base_scale": 2, "quote_scale": 4},
    "seed-b": {"quote": "USD", "tick": "0.01", "lot": "1", "base_scale": 0, "quote_scale": 2},
}
"""How an instrument is listed that the listing file does not have."""
INSTRUMENTS_MAX: Final = 10_000
DETAIL_MAX: Final = 300
RAW_MAX: Final = 600_000
"""So many bytes of a refused record are kept: in base64 they still fit into a record."""


class Writer(Protocol):
    """What a bridge writes with: a `wire.writer.PacketWriter`."""

    def send(self, topic: str, key: str, messages: Iterable[Any]) -> int:
        """Hand over messages of one key."""

    def send_raw(self, topic: str, key: str, value: bytes) -> None:
        """Hand over one record."""

    def flush(self) -> None:
        """Wait until all is in the log."""


@dataclass
class Figures:
    """What a bridge has done since it started."""

    orders: int = 0
    refused: int = 0
    trades: int = 0

    def text(self) -> str:
        """Say it in a line."""
        return f"{self.orders} orders entered, {self.refused} records refused, {self.trades} trades passed on"


@dataclass
class _Turn:
    """What some foreign records come to."""

    listings: list[ListInstrument] = field(default_factory=list)
    messages: dict[str, list[EnterOrder]] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    passed: list[tuple[str, int, bytes]] = field(default_factory=list)
    orders: int = 0


class Bridge:
    """A bridge of one design to one venue. `inside` writes to the venue, `outside` to the design's topics."""

    def __init__(
        self,
        seed: SeedFormat,
        standing: Standing,
        instruments: Mapping[str, Instrument],
        *,
        inside: Writer,
        outside: Writer,
        rule: Rule | None = None,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.seed = seed
        self.rules = rules_of(seed, rule)
        self.figures = Figures()
        self._standing = standing
        self._instruments = instruments
        self._inside, self._outside = inside, outside
        self._told = told
        self._markets: dict[str, SeedOrders] = {}
        self._trades = Inbound()
        self._first = FIRST_NUMBERS[seed.name]
        self.behind = sum(standing.entered.values())
        """How many orders of earlier bridges are still to be read; before that their trades cannot be told."""

    # Orders in

    def take(self, records: Iterable[Record]) -> None:
        """Enter the next foreign records' orders, and wait until they are in the log."""
        turn = _Turn()
        for record in records:
            if record.offset not in self._standing.dead:
                self._one(record, turn)
        for letter in turn.letters:
            self._inside.send(topics.DEAD_LETTERS, letter.topic, [letter])
        if turn.letters:
            self._inside.flush()
        for listed in turn.listings:  # each in a record of its own: were it refused, so were the orders with it
            self._inside.send(topics.BOOK_INBOX, listed.key, [listed])
        for symbol, messages in turn.messages.items():
            self._inside.send(topics.BOOK_INBOX, symbol, messages)
        if turn.messages or turn.listings:
            self._inside.flush()
        for stream, offset, value in turn.passed:
            self._outside.send_raw(stream, f"{self.seed.orders}-{offset}", value)
        if turn.passed:
            self._outside.flush()
        self.figures.orders += turn.orders
        self.figures.refused += len(turn.letters)

    def _one(self, record: Record, turn: _Turn) -> None:
        """Decide on one record: an order to enter, one that was, or a dead letter."""
        number = self._first + record.offset
        try:
            order = self.seed.decode(record.value, record.time_ms)
            market = self._market(order.instrument, turn)
            if market.seq < self._standing.entered.get(order.instrument, 0):
                market.note(order, number)
                self.behind -= 1
            else:
                turn.messages.setdefault(order.instrument, []).append(market.enter(order, number))
                turn.orders += 1
        except ExchangeError as error:
            turn.letters.append(_letter(record, str(error)))
            return
        stream = self.seed.sides.get(order.side)
        if stream is not None and record.offset > self._standing.passed.get(stream, -1):
            turn.passed.append((stream, record.offset, encode_seed(self.seed.passed_on(record.value))))

    def _market(self, name: str, turn: _Turn) -> SeedOrders:
        """Return an instrument's orders; list it first if nobody has."""
        market = self._markets.get(name)
        if market is not None:
            return market
        if len(self._markets) >= INSTRUMENTS_MAX:
            raise InvalidPacket(f"more than {INSTRUMENTS_MAX} instruments")
        listed = self._standing.listings.get(name)
        if listed is None:
            listed = ListInstrument(key=name, instrument=self._instrument(name), rules=self.rules)
            turn.listings.append(listed)
        elif listed.rules.matching != self.rules.matching:
            self._told(f"{name} is listed with the rule {listed.rules.matching}; it stays so")
        market = self._markets[name] = SeedOrders(source_of(self.seed), listed.instrument, listed.version)
        return market

    def _instrument(self, name: str) -> Instrument:
        known = self._instruments.get(name)
        if known is not None:
            return known
        try:
            return msgspec.convert({"symbol": name, "base": name, **UNLISTED[self.seed.name]}, Instrument)
        except msgspec.ValidationError as error:
            raise InvalidPacket(f"{name[:40]!r} cannot be listed: 1 to 16 of A-Z, 0-9, '.' and '_'") from error

    # Trades out

    def report(self, records: Iterable[Record], venue: str) -> None:
        """Pass the venue's next trades on, and take note of what is listed anew."""
        trades = topics.topic_name(venue, topics.TRADES)
        wrote = 0
        for record in records:
            if record.topic != trades:
                self._relist(record)
                continue
            for trade in fresh(self._trades, [record], decode_trades):
                market = self._markets.get(trade.symbol)
                found = market.traded(trade) if market is not None else None
                if found is not None and trade.seq > self._standing.traded.get(trade.symbol, 0):
                    self._outside.send_raw(self.seed.trades, trade.trade_id, encode_seed(self.seed.traded(*found)))
                    wrote += 1
        if wrote:
            self._outside.flush()
        self.figures.trades += wrote

    def _relist(self, record: Record) -> None:
        for snapshot in decode_book_snapshots(record.value):
            market = self._markets.get(snapshot.symbol)
            if market is not None:
                market.relist(snapshot.listing, snapshot.instrument)

    def check_caught_up(self) -> None:
        """Raise WireError if, at the end of the foreign orders, some that were entered earlier have not been among them."""
        if self.behind:
            raise WireError(
                f"{self.behind} orders of {self.seed.orders} that are in the venue are gone from the topic, so nobody can tell their "
                "trades; was it made anew? Use another venue"
            )


def _letter(record: Record, detail: str) -> DeadLetter:
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key[:DETAIL_MAX],
        reason="INVALID_PACKET",
        detail=detail[:DETAIL_MAX],
        raw=record.value[:RAW_MAX],
    )
