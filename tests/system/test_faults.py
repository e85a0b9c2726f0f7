"""Kills and restores in the middle of a replay: nothing lost, nothing twice, and the very trades of an undisturbed run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from memory_venue import replayed
from venue import SHARDS, OpenVenue, Venue

from exchange import messages as m
from exchange import topics
from exchange.packets import decode_trades
from openbell.supervise.processes import wait_until
from replay.bars import day_ms, load
from replay.history import History
from replay.orders import paper
from replay.plan import make_plan

pytestmark = pytest.mark.stack

SYMBOLS = ("AAPLUSD", "IBMUSD")
LAST_MS = day_ms(date(2004, 12, 31))
REPLAY = [
    "replay", "--as-fast-as-possible", "--check", "--json", "--symbols", ",".join(SYMBOLS), "--to", "2004-12-31",
]  # fmt: skip
BEFORE = 20
"""Trade records that are written before each fault, so that it falls into the middle of a replay that goes on."""
AGAIN_S = 120
"""Time for a replay to go on after a fault."""


def _kill_broker(venue: Venue) -> None:
    os.kill(venue.stack.pid("kafka"), 9)


FAULTS: dict[str, Callable[[Venue], None]] = {
    "kill -9 of the TaskManager of accounts": lambda venue: venue.kill_task_manager_of("accounts"),
    "kill -9 of the TaskManager of matching": lambda venue: venue.kill_task_manager_of("matching"),
    "kill -9 of the broker": _kill_broker,
    "savepoint and restore of matching at parallelism 2": lambda venue: venue.restart("matching", 2),
    "savepoint and restore of accounts at parallelism 2": lambda venue: venue.restart("accounts", 2),
}


@pytest.fixture(scope="module")
def undisturbed() -> list[m.Trade]:
    """The trades of the same replay through the pure machines, with nothing in the way."""
    bars = load().bars
    plan = make_plan(bars, SYMBOLS, first_ms=0, last_ms=LAST_MS, history=History(), accounts=paper(SHARDS))
    return replayed(plan.days).read(topics.TRADES, decode_trades)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_replay_survives(fault: str, open_venue: OpenVenue, undisturbed: list[m.Trade]):
    venue = open_venue("replay")
    replay = venue.openbell(*REPLAY)
    print(fault)
    venue.wait_for_more(topics.TRADES, venue.count(topics.TRADES) + BEFORE, AGAIN_S)
    assert replay.poll() is None, "the fault falls into the middle of the replay"
    FAULTS[fault](venue)
    out, err = replay.communicate(timeout=300)
    assert replay.returncode == 0, err
    proof = json.loads(out)["check"]
    assert proof["equal"] == proof["bars"] == len(undisturbed) // 4
    assert wait_until(lambda: not _verified(venue)["in_flight"], 120, every=1), "the accounts never settle it all"
    by_symbol = sorted(venue.messages(topics.TRADES), key=lambda trade: trade.symbol)
    assert by_symbol == sorted(undisturbed, key=lambda trade: trade.symbol)
    print(f"{fault}: {_longest_pause_s(venue):.1f} s without a trade")


def _verified(venue: Venue) -> dict[str, Any]:
    """Verify the venue, which must be whole at any time, and return the verdict."""
    verify = venue.openbell("verify", "--json")
    out, err = verify.communicate(timeout=300)
    assert verify.returncode == 0, out + err
    verdict: dict[str, Any] = json.loads(out)
    return verdict


def _longest_pause_s(venue: Venue) -> float:
    """Return the longest time between two successive records of trades."""
    times = sorted(record.time_ms for record in venue.records(topics.TRADES))
    return max(after - before for before, after in pairwise(times)) / 1000
