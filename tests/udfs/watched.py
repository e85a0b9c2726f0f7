"""Messages for the machine of the `indicators` job, and runs of it by its host alone."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from exchange import analysis as a
from exchange import messages as m
from exchange import packets, topics
from exchange.host import Record
from exchange.instruments import Instrument
from udfs.watch import watch_host

LATENESS_MS = 5_000
DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS + 13 * 3_600_000
"""An afternoon."""
STEPS_MS = (0, 0, 40, 300, 900, 2_000, 11_000, 70_000, 400_000)
"""How much later one trade is than the one before, in a flow that lasts hours."""
JUMPS_MS = (*STEPS_MS, 3_600_000, 30_000_000, DAY_MS, 7 * DAY_MS)

DECODERS: dict[str, Callable[[bytes], list[Any]]] = {
    topics.CANDLES: packets.decode_candles,
    topics.INDICATORS: packets.decode_indicators,
    topics.AVERAGES: packets.decode_averages,
    topics.PROFITS: packets.decode_profits,
    topics.SUMMARIES: packets.decode_summaries,
    topics.LATE_DATA: packets.decode_late_data,
    topics.DEAD_LETTERS: packets.decode_dead_letters,
}


class Run:
    """A host that is fed records, and all that it said. With `restoring`, it loses its working forms after every record."""

    def __init__(self, *, lateness_ms: int = LATENESS_MS, restoring: bool = False, pace_ms: int = 0) -> None:
        self.host = watch_host(lateness_ms, pace_ms=pace_ms)
        self.restoring = restoring
        self.stored: dict[str, dict[str, str]] = defaultdict(dict)
        self.told: list[Any] = []
        self.letters: list[m.DeadLetter] = []
        self.offset = 0

    def tell(self, topic: str, sent: Any, *, at_ms: int = 2 * START_MS, key: str | None = None) -> list[Any]:
        """Send a record (a message, several, or raw bytes) that the broker appended at `at_ms`; return what was told, dead letters as (reason, detail)."""
        if not isinstance(sent, bytes):
            first = sent[0] if isinstance(sent, list) else sent
            key = key or (first.key if isinstance(first, m.Resume) else first.symbol)
            sent = packets.encode(sent)
        assert key
        record = Record(f"test.{topic}", 0, self.offset, at_ms, key, sent)
        self.offset += 1
        outcome = self.host.process(record, lambda: self.stored[key])
        for name, text in outcome.changes.items():
            if text is None:
                self.stored[key].pop(name, None)
            else:
                self.stored[key][name] = text
        if self.restoring:
            self.host.close()
        return self._hear(outcome.records)

    def closing(self, symbol: str, now_ms: int, *, is_quiet: bool = True) -> tuple[list[Any], int | None]:
        """Let the wall's clock close; return what was told and the next deadline."""
        outcome = self.host.closing(symbol, lambda: self.stored[symbol], now_ms, is_quiet=is_quiet)
        assert not outcome.changes
        return self._hear(outcome.records), outcome.deadline_ms

    def deadline_ms(self, symbol: str) -> int | None:
        return self.host.machines[symbol].deadline_ms()

    def _hear(self, records: Iterable[tuple[str, str, bytes]]) -> list[Any]:
        told: list[Any] = []
        for topic, _, value in records:
            for message in DECODERS[topic](value):
                if isinstance(message, m.DeadLetter):
                    self.letters.append(message)
                    told.append((message.reason, message.detail))
                else:
                    self.told.append(message)
                    told.append(message)
        return told

    def trades(self, trades: Sequence[m.Trade], sizes: Iterable[int] = ()) -> None:
        """Send trades in packets of the given sizes, and then one each."""
        rest, cuts = list(trades), iter(sizes)
        while rest:
            size = next(cuts, 1)
            packet, rest = rest[:size], rest[size:]
            self.tell(topics.TRADES, packet)


def ident(fact: Any) -> tuple[Any, ...]:
    """Return what a fact is of."""
    match fact:
        case a.Candle():
            return "candle", fact.symbol, fact.span_ms, fact.start_ms
        case a.Indicators():
            return "indicators", fact.symbol, fact.source, fact.span_ms, fact.start_ms
        case a.WindowAverage() | a.WindowProfit():
            return type(fact).__name__, fact.symbol, fact.method, fact.end_ms
        case a.SymbolSummary():
            return "summary", fact.symbol
        case _:
            return "late", fact.symbol, fact.source, fact.late


def rank(fact: Any) -> tuple[int, ...]:
    """Return by what one fact holds against another of the same id."""
    match fact:
        case a.Candle():
            return fact.listing, fact.trades, fact.closed
        case a.Indicators():
            return fact.version, fact.closed
        case a.SymbolSummary():
            return fact.listing, fact.trades, fact.time_ms
        case a.LateData():
            return (fact.late,)
        case _:
            return (fact.version,)


def final(told: Iterable[Any]) -> dict[tuple[Any, ...], Any]:
    """Return the facts that hold in the end, by what they are of."""
    found: dict[tuple[Any, ...], Any] = {}
    for fact in told:
        name = ident(fact)
        if name not in found or rank(fact) >= rank(found[name]):
            found[name] = fact
    return found


def settled(told: Iterable[Any]) -> dict[tuple[Any, ...], Any]:
    """Return the final facts that do not depend on how the log was cut: without the versions of windows, and without what long open candles were said to be some time of their last minute."""
    found = {}
    for name, fact in final(told).items():
        if isinstance(fact, a.WindowAverage | a.WindowProfit):
            found[name] = msgspec.structs.replace(fact, version=1)
        elif not (isinstance(fact, a.Indicators) and not fact.closed and fact.span_ms > 60_000):
            found[name] = fact
    return found


# Messages


def listed(symbol: str = "AAPLUSD", listing: int = 1, tick: str = "0.01", **given: Any) -> m.BookSnapshot:
    instrument = Instrument(symbol=symbol, base=symbol[:-3], quote="USD", tick=tick, quote_scale=6)
    common: dict[str, Any] = {"delta": 0, "trade": 0, "bids": [], "asks": []}
    return m.BookSnapshot(
        symbol=symbol, seq=listing, time_ms=START_MS, listing=listing, instrument=instrument, **(common | given)
    )


def trade(seq: int, time_ms: int, price: int = 10_000, quantity: int = 1, **given: Any) -> m.Trade:
    common: dict[str, Any] = {"symbol": "AAPLUSD", "taker_side": "buy", "maker_order": 1, "taker_order": 2}
    return m.Trade(seq=seq, time_ms=time_ms, price=price, quantity=quantity, **(common | given))


def flow(
    seed: int, count: int, steps_ms: Sequence[int] = STEPS_MS, delay_ms: int = 0, symbol: str = "AAPLUSD"
) -> list[m.Trade]:
    """Return trades at random, each up to `delay_ms` after its turn."""
    print(f"{count} trades of seed {seed}")
    chance = random.Random(seed)
    made: list[tuple[int, int, int]] = []
    time_ms, price = START_MS, 10_000
    for _ in range(count):
        time_ms += chance.choice(steps_ms) + chance.randrange(3)
        price = max(1, price + chance.randrange(-30, 31))
        made.append((time_ms, price, chance.randrange(1, 200)))
    arrival = {place: one[0] + chance.randint(0, delay_ms) for place, one in enumerate(made)}
    order = sorted(arrival, key=lambda place: (arrival[place], place))
    return [trade(seq, *made[place], symbol=symbol) for seq, place in enumerate(order, 1)]


def random_sizes(seed: int) -> Iterable[int]:
    """Return sizes of packets without end."""
    chance = random.Random(seed)
    return iter(lambda: chance.choice((1, 2, 3, 10, 60)), None)
