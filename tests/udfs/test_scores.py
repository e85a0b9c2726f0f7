"""Scores against what the definition says of all bars at once, and what cannot be: a scorer that looks ahead."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import msgspec
import pytest

from exchange.analysis import Action
from udfs.scores import GAIN_MAX, HORIZONS, Outcome, Score, Scores

Bar = tuple[float, float]
"""Open and close."""
Call = tuple[int, str, Action]
"""A signal: the position of its bar, from 0, its rule and its action."""


def walk(seed: int, bars: int) -> list[Bar]:
    print("seed", seed)
    chance, close, found = random.Random(seed), 100.0, []
    for _ in range(bars):
        opened = close * math.exp(chance.gauss(0, 0.005))
        close = opened * math.exp(chance.gauss(0, 0.02)) if chance.random() < 0.9 else opened
        found.append((opened, close))
    return found


def run(
    bars: Sequence[Bar], calls: Sequence[Call], horizons: tuple[int, ...] = HORIZONS
) -> tuple[Scores, list[list[Outcome]]]:
    scores, outcomes = Scores(horizons), []
    by_bar: dict[int, list[Call]] = {}
    for call in calls:
        by_bar.setdefault(call[0], []).append(call)
    for at, (opened, close) in enumerate(bars):
        outcomes.append(scores.add(opened, close))
        for _, rule, action in by_bar.get(at, ()):
            scores.follow(rule, action, start_ms=1000 * at)
    return scores, outcomes


def by_definition(bars: Sequence[Bar], calls: Sequence[Call], rule: str, horizon: int) -> Score:
    """The score with all bars in hand: every trade that is complete, and its mean for every bar."""
    returns = {at: bars[at + horizon][1] / bars[at + 1][0] - 1 for at in range(len(bars) - horizon)}
    followed = [
        (at, 1 if action == "BUY" else -1)
        for at, of, action in calls
        if of == rule and at in returns and action != "HOLD"
    ]
    gains = [sign * returns[at] for at, sign in followed]
    expected = [sum(sign * one for one in returns.values()) / len(returns) for _, sign in followed]
    lucky = [sum(sign * one > 0 for one in returns.values()) / len(returns) for _, sign in followed]
    mean = lambda found: sum(found) / len(found) if found else 0.0  # noqa: E731
    return Score(
        bars=len(bars),
        signals=len(gains),
        hits=sum(gain > 0 for gain in gains),
        average=mean(gains),
        average_gain=mean([gain for gain in gains if gain > 0]),
        average_loss=mean([gain for gain in gains if gain <= 0]),
        random=mean(expected),
        random_hit_rate=mean(lucky),
        hold=bars[-1][1] / bars[0][0] - 1,
    )


def close_to(score: Score) -> object:
    return pytest.approx(msgspec.structs.asdict(score), rel=1e-12, abs=1e-12)


def test_a_signal_is_entered_at_the_next_open_and_left_at_the_close_horizon_bars_after_its_own() -> None:
    bars = [(10.0, 11.0), (20.0, 22.0), (30.0, 33.0), (40.0, 30.0)]
    scores, outcomes = run(bars, [(0, "up", "BUY"), (1, "down", "SELL"), (1, "idle", "HOLD")], horizons=(1, 2))
    assert outcomes == [
        [],
        [Outcome("up", "BUY", 0, 1, 20.0, 22.0, 22 / 20 - 1)],
        [Outcome("down", "SELL", 1000, 1, 30.0, 33.0, -(33 / 30 - 1)), Outcome("up", "BUY", 0, 2, 20.0, 33.0, 33 / 20 - 1)],
        [Outcome("down", "SELL", 1000, 2, 30.0, 30.0, 0.0)],
    ]  # fmt: skip
    assert scores.followed == []
    assert scores.score("down", 2) == Score(
        bars=4, signals=1, hits=0, average=0.0, average_gain=0.0, average_loss=0.0,
        random=-((33 / 20 - 1) + 0.0) / 2, random_hit_rate=0.0, hold=2.0,
    )  # fmt: skip


def test_nothing_is_said_of_what_has_not_been() -> None:
    nothing = Score(
        bars=0,
        signals=0,
        hits=0,
        average=0.0,
        average_gain=0.0,
        average_loss=0.0,
        random=0.0,
        random_hit_rate=0.0,
        hold=0.0,
    )
    assert Scores().score("any", 5) == nothing
    scores, _ = run([(10.0, 11.0)], [(0, "up", "BUY")])
    assert scores.score("up", 1) == msgspec.structs.replace(nothing, bars=1, hold=pytest.approx(0.1))


@pytest.mark.parametrize("horizons", [(1, 5, 20), (3,), (2, 7)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_running_scores_are_after_every_bar_those_of_the_definition(seed: int, horizons: tuple[int, ...]) -> None:
    bars, chance = walk(seed, 60), random.Random(seed)
    calls: list[Call] = [
        (at, rule, chance.choice(("BUY", "SELL", "HOLD")))
        for at in range(len(bars)) for rule in ("often", "rarely") if chance.random() < (0.8 if rule == "often" else 0.05)
    ]  # fmt: skip
    for length in range(1, len(bars) + 1):
        scores, _ = run(bars[:length], calls, horizons)
        for rule in ("often", "rarely", "never"):
            for horizon in horizons:
                expected = by_definition(bars[:length], calls, rule, horizon)
                assert msgspec.structs.asdict(scores.score(rule, horizon)) == close_to(expected)


def test_restored_after_every_bar_scores_go_on_as_if_never_lost_and_stay_small() -> None:
    bars, chance, decoder = walk(9, 400), random.Random(9), msgspec.json.Decoder(Scores)
    kept, restored = Scores(), Scores()
    for at, bar in enumerate(bars):
        outcomes = kept.add(*bar)
        assert restored.add(*bar) == outcomes
        for rule in range(10):
            action: Action = chance.choice(("BUY", "SELL", "HOLD"))
            for scores in (kept, restored):
                scores.follow(f"rule-{rule}", action, 60_000 * at)
        stored = msgspec.json.encode(restored)
        assert stored == msgspec.json.encode(kept)
        assert len(stored) < 8_000
        restored = decoder.decode(stored)


def test_the_exact_expectation_of_random_signals_is_what_drawing_them_comes_to() -> None:
    bars, drawn, chance = walk(4, 60), [], random.Random(4)
    scores, _ = run(bars, [(at, "rule", "BUY" if at % 3 else "SELL") for at in range(0, 50, 2)])
    expected = scores.score("rule", 5)
    returns = [bars[at + 5][1] / bars[at + 1][0] - 1 for at in range(55)]
    for _ in range(20_000):
        sign = -1 if chance.randrange(25) < 9 else 1  # 9 of the 25 signals above sell
        drawn.append(sign * chance.choice(returns))
    assert expected.signals == 25
    assert sum(drawn) / len(drawn) == pytest.approx(expected.random, abs=4 * 0.05 / 20_000**0.5)
    assert sum(gain > 0 for gain in drawn) / len(drawn) == pytest.approx(
        expected.random_hit_rate, abs=4 * 0.5 / 20_000**0.5
    )


def test_a_nonsensical_price_leaves_all_scores_finite() -> None:
    scores, outcomes = run([(1e-300, 1e300)] * 4, [(0, "rule", "BUY"), (1, "rule", "SELL")])
    assert [one.gain for told in outcomes for one in told] == [GAIN_MAX, -GAIN_MAX]
    assert all(math.isfinite(value) for value in msgspec.structs.asdict(scores.score("rule", 1)).values())


# No look-ahead


def called(bars: Sequence[Bar], says: Callable[[int], float]) -> list[Call]:
    """A signal at each bar, of the sign of what is said of it."""
    return [(at, "rule", "BUY" if said > 0 else "SELL") for at in range(len(bars)) if (said := says(at))]


@pytest.mark.parametrize("horizon", HORIZONS)
def test_a_seer_is_always_right_and_the_same_rule_of_the_past_no_better_than_chance(horizon: int) -> None:
    bars = walk(11, 20_000)

    def coming(at: int) -> float:
        return bars[at + horizon][1] - bars[at + 1][0] if at + horizon < len(bars) else 0.0

    def past(at: int) -> float:
        return coming(at - horizon) if at >= horizon else 0.0  # ends with this bar's close: all that is known

    seer, _ = run(bars, called(bars, coming))
    assert seer.score("rule", horizon).hit_rate == 1.0
    score = run(bars, called(bars, past))[0].score("rule", horizon)
    independent = score.signals / (2 * horizon - 1)  # the trades overlap, as do what they were decided by
    print(f"horizon {horizon}: hit rate {score.hit_rate:.4f} of {score.signals}, at random {score.random_hit_rate:.4f}")
    assert abs(score.hit_rate - score.random_hit_rate) < 4 * 0.5 / independent**0.5


def test_a_rule_that_sees_its_own_bars_body_gains_nothing_from_it() -> None:
    bars = walk(12, 20_000)
    score = run(bars, called(bars, lambda at: bars[at][1] - bars[at][0]))[0].score("rule", 1)
    assert abs(score.hit_rate - score.random_hit_rate) < 4 * 0.5 / score.signals**0.5


def test_no_price_of_a_signals_own_bar_or_before_is_ever_an_entry() -> None:
    bars = [(1000.0 + at, 2000.0 + at) for at in range(50)]  # every price tells which bar it is of
    _, outcomes = run(bars, [(at, "rule", "BUY") for at in range(50)])
    for at, told in enumerate(outcomes):
        assert [(one.start_ms // 1000, one.entry, one.price) for one in told] == [
            (at - horizon, 1000.0 + at - horizon + 1, 2000.0 + at) for horizon in HORIZONS if at >= horizon
        ]


def test_what_has_become_known_does_not_change_when_the_bars_after_it_do() -> None:
    bars, others = walk(5, 100), walk(6, 100)
    calls: list[Call] = [(at, "rule", "BUY" if at % 2 else "SELL") for at in range(0, 100, 3)]
    _, told = run(bars, calls)
    for kept in range(100):
        assert run([*bars[:kept], *others[kept:]], calls)[1][:kept] == told[:kept]
