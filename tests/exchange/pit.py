"""A book to shout orders at, which answers in short lines: scenarios read like a trading floor.

`alice buy 5 @ 100` and so on: `+` accepted, `=` filled, `-` cancelled, `!` rejected, `~` expired; `bid` and `ask` are level
totals; `*` amended, `^` triggered, `x` busted. Snapshots and checksums, which only repeat what was said, are kept apart.
"""

from __future__ import annotations

from typing import Any

from exchange import messages as m
from exchange.book import Book
from exchange.clock import VenueClock
from exchange.instruments import Instrument

SYMBOL = "AAPLUSD"
INSTRUMENT = Instrument(symbol=SYMBOL, base="AAPL", quote="USD")
SHARDS = 2


class Pit:
    """One book and the channels into it."""

    def __init__(self, clock: VenueClock = "live", *, listed: bool = True) -> None:
        self.book = Book(SYMBOL, clock, SHARDS)
        self.now_ms = 1_000
        self.seqs: dict[str, int] = {}
        self.snapshots: list[m.BookSnapshot] = []
        self.checksums: list[m.BookChecksum] = []
        if listed:
            self.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT))

    def tell(self, message: m.Message) -> list[str]:
        events = self.book.apply(message, self.now_ms)
        self.snapshots += [event for event in events if isinstance(event, m.BookSnapshot)]
        self.checksums += [event for event in events if isinstance(event, m.BookChecksum)]
        return [line(event) for event in events if not isinstance(event, m.BookSnapshot | m.BookChecksum)]

    def place(self, account: str, order_id: int, side: m.Side, quantity: int, price: int, **more: Any) -> list[str]:
        return self.tell(self.order(account, order_id, side, quantity, price, **more))

    def order(self, account: str, order_id: int, side: m.Side, quantity: int, price: int, **more: Any) -> m.EnterOrder:
        return m.EnterOrder(
            **{"time_ms": self.now_ms, **self.numbered(account)},
            account=account,
            order_id=order_id,
            symbol=SYMBOL,
            side=side,
            price=price,
            quantity=quantity,
            **more,
        )

    def cancel(self, account: str, order_id: int) -> list[str]:
        return self.tell(
            m.PullOrder(
                time_ms=self.now_ms,
                account=account,
                order_id=order_id,
                symbol=SYMBOL,
                request_id="c",
                **self.numbered(account),
            )
        )

    def numbered(self, account: str) -> dict[str, Any]:
        source = "@tape" if account == m.MARKET else m.shard_of(account, SHARDS)
        self.seqs[source] = self.seqs.get(source, 0) + 1
        return {"source": source, "seq": self.seqs[source]}

    def later(self, ms: int) -> list[str]:
        """Let time pass, and an idle tick show it."""
        self.now_ms += ms
        return self.tell(m.Tick(key=SYMBOL))


def line(event: Any) -> str:  # noqa: C901, PLR0912
    """Write an event as a short line."""
    match event:
        case m.Trade():
            said = f"trade {event.seq}: {event.quantity} @ {event.price}, {event.maker_order} <- {event.taker_order}"
            said += " auction" if event.auction else ""
        case m.BookDelta():
            said = f"{'bid' if event.side == 'buy' else 'ask'} {event.price}: {event.quantity}"
        case m.OrderFilled():
            what = f"{event.liquidity} {event.quantity} @ {event.price}, {event.leaves} left"
            said = f"= {event.account} {event.order_id} {what}" + (f", fee {event.fee}" if event.fee else "")
        case m.OrderCancelled():
            said = f"- {event.account} {event.order_id} {event.quantity} {event.reason}"
        case m.OrderExpired():
            said = f"~ {event.account} {event.order_id} {event.quantity}"
        case m.OrderAmended():
            said = f"* {event.account} {event.order_id} {event.leaves} of {event.quantity} @ {event.price}"
            said += f" stop {event.stop}" if event.stop else ""
        case m.OrderTriggered():
            said = f"^ {event.account} {event.order_id} {event.price}"
        case m.OrderRejected() | m.RequestRejected():
            said = f"! {event.account} {event.order_id} {event.reason}"
        case m.FillBusted():
            what = f"{event.side} {event.quantity} @ {event.price}" + (f", fee {event.fee}" if event.fee else "")
            said = f"x {event.account} {event.order_id} trade {event.trade}: {what}"
        case m.FeeCollected():
            said = f"fee {event.amount} of trade {event.trade}"
        case m.PhaseChanged():
            said = f"phase {event.phase}"
        case m.AuctionIndicated():
            said = f"indicated {event.volume} @ {event.price}, imbalance {event.imbalance}"
        case m.TradeBusted():
            said = f"bust {event.trade}"
        case m.OrderDelta():
            said = f"order {event.number} {event.side} {event.quantity} @ {event.price}"
        case _:
            assert type(event) is m.OrderAccepted
            said = f"+ {event.account} {event.order_id}"
    return said
