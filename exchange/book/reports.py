"""What a book says: every event is made and numbered here.

Events to accounts are numbered per account shard, trades, order deltas and all that stands in `book-deltas` per symbol. `@market` gets no
reports.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any
from zlib import crc32

from exchange.book.ladder import Ladder, Level, Order
from exchange.book.state import CHECKSUM_EVERY, State
from exchange.channel import Outbound
from exchange.clock import Clock
from exchange.messages import (
    FEES,
    MARKET,
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    BookSnapshot,
    BustTrade,
    CancelReason,
    EnterOrder,
    FeeCollected,
    FillBusted,
    Liquidity,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderDelta,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    PhaseChanged,
    PullOrder,
    RejectReason,
    RequestRejected,
    ReviseOrder,
    Side,
    SwapOrder,
    Trade,
    TradeBusted,
    shard_of,
)

CHECKSUM_LEVELS = 10
SNAPSHOT_EVERY = 1_000
"""How many events, besides as many as the book has prices, come between a book's snapshots: they stay a part of the output."""
SNAPSHOT_LEVELS_MAX = 100_000
"""A book with more prices than this would not fit into a record, and gives no snapshots."""


class Reports:
    """The events of one symbol; `out` collects those of the present command."""

    def __init__(self, symbol: str, shards: int, clock: Clock, outbound: Outbound, state: State) -> None:
        self.symbol = symbol
        self.shards = shards
        self.clock = clock
        self.outbound = outbound
        self.state = state
        self.out: list[Any] = []

    def _next(self, account: str) -> int:
        return self.outbound.next(shard_of(account, self.shards))

    # To the public

    def level(self, side: Side, price: int, level: Level | None) -> None:
        """Say what is now seen at a price, where the level may be gone."""
        self.delta(side, level if level is not None else Level(price, price))

    def delta(self, side: Side, level: Level) -> None:
        """Say what is now seen of a level."""
        state = self.state
        state.deltas = seq = state.deltas + 1
        self.out.append(
            BookDelta(
                symbol=self.symbol,
                seq=seq,
                time_ms=self.clock.now_ms,
                side=side,
                price=level.price,
                quantity=level.total,
            )
        )

    def _event(self) -> dict[str, Any]:
        """Return what all events of the rarer kinds begin with, with the next number."""
        self.state.deltas += 1
        return {"symbol": self.symbol, "seq": self.state.deltas, "time_ms": self.clock.now_ms}

    def phase(self) -> None:
        """Say which phase the market is in now."""
        self.out.append(PhaseChanged(**self._event(), phase=self.state.phase))

    def indicated(self) -> None:
        """Say what an auction would do now."""
        price, volume, imbalance = self.state.indicated
        self.out.append(AuctionIndicated(**self._event(), price=price, volume=volume, imbalance=imbalance))

    def order(self, order: Order, *, gone: bool = False) -> None:
        """Say what is now seen of a resting order, where that is wanted."""
        if not self.state.rules.order_by_order:
            return
        self.state.order_deltas += 1
        self.out.append(
            OrderDelta(
                symbol=self.symbol,
                seq=self.state.order_deltas,
                time_ms=self.clock.now_ms,
                number=order.number,
                side=order.side,
                price=order.price,
                quantity=0 if gone else order.leaves - order.hidden,
            )
        )

    def trade(self, maker: Order, taker: Order, price: int, quantity: int, *, auction: bool) -> None:
        """Publish a trade."""
        state = self.state
        state.trades += 1
        self.out.append(
            Trade(
                symbol=self.symbol,
                seq=state.trades,
                time_ms=self.clock.now_ms,
                price=price,
                quantity=quantity,
                taker_side=taker.side,
                maker_order=maker.order_id,
                taker_order=taker.order_id,
                listing=state.listing,
                auction=auction,
            )
        )

    def checksum(self, bids: Ladder, asks: Ladder) -> None:
        """Publish the checksum of the best prices."""
        self.state.checksum_due = self.state.deltas + 1 + CHECKSUM_EVERY
        self.out.append(BookChecksum(**self._event(), crc32=checksum(bids, asks)))

    def snapshot(self, bids: Ladder, asks: Ladder) -> None:
        """Publish the whole book, if it is listed and fits into a record, and say when to do so again."""
        state = self.state
        levels = len(bids.ranks) + len(asks.ranks)
        if state.instrument is None:
            return
        state.snapshot_due = state.deltas + SNAPSHOT_EVERY + levels
        if levels > SNAPSHOT_LEVELS_MAX:
            return
        state.snapshots += 1
        self.out.append(
            BookSnapshot(
                symbol=self.symbol,
                seq=state.snapshots,
                time_ms=self.clock.now_ms,
                delta=state.deltas,
                trade=state.trades,
                listing=state.listing,
                instrument=state.instrument,
                bids=bids.totals(),
                asks=asks.totals(),
                rules=state.rules,
                phase=state.phase,
                delisted=state.delisted,
                indicated=state.indicated,
            )
        )

    # To the accounts

    def _order(self, order: Order | EnterOrder) -> dict[str, Any]:
        """Return what all reports on an order begin with, with the next number of its channel."""
        return {
            "source": self.symbol,
            "seq": self._next(order.account),
            "time_ms": self.clock.now_ms,
            "account": order.account,
            "order_id": order.order_id,
            "symbol": self.symbol,
        }

    def accepted(self, entered: EnterOrder, price: int) -> None:
        """Report that an order has reached the book."""
        self.out.append(
            OrderAccepted(
                source=self.symbol,
                seq=self._next(entered.account),
                time_ms=self.clock.now_ms,
                account=entered.account,
                order_id=entered.order_id,
                symbol=self.symbol,
                side=entered.side,
                price=price,
                quantity=entered.quantity,
                listing=entered.listing,
                kind=entered.kind,
                time_in_force=entered.time_in_force,
                expires_ms=entered.expires_ms,
                conditions=entered.conditions,
            )
        )

    def filled(self, order: Order, liquidity: Liquidity, price: int, quantity: int, fee: int) -> None:
        """Report a fill, after it has been taken off the order's leaves."""
        self.out.append(
            OrderFilled(
                source=self.symbol,
                seq=self._next(order.account),
                time_ms=self.clock.now_ms,
                account=order.account,
                order_id=order.order_id,
                symbol=self.symbol,
                trade=self.state.trades,
                side=order.side,
                price=price,
                quantity=quantity,
                leaves=order.leaves,
                liquidity=liquidity,
                fee=fee,
            )
        )

    def fee(self, trade: int, amount: int) -> None:
        """Let `amount` go to the fee account; below zero: come from it."""
        assert self.state.instrument is not None, "what is traded is listed"
        self.out.append(
            FeeCollected(
                source=self.symbol,
                seq=self._next(FEES),
                time_ms=self.clock.now_ms,
                account=FEES,
                symbol=self.symbol,
                trade=trade,
                asset=self.state.instrument.quote,
                amount=amount,
            )
        )

    def amended(self, order: Order, request: str | None = None) -> None:
        """Report an order's terms as they are now."""
        if order.account != MARKET:
            self.out.append(
                OrderAmended(
                    **self._order(order),
                    price=order.limit,
                    quantity=order.filled + order.leaves,
                    leaves=order.leaves,
                    stop=order.special.stop if order.special is not None else 0,
                    amend_request_id=request,
                )
            )

    def triggered(self, order: Order, price: int) -> None:
        """Report that a trade at `price` has set off an order."""
        if order.account != MARKET:
            self.out.append(OrderTriggered(**self._order(order), price=price))

    def cancelled(self, order: Order, reason: CancelReason, request: str | None = None) -> None:
        """Report that an order is gone."""
        if order.account != MARKET:
            self.out.append(
                OrderCancelled(**self._order(order), quantity=order.leaves, reason=reason, cancel_request_id=request)
            )

    def expired(self, order: Order) -> None:
        """Report that an order's time has come."""
        if order.account != MARKET:
            self.out.append(OrderExpired(**self._order(order), quantity=order.leaves))

    def rejected(self, entered: EnterOrder, reason: RejectReason) -> None:
        """Refuse an order. Of `@market` flow the host makes a dead letter of it."""
        market = entered.account == MARKET
        self.out.append(
            OrderRejected(
                source=self.symbol,
                seq=entered.seq if market else self._next(entered.account),
                time_ms=self.clock.now_ms,
                account=entered.account,
                symbol=self.symbol,
                reason=reason,
                order_id=entered.order_id,
            )
        )

    def request_rejected(self, asked: PullOrder | ReviseOrder | SwapOrder, reason: RejectReason) -> None:
        """Refuse a request about an order."""
        if asked.account != MARKET:
            self.out.append(
                RequestRejected(
                    source=self.symbol,
                    seq=self._next(asked.account),
                    time_ms=self.clock.now_ms,
                    account=asked.account,
                    reason=reason,
                    order_id=asked.order_id,
                    request_id=asked.request_id,
                )
            )

    def busted(self, bust: BustTrade) -> None:
        """Undo a trade with the public, both accounts and the fee account."""
        self.out.append(TradeBusted(**self._event(), trade=bust.trade))
        legs: tuple[tuple[Side, str, int, int], ...] = (
            ("buy", bust.buyer, bust.buy_order, bust.buy_fee),
            ("sell", bust.seller, bust.sell_order, bust.sell_fee),
        )
        for side, account, order_id, fee in legs:
            if account != MARKET:
                self.out.append(
                    FillBusted(
                        source=self.symbol,
                        seq=self._next(account),
                        time_ms=self.clock.now_ms,
                        account=account,
                        order_id=order_id,
                        symbol=self.symbol,
                        trade=bust.trade,
                        side=side,
                        price=bust.price,
                        quantity=bust.quantity,
                        fee=fee,
                        listing=bust.listing,
                    )
                )
        if bust.buy_fee + bust.sell_fee:
            self.fee(bust.trade, -bust.buy_fee - bust.sell_fee)


def checksum(bids: Ladder, asks: Ladder) -> int:
    """Return the CRC32 of the best prices and quantities of both sides: `bid price:quantity:ask price:quantity:...`."""
    tops = [
        [
            f"{ladder.levels[rank].price}:{ladder.levels[rank].total}"
            for rank in ladder.ranks[: -CHECKSUM_LEVELS - 1 : -1]
        ]
        for ladder in (bids, asks)
    ]
    return crc32(":".join([place for pair in zip_longest(*tops) for place in pair if place]).encode())
