"""The machine of the `signals` job: of one symbol's indicators and news it makes signals, and follows them up.

Theory of operation: a bar counts when it is told as closed, once and in order; what is told again, corrected or older changes nothing, so that a
signal stands. Of each series (source and span) the machine keeps what its rules remember, what each has said last, and the running scores; of
the symbol, the last news and the book's order flow of the last minutes. A bar is judged with what is known when it is read and bears no later
time than its end. All of it is stored by name: `series:SPAN:SOURCE`, `news`, `flow:MINUTE`,
and `halted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import fsum
from typing import Any, Final, TypeAlias

import msgspec

from exchange import topics
from exchange.analysis import (
    BOOK_SOURCE,
    Action,
    Indicators,
    MarketData,
    NewsSentiment,
    RuleScore,
    Signal,
    SignalOutcome,
)
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.host import Host
from exchange.machine import Address, Entries
from exchange.messages import Bar, Resume
from exchange.packets import PacketDecoder
from udfs.observation import Observation
from udfs.rules import DEFAULT_RULES, Panel, PanelState, Rule, Verdict, parse
from udfs.rules.heard import FORECAST, NEWS, ORDER_FLOW
from udfs.scores import HORIZONS, Score, Scores
from udfs.watch.outside import flaw_of_news

HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
NEWS_MAX: Final = 64
"""How many of the newest news items are kept."""
MINUTES_MAX: Final = 3
"""How many minutes of order flow are kept, up to the newest."""
SERIES_MAX: Final = 64
"""Greatest number of series; `indicators` makes fewer of a symbol (docs/ANALYTICS.md, 1.6)."""
BOOK_FLOW: Final = "order_flow_imbalance"
NUMBER_MAX: Final = 1e100
"""No number of an indicator is beyond it (udfs/indicators); sums of greater ones could not be stored."""

SeriesKey: TypeAlias = tuple[str, str, int]
"""Symbol, source and span."""
Predict: TypeAlias = Callable[[SeriesKey, Mapping[str, float]], float | None]
"""A model: of a series and the values of a closed bar (its indicators, and `open`, `high`, `low`, `close`, `volume`) the probability, 0 to 1,
that the price rises, or None. It must say the same of the same, or the log would not give the same signals again."""


class SeriesState(msgspec.Struct, array_like=True):
    """One series: its last bar's start and number, what each rule has published last and when, and all that is counted."""

    start_ms: int = -1
    bars: int = 0
    panel: PanelState = msgspec.field(default_factory=PanelState)
    published: dict[str, tuple[Action, int]] = msgspec.field(default_factory=dict)
    scores: Scores = msgspec.field(default_factory=Scores)


class Signaller:
    """The machine of one symbol. `cool_down_ms` is the least event time between two signals of a rule on a series."""

    def __init__(
        self,
        symbol: str,
        entries: Entries | None = None,
        *,
        rules: Iterable[Rule] | None = None,
        horizons: tuple[int, ...] = HORIZONS,
        cool_down_ms: int = 0,
        predict: Predict | None = None,
    ) -> None:
        self.symbol = symbol
        self.inbound = Inbound()
        self._halted = False
        self._rules = tuple(map(parse, DEFAULT_RULES) if rules is None else rules)
        self._horizons = horizons
        self._cool_down_ms = cool_down_ms
        self._predict = predict
        self._series: dict[str, SeriesState] = {}
        self._panels: dict[str, Panel] = {}
        self._news: list[tuple[int, str, float]] = []
        self._flow: dict[int, dict[int, float]] = {}
        self._changed: dict[str, None] = {}
        for name, stored in (entries or {}).items():
            self._restore(name, stored)

    # What the host asks

    def accepts(self, message: Any) -> bool:
        """Say whether the message is of this symbol."""
        return bool((message.key if type(message) is Resume else message.symbol) == self.symbol)

    @property
    def halted(self) -> bool:
        """Whether a broken invariant has stopped it; it takes in nothing until it is resumed, and then goes on from where it was."""
        return self._halted

    @halted.setter
    def halted(self, value: bool) -> None:
        self._halted = value
        self._changed["halted"] = None

    def address(self, message: Any) -> Address:
        """Say where a signal or a score goes."""
        return (topics.SIGNALS if type(message) is Signal else topics.SCORES), self.symbol

    def discard(self) -> None:
        """Do nothing: there is nothing that would not go by itself."""

    def deadline_ms(self) -> int | None:
        """Return None: only data moves it."""
        return None

    def changes(self) -> dict[str, str | None]:
        """Return the entries that changed since the last call; None for one that is gone."""
        found = {name: self._stored(name) for name in self._changed}
        self._changed = {}
        return found

    # Messages in

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message and return the outcomes, scores and signals that it causes, in this order.

        Raises:
            InvalidPacket: if there are more series than there can be, or numbers that `indicators` never says.
        """
        if self._halted:
            if type(message) is Resume:
                self.halted = False
            return []
        if type(message) is NewsSentiment:
            if flaw_of_news(message, arrival_ms) is None:  # else the `indicators` job refuses it
                self._hear(message)
            return []
        if type(message) is not Indicators or not message.closed:
            return []
        _check_numbers(message)
        if message.source == BOOK_SOURCE:
            self._flows(message)
            return []
        return self._bar(message)

    def _hear(self, news: NewsSentiment) -> None:
        """Keep a sentiment, by time and source; a second one of both changes nothing."""
        if any(kept[:2] == (news.time_ms, news.source) for kept in self._news):
            return
        self._news.append((news.time_ms, news.source, news.score * news.magnitude))
        self._news.sort()
        del self._news[:-NEWS_MAX]
        self._changed["news"] = None

    def _flows(self, told: Indicators) -> None:
        """Keep the order flow of a second of the book."""
        minute = told.start_ms // MINUTE_MS
        newest = max(self._flow, default=minute)
        flow = told.values.get(BOOK_FLOW)
        if flow is None or minute < newest or told.start_ms in self._flow.get(minute, ()):
            return
        seconds = self._flow.setdefault(minute, {})
        if seconds and told.start_ms < max(seconds):
            return
        seconds[told.start_ms] = flow
        self._changed[f"flow:{minute}"] = None
        for gone in [kept for kept in self._flow if kept <= minute - MINUTES_MAX]:
            del self._flow[gone]
            self._changed[f"flow:{gone}"] = None

    def _bar(self, told: Indicators) -> list[Any]:
        """Take in the next closed bar of a series."""
        name = f"series:{told.span_ms}:{told.source}"
        series = self._series.get(name)
        if series is None:
            if len(self._series) >= SERIES_MAX:
                raise InvalidPacket(f"{self.symbol} has more than {SERIES_MAX} series")
            series = self._series[name] = SeriesState(scores=Scores(self._horizons))
        if told.start_ms <= series.start_ms:
            return []
        panel = self._panels.get(name)
        if panel is None or told.bars <= series.bars:  # a series that has begun anew: what was before is not its past
            panel = self._panels[name] = Panel(self._rules)
        series.start_ms, series.bars = told.start_ms, told.bars
        self._changed[name] = None
        now = self._observe(told)
        out = self._follow_up(told, now.end_ms, series.scores)
        for rule, verdict in panel.ask(now).items():
            last, since_ms = series.published.get(rule, ("HOLD", None))
            if verdict.action == last or (since_ms is not None and now.end_ms - since_ms < self._cool_down_ms):
                continue
            series.published[rule] = verdict.action, now.end_ms
            series.scores.follow(rule, verdict.action, now.start_ms)
            out.append(_signal(told, now.end_ms, rule, verdict))
        return out

    def _follow_up(self, told: Indicators, end_ms: int, scores: Scores) -> list[Any]:
        """Return the outcomes that the bar makes known, and the scores that they change."""
        outcomes = scores.add(told.open, told.close)
        common: dict[str, Any] = {
            "symbol": self.symbol,
            "source": told.source,
            "span_ms": told.span_ms,
            "time_ms": end_ms,
        }
        out: list[Any] = [SignalOutcome(**common, **msgspec.structs.asdict(outcome)) for outcome in outcomes]
        for rule, horizon in dict.fromkeys((outcome.rule, outcome.horizon) for outcome in outcomes):
            score = msgspec.structs.asdict(scores.score(rule, horizon))
            out.append(RuleScore(**common, rule=rule, horizon=horizon, **score))
        return out

    # What a bar is judged with

    def _observe(self, told: Indicators) -> Observation:
        """Return the bar with all that is known of it, bearing no later time than its end."""
        end_ms = told.start_ms + told.span_ms
        more: dict[str, float] = {}
        news = [value for time_ms, _, value in self._news if end_ms - HOUR_MS <= time_ms <= end_ms]
        if news:
            more[NEWS] = news[-1]
        flow = self._order_flow(end_ms)
        if flow is not None:
            more[ORDER_FLOW] = flow
        if self._predict is not None:
            bar = {name: getattr(told, name) for name in ("open", "high", "low", "close", "volume")}
            chance = self._predict((self.symbol, told.source, told.span_ms), {**told.values, **bar})
            if chance is not None and 0 <= chance <= 1:
                more[FORECAST] = chance
        return Observation.of(told, **more)

    def _order_flow(self, end_ms: int) -> float | None:
        """Add up the book's order flow of the minute up to a time; None where the book said nothing, or it is no longer kept."""
        begin_ms = end_ms - MINUTE_MS
        minutes = range(begin_ms // MINUTE_MS, (end_ms - 1) // MINUTE_MS + 1)
        if not self._flow or minutes[0] <= max(self._flow) - MINUTES_MAX:
            return None
        seconds = [
            flow
            for minute in minutes
            for start_ms, flow in self._flow.get(minute, {}).items()
            if begin_ms <= start_ms < end_ms
        ]
        return fsum(seconds) if seconds else None

    # What a backtest asks

    def score(self, source: str, span_ms: int, rule: str, horizon: int) -> Score:
        """Return how a rule has done on a series so far."""
        series = self._series.get(f"series:{span_ms}:{source}")
        return (series.scores if series else Scores(self._horizons)).score(rule, horizon)

    # As text

    def _stored(self, name: str) -> str | None:
        kind, _, rest = name.partition(":")
        value: Any
        if kind == "series":
            value = self._series[name]
            value.panel = self._panels[name].state()
        elif kind == "flow":
            value = self._flow.get(int(rest))
        elif kind == "halted":
            value = self._halted or None
        else:
            value = self._news
        return None if value is None else msgspec.json.encode(value).decode()

    def _restore(self, name: str, stored: str) -> None:
        kind, _, rest = name.partition(":")
        if kind == "series":
            series = self._series[name] = _decode_series(stored)
            series.scores.horizons = self._horizons
            self._panels[name] = Panel(self._rules, series.panel)
        elif kind == "flow":
            self._flow[int(rest)] = _decode_flow(stored)
        elif kind == "halted":
            self._halted = True
        elif kind == "news":
            self._news = _decode_news(stored)


_decode_series = msgspec.json.Decoder(SeriesState).decode
_decode_flow = msgspec.json.Decoder(dict[int, float]).decode
_decode_news = msgspec.json.Decoder(list[tuple[int, str, float]]).decode


def _check_numbers(told: Indicators) -> None:
    if min(told.open, told.close) <= 0 or any(
        abs(number) > NUMBER_MAX
        for number in (told.open, told.high, told.low, told.close, told.volume, *told.values.values())
    ):
        raise InvalidPacket(f"{told.symbol}: an indicator or a price is out of range")


def _signal(told: Indicators, end_ms: int, rule: str, verdict: Verdict) -> Signal:
    return Signal(
        symbol=told.symbol,
        source=told.source,
        span_ms=told.span_ms,
        start_ms=told.start_ms,
        time_ms=end_ms,
        rule=rule,
        action=verdict.action,
        strength=verdict.strength,
        price=told.close,
        reason=verdict.reason,
        numbers=verdict.numbers,
    )


decode_input: PacketDecoder[Any] = PacketDecoder(Indicators | MarketData | Bar | Resume)


def signaller_host(predict: Predict | None = None) -> Host:
    """Return a host for the symbols of a venue."""
    return Host(lambda symbol, entries: Signaller(symbol, entries, predict=predict), decode_input)
