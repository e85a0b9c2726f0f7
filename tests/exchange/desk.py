"""An account shard to give commands to. It answers in short lines, as `pit` does.

Each message also goes to a second shard, which is made anew from what was stored before it: both must do the same.
"""

from __future__ import annotations

from typing import Any

from exchange import messages as m
from exchange.accounts import Accounts
from exchange.clock import VenueClock
from tests.exchange.pit import INSTRUMENT, SYMBOL
from tests.exchange.pit import line as book_line

SHARD = "0"
NOW = 1_700_000_000_000


class Desk:
    """The only shard of a venue, with a listed symbol and a funded account, alice."""

    def __init__(self, clock: VenueClock = "live") -> None:
        self.clock = clock
        self.accounts = Accounts(SHARD, clock, 1)
        self.entries: dict[str, str] = {}
        self.now_ms = NOW
        self.requests = 0
        self.reported = 0
        self.tell(m.ListInstrument(key=SHARD, instrument=INSTRUMENT))
        self.ask(m.OpenAccount, "alice")
        self.ask(m.Deposit, "alice", asset="USD", amount=10_000)
        self.ask(m.Deposit, "alice", asset="AAPL", amount=50)

    def tell(self, message: m.Message) -> list[str]:
        return [line(event) for event in self.apply(message)]

    def apply(self, message: m.Message) -> list[Any]:
        """Return the events of a message; a shard that was stored and loaded just before it has the same ones."""
        self.store()
        again = Accounts(SHARD, self.clock, 1, self.entries)
        again.halted, again.requests.requests_max = self.accounts.halted, self.accounts.requests.requests_max
        events = self.accounts.apply(message, self.now_ms)
        assert again.apply(message, self.now_ms) == events
        assert again.deadline_ms() == self.accounts.deadline_ms()
        changes = self.accounts.changes()
        assert again.changes() == changes
        self._take(changes)
        return events

    def store(self) -> None:
        self._take(self.accounts.changes())

    def _take(self, changes: dict[str, str | None]) -> None:
        for name, text in changes.items():
            if text is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = text

    def ask(self, kind: Any, account: str, /, **more: Any) -> list[str]:
        return self.tell(self.command(kind, account, **more))

    def command(self, kind: Any, account: str, /, **more: Any) -> Any:
        self.requests += 1
        return kind(**{"account": account, "request_id": f"r{self.requests}", "created_ms": self.now_ms} | more)

    def place(self, side: m.Side, quantity: int, price: int, account: str = "alice", **more: Any) -> list[str]:
        fields = {"symbol": SYMBOL, "side": side, "quantity": quantity, "price": price}
        return self.ask(m.PlaceOrder, account, **(fields | more))

    def accept(self, *order_ids: int) -> None:
        """Have the book accept orders."""
        for order_id in order_ids:
            order = self.accounts.orders[order_id]
            said = self.report(
                m.OrderAccepted,
                order_id,
                account=order.account,
                side=order.side,
                price=order.price,
                quantity=order.leaves,
            )
            assert said == [f"+ {order.account} {order_id}"]

    def fill(self, order_id: int, quantity: int, price: int, **more: Any) -> list[str]:
        order = self.accounts.orders[order_id]
        fields = {"account": order.account, "side": order.side, "leaves": order.leaves - quantity}
        return self.report(m.OrderFilled, order_id, price=price, quantity=quantity, **(fields | more))

    def cancelled(self, order_id: int, reason: m.CancelReason = "REQUESTED", **more: Any) -> list[str]:
        order = self.accounts.orders[order_id]
        fields = {"account": order.account, "quantity": order.leaves, "reason": reason}
        return self.report(m.OrderCancelled, order_id, **(fields | more))

    def report(self, kind: Any, order_id: int, /, **more: Any) -> list[str]:
        return self.tell(self.of_book(kind, order_id, **more))

    def of_book(self, kind: Any, order_id: int, /, **more: Any) -> Any:
        """Make the next report of the book on an order of alice."""
        self.reported += 1
        fields = {"source": SYMBOL, "seq": self.reported, "time_ms": 0, "account": "alice", "order_id": order_id}
        if kind is not m.RequestRejected:
            fields["symbol"] = SYMBOL
        if kind in (m.OrderFilled, m.FillBusted):
            fields |= {"trade": 1}
        if kind is m.OrderFilled:
            fields |= {"liquidity": "taker"}
        return kind(**(fields | more))

    @property
    def alice(self) -> dict[str, tuple[int, ...]]:
        """What alice has: free and reserved, by asset, and what she owes if anything."""
        return self.accounts.accounts["alice"].row()


def line(event: Any) -> str:  # noqa: PLR0911
    """Write an event as a short line."""
    match event:
        case m.EnterOrder():
            fees = f" fees {event.maker_fee} {event.taker_fee}" if event.maker_fee or event.taker_fee else ""
            return f"enter {_entered(event)}{fees}"
        case m.EnterOco():
            assert event.first.source == event.second.source == event.source
            assert event.first.seq == event.second.seq == event.seq
            return f"enter {_entered(event.first)} or {_entered(event.second)}"
        case m.SwapOrder():
            assert (event.order.source, event.order.seq) == (event.source, event.seq)
            return f"swap {event.order_id}, {event.leaves} left, for {_entered(event.order)}"
        case m.ReviseOrder():
            stop = f" stop {event.stop}" if event.stop else ""
            return f"revise {event.order_id} to {event.quantity} @ {event.price}{stop}"
        case m.PullOrder():
            return f"pull {event.order_id}" + ("" if event.reason == "REQUESTED" else f" {event.reason}")
        case m.BalanceChanged():
            owed = f" owed {event.owed}" if event.owed else ""
            return f"{event.account} {event.asset} {event.available} + {event.reserved}{owed}"
        case m.AccountOpened():
            return f"opened {event.account}"
        case m.RequestRepeated():
            return f"again {event.request_id} {event.order_id} {event.reason}"
        case m.RequestDone():
            return f"done {event.request_id} {event.orders}"
    return book_line(event)


def _entered(order: m.EnterOrder) -> str:
    return f"{order.order_id} {order.side} {order.quantity} @ {order.price}"
