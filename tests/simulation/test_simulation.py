"""Runs of the whole exchange under crashes, lost and late writes. A failing seed says how to run it alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from exchange import topics
from exchange.account import Account
from exchange.book.entry import Entry
from exchange.book.follow_up import FollowUp
from exchange.book.reports import Reports
from exchange.book.trading import Trading
from exchange.channel import Inbound, Outbound
from exchange.host import Record
from exchange.requests import Requests
from exchange.verify import verify
from replay.verify import EFFECTS_FIRST
from tests.simulation.log import PARTITIONS, SHARDS
from tests.simulation.seeds import ACTIONS, check_all, disturbed, letters, meant
from tests.simulation.world import World

SEEDS_AT_NIGHT = 50_000
SEEDS = SEEDS_AT_NIGHT if os.environ.get("OPENBELL_NIGHT") == "1" else 500
"""How many seeds are run. One hundred reach all that they are meant to reach."""
ONLY = os.environ.get("OPENBELL_SEED")
"""The one seed to run instead."""
CHUNK = 50

Runs = tuple[set[str], list[str]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Run all seeds, on all processors, and return what they reached and what is wrong."""
    seeds = range(SEEDS) if ONLY is None else range(int(ONLY), int(ONLY) + 1)
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    words: set[str] = set()
    wrong: list[str] = []
    with ProcessPoolExecutor(min(len(chunks), os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        for reached, failed in pool.map(check_all, chunks):
            words |= reached
            wrong += failed
    return words, wrong


@pytest.mark.slow
def test_every_seed_ends_whole(runs: Runs) -> None:
    _, wrong = runs
    assert not wrong, f"{len(wrong)} of {SEEDS} seeds fail:\n" + "\n".join(wrong[:10])


@pytest.mark.slow
@pytest.mark.skipif(ONLY is not None, reason="one seed does not reach everything")
def test_the_runs_reach_what_they_are_meant_to_reach(runs: Runs) -> None:
    words, _ = runs
    assert meant() - words == set()


def test_runs_have_repeats_and_dead_letters() -> None:
    worlds = [disturbed(seed) for seed in range(32)]
    assert sum(world.log.verify(quiesced=True).repeats.total() for world in worlds) > 500
    assert sum(letters(world.log) for world in worlds) > 50


@pytest.mark.slow
@pytest.mark.parametrize("job", [0, 1], ids=["accounts", "matching"])
def test_a_crash_at_any_turn_is_survived(job: int) -> None:
    undisturbed = World(1, "live", crashes=0.0)
    undisturbed.run(40)
    for turn in range(1, undisturbed.turns + 1):
        world = World(1, "live", crashes=0.0)
        world.crash_at = (turn, job)
        world.run(40)
        finding = world.log.verify(quiesced=True).finding
        assert finding is None, f"crash at turn {turn}: {finding}"


def test_a_log_cut_off_anywhere_is_whole_but_for_what_is_in_flight() -> None:
    in_flight = 0
    for seed in range(20):
        world = World(seed, "live" if seed % 2 else "replay")
        for _ in range(ACTIONS):
            world.clients.act()
            for _ in range(4):
                world.turn()
        verdict = world.log.verify(quiesced=False)
        assert verdict.finding is None, f"seed {seed}: {verdict.finding}"
        in_flight += verdict.in_flight.total()
        if verdict.in_flight:
            assert not world.log.verify(quiesced=True).ok
    assert in_flight > 100


def test_a_venue_may_go_on_while_it_is_verified() -> None:
    ahead = 0
    for seed in range(40):
        world = World(seed, "live" if seed % 2 else "replay")
        world.run(ACTIONS // 4)
        ends: dict[tuple[str, int], int] = {}
        for topic in EFFECTS_FIRST:
            ends |= {(topic, place): len(world.log.partitions[topic, place]) for place in range(PARTITIONS)}
            world.clients.act()
            for _ in range(20):
                world.turn()

        def read(topic: str, world: World = world, ends: dict[tuple[str, int], int] = ends) -> Iterator[Record]:
            return (record for record in world.log.read(topic) if record.offset < ends[topic, record.partition])

        verdict = verify(read, world.log.clock, SHARDS)
        assert verdict.finding is None, f"seed {seed}: {verdict.finding}"
        ahead += verdict.in_flight[topics.BOOK_INBOX] > 0
    assert ahead > 10


def test_recorded_flow_gives_the_same_trades_whatever_crashes() -> None:
    for seed in range(10):
        outputs = []
        for crashes in (0.0, 0.05):
            world = World(seed, "replay", crashes=crashes, traders=False)
            world.run(2 * ACTIONS)
            outputs.append(
                [world.log.messages(topic) for topic in (topics.TRADES, topics.BOOK_DELTAS, topics.BOOK_ORDERS)]
            )
        assert outputs[0] == outputs[1], f"seed {seed}"
        assert outputs[0][0], "there were trades"


def test_a_run_is_a_function_of_its_seed() -> None:
    assert disturbed(7).log.partitions == disturbed(7).log.partitions


# The simulator has teeth: with a rule of delivery broken, it finds a run that goes wrong.


def admit_everything(self: Inbound, source: str, seq: int, _: int) -> bool:
    self.counts[source] = seq
    return True


def admit_with_holes(self: Inbound, source: str, seq: int, _: int) -> bool:
    if seq <= self.counts.get(source, 0):
        return False
    self.counts[source] = seq
    return True


def count_without_memory(self: Outbound, _: dict[str, int] | None = None) -> None:
    self.counts = {}


def find_nothing(*_: object) -> None:
    return None


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        (Inbound, "admit", admit_everything),
        (Inbound, "admit", admit_with_holes),
        (Outbound, "__init__", count_without_memory),
        (Requests, "find", find_nothing),
    ],
)
def test_a_broken_rule_is_found_out(
    owner: type, name: str, broken: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = []
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, broken)
        for seed in range(6):
            world = World(seed, "live", crashes=0.06)
            world.run(ACTIONS)
            worlds.append(world)
    assert not all(world.log.verify(quiesced=True).ok for world in worlds)


def test_a_checkpoint_that_does_not_wait_for_the_sink_is_found_out() -> None:
    verdicts = []
    for seed in range(6):
        world = World(seed, "live", crashes=0.06)
        for job in world.jobs:
            job.flush_before_checkpoint = False
        world.run(ACTIONS)
        verdicts.append(world.log.verify(quiesced=True))
    assert not all(verdict.ok for verdict in verdicts)


# And with a rule of the market broken, the audits find it, though `verify` runs the same broken machines.

settle, run, reserve = Account.settle, FollowUp.run, Account.reserve


def settle_generously(self: Account, order: Any, price: int, quantity: int, fee: int = 0) -> None:
    settle(self, order, price, quantity, fee)
    self.balance(order.listed.quote).available += 1


def settle_without_the_fee(self: Account, order: Any, price: int, quantity: int, fee: int = 0) -> None:
    del fee
    settle(self, order, price, quantity)


def forget_to_release(*_: object) -> None:
    """Keep what should be free."""


def forget_the_other_leg(*_: object) -> None:
    """Leave it on the book."""


def forget_the_fee_account(*_: object) -> None:
    """Let a fee go nowhere."""


def trigger_by_quotes(self: FollowUp) -> None:
    for ladder in (self.floor.orders.bids, self.floor.orders.asks):
        best = ladder.best()
        if best is not None:
            self.floor.trading.path.append(best.price)
    run(self)


def take_though_post_only(_: object, side: object, price: int, *more: object) -> int:
    del side, more
    return price


def reserve_half(self: Account, asset: str, amount: int) -> bool:
    return reserve(self, asset, amount // 2)


@pytest.mark.parametrize(
    ("owner", "name", "broken", "reason"),
    [
        (Account, "settle", settle_generously, "deposits and fills make"),
        (Account, "settle", settle_without_the_fee, "deposits and fills make"),
        (Account, "release", forget_to_release, "reserved, but its open orders need"),
        (Account, "reserve", reserve_half, "reserved, but its open orders need"),
        (Trading, "cut", forget_the_other_leg, "before its other leg"),
        (Reports, "fee", forget_the_fee_account, "what must follow"),
        (FollowUp, "run", trigger_by_quotes, "could trigger order"),
        (Entry, "slid", take_though_post_only, "is post-only, and takes"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_market_rule_is_found_by_the_audits(
    owner: type, name: str, broken: Callable[..., object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken)
    reasons = []
    for seed in range(12):
        finding = disturbed(seed).log.verify(quiesced=True).finding
        reasons.append(finding.reason if finding is not None else "")
    assert any(reason in found for found in reasons), reasons
