"""A floor whose market is analysed: the machines of the `indicators` and `signals` jobs read its log, and what they say is projected."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count

from exchange import topics
from exchange.analysis import MARKET_KEY
from exchange.host import Host, Load, Outcome, Record
from exchange.messages import AdvanceClock
from tests.gateway.adapters import Floor
from tests.gateway.projected import NOW_MS, SHARDS
from udfs.ranking import ranking_host
from udfs.signaller import signaller_host
from udfs.watch import watch_host

LATENESS_MS = 5_000
WATCHED = (topics.BOOK_SNAPSHOTS, topics.BOOK_DELTAS, topics.TRADES)


class WholeMarket(Host):
    """Hands what is said of any symbol to the one machine that ranks them all, and lets it say at once what it makes of it."""

    def __init__(self) -> None:
        self._host = ranking_host()
        self._times_ms = count(NOW_MS, 1_000)

    def process(self, record: Record, load: Load) -> Outcome:
        at_ms = next(self._times_ms)
        outcome = self._host.process(replace(record, key=MARKET_KEY, time_ms=at_ms), load)
        outcome.records += self._host.closing(MARKET_KEY, load, at_ms, is_quiet=True).records
        return outcome


class Analysed(Floor):
    """A floor with machines that watch it."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, name)
        self.time_ms = NOW_MS
        venue = self.projected.venue
        before = [
            (topic, key, value)
            for topic in WATCHED
            for key, value in zip(venue.keys[topic], venue.written[topic], strict=True)
        ]
        venue.hosts |= dict.fromkeys(WATCHED, watch_host(LATENESS_MS, pace_ms=0))
        venue.hosts[topics.INDICATORS] = signaller_host()
        venue.hosts |= dict.fromkeys((topics.SUMMARIES, topics.PROFITS), WholeMarket())
        for topic, key, value in before:
            told = venue.hosts[topic].process(Record(topic, 0, 0, NOW_MS, key, value), dict)
            for each in told.records:
                venue.written[each[0]].append(each[2])

    def stroll(
        self, seed: int, trades: int, symbol: str = "AAPLUSD", price: int = 10_000, step_ms: int = 20_000
    ) -> None:
        """Let the maker trade with itself at prices (in ticks) that wander."""
        dice = random.Random(seed)
        for _ in range(trades):
            self.time_ms += dice.randint(step_ms // 2, step_ms * 3 // 2)
            for shard in map(str, range(SHARDS)):
                clock = AdvanceClock(key=shard, time_ms=self.time_ms)
                self.projected.venue.write(topics.ACCOUNT_INBOX, shard, [clock])
            price = min(10_090, max(9_910, price + dice.randint(-15, 15)))
            quantity = dice.randint(1, 40)
            self.projected.order("maker", "sell", price, quantity, symbol)
            self.projected.order("maker", "buy", price, quantity, symbol)
        self.projected.project(publish=True)
