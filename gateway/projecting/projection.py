"""Folds the exchange's outputs into views: records in, Redis commands out.

Theory of operation: what is folded (books, days, open orders) has a working form here; the rest (balances, ended
orders, trades, and all that is computed of a market) is only passed on. `add` takes records and notes in a batch what they touch; `changes` gives the commands that bring Redis
up to date. Repeats in the topics are dropped by their channel numbers, which are part of what is stored: applied with a
batch or not at all. What is computed has no numbers, and ranks instead (see `analytics`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from exchange import packets, topics
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.instruments import Instrument
from exchange.messages import (
    BalanceChanged,
    BookDelta,
    BookEvent,
    BookSnapshot,
    FillBusted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderTriggered,
    Trade,
    TradeBusted,
)
from exchange.packets import PacketDecoder
from exchange.statement import OrderLine, answered
from exchange.topics import topic_name
from exchange.views import MarketView
from gateway.analytics.projected import DECODERS
from gateway.keys import BalanceRow, FillRow, GenerationKeys, ListingRow, ReportRow, TradeRow
from gateway.projecting.batch import Batch, Changes, position
from gateway.projecting.book_steps import shown
from gateway.shown import ReportEvent
from wire.reader import fresh

TOPICS: Final = (
    topics.BOOK_SNAPSHOTS,
    topics.BOOK_DELTAS,
    topics.TRADES,
    topics.ORDER_REPORTS,
    topics.ACCOUNT_UPDATES,
    *DECODERS,
)
LoadOrders: TypeAlias = Callable[[str], list[OrderLine]]

_EVENTS: Final[dict[type[Any], ReportEvent]] = {
    OrderAccepted: "ACCEPTED",
    OrderAmended: "AMENDED",
    OrderTriggered: "TRIGGERED",
    OrderFilled: "FILLED",
    OrderCancelled: "CANCELLED",
    OrderExpired: "EXPIRED",
}
_CHANGES_AN_ORDER: Final = frozenset(_EVENTS) - {OrderAccepted}

encode = msgspec.json.encode


class Projection:
    """The working forms of one venue's views. `load_orders` gives an account's open orders as they are stored.

    `instruments` are by symbol and version, because what was ordered under an older version is still shown.
    """

    def __init__(self, venue: str, load_orders: LoadOrders = lambda _: []) -> None:
        self.instruments: dict[tuple[str, int], Instrument] = {}
        self.markets: dict[str, MarketView] = {}
        self.open: dict[str, dict[int, OrderLine]] = {}
        self.offsets: dict[tuple[str, int], int] = {}
        self.messages = 0
        self.refused = 0
        self._load_orders = load_orders
        self._folds: dict[str, tuple[PacketDecoder[Any], Callable[[Any], None]]] = {
            topics.BOOK_DELTAS: (packets.decode_book_deltas, self._event),
            topics.TRADES: (packets.decode_trades, self._trade),
            topics.ORDER_REPORTS: (packets.decode_order_reports, self._report),
            topics.ACCOUNT_UPDATES: (packets.decode_account_updates, self._update),
        }
        self.seen = {topic: Inbound() for topic in self._folds}
        self._names = {topic_name(venue, topic): topic for topic in TOPICS}
        self._batch = Batch()

    # Records in

    def add(self, record: Record) -> None:
        """Take in a record of one of `TOPICS`. One that is no packet is counted in `refused` and passed over."""
        topic = self._names[record.topic]
        try:
            self._take(topic, record)
        except InvalidPacket:
            self.refused += 1
        self.offsets[record.topic, record.partition] = record.offset + 1
        self._batch.moved.add((record.topic, record.partition))

    def _take(self, topic: str, record: Record) -> None:
        if topic == topics.BOOK_SNAPSHOTS:  # no channel: of these, the log need keep only the last
            for snapshot in packets.decode_book_snapshots(record.value):
                if snapshot.symbol in self.seen[topics.BOOK_DELTAS].holes:
                    self.begin(snapshot)
                else:
                    self.note_listing(snapshot)
            return
        if topic in DECODERS:
            for fact in DECODERS[topic](record.value):
                self.messages += 1
                self._batch.facts.add(fact)
            return
        decode, fold = self._folds[topic]
        for message in fresh(self.seen[topic], [record], decode):
            self.messages += 1
            fold(message)

    def start_at(self, offsets: dict[tuple[str, int], int]) -> None:
        """Take note of where reading begins, so that it is stored even if nothing comes."""
        self.offsets |= offsets
        self._batch.moved |= set(offsets)

    def note_listing(self, snapshot: BookSnapshot) -> None:
        """Take note of what is traded."""
        symbol, version = snapshot.symbol, snapshot.listing
        self.messages += 1
        if (symbol, version) not in self.instruments:
            self.instruments[symbol, version] = snapshot.instrument
            self._batch.listed[symbol, version] = ListingRow(symbol, version, snapshot.instrument)
        market = self._market(symbol)
        if market.listed(snapshot):
            self._batch.start_anew(symbol)
        if market.waiting:
            self._batch.waited.add(symbol)
            self._show(market, market.shown())

    def begin(self, snapshot: BookSnapshot) -> None:
        """Take note of what is traded; a snapshot that is ahead of the book events read so far stands for those in between."""
        self.note_listing(snapshot)
        symbol, seen = snapshot.symbol, self.seen[topics.BOOK_DELTAS]
        if snapshot.delta > seen.counts.get(symbol, 0):
            seen.counts[symbol] = snapshot.delta
            seen.holes.pop(symbol, None)
            self.markets[symbol].snapshot(snapshot)
            self._batch.replaced.add(symbol)
            self._batch.levels[symbol] = {}

    def _event(self, event: BookEvent) -> None:
        self._market(event.symbol).event(event)
        if type(event) is BookDelta:
            self._batch.levels[event.symbol][event.side, event.price] = event.quantity
        elif type(event) is TradeBusted:
            self._batch.busted_trades[event.symbol].add(event.trade)

    def _trade(self, trade: Trade) -> None:
        market = self._market(trade.symbol)
        waiting = len(market.waiting)
        self._show(market, market.trade(trade))
        if waiting or market.waiting:
            self._batch.waited.add(trade.symbol)

    def _show(self, market: MarketView, trades: list[Trade]) -> None:
        """Pass trades on."""
        for trade in trades:
            buy, order = trade.taker_side == "buy", trade.taker_order
            row = TradeRow(trade.seq, trade.time_ms, trade.price, trade.quantity, buy, trade.auction, order)
            self._batch.traded[market.symbol].append(row)

    def _report(self, report: Any) -> None:
        account = report.account
        if type(report) is OrderAccepted:
            line = self._open_orders(account)[report.order_id] = OrderLine.opened(report)
            self._batch.orders[account][report.order_id] = line
            self._tell(report, line)
        elif type(report) in _CHANGES_AN_ORDER:
            line = self._open_orders(account)[report.order_id]
            line.add(report)
            touched = self._batch.orders[account]
            if line.state != "OPEN":
                del self.open[account][report.order_id]
                touched.pop(report.order_id, None)  # ended orders stand in the order of their ends
            touched[report.order_id] = line
            self._tell(report, line)
        elif type(report) is FillBusted:  # the book's word of the trade stands where a rebuild need not read it
            self._market(report.symbol)
            self._batch.busted_trades[report.symbol].add(report.trade)
            self._batch.busted_orders[account].add(report.order_id)
            self._batch.busted_fills[account].add(f"{report.symbol}-{report.trade}")
        self._answer(report)

    def _tell(self, report: Any, line: OrderLine) -> None:
        """Note a report with the order as it is now, for the order goes on changing."""
        fill = None
        if type(report) is OrderFilled:
            fill = FillRow(
                seq=report.seq,
                time_ms=report.time_ms,
                symbol=line.symbol,
                listing=line.listing,
                trade=report.trade,
                order_id=line.order_id,
                request_id=line.request_id,
                buy=line.side == "buy",
                price=report.price,
                quantity=report.quantity,
                fee=report.fee,
                maker=report.liquidity == "maker",
            )
            self._batch.fills[report.account].append(encode(fill))
        by = getattr(report, "cancel_request_id", None) or getattr(report, "amend_request_id", None) or ""
        row = ReportRow(report.seq, _EVENTS[type(report)], by, line, fill)
        self._batch.reports[report.account].append(encode(row))

    def _update(self, update: Any) -> None:
        if type(update) is BalanceChanged:
            self._batch.balances[update.account][update.asset] = BalanceRow(
                update.available, update.reserved, update.owed, update.seq
            )
        self._answer(update)

    def _answer(self, event: Any) -> None:
        line, repeat = answered(event)
        if line is None:
            return
        if repeat:  # a refused duplicate says nothing of how the first ended
            self._batch.repeats[event.account][line.request_id] = (encode(line), line.reason != "DUPLICATE")
        elif type(event) is OrderCancelled:  # one request may cancel many orders, and was answered before they went
            self._batch.cancels[event.account].setdefault(line.request_id, encode(line))
        else:
            self._batch.outcomes[event.account][line.request_id] = encode(line)

    def _market(self, symbol: str) -> MarketView:
        market = self.markets.get(symbol)
        if market is None:
            market = self.markets[symbol] = MarketView(symbol)
        if symbol not in self._batch.levels:
            self._batch.levels[symbol] = {}
            self._batch.before[symbol] = shown(market)
        return market

    def _open_orders(self, account: str) -> dict[int, OrderLine]:
        orders = self.open.get(account)
        if orders is None:
            orders = self.open[account] = {line.order_id: line for line in self._load_orders(account)}
        return orders

    # What is wrong

    @property
    def mismatches(self) -> int:
        """How many checksums were not those of the book as it was read."""
        return sum(market.mismatches for market in self.markets.values())

    def missing(self, since_ms: int) -> list[str]:
        """Return the channels of which messages have been missing since before a time of the wall's clock."""
        holes = (inbound.holes for inbound in self.seen.values())
        return sorted(source for hole in holes for source, at_ms in hole.items() if at_ms < since_ms)

    # Commands out

    def changes(self, keys: GenerationKeys) -> Changes:
        """Return what the records since the last call have changed."""
        batch, self._batch = self._batch, Batch()
        changes = batch.changes(keys, self.markets)
        changes.commands += position(batch, keys, self.offsets, self.seen, self._names)
        return changes
