"""What is computed of a market, as the projector keeps it: facts in, Redis commands out.

Theory of operation: facts have names and replace each other, whatever order they come in and however often: of two with one name the one
with the greater rank holds, and of equal ranks the later told (`exchange.analysis` says the names and versions). So the projector
needs no memory of them. Within a batch the greater rank wins here; against what is stored, in the script that applies the batch.
Candles count in the ticks of a listing, and are kept whichever it is; readers leave out those of another count of ticks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from exchange import packets, topics
from exchange.analysis import (
    MARKET_KEY,
    Alert,
    Candle,
    Fundamentals,
    Indicators,
    LateData,
    MarketSummary,
    ProfitLeader,
    RuleScore,
    Signal,
    SignalOutcome,
    SymbolSummary,
    WindowAverage,
    WindowProfit,
)
from exchange.candles import SPAN_NAMES
from exchange.packets import PacketDecoder
from gateway.keys import (
    ALERTS_MAX,
    CANDLES_MAX,
    INDICATORS_MAX,
    LATE_MAX,
    LEADERS_MAX,
    OUTCOMES_MAX,
    SCORES_MAX,
    SECONDS_MAX,
    SERIES_MAX,
    SIGNALS_MAX,
    SYMBOLS_MAX,
    WINDOWS_MAX,
    CandleRow,
    GenerationKeys,
    Rank,
)
from gateway.projecting.commands import COUNT, KEEP, PRUNE, SWAP, Command

DECODERS: Final[dict[str, PacketDecoder[Any]]] = {
    topics.CANDLES: packets.decode_candles,
    topics.INDICATORS: packets.decode_indicators,
    topics.AVERAGES: packets.decode_averages,
    topics.PROFITS: packets.decode_profits,
    topics.LEADERS: packets.decode_leaders,
    topics.SUMMARIES: packets.decode_summaries,
    topics.RANKINGS: packets.decode_rankings,
    topics.LATE_DATA: packets.decode_late_data,
    topics.SIGNALS: packets.decode_signals,
    topics.SCORES: packets.decode_scores,
    topics.ALERTS: packets.decode_alerts,
    topics.MARKET_DATA: packets.decode_market_data,
}
"""The topics of facts."""

Place: TypeAlias = tuple[str, int | str]
"""A key without its generation's prefix, and what in it: a score of a sorted set, or a field of a hash."""

_NAMES: Final = GenerationKeys("")

encode = msgspec.json.encode


class Facts:
    """What the facts of a batch change. `symbols` and `accounts` are those that they are about."""

    def __init__(self) -> None:
        self.symbols: set[str] = set()
        self.accounts: set[str] = set()
        self._kept: dict[Place, tuple[Rank, Any, int]] = {}
        self._swapped: dict[Place, tuple[Rank, Any, int]] = {}
        self._told: list[Command] = []
        self._listed: dict[str, tuple[int, str]] = {}
        self._ranking: MarketSummary | None = None
        self._folds: dict[type[Any], Callable[[Any], None]] = {
            Candle: self._candle,
            Indicators: self._indicators,
            WindowAverage: self._average,
            WindowProfit: self._profit,
            ProfitLeader: self._leader,
            SymbolSummary: self._summary,
            MarketSummary: self._market,
            LateData: self._late,
            Signal: self._signal,
            SignalOutcome: self._outcome,
            RuleScore: self._score,
            Alert: self._alert,
            Fundamentals: self._fundamentals,
        }

    def add(self, fact: Any) -> None:
        """Take in the next fact; most of what comes from outside is only computed with, and not shown."""
        fold = self._folds.get(type(fact))
        if fold is not None:
            fold(fact)

    def commands(self, keys: GenerationKeys) -> list[Command]:
        """Return what brings the views up to date."""
        prefix = keys.prefix
        commands: list[Command] = [
            (KEEP, prefix + name, most, score, _row(rank, fact))
            for (name, score), (rank, fact, most) in self._kept.items()
        ]
        commands += [
            (SWAP, prefix + name, most, field, _row(rank, fact))
            for (name, field), (rank, fact, most) in self._swapped.items()
        ]
        commands += [
            (COUNT, prefix + rows, prefix + ids, field, row, prefix + counter if counter else "")
            for rows, ids, field, row, counter in self._told
        ]
        commands += [(PRUNE, prefix + ids, most, prefix + rows) for ids, (most, rows) in self._listed.items()]
        if self._ranking is not None:
            commands.append(("SET", keys.rankings, encode(self._ranking)))
        return commands

    # What each fact changes

    def _candle(self, candle: Candle) -> None:
        span = SPAN_NAMES.get(candle.span_ms)
        if span is None:  # nobody can ask for it
            return
        self.symbols.add(candle.symbol)
        rank = (candle.listing, candle.trades, int(candle.closed))
        most = SECONDS_MAX if span == "1s" else CANDLES_MAX
        _put(self._kept, (_NAMES.candles(candle.symbol, span), candle.start_ms), rank, candle, most)

    def _indicators(self, told: Indicators) -> None:
        self.symbols.add(told.symbol)
        rank = (told.version, int(told.closed))
        name = _NAMES.indicators(told.symbol, told.source, told.span_ms)
        _put(self._kept, (name, told.start_ms), rank, told, INDICATORS_MAX)
        series = (_NAMES.series(told.symbol), f"{told.span_ms} {told.source}")
        _put(self._swapped, series, (told.start_ms, *rank), told, SERIES_MAX)

    def _average(self, window: WindowAverage) -> None:
        self._window(_NAMES.averages(window.symbol, window.method), window)

    def _profit(self, window: WindowProfit) -> None:
        self._window(_NAMES.profits(window.symbol, window.method), window)

    def _window(self, name: str, window: WindowAverage | WindowProfit) -> None:
        self.symbols.add(window.symbol)
        _put(self._kept, (name, window.end_ms), (window.version,), window, WINDOWS_MAX)

    def _leader(self, leader: ProfitLeader) -> None:
        self.symbols.add(MARKET_KEY)
        _put(self._kept, (_NAMES.leaders(leader.method), leader.end_ms), (), leader, LEADERS_MAX)

    def _summary(self, summary: SymbolSummary) -> None:
        self.symbols.add(summary.symbol)
        rank = (summary.listing, summary.trades, summary.time_ms)
        _put(self._swapped, (_NAMES.summaries, summary.symbol), rank, summary, SYMBOLS_MAX)

    def _market(self, summary: MarketSummary) -> None:
        self.symbols.add(MARKET_KEY)
        self._ranking = summary

    def _late(self, late: LateData) -> None:
        symbol = late.symbol
        self.symbols.add(symbol)
        _put(self._swapped, (_NAMES.late_counts(symbol), late.source), (late.late,), late, SERIES_MAX)
        name = encode((late.source, late.late, late.time_ms))
        self._tell(_NAMES.late(symbol), _NAMES.late_ids(symbol), name, late, LATE_MAX)

    def _signal(self, signal: Signal) -> None:
        symbol = signal.symbol
        self.symbols.add(symbol)
        name = encode((signal.source, signal.span_ms, signal.rule, signal.start_ms))
        self._tell(_NAMES.signals(symbol), _NAMES.signal_ids(symbol), name, signal, SIGNALS_MAX)

    def _outcome(self, outcome: SignalOutcome) -> None:
        symbol = outcome.symbol
        self.symbols.add(symbol)
        name = encode((outcome.source, outcome.span_ms, outcome.rule, outcome.start_ms, outcome.horizon))
        self._tell(_NAMES.signal_outcomes(symbol), _NAMES.signal_outcome_ids(symbol), name, outcome, OUTCOMES_MAX)

    def _score(self, score: RuleScore) -> None:
        self.symbols.add(score.symbol)
        field = f"{score.span_ms} {score.horizon} {encode((score.source, score.rule)).decode()}"
        _put(self._swapped, (_NAMES.scores(score.symbol), field), (score.bars,), score, SCORES_MAX)

    def _alert(self, alert: Alert) -> None:
        account = alert.account
        self.accounts.add(account)
        name = encode((alert.alert, alert.event))
        ids, count = _NAMES.alert_ids(account), _NAMES.alert_count(account)
        self._tell(_NAMES.alerts(account), ids, name, alert, ALERTS_MAX, count)

    def _fundamentals(self, told: Fundamentals) -> None:
        self.symbols.add(told.symbol)
        _put(self._swapped, (_NAMES.fundamentals, told.symbol), (told.time_ms,), told, SYMBOLS_MAX)

    def _tell(self, rows: str, ids: str, name: bytes, fact: Any, most: int, counter: str = "") -> None:
        """Put a fact that is said once at the head of a list, unless it is there already."""
        self._told.append((rows, ids, name, encode(fact), counter))
        self._listed[ids] = (most, rows)


def _put(places: dict[Place, tuple[Rank, Any, int]], place: Place, rank: Rank, fact: Any, most: int) -> None:
    """Let a fact take its place, unless one of a greater rank has it."""
    before = places.get(place)
    if before is None or rank >= before[0]:
        places[place] = (rank, fact, most)


def _row(rank: Rank, fact: Any) -> bytes:
    """Return what is kept of a fact, its rank at the head."""
    return encode(_candle_row(fact) if type(fact) is Candle else (rank, fact))


def _candle_row(candle: Candle) -> CandleRow:
    return CandleRow(
        (candle.listing, candle.trades, int(candle.closed)),
        candle.start_ms,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.turnover,
    )
