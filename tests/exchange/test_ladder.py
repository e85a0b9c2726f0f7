"""Levels and the orders in them."""

from __future__ import annotations

import random

import pytest

from exchange.book.ladder import Ladder, Order, Reach


def order(number: int, price: int, leaves: int = 1) -> Order:
    return Order(number, number, "a", "buy", price, leaves, 0)


def queue(ladder: Ladder, price: int) -> list[int]:
    """Return the numbers of a level's orders in their order, read both ways."""
    level = ladder.levels[price * ladder.sign]
    forward, backward = [], []
    at = level.head
    while at is not None:
        forward.append(at.number)
        at = at.next
    at = level.tail
    while at is not None:
        backward.append(at.number)
        at = at.previous
    assert forward == backward[::-1]
    return forward


@pytest.mark.parametrize(("sign", "best"), [(1, 103), (-1, 101)])
def test_the_best_price_is_the_highest_bid_and_the_lowest_ask(sign: int, best: int) -> None:
    ladder = Ladder(sign)
    assert ladder.best() is None
    for number, price in enumerate((102, 101, 103)):
        ladder.add(order(number, price))
    level = ladder.best()
    assert level is not None
    assert level.price == best


@pytest.mark.parametrize("leaving", [1, 2, 3])
def test_an_order_leaves_from_anywhere_and_the_rest_keep_their_turn(leaving: int) -> None:
    ladder = Ladder(1)
    orders = [order(number, 100, leaves=number) for number in (1, 2, 3)]
    for resting in orders:
        ladder.add(resting)
    level = ladder.remove(orders[leaving - 1])
    assert queue(ladder, 100) == [number for number in (1, 2, 3) if number != leaving]
    assert level.total == 6 - leaving


@pytest.mark.parametrize("sign", [1, -1])
def test_levels_stay_sorted_whatever_comes_and_goes(sign: int) -> None:
    dice = random.Random(sign)
    ladder = Ladder(sign)
    resting: list[Order] = []
    for number in range(3_000):
        if not resting or dice.random() < 0.52:
            resting.append(order(number, dice.randint(90, 110), dice.randint(1, 9)))
            ladder.add(resting[-1])
        else:
            ladder.remove(resting.pop(dice.randrange(len(resting))))
        prices = {item.price for item in resting}
        assert ladder.ranks == sorted(price * sign for price in prices)
        assert set(ladder.levels) == set(ladder.ranks)
    for price in {item.price for item in resting}:
        assert queue(ladder, price) == sorted(item.number for item in resting if item.price == price)
        assert ladder.levels[price * sign].total == sum(item.leaves for item in resting if item.price == price)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_reach_says_of_any_price_and_size_whether_that_much_rests_there(sign: int) -> None:
    seed = 7
    dice, ladder = random.Random(seed), Ladder(sign)
    for number in range(1, 60):
        ladder.add(order(number, dice.randint(1, 40), dice.randint(1, 9)))
    reach = Reach(ladder)
    for _ in range(500):
        price, lots = dice.randint(1, 41), dice.randint(1, 320)
        there = sum(total for at, total in ladder.totals() if at * sign >= price * sign)
        assert reach.holds(lots, price * sign) == (there >= lots), f"seed {seed}: {lots} at {price}"
