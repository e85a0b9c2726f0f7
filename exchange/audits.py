"""What must hold of the exchange's output, whatever machine made it: folds that fail at the first message that breaks it.

Theory of operation: each audit keeps as little as it needs to judge the next message (open orders, balances, levels) and
knows nothing of the machines, so that a fault in a machine cannot hide in it. `verify` feeds them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from typing import Any

from exchange.instruments import Instrument
from exchange.messages import (
    MARKET,
    BalanceChanged,
    BookDelta,
    EnterOrder,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PullOrder,
    Side,
    Trade,
)


class Flaw(Exception):
    """What a message breaks, in a sentence."""


class Open:
    """An order and what of it may still trade."""

    __slots__ = ("account", "leaves", "price", "side", "symbol")

    def __init__(self, order: OrderAccepted | EnterOrder) -> None:
        self.account = order.account
        self.symbol = order.symbol
        self.side: Side = order.side
        self.price = order.price
        self.leaves = order.quantity

    def fill(self, price: int, quantity: int) -> None:
        """Trade some of it."""
        if price > self.price if self.side == "buy" else price < self.price:
            raise Flaw(f"an order to {self.side} at {self.price} trades at {price}")
        if quantity > self.leaves:
            raise Flaw(f"an order trades {quantity} lots where {self.leaves} are left")
        self.leaves -= quantity


class OrderAudit:
    """Folds `order-reports`: accepted = filled + open + cancelled + expired, and one end of each order.

    Orders reach a book in the order of their ids from each shard, so one that comes again is known without keeping it.
    """

    def __init__(self) -> None:
        self.open: dict[int, Open] = {}
        self._last: dict[tuple[str, str], int] = {}

    def take(self, report: Any) -> None:
        """Take the next report of a shard."""
        kind = type(report)
        if kind is OrderAccepted or (kind is OrderRejected and report.order_id):
            self._new(report)
            if kind is OrderAccepted:
                self.open[report.order_id] = Open(report)
            return
        if kind not in (OrderFilled, OrderCancelled, OrderExpired):
            return
        order = self.open.get(report.order_id)
        if order is None or (order.account, order.symbol) != (report.account, report.symbol):
            raise Flaw(f"order {report.order_id} is not open")
        if kind is OrderFilled:
            order.fill(report.price, report.quantity)
            left = report.leaves
        else:
            left = report.quantity
        if left != order.leaves:
            raise Flaw(f"order {report.order_id} has {order.leaves} lots left, not {left}")
        if kind is not OrderFilled or not left:
            del self.open[report.order_id]

    def _new(self, report: OrderAccepted | OrderRejected) -> None:
        channel = (report.source, report.symbol)
        if report.order_id <= self._last.get(channel, 0):
            raise Flaw(f"order {report.order_id} is answered a second time")
        self._last[channel] = report.order_id


class LegAudit:
    """Checks each trade against the orders of its book: right sides, within both limits and what is left of both."""

    def __init__(self) -> None:
        self.open: dict[int, Open] = {}
        self.account_legs = 0

    def take(self, packet: list[Any], trades: list[Trade], resting: Any) -> None:
        """Take a packet of commands and the trades it caused; `resting` says by `in` which orders rest after it."""
        touched = set()
        for command in packet:
            if type(command) is EnterOrder or type(command) is PullOrder:
                touched.add(command.order_id)
            if type(command) is EnterOrder and command.order_id not in self.open:
                self.open[command.order_id] = Open(command)
        for trade in trades:
            touched.add(trade.maker_order)
            self._trade(trade)
        for order_id in touched:
            if order_id not in resting:
                self.open.pop(order_id, None)
        if len(self.open) > 2 * len(resting) + 1_000:
            self.open = {order_id: order for order_id, order in self.open.items() if order_id in resting}

    def _trade(self, trade: Trade) -> None:
        maker, taker = self.open.get(trade.maker_order), self.open.get(trade.taker_order)
        if maker is None or taker is None:
            raise Flaw(f"trade {trade.trade_id} is of an order that is not open")
        if taker.side != trade.taker_side or maker.side == taker.side:
            raise Flaw(f"trade {trade.trade_id} has its sides wrong")
        if trade.price != maker.price:
            raise Flaw(f"trade {trade.trade_id} is not at its maker's price {maker.price}")
        maker.fill(trade.price, trade.quantity)
        taker.fill(trade.price, trade.quantity)
        self.account_legs += (maker.account != MARKET) + (taker.account != MARKET)


class LevelAudit:
    """Folds one symbol's `book-deltas`: the book is never crossed."""

    def __init__(self) -> None:
        self.levels: dict[Side, dict[int, int]] = {"buy": {}, "sell": {}}
        self._prices: dict[Side, list[int]] = {"buy": [], "sell": []}

    def take(self, delta: BookDelta) -> None:
        """Take the next delta."""
        levels, prices = self.levels[delta.side], self._prices[delta.side]
        if delta.quantity:
            if delta.price not in levels:
                insort(prices, delta.price)
            levels[delta.price] = delta.quantity
        elif levels.pop(delta.price, None) is None:
            raise Flaw(f"there is no level at {delta.price} to take away")
        else:
            del prices[bisect_left(prices, delta.price)]
        bids, asks = self._prices["buy"], self._prices["sell"]
        if bids and asks and bids[-1] >= asks[0]:
            raise Flaw(f"the book is crossed: bid {bids[-1]}, ask {asks[0]}")


class MoneyAudit:
    """Balances from `account-updates` against deposits and fills, account by account.

    Both legs of a trade move the same cash and the same shares, so where every account has what its deposits and fills
    say, and every leg of every trade is a fill, nothing is made or lost. Legs of `@market` are settled by this very rule.
    """

    def __init__(self, instruments: dict[str, Instrument]) -> None:
        self.instruments = instruments
        self.due: dict[tuple[str, str], int] = defaultdict(int)
        self.balances: dict[tuple[str, str], tuple[int, int]] = {}
        self.fills = 0

    def deposit(self, account: str, asset: str, amount: int) -> None:
        """Take a deposit that was accepted."""
        self.due[account, asset] += amount

    def fill(self, fill: OrderFilled) -> None:
        """Take a fill that was published."""
        self.fills += 1
        instrument = self.instruments.get(fill.symbol)
        if instrument is None:
            raise Flaw(f"{fill.symbol} is not listed")
        sign = 1 if fill.side == "buy" else -1
        self.due[fill.account, instrument.base] += sign * fill.quantity * instrument.lot_units
        self.due[fill.account, instrument.quote] -= sign * fill.quantity * fill.price * instrument.notional_units

    def balance(self, changed: BalanceChanged) -> None:
        """Take a balance that was published."""
        self.balances[changed.account, changed.asset] = (changed.available, changed.reserved)

    def settle(self, open_orders: dict[int, Open]) -> None:
        """Compare at a moment when nothing is in flight, with all `open_orders` accounts have."""
        reserved: dict[tuple[str, str], int] = defaultdict(int)
        for order in open_orders.values():
            instrument = self.instruments[order.symbol]
            if order.side == "buy":
                reserved[order.account, instrument.quote] += order.leaves * order.price * instrument.notional_units
            else:
                reserved[order.account, instrument.base] += order.leaves * instrument.lot_units
        for name in sorted({*self.due, *self.balances, *reserved}):
            free, kept = self.balances.get(name, (0, 0))
            if free + kept != self.due[name]:
                raise Flaw(f"{name[0]} has {free + kept} of {name[1]}, but deposits and fills make {self.due[name]}")
            if kept != reserved[name]:
                raise Flaw(f"{name[0]} has {kept} of {name[1]} reserved, but its open orders need {reserved[name]}")
