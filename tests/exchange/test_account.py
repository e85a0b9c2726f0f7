"""One trader's balances."""

from __future__ import annotations

import pytest

from exchange.account import Account, OpenOrder, reservation
from exchange.instruments import Instrument

STOCK = Instrument(symbol="X", base="X", quote="USD")
COIN = Instrument(symbol="C", base="C", quote="USD", tick="0.05", lot="0.1", base_scale=2, quote_scale=3)


def order(side: str, price: int, quantity: int) -> OpenOrder:
    return OpenOrder(16, "alice", "r", "X", side, price, quantity)  # type: ignore[arg-type]


def test_a_buy_reserves_cash_at_its_limit_and_a_sell_reserves_shares() -> None:
    assert reservation("buy", 100, 3, STOCK) == ("USD", 300)
    assert reservation("sell", 100, 3, STOCK) == ("X", 3)
    assert reservation("buy", 100, 3, COIN) == ("USD", 100 * 3 * 5)
    assert reservation("sell", 100, 3, COIN) == ("C", 30)


def test_no_more_is_reserved_than_is_free() -> None:
    account = Account({"USD": (300, 0)})
    assert account.reserve("USD", 200)
    assert not account.reserve("USD", 101)
    assert not account.reserve("X", 1)
    assert account.row() == {"USD": (100, 200)}


def test_a_buy_at_a_better_price_gets_the_difference_back() -> None:
    account = Account({"USD": (0, 1_000)})
    account.settle(order("buy", 100, 10), STOCK, 90, 4)
    assert account.row() == {"USD": (40, 600), "X": (4, 0)}


def test_a_sell_at_a_better_price_gets_more() -> None:
    account = Account({"X": (0, 10)})
    account.settle(order("sell", 100, 10), STOCK, 110, 4)
    assert account.row() == {"X": (0, 6), "USD": (440, 0)}


@pytest.mark.parametrize(("side", "price"), [("buy", 101), ("sell", 99)])
def test_a_fill_beyond_the_limit_breaks_an_invariant(side: str, price: int) -> None:
    account = Account({"USD": (0, 10_000), "X": (0, 10)})
    with pytest.raises(AssertionError, match="limit"):
        account.settle(order(side, 100, 10), STOCK, price, 1)


def test_a_fill_that_is_not_paid_for_breaks_an_invariant() -> None:
    with pytest.raises(AssertionError, match="paid for"):
        Account({"X": (10, 3)}).settle(order("sell", 100, 10), STOCK, 100, 4)


def test_more_than_is_reserved_is_not_released() -> None:
    with pytest.raises(AssertionError, match="reserved"):
        Account({"USD": (5, 3)}).release("USD", 4)


def test_an_account_survives_its_durable_form() -> None:
    account = Account({"USD": (5, 3), "X": (0, 1)})
    assert Account(account.row()).row() == account.row()
