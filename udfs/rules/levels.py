"""Rules of one bar and its indicators: RSI's bounds, Bollinger's bands, and the colour of the candle (seed C)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from udfs.observation import Observation
from udfs.rules.crosses import Period
from udfs.rules.rule import Rule, Verdict, called, placed, share, text

Percent = Annotated[float, Meta(ge=0, le=100)]


class RsiBounds(Rule):
    """BUY below the lower bound, SELL above the upper. The strength is how far beyond, as a part of the way to 0 or 100."""

    period: Period
    low: Percent
    high: Percent

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"the lower bound {self.low:g} is not below the upper {self.high:g}")

    @property
    def name(self) -> str:
        """As the contract has it."""
        return called("rsi-bounds", self.period, self.low, self.high)

    @property
    def needs(self) -> tuple[str, ...]:
        """RSI."""
        return (called("rsi", self.period),)

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Compare RSI with its bounds."""
        del before
        [name] = self.needs
        value = now.values[name]
        side, reason = placed(name, value, self.low, self.high)
        beyond = share(self.low - value, self.low) if side < 0 else share(value - self.high, 100 - self.high)
        return Verdict.of(-side, beyond, reason, {name: value})


class BollingerBreakout(Rule):
    """BUY above the upper band, SELL below the lower. The strength is how far beyond, as a part of half the bands' width."""

    period: Period
    deviations: Annotated[float, Meta(gt=0, le=100)]

    @property
    def name(self) -> str:
        """As the contract has it."""
        return called("bollinger-breakout", self.period, self.deviations)

    @property
    def needs(self) -> tuple[str, ...]:
        """The two bands."""
        bands = called("bollinger", self.period, self.deviations)
        return f"{bands}.lower", f"{bands}.upper"

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Compare the close with the bands."""
        del before
        names = self.needs
        lower, upper = (now.values[name] for name in names)
        side, reason = placed("close", now.close, lower, upper, *names)
        beyond = share(now.close - upper if side > 0 else lower - now.close, (upper - lower) / 2)
        return Verdict.of(side, beyond, reason, {"close": now.close, names[0]: lower, names[1]: upper})


class Candle(Rule):
    """BUY where the close is above the open, SELL where below, HOLD where equal. The strength is the body's part of the bar's range."""

    @property
    def name(self) -> str:
        """As the contract has it."""
        return "candle"

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Compare the close with the open."""
        del before
        side = (now.close > now.open) - (now.close < now.open)
        reason = f"close {text(now.close)} {'<=>'[side + 1]} open {text(now.open)}"
        return Verdict.of(
            side, share(abs(now.close - now.open), now.high - now.low), reason, {"close": now.close, "open": now.open}
        )
