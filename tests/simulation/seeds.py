"""Runs of whole venues by their seeds: `python -m tests.simulation 123 124` runs two and says what is wrong with them."""

from __future__ import annotations

import gc
import re
from typing import Any, Final, get_args

from exchange import messages as m
from exchange import topics
from exchange.instruments import Rule
from tests.simulation.log import Log
from tests.simulation.views import views_of
from tests.simulation.world import World

ACTIONS: Final = 40
"""How often clients act in a run."""
SHORT_OF: Final = {"BOOK_FULL", "REQUESTS_FULL", "HALTED", "INVALID_BUST"}
"""What no short run can reach: a thousand orders that wait, a million requests; and what would be a fault: a machine that halts, a bust of
what was not traded."""
DEFAULTS: Final = {"limit", "GTC", "none", "price-time"}
"""Words that are left out of messages."""

_WORD = re.compile(
    rb'"(?:type|reason|detail|phase|kind|time_in_force|peg|post_only|self_trade|liquidity|matching)":"([A-Za-z_-]+)"'
)
_CANCELLED = re.compile(rb'"type":"OrderCancelled"[^{}]*?"reason":"([A-Z_]+)"')
_SPECIAL: Final = {
    "an auction trades": b'"auction":true',
    "something is owed": b'"owed":',
    "a fee is paid": b'"FeeCollected"',
    "a rebate is given": b'"fee":-',
    "an iceberg": b'"display":',
    "an order to be filled whole": b'"all_or_none":true',
}


def disturbed(seed: int) -> World:
    """Run the world of a seed to its end."""
    world = World(seed, "live" if seed % 2 else "replay", crashes=(0.0, 0.01, 0.03, 0.06)[seed // 2 % 4])
    world.run(ACTIONS)
    return world


def check(seed: int) -> set[str]:
    """Run one seed and return what it reached, or fail with the command that runs it again."""
    again = f"to run it alone: OPENBELL_SEED={seed} make test ARGS='tests/simulation -k seed'"
    try:
        world = disturbed(seed)
        verdict = world.log.verify(quiesced=True)
        views, whole = world.projector.contents(), views_of(world.log)
    except Exception as error:
        raise AssertionError(f"seed {seed} failed: {type(error).__name__}: {error}; {again}") from error
    assert verdict.finding is None, f"seed {seed}: {verdict.finding}; {again}"
    assert not verdict.halted, f"seed {seed} halts {verdict.halted}; {again}"
    assert not verdict.dead_letters["BROKEN_INVARIANT"], f"seed {seed} breaks an invariant; {again}"
    different = sorted(name for name in {*views, *whole} if views.get(name) != whole.get(name))
    assert not different, f"seed {seed}: {different} are not what the whole log makes them; {again}"
    return reached(world.log)


def check_all(seeds: range) -> tuple[set[str], list[str]]:
    """Run seeds and return what they reached, and what is wrong with those that fail."""
    gc.disable()  # nothing here goes round in circles but a world, which is gone with its seed
    words: set[str] = set()
    wrong = []
    for seed in seeds:
        try:
            words |= check(seed)
        except AssertionError as error:
            wrong.append(str(error))
        if seed % 10 == 0:
            gc.collect()
    return words, wrong


def meant() -> set[str]:
    """Return all that runs are meant to reach: every message of a venue's topics, and every word of its closed lists."""
    carried: tuple[Any, ...] = (m.AccountsInput, m.BookCommand, m.OrderReport, m.AccountUpdate, m.BookEvent)
    words = {kind.__name__ for kinds in carried for kind in get_args(kinds)} | {"Trade", "OrderDelta", "BookSnapshot"}
    lists: tuple[Any, ...] = (
        m.RejectReason, m.Phase, m.Kind, m.TimeInForce, m.Peg, m.PostOnly, m.SelfTrade, m.Liquidity, Rule
    )  # fmt: skip
    words |= {word for closed in lists for word in get_args(closed)}
    words |= {f"cancelled {reason}" for reason in get_args(m.CancelReason)} | set(_SPECIAL)
    return words - SHORT_OF - DEFAULTS


def reached(log: Log) -> set[str]:
    """Return the messages, reasons, phases and terms that stand in a log."""
    text = b"\n".join(record.value for partition in log.partitions.values() for record in partition)
    words = {word.decode() for word in _WORD.findall(text)}
    words |= {f"cancelled {word.decode()}" for word in _CANCELLED.findall(text)}
    return words | {name for name, mark in _SPECIAL.items() if mark in text}


def letters(log: Log) -> int:
    """Return how many dead letters there are."""
    return sum(1 for _ in log.read(topics.DEAD_LETTERS))
