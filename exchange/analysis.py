"""The messages of market analysis: what comes in from outside, what is computed, and who is told of it.

`docs/ANALYTICS.md` says how each is computed. Candles count in ticks and lots, like all that the exchange says; what is derived from
them is statistics and no money: floating-point numbers, prices in the quote asset for one unit of the base asset.

What is computed is told as facts that replace each other, not as a numbered channel: of two with the same id the one with the greater
`version` (a count of what is in it) holds, and at equal versions the one that is `closed`. So nothing counts twice, whatever is sent again.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from exchange.messages import Count, Message, Millis, Name, NewName, Price, Seq, Side, Total
from exchange.money import UNITS_MAX

TRADES_SOURCE: Final = "@trades"
"""The source of indicators that are computed from candles of the symbol's own trades."""
BOOK_SOURCE: Final = "@book"
"""The source of those that are computed from the symbol's own book."""
MARKET_KEY: Final = "@market"
"""The key of what is said of all symbols together."""

Action: TypeAlias = Literal["BUY", "SELL", "HOLD"]
Method: TypeAlias = Literal["hopping-10m-5m", "vwap-5m"]
Channel: TypeAlias = Literal["inbox", "email", "webhook"]
Span = Annotated[int, Meta(ge=0, le=UNITS_MAX)]
Part = Annotated[float, Meta(ge=0, le=1)]


# From outside


class OutsideBar(Message, frozen=True, tag=True):
    """One bar of market data from outside that counts in no listing's ticks: prices and volume as its source gives them.

    `time_ms` is when it begins, and names it: a second one of a source, symbol and span with the same time changes nothing.
    `span_ms` 0: a bar is whatever the source sends. Its numbers are checked by the `indicators` job, not by the decoder, so that a
    wrong one is refused alone and with its reason.
    """

    source: Name
    symbol: Name
    time_ms: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    span_ms: Span = 0


class NewsSentiment(Message, frozen=True, tag=True):
    """What news say of a symbol: `score` from -1 (bad) to 1 (good), `magnitude` from 0 (hardly) to 1 (very)."""

    source: Name
    symbol: Name
    time_ms: Millis
    score: float
    magnitude: float


class OutsideQuote(Message, frozen=True, tag=True):
    """An order of a book elsewhere: somebody there wants to buy or sell `quantity` at `price`. It is no order here, and is only kept."""

    source: Name
    symbol: Name
    time_ms: Millis
    side: Side
    price: float
    quantity: float


class Fundamentals(Message, frozen=True, tag=True):
    """What a company is worth, as its source gives it: `market_cap` in the quote asset, and price by earnings. Of a symbol the latest holds."""

    source: Name
    symbol: Name
    time_ms: Millis
    market_cap: float
    pe_ratio: float


class EconomicIndicator(Message, frozen=True, tag=True):
    """A figure of the whole economy, such as a rate of inflation, as its source gives it. It concerns no symbol, and is only kept."""

    source: Name
    name: Name
    time_ms: Millis
    value: float

    @property
    def symbol(self) -> str:
        """The key of what is said of all symbols together."""
        return MARKET_KEY


# Candles and indicators


class Candle(Message, frozen=True, tag=True):
    """The trades of a symbol in one span of time: prices in ticks, volume in lots, `turnover` the sum of price times quantity.

    Its id is symbol, span and start, its version `trades`. A span without trades has no candle.
    """

    symbol: Name
    span_ms: Annotated[int, Meta(ge=1, le=UNITS_MAX)]
    start_ms: Millis
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Total
    turnover: Total
    trades: Seq
    listing: Seq
    closed: bool = False

    @property
    def vwap(self) -> float:
        """The volume-weighted average price, in ticks."""
        return self.turnover / self.volume


class Indicators(Message, frozen=True, tag=True):
    """The indicators of a symbol after the bar that begins at `start_ms`, by name, such as `rsi(14)`; one that is not warm is left out.

    Its id is symbol, source, span and start. `version` counts what there has been up to the end of this one (trades, bars or book
    deltas). `bars` is the number of bars since the series began. The bar itself stands beside them: prices in the quote asset, volume in
    the base asset; of the book, all four prices are the middle of the best two.
    """

    symbol: Name
    source: Name
    span_ms: Span
    start_ms: Millis
    version: Seq
    bars: Seq
    open: float
    high: float
    low: float
    close: float
    volume: float
    values: dict[str, float]
    closed: bool = False


class WindowAverage(Message, frozen=True, tag=True):
    """The moving average of a symbol's closing prices over a window, by one of two methods. Its id is symbol, method and end."""

    symbol: Name
    method: Method
    start_ms: Millis
    end_ms: Millis
    version: Seq
    average: float


class WindowProfit(Message, frozen=True, tag=True):
    """What a symbol's price gained over a window, by one of two methods. Its id is symbol, method and end."""

    symbol: Name
    method: Method
    start_ms: Millis
    end_ms: Millis
    version: Seq
    profit: float


class ProfitLeader(Message, frozen=True, tag=True):
    """The symbol with the greatest profit of a window, of those heard of so far: the last one said of a method and end holds.

    Of equal profits the symbol that comes first in the alphabet leads.
    """

    method: Method
    start_ms: Millis
    end_ms: Millis
    symbol: Name
    profit: float
    symbols: Seq


class LateData(Message, frozen=True, tag=True):
    """A trade or bar that came too late for its candle or series, and is in none. `late` counts them of this symbol and source.

    `time_ms` is its own time, `clock_ms` the time up to which the series is settled.
    """

    symbol: Name
    source: Name
    time_ms: Millis
    clock_ms: Millis
    price: float
    volume: float
    late: Seq


# Summaries


class Totals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Trades of some time: prices in ticks, volume in lots, `turnover` the sum of price times quantity."""

    open: Price
    high: Price
    low: Price
    close: Price
    volume: Total
    turnover: Total
    trades: Seq


class SymbolSummary(Message, frozen=True, tag=True):
    """How a symbol does: its session (the UTC day of its last trade) and the 24 hours up to its last trade, by quarters of an hour.

    `previous_close` is the last price before the session, in ticks; `change` the session's last price against it (or, where there is
    none, against the session's first), as a part of it, and `change_24h` against the first price of the 24 hours. `turnover` is the
    session's in the quote asset, `volatility` the realised volatility of the last 20 one-minute returns, `profit` the newest
    `hopping-10m-5m` profit. `bid` and `ask` are the best prices, in ticks. `late` counts late trades. The version is `trades`, the
    number of the symbol's trades, then `time_ms`.
    """

    symbol: Name
    time_ms: Millis
    trades: Count
    listing: Seq
    session: Totals
    day: Totals
    turnover: float
    change: float
    change_24h: float
    previous_close: Price | None = None
    bid: Price | None = None
    ask: Price | None = None
    volatility: float | None = None
    profit: float | None = None
    late: Count = 0


class Ranked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A symbol's place in a ranking, and the number that it has it for."""

    symbol: Name
    value: float


class MarketSummary(Message, frozen=True, tag=True):
    """All symbols together: how many rose, fell and stand, and who leads by change, by turnover and by profit, best first.

    `by_change` are the first and the last places: those that rose and those that fell most.
    The last one said holds.
    """

    time_ms: Millis
    symbols: Seq
    advancers: Count
    decliners: Count
    unchanged: Count
    by_change: list[Ranked]
    by_turnover: list[Ranked]
    by_profit: list[Ranked]


# Signals


class Signal(Message, frozen=True, tag=True):
    """What a rule says of a symbol after a closed bar, where it says something else than before.

    Its id is symbol, source, span, rule and start; it is said once and stands, whatever corrects the bar later. `time_ms` is the end
    of the bar, when it could first be known; `strength` from 0 to 1; `reason` the comparison that made it, in words, and `numbers`
    what was compared.
    """

    symbol: Name
    source: Name
    span_ms: Span
    start_ms: Millis
    time_ms: Millis
    rule: str
    action: Action
    strength: Part
    price: float
    reason: str
    numbers: dict[str, float]


class SignalOutcome(Message, frozen=True, tag=True):
    """What became of a BUY or SELL: the return after `horizon` bars in the signal's own direction, as a part of the entry price.

    One enters at the open of the bar after the signal's, and leaves at the close of the bar `horizon` bars after the signal's.
    """

    symbol: Name
    source: Name
    span_ms: Span
    start_ms: Millis
    rule: str
    action: Action
    horizon: Seq
    time_ms: Millis
    entry: float
    price: float
    gain: float


class RuleScore(Message, frozen=True, tag=True):
    """How well a rule has done on a symbol at a horizon, so far. Its id is symbol, source, span, rule and horizon, its version `bars`.

    `hits` of `signals` gained; `average_gain` and `average_loss` are over hits and misses, `average` over all. Beside them:
    `random` and `random_hit_rate`, what signals of the same number and directions would have got on average at bars taken by chance
    (computed over all bars, not drawn), and `hold`, what buying at the first bar and holding has returned.
    """

    symbol: Name
    source: Name
    span_ms: Span
    rule: str
    horizon: Seq
    time_ms: Millis
    bars: Seq
    signals: Count
    hits: Count
    average: float
    average_gain: float
    average_loss: float
    random: float
    random_hit_rate: Part
    hold: float


# Alerts


class PriceCrosses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """The last price crosses a price (in the quote asset): from below (`up`), from above (`down`) or `either` way."""

    price: float
    direction: Literal["up", "down", "either"]


class ChangeReaches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """The session's change reaches `percent` in either direction."""

    percent: Annotated[float, Meta(gt=0, le=1000)]


class VolumeSpikes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """A closed candle has at least `times` the average volume of the 20 candles of its span before it."""

    times: Annotated[float, Meta(gt=1, le=1000)]
    span_ms: Span


class IndicatorReaches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """An indicator of closed bars, such as `rsi(14)`, gets `above` or `below` a value."""

    name: str
    direction: Literal["above", "below"]
    value: float
    span_ms: Span
    source: Name = TRADES_SOURCE


class SignalAppears(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """A rule gives a signal; `action` None: BUY or SELL."""

    rule: str
    action: Action | None = None


class OrderFills(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """An order of the account's own is filled, in whole or in part."""


Condition: TypeAlias = PriceCrosses | ChangeReaches | VolumeSpikes | IndicatorReaches | SignalAppears | OrderFills


class SetAlert(Message, frozen=True, tag=True):
    """Watch for a condition, on one symbol or (None) on all, and tell the account; replaces its alert of the same name.

    It tells again at the earliest `cool_down_ms` of event time after it told last.
    """

    account: NewName
    alert: NewName
    condition: Condition
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=3)]
    symbol: Name | None = None
    email: Annotated[str, Meta(max_length=254)] | None = None
    webhook: Annotated[str, Meta(max_length=2_000)] | None = None
    cool_down_ms: Millis = 0


class RemoveAlert(Message, frozen=True, tag=True):
    """No longer watch for what an alert names."""

    account: NewName
    alert: NewName


class Alert(Message, frozen=True, tag=True):
    """An alert's condition has come true. `event` names what made it so: one is told once of each event, by each channel.

    `text` says it in words; where to is as the alert was set.
    """

    account: Name
    alert: Name
    event: str
    symbol: Name
    time_ms: Millis
    text: str
    channels: list[Channel]
    email: str | None = None
    webhook: str | None = None


MarketData: TypeAlias = OutsideBar | NewsSentiment | OutsideQuote | Fundamentals | EconomicIndicator
