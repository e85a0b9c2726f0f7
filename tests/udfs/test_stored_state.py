"""State that a released version has stored must load for ever. `python -m tests.udfs.test_stored_state` stores today's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from exchange.host import Host, Outcome, Record
from exchange.packets import encode
from openbell import __version__
from tests.udfs.watched import START_MS, flow, listed
from udfs.alerts import AccountRules, AlertWatch, Watchlist, decode_facts
from udfs.ranking import ranking_host
from udfs.signaller import signaller_host
from udfs.watch import watch_host

STATES = Path(__file__).parent / "states"
SYMBOL = "AAPLUSD"
HALF = 600
Entries = dict[str, str]

ALERTS = [
    a.SetAlert(account="ann", alert=name, condition=condition, channels=["inbox"], cool_down_ms=60_000)
    for name, condition in {
        "price": a.PriceCrosses(price=100.0, direction="either"),
        "volume": a.VolumeSpikes(times=3.0, span_ms=60_000),
        "rsi": a.IndicatorReaches(name="rsi(14)", direction="below", value=40.0, span_ms=60_000),
        "signal": a.SignalAppears(rule="candle"),
    }.items()
]


def market() -> list[Any]:
    """Return what is read of a market: its listing, trades, a book, bars and news."""
    chance = random.Random(4)
    found: list[Any] = [listed()]
    for number, trade in enumerate(flow(4, 2 * HALF, (300, 2_000, 9_000), 6_000), 1):
        side: m.Side = chance.choice(("buy", "sell"))
        price = 9_999 - chance.randrange(5) if side == "buy" else 10_001 + chance.randrange(5)
        delta = m.BookDelta(
            symbol=SYMBOL, seq=number, time_ms=START_MS + number * 400, side=side, price=price, quantity=chance.randrange(9)
        )  # fmt: skip
        found += [trade, delta]
        if number % 10 == 0:
            close = 50 + chance.random()
            found.append(
                a.OutsideBar(
                    source="@wire",
                    symbol=SYMBOL,
                    time_ms=START_MS + number * 100,
                    open=50.5,
                    high=52.0,
                    low=49.0,
                    close=close,
                    volume=9.0,
                )
            )
            found.append(
                a.NewsSentiment(
                    source="wire",
                    symbol=SYMBOL,
                    time_ms=START_MS + number * 900,
                    score=chance.uniform(-1, 1),
                    magnitude=1.0,
                )
            )
    return found


class Machines:
    """One machine of each kind, over each other's messages, with their stored entries."""

    def __init__(self, states: dict[str, Entries]) -> None:
        watchlist = Watchlist()
        rules = AccountRules("ann", watchlist)
        for alert in ALERTS:
            rules.apply(alert, 0)
        self.states = states
        self.hosts: dict[str, Host] = {
            "watch": watch_host(5_000),
            "signaller": signaller_host(),
            "ranking": ranking_host(),
            "alerts": Host(lambda key, entries: AlertWatch(key, watchlist, entries), decode_facts),
        }
        self.said: list[tuple[str, str, str]] = []

    def read(self, messages: Iterable[Any]) -> None:
        """Let all machines take messages in, or what others make of them."""
        for message in messages:
            told = self._tell("watch", message)
            news = [(topics.MARKET_DATA, SYMBOL, encode(message))] if isinstance(message, a.NewsSentiment) else []
            for topic, _, value in [*told, *news]:
                if topic in (topics.INDICATORS, topics.MARKET_DATA):
                    told += self._tell("signaller", value)
                if topic in (topics.SUMMARIES, topics.PROFITS):
                    self._tell("ranking", value)
            for topic, _, value in told:
                if topic in (topics.INDICATORS, topics.SUMMARIES, topics.CANDLES, topics.SIGNALS):
                    self._tell("alerts", value)

    def _tell(self, name: str, message: Any) -> list[tuple[str, str, bytes]]:
        value = message if isinstance(message, bytes) else encode(message)
        outcome: Outcome = self.hosts[name].process(
            Record("any", 0, 0, 2 * START_MS, SYMBOL, value), lambda: self.states[name]
        )
        for entry, text in outcome.changes.items():
            if text is None:
                self.states[name].pop(entry, None)
            else:
                self.states[name][entry] = text
        self.said += [(topic, key, packet.decode()) for topic, key, packet in outcome.records]
        return outcome.records


def whole() -> Machines:
    """Return machines that have read the first half of the market."""
    machines = Machines({"watch": {}, "signaller": {}, "ranking": {}, "alerts": {}})
    machines.read(market()[: 2 * HALF])
    return machines


@pytest.mark.parametrize("version", sorted(path.stem for path in STATES.glob("*.json")))
def test_the_state_of_every_version_loads_and_goes_on(version: str) -> None:
    loaded, made = Machines(json.loads((STATES / f"{version}.json").read_text())), whole()
    made.said.clear()
    rest = market()[2 * HALF :]
    loaded.read(rest)
    made.read(rest)
    assert {topic for topic, _, _ in made.said} >= {
        topics.CANDLES,
        topics.SIGNALS,
        topics.SCORES,
        topics.LEADERS,
        topics.ALERTS,
    }
    ours, theirs = ([one for one in machines.said if one[0] != topics.RANKINGS] for machines in (loaded, made))
    assert ours == theirs, "rankings are told by the wall's clock, which is not stored"


def test_there_is_a_stored_state_to_load() -> None:
    assert (STATES / f"{__version__}.json").exists()


if __name__ == "__main__":
    STATES.mkdir(exist_ok=True)
    (STATES / f"{__version__}.json").write_text(json.dumps(whole().states, indent=1) + "\n")
