"""The simulated venue shows what a venue of many processes does: same machines, same views, whether Redis is a server or in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis_server

from exchange.host import Record
from exchange.messages import AdvanceClock
from gateway.projecting.projection import Projection
from gateway.projecting.store import Store, new_generation
from gateway.sim.clocks import VirtualClock
from gateway.sim.venue import SimVenue
from openbell.sim.analysis import analysis_stations
from tests.gateway.projected import AAPL, COIN, NOW_MS, SHARDS, Projected


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


class Simulated(Projected):
    """Plays the scenarios of the gateway's tests at a simulated venue; keeps what its log said."""

    def __init__(self, name: str, kind: Any = "replay", *, analysed: bool = False) -> None:
        self.name = name
        self.clock = VirtualClock(NOW_MS)
        stations = analysis_stations(kind, paced=False) if analysed else []
        self.simulated = SimVenue(name, self.clock, kind, stations, shards=SHARDS)
        self.records: list[Record] = []
        self.values: dict[str, list[bytes]] = defaultdict(list)
        add = self.simulated.projector.add

        def keep(records: list[Record]) -> None:
            self.records += records
            for record in records:
                self.values[record.topic.partition(".")[2]].append(record.value)
            add(records)

        self.simulated.projector.add = keep  # type: ignore[method-assign, assignment]
        self.venue: Any = SimpleNamespace(write=self._write, read=self._read)
        self.busted = set()
        self._requests = 0

    def _write(self, topic: str, key: str, messages: list[Any]) -> None:
        self.simulated.write(topic, key, messages)
        self.simulated.show()

    def _read(self, topic: str, decode: Any) -> list[Any]:
        return [message for value in self.values[topic] for message in decode(value)]

    def shown(self) -> dict[str, Any]:
        projector = self.simulated.projector
        return contents(projector._store, projector._generation)


def contents(store: Store, generation: str) -> dict[str, Any]:
    found: dict[str, Any] = Projected.contents(SimpleNamespace(store=store, generation=generation))  # type: ignore[arg-type]
    return found


def begin(venue: Projected) -> None:
    venue.list(AAPL, COIN)
    for account in ("ann", "bob", "cy"):
        venue.fund(account, USD=10**12, AAPL=10**6, COIN=10**9)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_kind_of_command_leaves_the_same_views_as_over_a_real_redis(redis_url: str, seed: int) -> None:
    print(f"seed {seed}")
    real, simulated = Projected(redis_url, f"same{seed}"), Simulated(f"same{seed}")
    for venue in (real, simulated):
        begin(venue)
        venue.trade_in_every_way(seed, 400)
    real.project()
    expected, found = (_without_candles(each) for each in (real.contents(), simulated.shown()))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == value, name
    assert len(simulated.values["trades"]) > 20


def _without_candles(found: dict[str, Any]) -> dict[str, Any]:
    """Leave away what only a venue with analysis has."""
    return {name: value for name, value in found.items() if not name.startswith("candles") and name != "seen"}


def test_candles_indicators_and_signals_are_the_same_over_a_real_redis(redis_url: str) -> None:
    simulated = Simulated("analysed", "live", analysed=True)
    begin(simulated)
    for step in range(60):
        price = 1_000 + step * 7 % 13
        simulated.order("ann", "sell", price, 5)
        simulated.order("bob", "buy", price, 3)
        simulated.simulated.advance(20_000)
    store, generation, projection = Store(redis_url, "analysed"), new_generation(), Projection("analysed")
    for number, record in enumerate(simulated.records, start=1):
        projection.add(record)
        store.apply(generation, number, projection.changes(store.keys.of(generation)), publish=False)
    expected, found = contents(store, generation), simulated.shown()
    assert found == expected
    names = {name.partition(":")[0] for name in found}
    print(sorted(names))
    assert len([name for name in found if "candles" in name]) >= 6
    assert any("indicators" in name for name in names)


def test_a_replays_time_is_the_datas_own() -> None:
    simulated = Simulated("clock")
    begin(simulated)
    simulated.order("ann", "buy", 900, 5, time_in_force="GTD", expires_ms=NOW_MS + 1_000)
    simulated.simulated.advance(60_000)
    assert len(_open(simulated)) == 1
    for shard in map(str, range(SHARDS)):
        simulated.venue.write("account-inbox", shard, [AdvanceClock(key=shard, time_ms=NOW_MS + 2_000)])
    simulated.order("bob", "buy", 901, 1)
    assert _open(simulated).keys() == {"bob"}


def _open(simulated: Simulated) -> dict[str, Any]:
    prefix = "open:"
    return {name.removeprefix(prefix): value for name, value in simulated.shown().items() if name.startswith(prefix)}
