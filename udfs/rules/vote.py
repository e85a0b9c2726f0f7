"""A rule of rules: the weighted mean of what the others say."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from udfs.observation import Observation
from udfs.rules.rule import Rule, Verdict, placed

VOTE_BOUND: Final = 0.25
VOTE: Final = "vote"
DEFAULT_WEIGHTS: Final = dict.fromkeys(
    (
        "sma-cross(20,50)",
        "ema-cross(12,26)",
        "rsi-bounds(14,30,70)",
        "macd-cross(12,26,9)",
        "bollinger-breakout(20,2)",
        "candle",
        "news",
        "order-flow",
        "forecast",
    ),
    1.0,
)
"""All count the same: without a reason to trust one more than another, equal weights are the choice that fits no past."""

Weight = Annotated[float, Meta(gt=0, le=1_000)]


class Vote(Rule):
    """BUY where the others' actions and strengths come to more than 0.25, SELL below -0.25. The strength is the sum's absolute value.

    What each says of this bar counts from -1 (SELL, strongly) to 1 (BUY, strongly), 0 where it holds, and stands among the bar's values
    under the rule's name. The weights are divided by the sum of those who say something, so that the sum is from -1 to 1
    whoever is silent; while less than half of all the weight speaks, there is no vote.
    """

    weights: dict[str, Weight]

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("a vote needs rules that vote")
        if any(name.partition("(")[0] == VOTE for name in self.weights):
            raise ValueError("a vote cannot count votes")

    @property
    def name(self) -> str:
        """`vote` with the default weights, else with its own, such as `vote(candle=1,rsi-bounds(14,30,70)=2)`."""
        if self.weights == DEFAULT_WEIGHTS:
            return VOTE
        return f"{VOTE}({','.join(f'{name}={weight:g}' for name, weight in self.weights.items())})"

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Count the votes."""
        del before
        votes = {name: now.values[name] for name in self.weights if name in now.values}
        weight = sum(self.weights[name] for name in votes)
        if not votes or weight * 2 < sum(self.weights.values()):
            return None
        total = sum(self.weights[name] * vote for name, vote in votes.items()) / weight
        side, reason = placed(VOTE, total, -VOTE_BOUND, VOTE_BOUND)
        told = ", ".join(f"{name} {vote:+.2f}" for name, vote in votes.items() if vote)
        return Verdict.of(side, min(1.0, abs(total)), f"{reason}: {told}" if told else reason, {VOTE: total, **votes})
