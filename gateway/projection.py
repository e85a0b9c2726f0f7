"""Folds the exchange's outputs into views: records in, Redis commands out.

Theory of operation: what is folded (books, days, candles, open orders) has a working form here; the rest (balances, ended
orders, trades) is only passed on. `add` takes records and notes what they touch; `changes` gives, once for each touched thing,
the commands that bring Redis up to date. So a batch costs Redis what it changes, not what it holds. Repeats in the topics
are dropped by their channel numbers, which are part of what is stored: applied with a batch or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from exchange import packets, topics
from exchange.candles import Candle
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.instruments import Instrument
from exchange.messages import (
    BalanceChanged,
    BookDelta,
    BookSnapshot,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    Trade,
)
from exchange.packets import PacketDecoder
from exchange.statement import OrderLine, answered
from exchange.topics import topic_name
from exchange.views import MarketView
from gateway.keys import (
    CANDLES_MAX,
    ENDED_MAX,
    REQUESTS_MAX,
    SPANS,
    TOP_LEVELS,
    TRADES_MAX,
    BalanceRow,
    CandleRow,
    GenerationKeys,
    MarketRow,
    TradeRow,
)
from wire.reader import fresh

TOPICS: Final = (
    topics.BOOK_SNAPSHOTS,
    topics.BOOK_DELTAS,
    topics.TRADES,
    topics.ORDER_REPORTS,
    topics.ACCOUNT_UPDATES,
)
Command: TypeAlias = tuple[Any, ...]
LoadOrders: TypeAlias = Callable[[str], list[OrderLine]]

PRUNE: Final = "PRUNE"
FIRST: Final = "FIRST"
"""Not commands of Redis but of `store`. PRUNE list length hash...: cut a list, and delete what is cut off from hashes, too.
FIRST hash list field value: set a field that is not there, and put its name on a list."""

encode = msgspec.json.encode


@dataclass
class Changes:
    """What a batch does: commands for Redis, and the symbols and accounts whose views are others now."""

    commands: list[Command] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)


class Projection:
    """The working forms of one venue's views. `load_orders` gives an account's open orders as they are stored."""

    def __init__(self, venue: str, load_orders: LoadOrders = lambda _: []) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.markets: dict[str, MarketView] = {}
        self.candles: dict[tuple[str, str], Candle] = {}
        self.open: dict[str, dict[int, OrderLine]] = {}
        self.offsets: dict[tuple[str, int], int] = {}
        self.messages = 0
        self.refused = 0
        self._load_orders = load_orders
        self._folds: dict[str, tuple[PacketDecoder[Any], Callable[[Any], None]]] = {
            topics.BOOK_DELTAS: (packets.decode_book_deltas, self._delta),
            topics.TRADES: (packets.decode_trades, self._trade),
            topics.ORDER_REPORTS: (packets.decode_order_reports, self._report),
            topics.ACCOUNT_UPDATES: (packets.decode_account_updates, self._update),
        }
        self.seen = {topic: Inbound() for topic in self._folds}
        self._names = {topic_name(venue, topic): topic for topic in TOPICS}
        self._forget()

    def _forget(self) -> None:
        """Begin a new batch."""
        self._moved: set[tuple[str, int]] = set()
        self._listed: set[str] = set()
        self._traded: defaultdict[str, list[TradeRow]] = defaultdict(list)
        self._levels: defaultdict[str, dict[tuple[str, int], int]] = defaultdict(dict)
        self._replaced: set[str] = set()
        self._candled: dict[tuple[str, str, int], Candle] = {}
        self._balances: defaultdict[str, dict[str, BalanceRow]] = defaultdict(dict)
        self._orders: defaultdict[str, dict[int, OrderLine]] = defaultdict(dict)
        self._outcomes: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._repeats: defaultdict[str, dict[str, tuple[bytes, bool]]] = defaultdict(dict)

    # Records in

    def add(self, record: Record) -> None:
        """Take in a record of one of `TOPICS`. One that is no packet is counted in `refused` and passed over."""
        topic = self._names[record.topic]
        try:
            self._take(topic, record)
        except InvalidPacket:
            self.refused += 1
        self.offsets[record.topic, record.partition] = record.offset + 1
        self._moved.add((record.topic, record.partition))

    def _take(self, topic: str, record: Record) -> None:
        if topic == topics.BOOK_SNAPSHOTS:  # no channel: of these, the log need keep only the last
            for snapshot in packets.decode_book_snapshots(record.value):
                self.begin(snapshot)
            return
        decode, fold = self._folds[topic]
        for message in fresh(self.seen[topic], [record], decode):
            self.messages += 1
            fold(message)

    def start_at(self, offsets: dict[tuple[str, int], int]) -> None:
        """Take note of where reading begins, so that it is stored even if nothing comes."""
        self.offsets |= offsets
        self._moved |= set(offsets)

    def begin(self, snapshot: BookSnapshot) -> None:
        """Take note of what is traded; a snapshot that is ahead of the deltas read so far stands for those in between."""
        symbol = snapshot.symbol
        self.messages += 1
        if self.instruments.get(symbol) != snapshot.instrument:
            self.instruments[symbol] = snapshot.instrument
            self._listed.add(symbol)
        market = self._market(symbol)
        seen = self.seen[topics.BOOK_DELTAS]
        if snapshot.delta > seen.counts.get(symbol, 0):
            seen.counts[symbol] = snapshot.delta
            seen.holes.pop(symbol, None)
            market.snapshot(snapshot)
            self._replaced.add(symbol)
            self._levels[symbol] = {}

    def _delta(self, delta: BookDelta) -> None:
        self._market(delta.symbol).delta(delta)
        self._levels[delta.symbol][delta.side, delta.price] = delta.quantity

    def _trade(self, trade: Trade) -> None:
        symbol = trade.symbol
        self._market(symbol).trade(trade)
        self._traded[symbol].append(
            TradeRow(trade.seq, trade.time_ms, trade.price, trade.quantity, trade.taker_side == "buy")
        )
        for span, span_ms in SPANS.items():
            start_ms = trade.time_ms - trade.time_ms % span_ms
            candle = self.candles.get((symbol, span))
            if candle is None or candle.start_ms != start_ms:
                candle = self.candles[symbol, span] = Candle(symbol, start_ms, trade.price)
            candle.add(trade.price, trade.quantity)
            self._candled[symbol, span, start_ms] = candle

    def _report(self, report: Any) -> None:
        account = report.account
        if type(report) is OrderAccepted:
            line = self._open_orders(account)[report.order_id] = OrderLine.opened(report)
            self._orders[account][report.order_id] = line
        elif type(report) in (OrderFilled, OrderCancelled, OrderExpired):
            line = self._open_orders(account)[report.order_id]
            line.add(report)
            touched = self._orders[account]
            if line.state != "OPEN":
                del self.open[account][report.order_id]
                touched.pop(report.order_id, None)  # ended orders stand in the order of their ends
            touched[report.order_id] = line
        self._answer(report)

    def _update(self, update: Any) -> None:
        if type(update) is BalanceChanged:
            self._balances[update.account][update.asset] = BalanceRow(update.available, update.reserved, update.seq)
        self._answer(update)

    def _answer(self, event: Any) -> None:
        line, repeat = answered(event)
        if line is None:
            return
        if repeat:  # a refused duplicate says nothing of how the first ended
            self._repeats[event.account][line.request_id] = (encode(line), line.reason != "DUPLICATE")
        else:
            self._outcomes[event.account][line.request_id] = encode(line)

    def _market(self, symbol: str) -> MarketView:
        market = self.markets.get(symbol)
        if market is None:
            market = self.markets[symbol] = MarketView(symbol)
        self._levels.setdefault(symbol, {})  # whatever touches a market has its row written
        return market

    def _open_orders(self, account: str) -> dict[int, OrderLine]:
        orders = self.open.get(account)
        if orders is None:
            orders = self.open[account] = {line.order_id: line for line in self._load_orders(account)}
        return orders

    def missing(self, since_ms: int) -> list[str]:
        """Return the channels of which messages have been missing since before a time of the wall's clock."""
        holes = (inbound.holes for inbound in self.seen.values())
        return sorted(source for hole in holes for source, at_ms in hole.items() if at_ms < since_ms)

    # Commands out

    def changes(self, keys: GenerationKeys) -> Changes:
        """Return what the records since the last call have changed."""
        out = Changes()
        commands = out.commands
        if self._listed:
            rows = [part for symbol in self._listed for part in (symbol, encode(self.instruments[symbol]))]
            commands.append(("HSET", keys.instruments, *rows))
        for symbol in self._levels:
            self._write_market(symbol, keys, commands)
        for (symbol, span, start_ms), candle in self._candled.items():
            key = keys.candles(symbol, span)
            commands.append(("ZREMRANGEBYSCORE", key, start_ms, start_ms))
            commands.append(("ZADD", key, start_ms, encode(_candle_row(candle))))
        for symbol, span in {(symbol, span) for symbol, span, _ in self._candled}:
            commands.append(("ZREMRANGEBYRANK", keys.candles(symbol, span), 0, -CANDLES_MAX - 1))
        accounts = {**self._balances, **self._orders, **self._outcomes, **self._repeats}
        for account in accounts:
            self._write_account(account, keys, commands)
        self._write_position(keys, commands)
        out.symbols, out.accounts = sorted(self._levels), sorted(accounts)
        self._forget()
        return out

    def _write_market(self, symbol: str, keys: GenerationKeys, commands: list[Command]) -> None:
        view = self.markets[symbol]
        for side in ("buy", "sell"):
            key = keys.levels(symbol, side)
            changed = {price: quantity for (of, price), quantity in self._levels[symbol].items() if of == side}
            if symbol in self._replaced:
                commands.append(("DEL", key))
                changed = view.book.side(side).quantities
            rows = [part for price, quantity in changed.items() if quantity for part in (price, quantity)]
            commands += [("HSET", key, *some) for some in _parts(rows)]
            gone = [price for price, quantity in changed.items() if not quantity]
            commands += [("HDEL", key, *some) for some in _parts(gone)]
        row = MarketRow(
            view.deltas,
            view.trades,
            view.time_ms,
            _candle_row(view.day) if view.day else None,
            view.previous_close,
            view.book.bids.top(TOP_LEVELS),
            view.book.asks.top(TOP_LEVELS),
        )
        commands.append(("SET", keys.market(symbol), encode(row)))
        trades = self._traded.get(symbol)
        if trades:
            newest = trades[-TRADES_MAX:]
            commands.append(("LPUSH", keys.trades(symbol), *map(encode, newest)))
            commands.append(("LTRIM", keys.trades(symbol), 0, TRADES_MAX - 1))

    def _write_account(self, account: str, keys: GenerationKeys, commands: list[Command]) -> None:
        balances = self._balances.get(account)
        if balances:
            balance_rows = [part for asset, row in balances.items() for part in (asset, encode(row))]
            commands += [("HSET", keys.balances(account), *some) for some in _parts(balance_rows)]
        ended: list[int] = []
        open_rows: list[Any] = []
        ended_rows: list[Any] = []
        for order_id, line in self._orders.get(account, {}).items():
            rows = open_rows if line.state == "OPEN" else ended_rows
            rows += (order_id, encode(line))
            if line.state != "OPEN":
                ended.append(order_id)
        commands += [("HSET", keys.open_orders(account), *some) for some in _parts(open_rows)]
        if ended:
            commands += [("HDEL", keys.open_orders(account), *some) for some in _parts(ended)]
            commands += [("HSET", keys.ended_orders(account), *some) for some in _parts(ended_rows)]
            commands += [("LPUSH", keys.ended_ids(account), *some) for some in _parts(ended)]
            commands.append((PRUNE, keys.ended_ids(account), ENDED_MAX, keys.ended_orders(account)))
        outcomes, repeats = self._outcomes.get(account, {}), self._repeats.get(account, {})
        for some in _parts([part for pair in outcomes.items() for part in pair]):
            commands.append(("HSET", keys.outcomes(account), *some))
            commands.append(("LPUSH", keys.request_ids(account), *some[::2]))
        for request_id, (repeat, tells_first) in repeats.items():
            hash_key = keys.outcomes(account) if tells_first else keys.repeats(account)
            commands.append((FIRST, hash_key, keys.request_ids(account), request_id, repeat))
            commands.append(("HSET", keys.repeats(account), request_id, repeat))
        if outcomes or repeats:
            commands.append(
                (PRUNE, keys.request_ids(account), REQUESTS_MAX, keys.outcomes(account), keys.repeats(account))
            )

    def _write_position(self, keys: GenerationKeys, commands: list[Command]) -> None:
        """Write the offsets that have moved, and where the channels of the touched topics stand."""
        rows: list[Any] = []
        for topic, partition in self._moved:
            rows += (f"{topic}/{partition}", self.offsets[topic, partition])
        for name in {self._names[topic] for topic, _ in self._moved} | (
            {topics.BOOK_DELTAS} if self._replaced else set()
        ):
            if name in self.seen:
                rows += (f"seen {name}", encode(self.seen[name].counts))
        commands += [("HSET", keys.position, *some) for some in _parts(rows)]


PART = 1_000
"""Greatest number of arguments of one command: Lua's stack holds some thousands."""


def _parts(values: list[Any]) -> list[list[Any]]:
    """Cut a list into parts that one command can take; an even PART keeps pairs together."""
    return [values[start : start + PART] for start in range(0, len(values), PART)]


def _candle_row(candle: Candle) -> CandleRow:
    return CandleRow(candle.start_ms, candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades)
