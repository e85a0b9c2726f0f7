"""An account shard to give commands to. It answers in short lines, as `pit` does."""

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
        self.accounts = Accounts(SHARD, clock, 1)
        self.now_ms = NOW
        self.requests = 0
        self.reported = 0
        self.tell(m.ListInstrument(key=SHARD, instrument=INSTRUMENT))
        self.ask(m.OpenAccount, "alice")
        self.ask(m.Deposit, "alice", asset="USD", amount=10_000)
        self.ask(m.Deposit, "alice", asset="AAPL", amount=50)

    def tell(self, message: m.Message) -> list[str]:
        return [line(event) for event in self.accounts.apply(message, self.now_ms)]

    def ask(self, kind: Any, account: str, /, **more: Any) -> list[str]:
        return self.tell(self.command(kind, account, **more))

    def command(self, kind: Any, account: str, /, **more: Any) -> Any:
        self.requests += 1
        return kind(**{"account": account, "request_id": f"r{self.requests}", "created_ms": self.now_ms} | more)

    def place(self, side: m.Side, quantity: int, price: int, account: str = "alice", **more: Any) -> list[str]:
        fields = {"symbol": SYMBOL, "side": side, "quantity": quantity, "price": price}
        return self.ask(m.PlaceOrder, account, **(fields | more))

    def report(self, kind: Any, order_id: int, /, **more: Any) -> list[str]:
        return self.tell(self.of_book(kind, order_id, **more))

    def of_book(self, kind: Any, order_id: int, /, **more: Any) -> Any:
        """Make the next report of the book on an order of alice."""
        self.reported += 1
        fields = {"source": SYMBOL, "seq": self.reported, "time_ms": 0, "account": "alice", "order_id": order_id}
        if kind is not m.RequestRejected:
            fields["symbol"] = SYMBOL
        if kind is m.OrderFilled:
            fields |= {"trade": 1, "liquidity": "taker"}
        return kind(**(fields | more))

    @property
    def alice(self) -> dict[str, tuple[int, int]]:
        """What alice has: free and reserved, by asset."""
        return self.accounts.accounts["alice"].row()


def line(event: Any) -> str:
    """Write an event as a short line."""
    match event:
        case m.EnterOrder():
            return f"enter {event.order_id} {event.side} {event.quantity} @ {event.price}"
        case m.PullOrder():
            return f"pull {event.order_id}"
        case m.BalanceChanged():
            return f"{event.account} {event.asset} {event.available} + {event.reserved}"
        case m.AccountOpened():
            return f"opened {event.account}"
        case m.RequestRepeated():
            return f"again {event.request_id} {event.order_id} {event.reason}"
    return book_line(event)
