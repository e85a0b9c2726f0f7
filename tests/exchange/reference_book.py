"""A book as plain as can be: one list of orders, sorted anew for each match. Slow, and hard to get wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exchange.messages import EnterOrder, PullOrder


@dataclass
class Resting:
    number: int
    order: EnterOrder
    leaves: int


class ReferenceBook:
    """Answers each command with lines as `pit.line` writes them."""

    def __init__(self) -> None:
        self.orders: list[Resting] = []
        self.number = 0
        self.trades = 0

    def apply(self, command: Any, now_ms: int) -> list[str]:
        lines: list[str] = []
        self.expire(now_ms, lines)
        if isinstance(command, EnterOrder):
            self.enter(command, now_ms, lines)
        elif isinstance(command, PullOrder):
            self.pull(command, lines)
        return lines

    def totals(self) -> dict[str, dict[int, int]]:
        totals: dict[str, dict[int, int]] = {"buy": {}, "sell": {}}
        for resting in self.orders:
            side = totals[resting.order.side]
            side[resting.order.price] = side.get(resting.order.price, 0) + resting.leaves
        return totals

    def expire(self, now_ms: int, lines: list[str]) -> None:
        due = [resting for resting in self.orders if 0 < resting.order.expires_ms <= now_ms]
        for resting in sorted(due, key=lambda resting: (resting.order.expires_ms, resting.order.order_id)):
            self.orders.remove(resting)
            lines.append(self.level(resting.order))
            lines.append(f"~ {resting.order.account} {resting.order.order_id} {resting.leaves}")

    def enter(self, taker: EnterOrder, now_ms: int, lines: list[str]) -> None:
        if 0 < taker.expires_ms <= now_ms:
            lines.append(f"! {taker.account} {taker.order_id} EXPIRED")
            return
        lines.append(f"+ {taker.account} {taker.order_id}")
        buying = taker.side == "buy"
        makers = [resting for resting in self.orders if resting.order.side != taker.side]
        makers = [
            maker
            for maker in makers
            if (maker.order.price <= taker.price if buying else maker.order.price >= taker.price)
        ]
        makers.sort(key=lambda maker: (maker.order.price if buying else -maker.order.price, maker.number))
        leaves = taker.quantity
        if taker.time_in_force == "FOK" and sum(maker.leaves for maker in makers) < leaves:
            lines.append(f"- {taker.account} {taker.order_id} {leaves} FOK_UNFILLED")
            return
        for position, maker in enumerate(makers):
            quantity = min(leaves, maker.leaves)
            if not quantity:
                break
            self.trades += 1
            leaves -= quantity
            maker.leaves -= quantity
            price = maker.order.price
            lines.append(f"trade {self.trades}: {quantity} @ {price}, {maker.order.order_id} <- {taker.order_id}")
            lines.append(
                f"= {maker.order.account} {maker.order.order_id} maker {quantity} @ {price}, {maker.leaves} left"
            )
            lines.append(f"= {taker.account} {taker.order_id} taker {quantity} @ {price}, {leaves} left")
            if not maker.leaves:
                self.orders.remove(maker)
            following = makers[position + 1] if position + 1 < len(makers) else None
            if not leaves or following is None or following.order.price != price:
                lines.append(self.level(maker.order))
        if not leaves:
            return
        if taker.kind == "market":
            lines.append(f"- {taker.account} {taker.order_id} {leaves} MARKET_REMAINDER")
        elif taker.time_in_force == "IOC":
            lines.append(f"- {taker.account} {taker.order_id} {leaves} IOC_REMAINDER")
        else:
            self.number += 1
            self.orders.append(Resting(self.number, taker, leaves))
            lines.append(self.level(taker))

    def pull(self, command: PullOrder, lines: list[str]) -> None:
        for resting in self.orders:
            if (resting.order.order_id, resting.order.account) == (command.order_id, command.account):
                self.orders.remove(resting)
                lines.append(self.level(resting.order))
                lines.append(f"- {command.account} {command.order_id} {resting.leaves} REQUESTED")
                return
        lines.append(f"! {command.account} {command.order_id} TOO_LATE")

    def level(self, order: EnterOrder) -> str:
        """Write the total that rests on an order's side at its price."""
        total = sum(
            resting.leaves
            for resting in self.orders
            if (resting.order.side, resting.order.price) == (order.side, order.price)
        )
        return f"{'bid' if order.side == 'buy' else 'ask'} {order.price}: {total}"
