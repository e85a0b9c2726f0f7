"""Long seeded runs of what `test_accounts_machine` does in short ones: states that only many steps reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random

import pytest

from tests.exchange.test_accounts_machine import NAMES, AccountsMachine

STEPS = 300
SEEDS = 24


def actions(run: AccountsMachine, dice: Random) -> list[tuple[float, Callable[[], None]]]:
    """Return what may happen next, and how often it does."""

    def name() -> str:
        return dice.choice(NAMES)

    def side() -> str:
        return dice.choice(("buy", "sell"))

    def number(most: int, least: int = 1) -> int:
        return dice.randint(least, most)

    def limits() -> dict[str, int]:
        choices = {"order_lots": (0, 8), "open_orders": (0, 4), "orders_per_s": (0, 3), "position_lots": (0, 55)}
        return {limit: dice.choice(values) for limit, values in choices.items()} | {"tier": dice.randint(0, 2)}

    def of_book(act: Callable[[], None]) -> None:
        if run.book.orders:
            act()

    return [
        (6, lambda: run.place(name(), side(), number(120), number(12), dice.random() < 0.5)),
        (4, lambda: run.place_oco(name(), side(), number(120), number(120), number(12))),
        (4, lambda: run.place_bracket(name(), side(), number(120), number(120), number(120), number(12))),
        (6, lambda: run.amend(name(), number(10**6), number(120, 0), number(15, 0))),
        (5, lambda: run.replace(name(), number(10**6), side(), number(120), number(12))),
        (2, lambda: run.cancel(name(), number(10**6))),
        (0.3, lambda: run.cancel_all(name())),
        (0.3, lambda: run.set_dead_man(name(), number(3_000, 0))),
        (2, lambda: run.money(name(), dice.choice(("USD", "AAPL")), number(3_000), dice.random() < 0.5)),
        (1, lambda: run.repeat(number(10**6)) if run.sent else None),
        (2, lambda: run.tick(number(1_500))),
        (0.3, lambda: run.set_kill_switch(name(), dice.random() < 0.3)),
        (0.5, lambda: run.set_limits(name(), **limits())),
        (0.5, lambda: run.set_fees(number(30_000, -30_000), number(60_000, 0))),
        (0.05, lambda: run.list_or_delist(dice.random() < 0.8)),
        (8, lambda: run.reach_book(number(6))),
        (8, lambda: run.report(number(8))),
        (6, lambda: of_book(lambda: run.trade(number(10**6), number(12), number(20, 0), dice.random() < 0.5))),
        (2, lambda: of_book(lambda: run.end(number(10**6), dice.choice(("expire", "cancel", "shrink"))))),
        (1, lambda: run.bust(number(10**6)) if run.book.fills else None),
    ]


@cache
def played(seed: int) -> AccountsMachine:
    """Play one run, checking after each step what always holds, and at its end that both sides agree."""
    print("seed", seed)
    run: AccountsMachine = AccountsMachine.__new__(AccountsMachine)
    run.start(seed)
    dice = Random(seed)
    weights, acts = zip(*actions(run, dice), strict=True)
    for _ in range(STEPS):
        dice.choices(acts, weights)[0]()
        run.balances_cover_the_orders()
    run.teardown()
    return run


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_long_run_keeps_the_money_together(seed: int) -> None:
    played(seed)


def test_the_runs_reach_what_they_are_meant_to_reach() -> None:
    said: Counter[str] = Counter()
    for seed in range(SEEDS):
        said.update(played(seed).said)
    assert set(said) >= REACHED


REACHED = {
    "EnterOrder", "EnterOco", "SwapOrder", "ReviseOrder", "PullOrder REQUESTED", "PullOrder DEAD_MAN", "PullOrder KILL_SWITCH",
    "OrderAmended", "OrderFilled", "OrderExpired", "OrderCancelled REPLACED", "OrderCancelled OTHER_LEG", "FillBusted", "FeeCollected",
    "OrderRejected ACCOUNT_OFF", "OrderRejected INSUFFICIENT_FUNDS", "OrderRejected OPEN_ORDERS_LIMIT", "OrderRejected TOO_LATE",
    "OrderRejected ORDER_SIZE_LIMIT", "OrderRejected POSITION_LIMIT", "OrderRejected RATE_LIMIT", "RequestRejected TOO_LATE",
    "RequestRejected AMENDMENT_PENDING", "RequestRejected BELOW_FILLED", "RequestRejected INVALID_AMENDMENT", "RequestDone",
    "RequestRepeated", "BalanceChanged owed",
}  # fmt: skip
