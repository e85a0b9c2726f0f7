"""Rules of what comes from elsewhere than the bars: news, the book's order flow, a model's forecast."""

from __future__ import annotations

from typing import Final

from udfs.observation import Observation
from udfs.rules.rule import Rule, Verdict, placed, share

NEWS: Final = "news"
ORDER_FLOW: Final = "order_flow"
FORECAST: Final = "forecast"
HEARD: Final = frozenset((NEWS, ORDER_FLOW, FORECAST))
"""The values of a bar that are no indicators of it."""

NEWS_BOUND: Final = 0.2
FORECAST_LOW: Final = 0.45
FORECAST_HIGH: Final = 0.55
FLOWS_MIN: Final = 20
"""How many bars with order flow must have come before its mean absolute value means something."""


class News(Rule):
    """BUY where the last sentiment of the hour is above 0.2, SELL below -0.2. The strength is the sentiment's absolute value.

    Where there was a sentiment once and is none now, it holds; `heard` is 1 from the first on.
    """

    heard: int = 0

    @property
    def name(self) -> str:
        """As the contract has it."""
        return "news"

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Compare the sentiment with its bounds."""
        del before
        value = now.values.get(NEWS)
        if value is None:
            return Verdict.of(0, 0.0, "no news in the hour", {}) if self.heard else None
        self.heard = 1
        side, reason = placed(NEWS, value, -NEWS_BOUND, NEWS_BOUND)
        return Verdict.of(side, share(abs(value), 1.0), reason, {NEWS: value})


class OrderFlow(Rule):
    """BUY where the imbalance of the bar's last minute is above its mean absolute value of all bars before, SELL below the negative of that.

    The strength is how much of it is beyond the mean: 0 at the mean, one half at twice the mean. `bars` and `total` make the mean.
    """

    bars: int = 0
    total: float = 0.0

    @property
    def name(self) -> str:
        """As the contract has it."""
        return "order-flow"

    @property
    def needs(self) -> tuple[str, ...]:
        """The order flow of the bar's last minute."""
        return (ORDER_FLOW,)

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Compare the imbalance with what it was on average."""
        del before
        value = now.values[ORDER_FLOW]
        mean = self.total / self.bars if self.bars else 0.0
        bars, self.bars, self.total = self.bars, self.bars + 1, self.total + abs(value)
        if bars < FLOWS_MIN:
            return None
        side, reason = placed(ORDER_FLOW, value, -mean, mean)
        beyond = share(abs(value) - mean, abs(value))
        return Verdict.of(side, beyond, reason, {ORDER_FLOW: value, "mean": mean})


class Forecast(Rule):
    """BUY where the model's probability of a rise is above 0.55, SELL below 0.45. The strength is 0 at one half, 1 where it is certain."""

    @property
    def name(self) -> str:
        """As the contract has it."""
        return "forecast"

    @property
    def needs(self) -> tuple[str, ...]:
        """The model's probability."""
        return (FORECAST,)

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Compare the probability with its bounds."""
        del before
        value = now.values[FORECAST]
        side, reason = placed(FORECAST, value, FORECAST_LOW, FORECAST_HIGH)
        return Verdict.of(side, share(abs(value - 0.5), 0.5), reason, {FORECAST: value})
