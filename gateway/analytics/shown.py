"""What is shown of a market's analysis (docs/ANALYTICS.md says how it is computed).

Prices and amounts that trades make exact are decimal strings, as everywhere; what is derived from them is statistics, and numbers: prices
in the quote asset, volumes in the base asset. `seq` counts what is in it: of two of the same, the one with the greater `seq` is the newer.
"""

from __future__ import annotations

from exchange.analysis import Action, Channel, Method
from gateway.shown import Shown


class IndicatorsShown(Shown, frozen=True):
    """A bar and its indicators by name, such as `rsi(14)`; one that is not warm is left out. `bars` is the bar's number in its series.

    Not `closed`: the bar goes on, and the values are what they would be if it closed now.
    """

    start_ms: int
    seq: int
    bars: int
    closed: bool
    open: float
    high: float
    low: float
    close: float
    volume: float
    values: dict[str, float]


class SeriesShown(Shown, frozen=True):
    """A series of bars: `@trades`, `@book` or an outside source, with a span in milliseconds (0: as they come), and its newest bar."""

    source: str
    span_ms: int
    newest: IndicatorsShown


class AverageShown(Shown, frozen=True):
    """The moving average of a window, which ends at `end_ms`."""

    method: Method
    start_ms: int
    end_ms: int
    seq: int
    average: float


class ProfitShown(Shown, frozen=True):
    """What the price gained over a window, which ends at `end_ms`."""

    method: Method
    start_ms: int
    end_ms: int
    seq: int
    profit: float


class FundamentalsShown(Shown, frozen=True):
    """What a company is worth, as it was told from outside: `market_cap` in the quote asset, and price by earnings."""

    source: str
    time_ms: int
    market_cap: float
    pe_ratio: float


class LeaderShown(Shown, frozen=True):
    """The symbol with the greatest profit of a window, of `symbols` heard of."""

    method: Method
    start_ms: int
    end_ms: int
    symbol: str
    profit: float
    symbols: int


class TotalsShown(Shown, frozen=True):
    """Trades of some time."""

    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    vwap: float
    trades: int


class AnalysisShown(Shown, frozen=True):
    """How a symbol does: its session (the UTC day of its last trade), and the 24 hours up to its last trade.

    `change` and `change_24h` are parts: 0.01 is one percent. `volatility` is that of the last 20 one-minute returns, `profit` the newest
    of `hopping-10m-5m`. `late` counts trades that came too late for their candles.
    """

    symbol: str
    seq: int
    time_ms: int
    listing: int
    session: TotalsShown
    day: TotalsShown
    change: float
    change_24h: float
    previous_close: str | None
    bid: str | None
    ask: str | None
    volatility: float | None
    profit: float | None
    late: int


class RankShown(Shown, frozen=True):
    """A symbol's place in a ranking, and the number that it has it for."""

    symbol: str
    value: float


class MarketAnalysisShown(Shown, frozen=True):
    """All symbols together: how many rose, fell and stand, and the rankings, best first."""

    time_ms: int
    symbols: int
    advancers: int
    decliners: int
    unchanged: int
    by_change: list[RankShown]
    by_turnover: list[RankShown]
    by_profit: list[RankShown]


class FollowedUp(Shown, frozen=True):
    """What became of a signal after `horizon` bars, at `time_ms`: entered at `entry`, left at `price`; `gain` is a part in its direction."""

    horizon: int
    time_ms: int
    entry: float
    price: float
    gain: float


class SignalShown(Shown, frozen=True):
    """What a rule says of a symbol. `time_ms` is when it could first be known; `strength` from 0 to 1; `reason` and `numbers` say why.

    `outcomes` are what became of a BUY or SELL, by horizon, as far as that is known.
    """

    source: str
    span_ms: int
    start_ms: int
    time_ms: int
    rule: str
    action: Action
    strength: float
    price: float
    reason: str
    numbers: dict[str, float]
    outcomes: list[FollowedUp]


class ScoreShown(Shown, frozen=True):
    """How well a rule has done at a horizon of so many bars; gains are parts: 0.01 is one percent. See `analysis.RuleScore`."""

    source: str
    span_ms: int
    rule: str
    horizon: int
    time_ms: int
    seq: int
    signals: int
    hits: int
    average: float
    average_gain: float
    average_loss: float
    random: float
    random_hit_rate: float
    hold: float


class LateItemShown(Shown, frozen=True):
    """A trade or bar that came too late, and is in no candle or series. `seq` is its number of those of its source."""

    source: str
    seq: int
    time_ms: int
    clock_ms: int
    price: float
    volume: float


class LateShown(Shown, frozen=True):
    """How much of a symbol's data came too late, by source, and the last of it, the last told first."""

    counts: dict[str, int]
    items: list[LateItemShown]


class AlertShown(Shown, frozen=True):
    """An alert whose condition came true."""

    alert: str
    event: str
    symbol: str
    time_ms: int
    text: str
    channels: list[Channel]


class InboxShown(Shown, frozen=True):
    """The last alerts of an account, the last told first, and how many it has been told of in all."""

    told: int
    alerts: list[AlertShown]
