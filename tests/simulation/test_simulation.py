"""Runs of the whole exchange under crashes, lost and late writes. A failing seed says how to run it alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from exchange import topics
from exchange.account import Account, OpenOrder
from exchange.channel import Inbound, Outbound
from exchange.host import Record
from exchange.instruments import Instrument
from exchange.requests import Requests
from exchange.verify import verify
from replay.verify import EFFECTS_FIRST
from tests.simulation.world import PARTITIONS, SHARDS, World

SEEDS = 500
CHUNK = 50
ACTIONS = 120


def disturbed(seed: int) -> World:
    """Run the world of a seed to its end."""
    world = World(seed, "live" if seed % 2 else "replay", crashes=(0.0, 0.01, 0.03, 0.06)[seed // 2 % 4])
    world.run(ACTIONS)
    return world


def check(seed: int) -> None:
    """Run one seed and fail with the command that runs it again."""
    again = f"to run it alone: OPENBELL_SEED={seed} make test ARGS='tests/simulation -k seed'"
    try:
        verdict = disturbed(seed).log.verify(quiesced=True)
    except Exception as error:
        raise AssertionError(f"seed {seed} failed; {again}") from error
    assert verdict.finding is None, f"seed {seed}: {verdict.finding}; {again}"
    assert not verdict.halted, f"seed {seed} halts {verdict.halted}; {again}"


def seeds() -> list[range]:
    """Return the seeds to run, in chunks: all, or the one that OPENBELL_SEED names."""
    given = os.environ.get("OPENBELL_SEED")
    if given is not None:
        return [range(int(given), int(given) + 1)]
    return [range(start, start + CHUNK) for start in range(0, SEEDS, CHUNK)]


@pytest.mark.slow
@pytest.mark.parametrize("chunk", seeds(), ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_every_seed_ends_whole(chunk: range) -> None:
    for seed in chunk:
        check(seed)


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
            world.run(ACTIONS)
            outputs.append([world.log.messages(topic) for topic in (topics.TRADES, topics.BOOK_DELTAS)])
        assert outputs[0] == outputs[1], f"seed {seed}"
        assert outputs[0][0], "there were trades"


def test_a_run_is_a_function_of_its_seed() -> None:
    assert disturbed(7).log.partitions == disturbed(7).log.partitions


def test_the_runs_reach_what_they_are_meant_to_reach() -> None:
    reached: set[str] = set()
    repeats = letters = 0
    for seed in range(24):
        world = disturbed(seed)
        repeats += world.log.verify(quiesced=True).repeats.total()
        letters += sum(1 for _ in world.log.read(topics.DEAD_LETTERS))
        for topic in (topics.ORDER_REPORTS, topics.ACCOUNT_UPDATES):
            for values in world.log.messages(topic).values():
                for value in values:
                    reached |= {word for word in _WORDS if f'"{word}"'.encode() in value}
    assert reached == _WORDS
    assert repeats > 500
    assert letters > 50


_WORDS = {
    "OrderAccepted", "OrderFilled", "OrderCancelled", "OrderExpired", "OrderRejected", "RequestRejected", "RequestRepeated",
    "AccountOpened", "BalanceChanged", "INSUFFICIENT_FUNDS", "UNKNOWN_SYMBOL", "UNKNOWN_ORDER", "TOO_LATE",
    "REQUESTED", "IOC_REMAINDER", "FOK_UNFILLED", "MARKET_REMAINDER", "EXPIRED",
}  # fmt: skip


# The simulator has teeth: with a rule broken, it finds a run that goes wrong.


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


def test_money_made_by_the_machine_itself_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = Account.settle

    def generous(self: Account, order: OpenOrder, instrument: Instrument, price: int, quantity: int) -> None:
        settle(self, order, instrument, price, quantity)
        self.balance(instrument.quote).available += 1

    monkeypatch.setattr(Account, "settle", generous)
    world = disturbed(0)
    finding = world.log.verify(quiesced=True).finding
    assert finding is not None
    assert "deposits and fills make" in finding.reason
