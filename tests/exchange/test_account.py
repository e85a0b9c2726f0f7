"""One trader's balances, and what an order holds of them."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import messages as m
from exchange.account import Account, Balance, reservation
from exchange.instruments import Instrument
from exchange.listings import Listed
from exchange.open_orders import Change, OpenOrder, Ties, load_ties

STOCK = Listed(Instrument(symbol="X", base="X", quote="USD"))
COIN = Listed(Instrument(symbol="C", base="C", quote="USD", tick="0.05", lot="0.1", base_scale=2, quote_scale=3))


def order(side: m.Side, price: int, quantity: int, listed: Listed = STOCK, **more: Any) -> OpenOrder:
    return OpenOrder(listed, 16, "alice", "r", "X", side, price, quantity, **more)


def test_a_buy_reserves_cash_at_its_limit_and_a_sell_reserves_shares() -> None:
    assert reservation("buy", 100, 3, STOCK) == ("USD", 300)
    assert reservation("sell", 100, 3, STOCK) == ("X", 3)
    assert reservation("buy", 100, 3, COIN) == ("USD", 100 * 3 * 5)
    assert reservation("sell", 100, 3, COIN.instrument) == ("C", 30)


def test_a_buy_reserves_its_greatest_fee_too_rounded_down() -> None:
    assert reservation("buy", 333, 3, STOCK, 2_000) == ("USD", 999 + 1)
    assert reservation("sell", 333, 3, STOCK, 2_000) == ("X", 3)


def test_no_more_is_reserved_than_is_free() -> None:
    account = Account({"USD": (300, 0)})
    assert account.reserve("USD", 200)
    assert not account.reserve("USD", 101)
    assert not account.reserve("X", 1)
    assert account.row() == {"USD": (100, 200)}


def test_a_buy_at_a_better_price_gets_the_difference_back() -> None:
    account = Account({"USD": (0, 1_000)})
    bought = order("buy", 100, 10)
    account.settle(bought, 90, 4)
    assert account.row() == {"USD": (40, 600), "X": (4, 0)}
    assert (bought.leaves, bought.filled, bought.held) == (6, 4, 600)


def test_a_sell_at_a_better_price_gets_more() -> None:
    account = Account({"X": (0, 10)})
    account.settle(order("sell", 100, 10), 110, 4)
    assert account.row() == {"X": (0, 6), "USD": (440, 0)}


def test_a_buyer_pays_the_fee_on_top_and_a_seller_out_of_what_comes_in() -> None:
    buyer = Account({"USD": (0, 1_010)})
    bought = order("buy", 100, 10, fee_ppm=10_000)
    buyer.settle(bought, 90, 4, 3)
    assert buyer.row() == {"USD": (41, 606), "X": (4, 0)}
    seller = Account({"X": (0, 10)})
    seller.settle(order("sell", 100, 10, fee_ppm=10_000), 110, 4, 4)
    assert seller.row() == {"X": (0, 6), "USD": (436, 0)}


def test_a_rebate_comes_in() -> None:
    buyer = Account({"USD": (0, 1_000)})
    buyer.settle(order("buy", 100, 10), 100, 10, -5)
    assert buyer.row() == {"USD": (5, 0), "X": (10, 0)}


def test_many_fills_never_pay_more_fee_than_is_held() -> None:
    account = Account({"USD": (0, 1_001)})
    bought = order("buy", 77, 13, fee_ppm=777)
    assert bought.held == 1_001
    for _ in range(13):
        account.settle(bought, 77, 1, 77 * 777 // 1_000_000)
    assert account.row() == {"USD": (0, 0), "X": (13, 0)}


@pytest.mark.parametrize(("side", "price"), [("buy", 101), ("sell", 99)])
def test_a_fill_beyond_the_limit_breaks_an_invariant(side: m.Side, price: int) -> None:
    account = Account({"USD": (0, 10_000), "X": (0, 10)})
    with pytest.raises(AssertionError, match="limit"):
        account.settle(order(side, 100, 10), price, 1)


def test_a_fill_that_is_not_paid_for_breaks_an_invariant() -> None:
    with pytest.raises(AssertionError, match="paid for"):
        Account({"X": (10, 3)}).settle(order("sell", 100, 10), 100, 4)


def test_more_than_is_reserved_is_not_released() -> None:
    with pytest.raises(AssertionError, match="reserved"):
        Account({"USD": (5, 3)}).release("USD", 4)


def test_what_comes_in_pays_what_is_owed_first() -> None:
    balance = Balance(5, 3)
    balance.debit(9)
    assert balance.row() == (0, 3, 4)
    balance.credit(3)
    assert balance.row() == (0, 3, 1)
    balance.credit(3)
    assert balance.row() == (2, 3)


def test_an_account_survives_its_durable_form() -> None:
    account = Account({"USD": (5, 3), "X": (0, 1, 7)})
    assert Account(account.row()).row() == account.row()


# What an order holds


def test_a_change_on_its_way_is_held_for_beside_what_is() -> None:
    for price, quantity, held in (
        (0, 0, 500),  # only its stop changes
        (0, 3, 500),
        (0, 8, 800),
        (90, 0, 500),
        (110, 0, 550),
        (110, 4, 500),
        (200, 4, 800),
    ):
        bought = order("buy", 100, 5, ties=Ties(Change("c", price, quantity)))
        assert (bought.target(), bought.need()) == (held, 500), (price, quantity)
    assert order("sell", 100, 5, ties=Ties(Change("c", 1, 8))).target() == 8
    assert order("sell", 100, 5, ties=Ties(Change("c", 1, 3))).target() == 5


def test_more_at_a_lower_price_is_held_for_at_both_prices() -> None:
    """All five may be filled at 100 before the change to 20 at 50 comes."""
    bought = order("buy", 100, 5, ties=Ties(Change("c", 50, 20)))
    assert bought.target() == 5 * 100 + 15 * 50
    account = Account({"USD": (0, bought.target())})
    bought.held = bought.target()
    account.settle(bought, 100, 4)
    assert account.row() == {"USD": (0, 1 * 100 + 15 * 50), "X": (4, 0)}


def test_a_change_below_what_is_filled_needs_nothing_more() -> None:
    bought = order("buy", 100, 5, filled=10, ties=Ties(Change("c", 200, 9)))
    assert bought.target() == 500


def test_an_open_order_survives_its_durable_form() -> None:
    exits = tuple(m.Leg(request_id=name, price=5, conditions=m.Conditions(stop=3)) for name in ("a", "b"))
    ties = Ties(Change("c", 7, 8, 9), 10, 11, exits)  # type: ignore[arg-type]
    for one in (order("buy", 100, 5, fee_ppm=7, filled=3, held=900), order("sell", 100, 5, ties=ties)):
        stored = m.msgspec.json.decode(m.msgspec.json.encode(one.row()))
        again = OpenOrder(STOCK, *load_ties(stored))
        assert again.row() == one.row()


def test_a_row_of_an_earlier_version_holds_what_it_needs() -> None:
    old = OpenOrder(COIN, 7, "alice", "p", "C", "buy", 100, 3)
    assert (old.held, old.fee_ppm, old.filled, old.ties) == (1_500, 0, 0, None)
