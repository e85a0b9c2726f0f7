"""Withdrawals, fees and busted trades at the account, one scenario a test."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import messages as m
from tests.exchange.desk import SHARD, Desk
from tests.exchange.pit import INSTRUMENT, SYMBOL


def bust(desk: Desk, side: m.Side, quantity: int, price: int, **more: Any) -> list[str]:
    return desk.report(m.FillBusted, 1, side=side, quantity=quantity, price=price, **more)


def fees(desk: Desk, *tiers: tuple[int, int]) -> None:
    tier_list = [m.FeeTier(maker=maker, taker=taker) for maker, taker in tiers]
    assert desk.tell(m.SetFees(key=SHARD, symbol=SYMBOL, tiers=tier_list)) == []


# Withdrawals


def test_what_is_free_can_be_withdrawn() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    withdrawn = desk.apply(desk.command(m.Withdraw, "alice", asset="USD", amount=9_500, request_id="w"))
    assert [(event.available, event.reserved, event.request_id) for event in withdrawn] == [(0, 500, "w")]
    assert desk.ask(m.Withdraw, "alice", asset="USD", amount=1) == ["! alice 0 INSUFFICIENT_FUNDS"]
    assert desk.ask(m.Withdraw, "alice", asset="EUR", amount=1) == ["! alice 0 INSUFFICIENT_FUNDS"]


def test_a_withdrawal_is_carried_out_once() -> None:
    desk = Desk()
    withdraw = desk.command(m.Withdraw, "alice", asset="USD", amount=500, request_id="w")
    assert desk.tell(withdraw) == ["alice USD 9500 + 0"]
    assert desk.tell(withdraw) == ["again w 0 None"]


# Fees


def test_a_buy_reserves_the_greater_fee_and_carries_both_to_its_book() -> None:
    desk = Desk()
    fees(desk, (-100, 2_000))
    assert desk.place("buy", 5, 333) == ["alice USD 8332 + 1668", "enter 1 buy 5 @ 333 fees -100 2000"]
    assert desk.place("sell", 5, 333) == ["alice AAPL 45 + 5", "enter 2 sell 5 @ 333 fees -100 2000"]


def test_a_fill_pays_its_fee_and_frees_what_it_did_not_need() -> None:
    desk = Desk()
    fees(desk, (0, 10_000))
    desk.place("buy", 5, 100)
    assert desk.alice["USD"] == (9_495, 505)
    assert desk.fill(1, 2, 90, fee=1) == [
        "alice USD 9516 + 303",
        "alice AAPL 52 + 0",
        "= alice 1 taker 2 @ 90, 3 left, fee 1",
    ]
    assert desk.fill(1, 3, 100, fee=3)[0] == "alice USD 9516 + 0"
    desk.place("sell", 5, 100)
    assert desk.fill(2, 5, 100, fee=5)[0] == "alice USD 10011 + 0"


def test_a_maker_may_get_a_rebate() -> None:
    desk = Desk()
    fees(desk, (-10_000, 20_000))
    desk.place("buy", 5, 100)
    assert desk.fill(1, 5, 100, fee=-5, liquidity="maker")[0] == "alice USD 9505 + 0"


def test_fees_are_those_of_the_accounts_tier_and_a_missing_tier_has_the_last() -> None:
    desk = Desk()
    fees(desk, (1, 10), (2, 20))
    assert desk.place("sell", 1, 9)[-1] == "enter 1 sell 1 @ 9 fees 1 10"
    for tier, said in ((1, "fees 2 20"), (7, "fees 2 20")):
        desk.tell(m.SetLimits(key=SHARD, account="alice", limits=m.Limits(tier=tier)))
        assert desk.place("sell", 1, 9)[-1].endswith(said)
    fees(desk)
    assert desk.place("sell", 1, 9)[-1] == "enter 4 sell 1 @ 9"


def test_an_order_pays_what_it_was_admitted_under() -> None:
    desk = Desk()
    fees(desk, (0, 10_000))
    desk.place("buy", 5, 100)
    fees(desk, (0, 90_000))
    with pytest.raises(AssertionError, match="not admitted under"):
        desk.fill(1, 5, 100, fee=6)
    assert Desk().place("buy", 5, 100)[-1] == "enter 1 buy 5 @ 100"


def test_fees_go_to_an_account_of_their_own() -> None:
    desk = Desk()
    collected = {"account": m.FEES, "trade": 7, "asset": "USD"}
    assert collect(desk, amount=5, **collected) == ["@fees USD 5 + 0", "fee 5 of trade 7"]
    assert collect(desk, amount=-8, **collected) == ["@fees USD 0 + 0 owed 3", "fee -8 of trade 7"]
    assert collect(desk, amount=4, **collected) == ["@fees USD 1 + 0", "fee 4 of trade 7"]


def collect(desk: Desk, **more: Any) -> list[str]:
    desk.reported += 1
    return desk.tell(m.FeeCollected(source=SYMBOL, seq=desk.reported, time_ms=0, symbol=SYMBOL, **more))


def test_nobody_commands_the_account_of_the_fees() -> None:
    desk = Desk()
    collect(desk, account=m.FEES, trade=1, asset="USD", amount=5)
    assert desk.ask(m.Withdraw, m.FEES, asset="USD", amount=5) == ["! @fees 0 UNKNOWN_ACCOUNT"]
    assert desk.place("buy", 1, 1, account=m.FEES) == ["! @fees 0 UNKNOWN_ACCOUNT"]


def test_a_fee_to_somebody_else_breaks_an_invariant() -> None:
    with pytest.raises(AssertionError, match="does not go to alice"):
        collect(Desk(), account="alice", trade=1, asset="USD", amount=5)


# Busted trades


def test_a_buyer_gets_back_cash_and_fee_and_gives_back_the_shares() -> None:
    desk = Desk()
    fees(desk, (0, 10_000))
    desk.place("buy", 5, 100)
    desk.fill(1, 5, 100, fee=5)
    assert bust(desk, "buy", 5, 100, fee=5) == [
        "alice USD 10000 + 0",
        "alice AAPL 50 + 0",
        "x alice 1 trade 1: buy 5 @ 100, fee 5",
    ]


def test_a_seller_gets_back_the_shares_and_gives_back_what_they_brought() -> None:
    desk = Desk()
    fees(desk, (0, 10_000))
    desk.place("sell", 5, 100)
    desk.fill(1, 5, 100, fee=5)
    assert bust(desk, "sell", 5, 100, fee=5)[:2] == ["alice USD 10000 + 0", "alice AAPL 50 + 0"]


def test_what_is_no_longer_there_is_owed_and_paid_from_what_comes_in() -> None:
    desk = Desk()
    desk.place("sell", 50, 100)
    desk.fill(1, 50, 100)
    desk.ask(m.Withdraw, "alice", asset="USD", amount=14_000)
    desk.place("buy", 6, 100)
    assert bust(desk, "sell", 50, 100)[:2] == ["alice USD 0 + 600 owed 4600", "alice AAPL 50 + 0"]
    assert desk.place("buy", 1, 1) == ["! alice 0 INSUFFICIENT_FUNDS"]
    assert desk.ask(m.Withdraw, "alice", asset="USD", amount=1) == ["! alice 0 INSUFFICIENT_FUNDS"]
    assert desk.fill(2, 1, 90)[0] == "alice USD 0 + 500 owed 4590"
    assert desk.cancelled(2)[0] == "alice USD 0 + 0 owed 4090"
    desk.place("sell", 40, 100)
    assert desk.fill(3, 40, 100)[0] == "alice USD 0 + 0 owed 90"
    assert desk.ask(m.Deposit, "alice", asset="USD", amount=100) == ["alice USD 10 + 0"]


def test_an_open_order_is_not_touched_by_a_bust_of_its_fill() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    desk.fill(1, 2, 100)
    assert bust(desk, "buy", 2, 100)[:2] == ["alice USD 9700 + 300", "alice AAPL 50 + 0"]
    assert desk.fill(1, 3, 100)[0] == "alice USD 9700 + 0"


def test_a_bust_is_counted_in_the_lots_and_ticks_of_its_own_listing() -> None:
    desk = Desk()
    desk.place("buy", 5, 100)
    desk.fill(1, 5, 100)
    other = m.msgspec.structs.replace(INSTRUMENT, tick="0.05", lot="10")
    desk.tell(m.ListInstrument(key=SHARD, instrument=other, version=2))
    assert bust(desk, "buy", 5, 100, listing=1)[:2] == ["alice USD 10000 + 0", "alice AAPL 50 + 0"]


@pytest.mark.parametrize(
    "more",
    [{"listing": 9}, {"account": "bob"}, {"fee": 501}, {"fee": -501}],
)
def test_a_bust_that_cannot_be_undoes_nothing_and_halts_nothing(more: dict[str, Any]) -> None:
    desk = Desk()
    before = desk.alice
    said = desk.report(m.FillBusted, 1, **({"side": "buy", "quantity": 5, "price": 100} | more))
    assert said == [f"! {more.get('account', 'alice')} 1 INVALID_BUST"]
    assert desk.alice == before


def test_a_bust_of_another_symbol_than_the_books_breaks_an_invariant() -> None:
    desk = Desk()
    wrong: dict[str, Any] = {"source": "GOOGUSD", "symbol": "GOOGUSD", "side": "buy", "quantity": 5, "price": 100}
    with pytest.raises(AssertionError, match="a trade of GOOGUSD"):
        desk.report(m.FillBusted, 1, **wrong)
