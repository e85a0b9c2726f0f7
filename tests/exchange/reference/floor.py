"""What orders do on the plain book, whoever makes them do it: rest, leave, trade, and what is said of it."""

from __future__ import annotations

from exchange.instruments import Rules
from exchange.messages import MARKET
from tests.exchange.reference.orders import Order

FEE_MAX = (2**53 - 1) // 2


class Floor:
    """One list of orders, scanned anew each time, and the lines said since the command began."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.lines: list[str] = []
        self.rules = Rules()
        self.notional_units = 1
        self.now_ms = 0
        self.numbers = 0
        self.trades = 0
        self.last = 0
        self.auctioned = 0
        """The price of the last auction that traded."""
        self.uncompared: list[int] = []
        self.untold: set[tuple[str, int]] = set()

    # What is there

    @property
    def reference(self) -> int:
        """Return what collar and band are measured from, 0: nothing."""
        return self.auctioned or self.rules.reference

    def totals(self) -> dict[str, dict[int, int]]:
        """Return what is seen at each price, by side."""
        totals: dict[str, dict[int, int]] = {"buy": {}, "sell": {}}
        for order in self.orders:
            if order.resting:
                totals[order.side][order.price] = totals[order.side].get(order.price, 0) + order.seen
        return totals

    def resting(self) -> list[Order]:
        return [order for order in self.orders if order.resting]

    def opposite(self, order: Order, limit: int, resting: list[Order] | None = None) -> list[Order]:
        """Return the resting orders that an order meets within a limit, in price-time priority."""
        if resting is None:
            resting = self.resting()
        makers = [maker for maker in resting if maker.side != order.side and order.meets(maker.price, limit)]
        return sorted(makers, key=lambda maker: (maker.price if order.side == "buy" else -maker.price, maker.number))

    def best(self, side: str, *, unpegged: bool = False) -> int:
        """Return the best price of a side, 0 if there is none."""
        prices = [
            order.price
            for order in self.orders
            if order.resting and order.side == side and not (unpegged and order.kind == "pegged")
        ]
        return (max(prices) if side == "buy" else min(prices)) if prices else 0

    def in_turn(self) -> list[Order]:
        return sorted(self.orders, key=lambda order: order.number)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    # What is said

    def say(self, order: Order, text: str) -> None:
        """Say it to the order's account; flow without accounts is told nothing."""
        mark, _, rest = text.partition(" ")
        if order.account != MARKET:
            self.lines.append(f"{mark} {order.account} {order.order_id} {rest}".rstrip())

    def level(self, side: str, price: int) -> None:
        self.untold.discard((side, price))
        total = self.totals()[side].get(price, 0)
        self.lines.append(f"{'bid' if side == 'buy' else 'ask'} {price}: {total}")

    def tell(self, order: Order) -> None:
        """Say what is now seen of an order, if anybody listens order by order."""
        now = (order.number, order.price, order.seen) if order.resting and order.seen else None
        before, order.told = order.told, now
        if not self.rules.order_by_order or now == before:
            return
        if before is not None and (now is None or now[:2] != before[:2]):
            self.lines.append(f"order {before[0]} {order.side} 0 @ {before[1]}")
        if now is not None:
            self.lines.append(f"order {now[0]} {order.side} {now[2]} @ {now[1]}")

    def amended(self, order: Order) -> None:
        stop = f" stop {order.stop}" if order.waiting_stop and order.stop else ""
        self.say(order, f"* {order.leaves} of {order.quantity} @ {order.limit}{stop}")

    # What orders do

    def rest(self, order: Order, price: int) -> None:
        order.resting, order.price, order.seen = True, price, order.most_seen()
        self.tell(order)
        self.level(order.side, price)

    def leave(self, order: Order) -> None:
        """Take an order off its price; it is still with the book."""
        if order.resting:
            order.resting = False
            self.tell(order)
            self.level(order.side, order.price)

    def part(self, order: Order) -> None:
        """Let the other leg go (rule 26)."""
        other = order.other
        if other is not None:
            order.other = other.other = None
            self.cancel(other, "OTHER_LEG")

    def cancel(self, order: Order, reason: str) -> None:
        self.part(order)
        self.leave(order)
        self.orders.remove(order)
        self.say(order, f"- {order.leaves} {reason}")

    def expire(self, order: Order) -> None:
        self.part(order)
        self.leave(order)
        self.orders.remove(order)
        self.say(order, f"~ {order.leaves}")

    def renew(self, order: Order) -> None:
        """Show the next lots of an iceberg, at the back."""
        order.number, order.seen = self.number(), order.most_seen()

    def trade(self, maker: Order, taker: Order, price: int, quantity: int, *, auction: bool = False) -> None:
        """Trade, with all that is said to the accounts; what is then seen of both is the caller's to tell."""
        self.part(maker)
        self.part(taker)
        self.trades += 1
        self.last = price
        if not auction:
            self.uncompared.append(price)
        ids = f"{maker.order_id} <- {taker.order_id}"
        self.lines.append(f"trade {self.trades}: {quantity} @ {price}, {ids}{' auction' if auction else ''}")
        fees = self.fees(maker, taker, price * quantity * self.notional_units)
        for order, liquidity, fee in ((maker, "maker", fees[0]), (taker, "taker", fees[1])):
            order.filled += quantity
            said = f"= {liquidity} {quantity} @ {price}, {order.leaves} left"
            self.say(order, said + (f", fee {fee}" if fee else ""))
            if order.resting:
                self.untold.add((order.side, order.price))
                order.seen -= min(order.seen, quantity)
            if not order.leaves:
                order.resting = False
                self.orders.remove(order)
        if sum(fees):
            self.lines.append(f"fee {sum(fees)} of trade {self.trades}")

    @staticmethod
    def fees(maker: Order, taker: Order, cash: int) -> tuple[int, int]:
        """Read rule 70: each fee rounded down in size and at most `FEE_MAX`, a rebate bounded by what the other side pays."""
        rates = (maker.entered.maker_fee, taker.entered.taker_fee)
        sizes = (min(abs(rate) * cash // 1_000_000, FEE_MAX) for rate in rates)
        first, second = (size if rate > 0 else -size for rate, size in zip(rates, sizes, strict=True))
        return max(first, -max(second, 0)), max(second, -max(first, 0))
