"""What an account's events add up to, and how its statement writes that."""

from __future__ import annotations

from typing import Any

from exchange import messages as m
from exchange.instruments import Instrument
from openbell.statements import AccountView

LISTED = {
    ("X", 1): Instrument(symbol="X", base="A", quote="USD", tick="0.01", lot="1"),
    ("X", 2): Instrument(symbol="X", base="A", quote="USD", tick="0.05", lot="10"),
}
COMMON: dict[str, Any] = {"source": "0", "seq": 1, "time_ms": 5, "account": "alice"}


def accepted(order: int, side: m.Side, price: int, quantity: int, listing: int = 1) -> m.OrderAccepted:
    return m.OrderAccepted(
        order_id=order, symbol="X", side=side, price=price, quantity=quantity, listing=listing, **COMMON
    )


def filled(order: int, trade: int, side: m.Side, price: int, quantity: int, leaves: int, fee: int = 0) -> m.OrderFilled:
    return m.OrderFilled(
        order_id=order, symbol="X", trade=trade, side=side, price=price, quantity=quantity, leaves=leaves, liquidity="taker",
        fee=fee, **COMMON,
    )  # fmt: skip


def view(*events: Any) -> AccountView:
    made = AccountView(LISTED)
    for event in events:
        made.add(event)
    return made


def test_nothing_is_known_of_an_account_that_was_only_refused():
    assert not view(m.RequestRejected(reason="UNKNOWN_ACCOUNT", **COMMON)).opened
    opened = view(m.AccountOpened(request_id="o", **COMMON))
    assert (opened.opened, opened.balances(), opened.orders(), opened.trades(), opened.markets()) == (
        True,
        [],
        [],
        [],
        [],
    )


def test_orders_are_open_from_acceptance_until_they_are_filled_cancelled_or_expired():
    seen = view(
        *(accepted(order, "buy", 100, 10) for order in (1, 2, 3, 4, 5)),
        filled(1, 1, "buy", 99, 4, 6),
        filled(2, 2, "buy", 99, 10, 0),
        m.OrderCancelled(order_id=3, symbol="X", quantity=10, reason="REQUESTED", **COMMON),
        m.OrderExpired(order_id=4, symbol="X", quantity=10, **COMMON),
        m.OrderAmended(order_id=5, symbol="X", price=101, quantity=8, leaves=8, **COMMON),
    )
    assert [(row["order_id"], row["price"], row["quantity"], row["leaves"]) for row in seen.orders()] == [
        (1, "1.00", "10", "6"), (5, "1.01", "8", "8"),
    ]  # fmt: skip


def test_trades_are_written_in_the_tick_and_lot_of_their_orders_listing_and_undone_ones_pay_no_fee():
    seen = view(
        accepted(1, "buy", 100, 10),
        accepted(2, "sell", 100, 3, listing=2),
        filled(1, 7, "buy", 100, 10, 0, fee=12),
        filled(2, 8, "sell", 100, 3, 0, fee=-2),
        m.FillBusted(order_id=1, symbol="X", trade=7, side="buy", price=100, quantity=10, fee=12, **COMMON),
    )
    assert seen.trades() == [
        {
            "time_ms": 5, "symbol": "X", "trade": 7, "order_id": 1, "side": "buy", "price": "1.00", "quantity": "10",
            "fee": "0.12", "undone": True,
        },
        {
            "time_ms": 5, "symbol": "X", "trade": 8, "order_id": 2, "side": "sell", "price": "5.00", "quantity": "30",
            "fee": "-0.02", "undone": False,
        },
    ]  # fmt: skip
    assert seen.orders() == []
    assert seen.markets() == [
        {
            "symbol": "X", "trades": 1, "bought": "0", "sold": "30", "asset": "USD", "cash": "150.00", "fees": "-0.02",
            "profit_average": "0.00", "profit_fifo": "0.00",
        }
    ]  # fmt: skip


def test_profit_is_what_sales_brought_above_cost_and_fees():
    seen = view(
        accepted(1, "buy", 1_000, 10),
        filled(1, 1, "buy", 1_000, 10, 0, fee=10),
        accepted(2, "buy", 2_000, 10),
        filled(2, 2, "buy", 2_000, 10, 0, fee=10),
        accepted(3, "sell", 1_800, 10),
        filled(3, 3, "sell", 1_800, 10, 0, fee=-5),
    )
    assert seen.markets() == [
        {
            "symbol": "X", "trades": 3, "bought": "20", "sold": "10", "asset": "USD", "cash": "480.00", "fees": "0.15",
            "profit_average": "29.95", "profit_fifo": "79.95",
        }
    ]  # fmt: skip


def test_an_account_that_trades_with_itself_has_both_sides():
    seen = view(
        accepted(1, "buy", 100, 1), accepted(2, "sell", 100, 1), filled(1, 7, "buy", 100, 1, 0), filled(2, 7, "sell", 100, 1, 0)
    )  # fmt: skip
    assert [row["side"] for row in seen.trades()] == ["buy", "sell"]


def test_balances_are_the_last_that_were_told():
    def told(asset: str, available: int, reserved: int = 0, owed: int = 0) -> m.BalanceChanged:
        return m.BalanceChanged(asset=asset, available=available, reserved=reserved, owed=owed, **COMMON)

    seen = view(told("USD", 1), told("EUR", 5), told("A", 7), told("USD", 150, 25, 3))
    assert seen.balances() == [
        {"asset": "A", "available": "7", "reserved": "0", "owed": "0"},
        {"asset": "EUR", "available": "5 minor units", "reserved": "0 minor units", "owed": "0 minor units"},
        {"asset": "USD", "available": "1.50", "reserved": "0.25", "owed": "0.03"},
    ]
