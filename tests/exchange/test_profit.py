"""Realised profit, worked out by hand, and what must hold of both ways to count it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.profit import Deal, average_cost, first_in_first_out

deals = st.lists(
    st.builds(
        Deal,
        side=st.sampled_from(("buy", "sell")),
        units=st.integers(1, 50),
        cash=st.integers(0, 10_000),
        fee=st.integers(-50, 50),
    ).filter(lambda deal: abs(deal.fee) <= deal.cash),
    max_size=20,
)


def bought(units: int, cash: int, fee: int = 0) -> Deal:
    return Deal("buy", units, cash, fee)


def sold(units: int, cash: int, fee: int = 0) -> Deal:
    return Deal("sell", units, cash, fee)


def test_nothing_is_realised_before_a_sale() -> None:
    held = [bought(10, 1_000), bought(5, 900)]
    assert (average_cost(held), first_in_first_out(held)) == (0, 0)
    assert (average_cost([]), first_in_first_out([])) == (0, 0)


def test_average_cost_is_that_of_all_that_is_held_and_fifo_that_of_the_oldest() -> None:
    """20 held for 2,200, so 110 each: 5 sold for 600 make 50. The oldest 5 cost 100 each: they make 100."""
    flow = [bought(10, 1_000), bought(10, 1_200), sold(5, 600)]
    assert (average_cost(flow), first_in_first_out(flow)) == (50, 100)


def test_fifo_goes_over_from_one_purchase_to_the_next() -> None:
    """15 sold for 1,800: ten at 100 and five at 120 cost 1,600."""
    flow = [bought(10, 1_000), bought(10, 1_200), sold(15, 1_800)]
    assert (average_cost(flow), first_in_first_out(flow)) == (1_800 - 1_650, 200)


def test_a_sale_below_cost_is_a_loss() -> None:
    flow = [bought(10, 1_000), sold(10, 700)]
    assert (average_cost(flow), first_in_first_out(flow)) == (-300, -300)


def test_fees_are_a_part_of_the_cost_and_of_what_a_sale_brings() -> None:
    """1,010 paid, 1,188 got."""
    flow = [bought(10, 1_000, 10), sold(10, 1_200, 12)]
    assert (average_cost(flow), first_in_first_out(flow)) == (178, 178)
    rebated = [bought(10, 1_000, -5), sold(10, 1_200, -6)]
    assert (average_cost(rebated), first_in_first_out(rebated)) == (211, 211)


def test_the_cost_of_a_part_is_rounded_down_and_the_rest_stays_for_the_rest() -> None:
    """3 for 100: the first costs 33, the second 33, the last 34."""
    flow = [bought(3, 100)]
    for profit in (17, 34, 50):
        flow.append(sold(1, 50))
        assert (average_cost(flow), first_in_first_out(flow)) == (profit, profit)


def test_what_was_not_bought_here_makes_no_profit() -> None:
    """Of 8 sold for 801, 5 were bought here: they brought floor(801 * 5 / 8) = 500."""
    flow = [bought(5, 300), sold(8, 801)]
    assert (average_cost(flow), first_in_first_out(flow)) == (200, 200)
    assert (average_cost([sold(8, 801)]), first_in_first_out([sold(8, 801)])) == (0, 0)


def test_what_is_bought_after_a_sale_of_what_was_not_bought_here_counts_anew() -> None:
    flow = [sold(8, 800), bought(4, 200), sold(4, 300)]
    assert (average_cost(flow), first_in_first_out(flow)) == (100, 100)


@given(deals)
def test_both_ways_agree_once_all_that_was_bought_is_sold(flow: list[Deal]) -> None:
    closed = [*flow, sold(10**6, 10**9)]
    assert average_cost(closed) == first_in_first_out(closed)


@given(deals)
def test_profit_is_what_sales_brought_less_what_they_cost_when_nothing_else_was_sold(flow: list[Deal]) -> None:
    buys = [deal for deal in flow if deal.side == "buy"]
    units, paid = sum(deal.units for deal in buys), sum(deal.money for deal in buys)
    closed = [*buys, sold(units, 12_345)] if units else []
    due = 12_345 - paid if units else 0
    assert (average_cost(closed), first_in_first_out(closed)) == (due, due)


@given(deals)
def test_neither_way_makes_money(flow: list[Deal]) -> None:
    """A profit is never more than what sales brought, nor a loss more than what buys cost."""
    for profit in (average_cost(flow), first_in_first_out(flow)):
        assert profit <= sum(deal.money for deal in flow if deal.side == "sell")
        assert profit >= -sum(deal.money for deal in flow if deal.side == "buy")
