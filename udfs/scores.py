"""How well rules did: signals followed up bar by bar, and beside them chance and patience.

Theory of operation: a signal of a bar is entered at the open of the next one (its own bar's close is known only when nobody can trade at it any
more) and left at the close of the bar `horizon` bars after its own. The same trade is reckoned for every bar, signal or not. So what signals at
random would have got needs no drawing: a buy at a bar taken by chance gains the mean over all bars, a sell loses it. Kept are the opens
of the last bars, the signals that are still followed, and sums; a bar costs the same however many came before.
"""

from __future__ import annotations

from typing import Final

import msgspec

from exchange.analysis import Action, Part
from exchange.messages import Count, Seq
from udfs.rules.rule import SIGNS

HORIZONS: Final = (1, 5, 20)
"""After how many bars a signal is judged."""
HORIZON_MAX: Final = 1_000
GAIN_MAX: Final = 1e6
"""A gain counts as no more than this, or one nonsensical price would make all sums infinite."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a signal: in at `entry`, out at `price`; `gain` is the return in its direction, as a part of the entry."""

    rule: str
    action: Action
    start_ms: int
    horizon: Seq
    entry: float
    price: float
    gain: float


class Score(msgspec.Struct, frozen=True, gc=False):
    """A rule's outcomes at a horizon so far, as `exchange.analysis.RuleScore` tells them; averages are 0 of nothing."""

    bars: Count
    signals: Count
    hits: Count
    average: float
    average_gain: float
    average_loss: float
    random: float
    random_hit_rate: Part
    hold: float

    @property
    def hit_rate(self) -> float:
        """The part of the signals that gained."""
        return _mean(self.hits, self.signals)


class Tally(msgspec.Struct, array_like=True, gc=False):
    """Sums over the outcomes of a rule at a horizon: `gained` over the hits, `lost` (0 or less) over the others."""

    buys: int = 0
    sells: int = 0
    hits: int = 0
    gained: float = 0.0
    lost: float = 0.0

    def add(self, sign: int, gain: float) -> None:
        """Count one more."""
        if sign > 0:
            self.buys += 1
        else:
            self.sells += 1
        if gain > 0:
            self.hits += 1
            self.gained += gain
        else:
            self.lost += gain


class Chance(msgspec.Struct, array_like=True, gc=False):
    """Sums over all bars at a horizon: the returns of buying after each, how many of them rose, how many fell."""

    bars: int = 0
    total: float = 0.0
    rises: int = 0
    falls: int = 0

    def add(self, gain: float) -> None:
        """Count one more bar."""
        self.bars += 1
        self.total += gain
        self.rises += gain > 0
        self.falls += gain < 0


class Followed(msgspec.Struct, array_like=True, gc=False):
    """The signals of the bar with that number: 1 or -1 by rule."""

    bar: int
    start_ms: int
    signs: dict[str, int] = msgspec.field(default_factory=dict)


class Scores(msgspec.Struct, array_like=True):
    """The scores of all rules of one series. Bars are numbered from 1; `opens` are the last ones', `followed` is by bar."""

    horizons: tuple[int, ...] = HORIZONS
    bars: int = 0
    first_open: float = 0.0
    last_close: float = 0.0
    opens: list[float] = msgspec.field(default_factory=list)
    followed: list[Followed] = msgspec.field(default_factory=list)
    chances: dict[int, Chance] = msgspec.field(default_factory=dict)
    tallies: dict[str, dict[int, Tally]] = msgspec.field(default_factory=dict)

    def add(self, open_price: float, close: float) -> list[Outcome]:
        """Take in the next bar, both prices above 0, and return what has become known by its close: shorter horizons first."""
        self.bars += 1
        self.last_close = close
        self.first_open = self.first_open or open_price
        self.opens.append(open_price)
        del self.opens[: -max(self.horizons)]
        outcomes: list[Outcome] = []
        for horizon in self.horizons:
            if horizon < self.bars and horizon <= len(self.opens):
                outcomes += self._known(horizon, self.opens[-horizon], close)
        while self.followed and self.followed[0].bar <= self.bars - max(self.horizons):
            del self.followed[0]
        return outcomes

    def _known(self, horizon: int, entry: float, close: float) -> list[Outcome]:
        """Count the trade of the bar `horizon` bars ago, and the signals that asked for it."""
        rise = min(close / entry - 1, GAIN_MAX)
        self.chances.setdefault(horizon, Chance()).add(rise)
        bar = self.bars - horizon
        outcomes = []
        for followed in self.followed:
            for rule, sign in followed.signs.items() if followed.bar == bar else ():
                self.tallies.setdefault(rule, {}).setdefault(horizon, Tally()).add(sign, sign * rise)
                action: Action = "BUY" if sign > 0 else "SELL"
                outcomes.append(Outcome(rule, action, followed.start_ms, horizon, entry, close, sign * rise))
        return outcomes

    def follow(self, rule: str, action: Action, start_ms: int) -> None:
        """Follow up a signal of the bar that was added last; a HOLD asks for nothing."""
        sign = SIGNS[action]
        if not sign:
            return
        if not self.followed or self.followed[-1].bar != self.bars:
            self.followed.append(Followed(self.bars, start_ms))
        self.followed[-1].signs[rule] = sign

    def score(self, rule: str, horizon: int) -> Score:
        """Return how a rule has done."""
        tally = self.tallies.get(rule, {}).get(horizon, Tally())
        chance = self.chances.get(horizon, Chance())
        signals = tally.buys + tally.sells
        return Score(
            bars=self.bars,
            signals=signals,
            hits=tally.hits,
            average=_mean(tally.gained + tally.lost, signals),
            average_gain=_mean(tally.gained, tally.hits),
            average_loss=_mean(tally.lost, signals - tally.hits),
            random=_mean((tally.buys - tally.sells) * _mean(chance.total, chance.bars), signals),
            random_hit_rate=_mean(_mean(tally.buys * chance.rises + tally.sells * chance.falls, chance.bars), signals),
            hold=min(self.last_close / self.first_open - 1, GAIN_MAX) if self.bars else 0.0,
        )


def _mean(total: float, count: int) -> float:
    return total / count if count else 0.0
