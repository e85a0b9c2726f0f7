"""Trailing stops follow runs of prices in one go, and end where following each price would have brought them."""

from __future__ import annotations

from random import Random

import pytest

from exchange.book.ladder import Order, Special
from exchange.book.triggers import Triggers, is_met, trail
from exchange.messages import PRICE_MAX, Conditions

SEEDS = 300
Named = dict[int, Order]


def trailing(dice: Random, number: int) -> Order:
    stop = dice.choice((0, dice.randint(1, 12), PRICE_MAX - dice.randint(0, 5)))
    distance = dice.choice((1, 2, 5, PRICE_MAX))
    special = Special(kind="trailing-stop", conditions=Conditions(trail=distance), stop=stop)
    return Order(number, number, "alice", dice.choice(("buy", "sell")), 1, 1, special=special)


def one_by_one(orders: Named, price: int) -> list[int]:
    """Compare a trade with each order, and return the numbers of those that it triggers."""
    met = sorted(number for number, order in orders.items() if is_met(order, price))
    for number, order in list(orders.items()):
        if number in met:
            del orders[number]
        else:
            trail(order, price)
    return met


def stops(orders: Named) -> dict[int, int]:
    return {number: order.special.stop for number, order in orders.items() if order.special is not None}


@pytest.mark.parametrize(("low", "high"), [(1, 12), (PRICE_MAX - 8, PRICE_MAX)], ids=["low prices", "high prices"])
def test_trailing_stops_end_where_each_price_would_have_brought_them(low: int, high: int) -> None:
    for seed in range(SEEDS):
        dice, triggers, plain = Random(seed), Triggers(), Named()
        for command in range(12):
            for more in range(dice.choice((0, 1, 1, 4))):
                number = 10 * command + more + 1
                twins = [trailing(Random(f"{seed} {number}"), number) for _ in "ab"]
                triggers.add(twins[0])
                plain[number] = twins[1]
            price = dice.randint(low, high)
            for _ in range(dice.randint(1, 6)):
                price = min(high, max(low, price + dice.choice((0, 1, 1, 1, -1, -1, -1, 3, -3))))
                fired, _moved = triggers.passed(price)
                assert [order.number for order in fired] == one_by_one(plain, price), f"seed {seed}"
            triggers.follow()
            assert stops(triggers.trailing) == stops(plain), f"seed {seed}"
