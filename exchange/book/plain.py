"""The hot path: plain limit orders and cancels in a market that asks for nothing else.

Theory of operation: most of what a book sees is a limit order without conditions, in continuous trading by price and time, while nothing
waits for a trade. For these the steps of `Entry`, `Continuous`, `Trading` and `Orders` are written out here in one place, which makes them twice as fast; whatever
is not plain (an iceberg or a leg met as a maker, fees) goes through those. The events are the same either way: the reference book in the tests
knows no hot path.
"""

from __future__ import annotations

from exchange.book.floor import Floor
from exchange.book.ladder import Ladder, Level, Order
from exchange.messages import MARKET, BookDelta, EnterOrder, PullOrder, Side, Trade


class Plain:
    """Takes plain orders while `holds` says so; `is_plain` must be asked of each order, too."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.state = floor.state
        self.reports = floor.reports
        self.by_id = floor.orders.by_id
        self.pages = floor.orders.pages
        self.bids, self.asks = floor.orders.bids, floor.orders.asks

    def holds(self) -> bool:
        """Say whether the market asks for nothing that a plain order has to do with."""
        floor, state = self.floor, self.state
        rules = state.rules
        return (
            state.plain
            and bool(state.listing)
            and not (state.delisted or rules.band_ppm or rules.order_by_order or state.fired)
            and rules.matching == "price-time"
            and not (floor.triggers or floor.orders.whole or floor.orders.pegged or floor.trading.path)
        )

    def enter(self, entered: EnterOrder) -> bool:
        """Take an order if it is plain and nothing speaks against it; say whether it was taken."""
        state, by_id, order_id, account = self.state, self.by_id, entered.order_id, entered.account
        if (
            entered.conditions is not None
            or entered.listing != state.listing
            or entered.kind != "limit"
            or entered.time_in_force != "GTC"
            or entered.expires_ms
            or entered.taker_fee
            or entered.maker_fee
            or order_id in by_id
        ):
            return False
        side, price, quantity, filled = entered.side, entered.price, entered.quantity, 0
        if account != MARKET:
            self.reports.accepted(entered, price)
        elif order_id >= 0:
            return False
        else:
            account = MARKET  # not the message's own copy of it, of which a deep book would keep many
        state.arrivals = number = state.arrivals + 1
        if side == "buy":
            ladder, opposite, rank = self.bids, self.asks, price
        else:
            ladder, opposite, rank = self.asks, self.bids, -price
        ranks = opposite.ranks
        if ranks and ranks[-1] >= -rank:
            taker = Order(number, order_id, account, side, price, quantity)
            self._match(taker, opposite)
            quantity, filled = taker.leaves, taker.filled
            if not quantity:
                return True
        level = ladder.levels.get(rank)
        if level is None:
            order = Order(number, order_id, account, side, price, quantity, 0, filled)
            level = ladder.add(order)
        else:  # as `add` does it; the price is one number for all orders of the level
            last = level.tail
            order = Order(
                number, order_id, account, side, level.price, quantity, 0, filled, "GTC", None, None, level, last
            )
            last.next = level.tail = order  # type: ignore[union-attr]
            level.total += quantity
        by_id[order_id] = order
        self.pages.add(number, order)
        state.deltas = seq = state.deltas + 1
        reports = self.reports
        reports.out.append(
            BookDelta(
                symbol=reports.symbol,
                seq=seq,
                time_ms=reports.clock.now_ms,
                side=side,
                price=price,
                quantity=level.total,
            )
        )
        return True

    def _match(self, taker: Order, opposite: Ladder) -> None:
        """Trade a taker with the other side as far as its price goes."""
        ranks, levels, limit = opposite.ranks, opposite.levels, taker.price * opposite.sign
        maker_side: Side = "sell" if taker.side == "buy" else "buy"
        while taker.leaves and ranks and ranks[-1] >= limit:
            rank = ranks[-1]
            level = levels[rank]
            self._at_level(taker, level)
            if level.head is None and levels.get(rank) is level:
                ranks.pop()
                del levels[rank]
            self.reports.delta(maker_side, level)

    def _at_level(self, taker: Order, level: Level) -> None:
        """Trade a taker with the orders of one level."""
        reports, state, by_id, pages = self.reports, self.state, self.by_id, self.pages
        out, symbol, now_ms, listing = reports.out, reports.symbol, reports.clock.now_ms, state.listing
        leaves, price, total, side, taker_id = taker.leaves, level.price, level.total, taker.side, taker.order_id
        reported, trades = taker.account != MARKET, state.trades
        maker = level.head
        while leaves and maker is not None:
            if maker.special is not None or maker.fees is not None:
                taker.filled += taker.leaves - leaves
                taker.leaves, level.total = leaves, total
                self.floor.trading.trade(maker, taker, price, min(leaves, maker.leaves - maker.hidden))
                leaves, total, trades, maker = taker.leaves, level.total, state.trades, level.head
                continue
            resting = maker.leaves
            quantity = resting if resting < leaves else leaves  # noqa: FURB136  (a call costs more)
            leaves -= quantity
            total -= quantity
            state.trades = trades = trades + 1
            out.append(
                Trade(
                    symbol=symbol,
                    seq=trades,
                    time_ms=now_ms,
                    price=price,
                    quantity=quantity,
                    taker_side=side,
                    maker_order=maker.order_id,
                    taker_order=taker_id,
                    listing=listing,
                )
            )
            maker.leaves = resting - quantity
            if maker.account != MARKET:
                reports.filled(maker, "maker", price, quantity, 0)
            if reported:
                taker.filled += quantity
                taker.leaves = leaves
                reports.filled(taker, "taker", price, quantity, 0)
            if quantity == resting:
                del by_id[maker.order_id]
                pages.remove(maker.number)
                following = maker.next
                level.head = following
                if following is None:
                    level.tail = None
                else:
                    following.previous = maker.next = None
                maker.level = None
                maker = following
            else:
                maker.filled += quantity
                pages.touch(maker.number)
        state.last = price
        level.total = total
        taker.filled += taker.leaves - leaves
        taker.leaves = leaves

    def pull(self, asked: PullOrder) -> bool:
        """Cancel an order, or refuse to, unless it is one that is not plain; say whether that was done."""
        order = self.by_id.get(asked.order_id)
        if order is None or order.account != asked.account:
            self.reports.request_rejected(asked, "TOO_LATE")
            return True
        if order.special is not None:
            return False
        del self.by_id[asked.order_id]
        self.pages.remove(order.number)
        side = order.side
        self.reports.delta(side, (self.bids if side == "buy" else self.asks).remove(order))
        if order.account != MARKET:
            self.reports.cancelled(order, asked.reason, asked.request_id)
        return True
