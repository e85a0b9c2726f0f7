"""The order book of one symbol: price-time priority, as a machine.

Theory of operation: an incoming order trades with the best opposite orders, oldest first, at their prices, until it is
filled or its limit is reached; what is left rests, or goes, as its time in force says. Each step's events go to three
places: trades and level totals to the public, reports to the accounts' inbox. All it knows of time is its clock:
good-till-date orders leave when a message shows that their time has come, before that message is applied.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

import msgspec

from exchange import topics
from exchange.channel import Inbound, Outbound
from exchange.clock import Clock, VenueClock
from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from exchange.ladder import Ladder, Level, Order
from exchange.machine import Address, Entries
from exchange.messages import (
    MARKET,
    AdvanceClock,
    BookDelta,
    BookSnapshot,
    CancelReason,
    EnterOrder,
    Liquidity,
    ListInstrument,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PullOrder,
    RejectReason,
    RequestRejected,
    Resume,
    Side,
    Tick,
    Trade,
    shard_of,
)
from exchange.pages import Pages

META = "book"

SNAPSHOT_EVERY = 1_000
"""How many deltas, besides as many as the book has prices, come between a book's snapshots: they stay a part of the output."""
SNAPSHOT_LEVELS_MAX = 100_000
"""A book with more prices than this would not fit into a record, and gives no snapshots."""

DEADLINES_SLACK_MAX = 1_000
"""How many deadlines of orders that have left may pile up, besides as many as there are orders, before they are dropped."""


class Book:
    """The machine of one symbol. `shards` is the venue's number of account shards."""

    def __init__(self, symbol: str, clock: VenueClock, shards: int, entries: Entries | None = None) -> None:
        """Start empty, or from the entries that `changes` has given so far."""
        self.symbol = symbol
        self.shards = shards
        self.bids, self.asks = Ladder(1), Ladder(-1)
        self.orders: dict[int, Order] = {}
        self.pages: Pages[Order] = Pages("o")
        self.deadlines: list[tuple[int, int]] = []
        meta = msgspec.json.decode(entries[META], type=_Meta) if entries else _Meta()
        self.clock = Clock(clock, meta.now_ms)
        self.inbound, self.outbound = Inbound(meta.inbound), Outbound(meta.outbound)
        self.listing, self.instrument = meta.listing, meta.instrument
        self.halted = meta.halted
        self.arrivals, self.trades, self.deltas = meta.arrivals, meta.trades, meta.deltas
        self.snapshots, self.snapshot_due = meta.snapshots, meta.snapshot_due
        for number, row in self.pages.load(entries or {}):
            self._rest(Order(number, *row))
        self.pages.dirty.clear()

    # What the host asks

    def accepts(self, message: Any) -> bool:
        """Say whether the message is for this symbol."""
        kind = type(message)
        if kind is EnterOrder or kind is PullOrder:
            return bool(message.symbol == self.symbol and (message.account == MARKET) == (message.source[0] == "@"))
        return bool(
            message.key == self.symbol and (kind is not ListInstrument or message.instrument.symbol == self.symbol)
        )

    def address(self, message: Any) -> Address:
        """Say where an event goes."""
        kind = type(message)
        if kind is Trade:
            return topics.TRADES, self.symbol
        if kind is BookDelta:
            return topics.BOOK_DELTAS, self.symbol
        if kind is BookSnapshot:
            return topics.BOOK_SNAPSHOTS, self.symbol
        if message.account == MARKET:
            return topics.DEAD_LETTERS, self.symbol
        return topics.ACCOUNT_INBOX, shard_of(message.account, self.shards)

    def changes(self) -> dict[str, str | None]:
        """Return the entries to store."""
        meta = _Meta(
            now_ms=self.clock.now_ms,
            inbound=self.inbound.counts,
            outbound=self.outbound.counts,
            listing=self.listing,
            instrument=self.instrument,
            halted=self.halted,
            arrivals=self.arrivals,
            trades=self.trades,
            deltas=self.deltas,
            snapshots=self.snapshots,
            snapshot_due=self.snapshot_due,
        )
        changed: dict[str, str | None] = {META: msgspec.json.encode(meta).decode()}
        self.pages.changes(changed)
        return changed

    def deadline_ms(self) -> int | None:
        """Return when the next good-till-date order expires, or None; a halted book waits for its operator only."""
        if self.halted:
            return None
        if len(self.deadlines) > 2 * len(self.orders) + DEADLINES_SLACK_MAX:
            self.deadlines = [(order.expires_ms, order.order_id) for order in self.orders.values() if order.expires_ms]
            heapify(self.deadlines)
        while self.deadlines:
            expires_ms, order_id = self.deadlines[0]
            if self._due(expires_ms, order_id) is not None:
                return expires_ms
            heappop(self.deadlines)
        return None

    def best(self) -> tuple[int | None, int | None]:
        """Return the best bid and ask in ticks."""
        bid, ask = self.bids.best(), self.asks.best()
        return (bid.price if bid else None), (ask.price if ask else None)

    # Messages in

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message and return the events it causes, in their order."""
        out: list[Any] = []
        kind = type(message)
        self.clock.appended(arrival_ms)
        if kind is EnterOrder or kind is PullOrder:
            if not self.inbound.admit(message.source, message.seq, arrival_ms):
                return out
            self.clock.told(message.time_ms)
        elif kind is AdvanceClock:
            self.clock.told(message.time_ms)
        if self.deadlines and not self.halted:
            self._expire(out)
        if kind is EnterOrder:
            self._enter(message, out)
        elif kind is PullOrder:
            self._pull(message, out)
        elif kind is ListInstrument:
            self._list(message)
        elif kind is Resume:
            self.halted = False
        else:
            assert kind in (AdvanceClock, Tick), f"a book takes no {kind.__name__}"
        if self.deltas >= self.snapshot_due:
            self._snapshot(out)
        return out

    def _list(self, command: ListInstrument) -> None:
        if self.instrument not in (None, command.instrument):
            raise InvalidPacket(f"{self.symbol} is listed as another instrument")
        if command.version > self.listing:
            self.listing, self.instrument = command.version, command.instrument
            self.snapshot_due = 0

    def _enter(self, taker: EnterOrder, out: list[Any]) -> None:
        refusal = self._refusal(taker)
        if refusal is not None:
            if not self.halted or taker.order_id not in self.orders:
                self._reject(taker, refusal, out)  # else it is what halted the book: the order of that id still rests
            return
        assert taker.order_id not in self.orders, f"order {taker.order_id} is already on the book"
        reported = taker.account != MARKET
        if reported:
            out.append(self._accepted(taker))
        opposite = self.asks if taker.side == "buy" else self.bids
        if taker.time_in_force == "FOK" and not opposite.fillable(taker.price, taker.quantity):
            self._cancelled(taker.account, taker.order_id, taker.quantity, "FOK_UNFILLED", out)
            return
        leaves = self._match(taker, opposite, out) if opposite.ranks else taker.quantity
        if not leaves:
            return
        if taker.kind == "market":
            self._cancelled(taker.account, taker.order_id, leaves, "MARKET_REMAINDER", out)
        elif taker.time_in_force == "IOC":
            self._cancelled(taker.account, taker.order_id, leaves, "IOC_REMAINDER", out)
        else:
            self.arrivals += 1
            order = Order(
                self.arrivals, taker.order_id, taker.account, taker.side, taker.price, leaves, taker.expires_ms
            )
            self._delta(taker.side, self._rest(order), out)

    def _refusal(self, taker: EnterOrder) -> RejectReason | None:
        if self.halted:
            return "HALTED"
        if taker.listing != self.listing:
            return "STALE_LISTING" if self.listing else "UNKNOWN_SYMBOL"
        if taker.expires_ms and taker.expires_ms <= self.clock.now_ms:
            return "EXPIRED"
        if taker.account == MARKET:
            if taker.order_id >= 0:
                return "INVALID_ORDER_ID"
            if taker.order_id in self.orders:
                return "DUPLICATE"
        return None

    def _match(self, taker: EnterOrder, opposite: Ladder, out: list[Any]) -> int:
        """Trade `taker` as far as it goes and return what is left of it."""
        leaves = taker.quantity
        limit = taker.price * opposite.sign
        maker_side: Side = "sell" if taker.side == "buy" else "buy"
        while leaves:
            level = opposite.best()
            if level is None or level.rank < limit:
                break
            while leaves and level.head is not None:
                maker = level.head
                quantity = min(leaves, maker.leaves)
                leaves -= quantity
                self._trade(taker, maker, quantity, leaves, out)
                if maker.leaves == quantity:
                    self._remove(maker, opposite)
                else:
                    maker.leaves -= quantity
                    level.total -= quantity
                    self.pages.touch(maker.number)
            self._delta(maker_side, level, out)
        return leaves

    def _trade(self, taker: EnterOrder, maker: Order, quantity: int, taker_leaves: int, out: list[Any]) -> None:
        self.trades += 1
        price = maker.price
        out.append(
            Trade(
                symbol=self.symbol,
                seq=self.trades,
                time_ms=self.clock.now_ms,
                price=price,
                quantity=quantity,
                taker_side=taker.side,
                maker_order=maker.order_id,
                taker_order=taker.order_id,
            )
        )
        if maker.account != MARKET:
            self._filled(maker, "maker", maker.leaves - quantity, price, quantity, out)
        if taker.account != MARKET:
            self._filled(taker, "taker", taker_leaves, price, quantity, out)

    def _pull(self, message: PullOrder, out: list[Any]) -> None:
        order = self.orders.get(message.order_id)
        reason: RejectReason | None = None
        if self.halted:
            reason = "HALTED"
        elif order is None or order.account != message.account:
            reason = "TOO_LATE"
        if reason is None:
            assert order is not None
            self._take_off(order, out)
            self._cancelled(order.account, order.order_id, order.leaves, "REQUESTED", out, message.request_id)
        elif message.account != MARKET:
            out.append(
                RequestRejected(
                    source=self.symbol,
                    seq=self._next(message.account),
                    time_ms=self.clock.now_ms,
                    account=message.account,
                    reason=reason,
                    order_id=message.order_id,
                    request_id=message.request_id,
                )
            )

    def _expire(self, out: list[Any]) -> None:
        """Take off every good-till-date order whose time has come, the earliest first."""
        while self.deadlines and self.deadlines[0][0] <= self.clock.now_ms:
            order = self._due(*heappop(self.deadlines))
            if order is None:
                continue
            self._take_off(order, out)
            if order.account != MARKET:
                out.append(
                    OrderExpired(
                        source=self.symbol,
                        seq=self._next(order.account),
                        time_ms=self.clock.now_ms,
                        account=order.account,
                        order_id=order.order_id,
                        symbol=self.symbol,
                        quantity=order.leaves,
                    )
                )

    def _due(self, expires_ms: int, order_id: int) -> Order | None:
        """Return the order of a deadline, or None if it has left; another one may have come under its id since."""
        order = self.orders.get(order_id)
        return order if order is not None and order.expires_ms == expires_ms else None

    # Orders on and off the book

    def _rest(self, order: Order) -> Level:
        self.orders[order.order_id] = order
        self.pages.add(order.number, order)
        if order.expires_ms:
            heappush(self.deadlines, (order.expires_ms, order.order_id))
        return (self.bids if order.side == "buy" else self.asks).add(order)

    def _remove(self, order: Order, ladder: Ladder) -> Level:
        del self.orders[order.order_id]
        self.pages.remove(order.number)
        return ladder.remove(order)

    def _take_off(self, order: Order, out: list[Any]) -> None:
        self._delta(order.side, self._remove(order, self.bids if order.side == "buy" else self.asks), out)

    # Messages out

    def _next(self, account: str) -> int:
        return self.outbound.next(shard_of(account, self.shards))

    def _delta(self, side: Side, level: Level, out: list[Any]) -> None:
        self.deltas += 1
        out.append(
            BookDelta(
                symbol=self.symbol,
                seq=self.deltas,
                time_ms=self.clock.now_ms,
                side=side,
                price=level.price,
                quantity=level.total,
            )
        )

    def _snapshot(self, out: list[Any]) -> None:
        """Publish the whole book, if it is listed and fits into a record, and say when to do so again."""
        levels = len(self.bids.ranks) + len(self.asks.ranks)
        if self.instrument is None:
            return
        self.snapshot_due = self.deltas + SNAPSHOT_EVERY + levels
        if levels > SNAPSHOT_LEVELS_MAX:
            return
        self.snapshots += 1
        out.append(
            BookSnapshot(
                symbol=self.symbol,
                seq=self.snapshots,
                time_ms=self.clock.now_ms,
                delta=self.deltas,
                trade=self.trades,
                listing=self.listing,
                instrument=self.instrument,
                bids=self.bids.totals(),
                asks=self.asks.totals(),
            )
        )

    def _filled(
        self, order: Order | EnterOrder, liquidity: Liquidity, leaves: int, price: int, quantity: int, out: list[Any]
    ) -> None:
        out.append(
            OrderFilled(
                source=self.symbol,
                seq=self._next(order.account),
                time_ms=self.clock.now_ms,
                account=order.account,
                order_id=order.order_id,
                symbol=self.symbol,
                trade=self.trades,
                side=order.side,
                price=price,
                quantity=quantity,
                leaves=leaves,
                liquidity=liquidity,
            )
        )

    def _accepted(self, taker: EnterOrder) -> OrderAccepted:
        return OrderAccepted(
            source=self.symbol,
            seq=self._next(taker.account),
            time_ms=self.clock.now_ms,
            account=taker.account,
            order_id=taker.order_id,
            symbol=self.symbol,
            side=taker.side,
            price=taker.price,
            quantity=taker.quantity,
            kind=taker.kind,
            time_in_force=taker.time_in_force,
            expires_ms=taker.expires_ms,
        )

    def _reject(self, taker: EnterOrder, reason: RejectReason, out: list[Any]) -> None:
        market = taker.account == MARKET
        out.append(
            OrderRejected(
                source=self.symbol,
                seq=taker.seq if market else self._next(taker.account),
                time_ms=self.clock.now_ms,
                account=taker.account,
                symbol=self.symbol,
                reason=reason,
                order_id=taker.order_id,
            )
        )

    def _cancelled(
        self,
        account: str,
        order_id: int,
        quantity: int,
        reason: CancelReason,
        out: list[Any],
        request: str | None = None,
    ) -> None:
        if account == MARKET:
            return
        out.append(
            OrderCancelled(
                source=self.symbol,
                seq=self._next(account),
                time_ms=self.clock.now_ms,
                account=account,
                order_id=order_id,
                symbol=self.symbol,
                quantity=quantity,
                reason=reason,
                cancel_request_id=request,
            )
        )


class _Meta(msgspec.Struct):
    """All of a book but its orders."""

    now_ms: int = 0
    inbound: dict[str, int] = {}
    outbound: dict[str, int] = {}
    listing: int = 0
    instrument: Instrument | None = None
    halted: bool = False
    arrivals: int = 0
    trades: int = 0
    deltas: int = 0
    snapshots: int = 0
    snapshot_due: int = 0
