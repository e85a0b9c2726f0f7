"""What the audits find wrong, without any machine."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import messages as m
from exchange.audits import Flaw, LegAudit, LevelAudit, MoneyAudit, OrderAudit
from tests.exchange.pit import INSTRUMENT, SYMBOL

COMMON: dict[str, Any] = {"source": "0", "seq": 1, "time_ms": 0, "account": "alice", "symbol": SYMBOL}


def accepted(order_id: int = 16, side: m.Side = "buy", price: int = 100, quantity: int = 5) -> m.OrderAccepted:
    return m.OrderAccepted(**COMMON, order_id=order_id, side=side, price=price, quantity=quantity)


def filled(quantity: int, leaves: int, **change: Any) -> m.OrderFilled:
    fields = {"order_id": 16, "trade": 1, "side": "buy", "price": 100, "liquidity": "taker"}
    return m.OrderFilled(**(COMMON | fields | {"quantity": quantity, "leaves": leaves} | change))


def cancelled(quantity: int, order_id: int = 16) -> m.OrderCancelled:
    return m.OrderCancelled(**COMMON, order_id=order_id, quantity=quantity, reason="REQUESTED")


def expired(quantity: int) -> m.OrderExpired:
    return m.OrderExpired(**COMMON, order_id=16, quantity=quantity)


def rejected(order_id: int) -> m.OrderRejected:
    return m.OrderRejected(**COMMON, order_id=order_id, reason="HALTED")


@pytest.mark.parametrize(
    "story",
    [
        [accepted(), filled(5, 0)],
        [accepted(), filled(2, 3), filled(3, 0)],
        [accepted(), filled(2, 3), cancelled(3)],
        [accepted(), expired(5)],
        [rejected(16), rejected(0), rejected(0), accepted(32), cancelled(5, 32)],
    ],
)
def test_a_whole_life_of_an_order_is_fine(story: list[Any]) -> None:
    audit = OrderAudit()
    for report in story:
        audit.take(report)
    assert audit.open == {}


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ([filled(5, 0)], "not open"),
        ([accepted(), filled(5, 0), filled(5, 0)], "not open"),
        ([accepted(), cancelled(5), cancelled(5)], "not open"),
        ([accepted(), cancelled(5), expired(5)], "not open"),
        ([accepted(), accepted()], "a second time"),
        ([accepted(), cancelled(5), accepted()], "a second time"),
        ([accepted(), rejected(16)], "a second time"),
        ([rejected(16), accepted()], "a second time"),
        ([accepted(), filled(6, 0)], "trades 6 lots where 5 are left"),
        ([accepted(), filled(2, 4)], "3 lots left, not 4"),
        ([accepted(), filled(2, 3), cancelled(5)], "3 lots left, not 5"),
        ([accepted(), filled(5, 0, price=101)], "an order to buy at 100 trades at 101"),
        ([accepted(side="sell"), filled(5, 0, side="sell", price=99)], "an order to sell at 100 trades at 99"),
        ([accepted(), filled(5, 0, account="bob")], "not open"),
        ([accepted(), filled(5, 0, symbol="GOOGUSD")], "not open"),
    ],
)
def test_an_order_that_lives_wrongly_is_found(story: list[Any], reason: str) -> None:
    audit = OrderAudit()
    for report in story[:-1]:
        audit.take(report)
    with pytest.raises(Flaw, match=reason):
        audit.take(story[-1])


def entered(order_id: int, side: m.Side, price: int, quantity: int = 5, account: str = "alice") -> m.EnterOrder:
    common = COMMON | {"account": account}
    return m.EnterOrder(**common, order_id=order_id, side=side, price=price, quantity=quantity)


def trade(maker: int, taker: int, price: int, quantity: int = 5, taker_side: m.Side = "buy") -> m.Trade:
    return m.Trade(
        symbol=SYMBOL,
        seq=1,
        time_ms=0,
        price=price,
        quantity=quantity,
        taker_side=taker_side,
        maker_order=maker,
        taker_order=taker,
    )


def test_trades_within_limits_are_fine_and_legs_of_accounts_are_counted() -> None:
    audit = LegAudit()
    audit.take([entered(1, "sell", 100, 8), entered(-2, "buy", 101, account=m.MARKET)], [trade(1, -2, 100)], {1})
    assert audit.account_legs == 1
    audit.take([entered(3, "buy", 100, 3)], [trade(1, 3, 100, 3)], set())
    assert audit.account_legs == 3
    assert audit.open == {}


def test_an_id_may_be_used_again_when_its_order_has_left() -> None:
    audit = LegAudit()
    audit.take([entered(-1, "sell", 100, account=m.MARKET)], [], {-1})
    pull = m.PullOrder(**(COMMON | {"account": m.MARKET}), order_id=-1)
    audit.take([pull], [], set())
    audit.take([entered(-1, "sell", 90, account=m.MARKET), entered(2, "buy", 95)], [trade(-1, 2, 90)], set())
    assert audit.account_legs == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (trade(1, 9, 100), "not open"),
        (trade(9, 2, 100), "not open"),
        (trade(1, 2, 100, 6), "6 lots where 5 are left"),
        (trade(1, 2, 99), "not at its maker's price"),
        (trade(1, 2, 101), "not at its maker's price"),
        (trade(1, 2, 100, taker_side="sell"), "sides"),
        (trade(1, 3, 100), "sides"),
        (trade(4, 2, 102), "an order to buy at 101 trades at 102"),
    ],
)
def test_a_trade_that_cannot_be_is_found(bad: m.Trade, reason: str) -> None:
    audit = LegAudit()
    orders = [entered(1, "sell", 100), entered(2, "buy", 101), entered(3, "sell", 100), entered(4, "sell", 102)]
    with pytest.raises(Flaw, match=reason):
        audit.take(orders, [bad], {1, 2, 3, 4})


def delta(side: m.Side, price: int, quantity: int) -> m.BookDelta:
    return m.BookDelta(symbol=SYMBOL, seq=1, time_ms=0, side=side, price=price, quantity=quantity)


def test_levels_are_folded() -> None:
    audit = LevelAudit()
    for change in (delta("buy", 99, 5), delta("sell", 101, 5), delta("buy", 99, 3), delta("sell", 101, 0)):
        audit.take(change)
    assert audit.levels == {"buy": {99: 3}, "sell": {}}
    audit.take(delta("buy", 101, 1))


@pytest.mark.parametrize("price", [99, 98])
def test_a_crossed_book_is_found(price: int) -> None:
    audit = LevelAudit()
    audit.take(delta("buy", 97, 5))
    audit.take(delta("buy", 99, 5))
    with pytest.raises(Flaw, match=f"crossed: bid 99, ask {price}"):
        audit.take(delta("sell", price, 1))


def test_a_level_that_is_not_there_cannot_leave() -> None:
    with pytest.raises(Flaw, match="no level at 99"):
        LevelAudit().take(delta("buy", 99, 0))


def balance(asset: str, available: int, reserved: int = 0) -> m.BalanceChanged:
    return m.BalanceChanged(
        source="0", seq=1, time_ms=0, account="alice", asset=asset, available=available, reserved=reserved
    )


def settled(*balances: m.BalanceChanged) -> None:
    """Alice has deposited 1000 USD, bought 3 at 100 and has an order for 2 more at 90 open."""
    audit, orders = MoneyAudit({SYMBOL: INSTRUMENT}), OrderAudit()
    orders.take(accepted(price=90, quantity=2))
    audit.deposit("alice", "USD", 1_000)
    audit.fill(filled(3, 0))
    for changed in balances:
        audit.balance(changed)
    audit.settle(orders.open)


def test_balances_are_deposits_and_fills() -> None:
    settled(balance("USD", 1_000), balance("USD", 520, 180), balance("AAPL", 3))


@pytest.mark.parametrize(
    ("balances", "reason"),
    [
        ((balance("USD", 521, 180), balance("AAPL", 3)), "has 701 of USD, but deposits and fills make 700"),
        ((balance("USD", 520, 180), balance("AAPL", 2)), "has 2 of AAPL, but deposits and fills make 3"),
        ((balance("USD", 520, 180),), "has 0 of AAPL, but deposits and fills make 3"),
        ((balance("USD", 700), balance("AAPL", 3)), "has 0 of USD reserved, but its open orders need 180"),
        ((balance("USD", 520, 180), balance("AAPL", 3), balance("GOOG", 1)), "has 1 of GOOG"),
    ],
)
def test_money_from_nowhere_is_found(balances: tuple[m.BalanceChanged, ...], reason: str) -> None:
    with pytest.raises(Flaw, match=reason):
        settled(*balances)
