"""Rules: what each says of a bar, by which name, and what a panel of them hears and remembers."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from udfs.indicators import DEFAULTS
from udfs.observation import Observation
from udfs.rules import DEFAULT_RULES, DEFAULT_WEIGHTS, Panel, PanelState, RuleError, Verdict, parse
from udfs.series import Series


def bar(close: float = 100.0, *, open_price: float = 100.0, start_ms: int = 0, **values: float) -> Observation:
    high, low = max(open_price, close) + 1, min(open_price, close) - 1
    return Observation(start_ms, start_ms + 60_000, open_price, high, low, close, 5.0, values)


def valued(close: float = 100.0, /, **values: float) -> Observation:
    return msgspec.structs.replace(bar(close), values=values)


def lines(first: float, second: float, names: tuple[str, str] = ("sma(20)", "sma(50)")) -> Observation:
    return msgspec.structs.replace(bar(), values={names[0]: first, names[1]: second, "atr(14)": 4.0})


def judged(rule: str, *observations: Observation) -> list[Verdict | None]:
    asked, before, said = parse(rule), None, []
    for now in observations:
        said.append(asked.judge(before, now))
        before = now
    return said


def actions(rule: str, *observations: Observation) -> list[str | None]:
    return [one and one.action for one in judged(rule, *observations)]


# Names


def test_the_default_rules_are_those_of_the_contract_under_their_names() -> None:
    assert DEFAULT_RULES == (
        "sma-cross(20,50)", "ema-cross(12,26)", "rsi-bounds(14,30,70)", "macd-cross(12,26,9)", "bollinger-breakout(20,2)",
        "candle", "news", "order-flow", "forecast", "vote",
    )  # fmt: skip
    assert tuple(parse(name).name for name in DEFAULT_RULES) == DEFAULT_RULES


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("sma-cross", "sma-cross(20,50)"),
        ("ema-cross(5, 8)", "ema-cross(5,8)"),
        ("rsi-bounds(7,20.5,80)", "rsi-bounds(7,20.5,80)"),
        ("bollinger-breakout(20,2.0)", "bollinger-breakout(20,2)"),
        ("candle()", "candle"),
        ("vote(candle=1,rsi-bounds(14,30,70)=2,sma-cross=0.5)", "vote(candle=1,rsi-bounds(14,30,70)=2,sma-cross(20,50)=0.5)"),
        (f"vote({','.join(f'{name}=1' for name in DEFAULT_WEIGHTS)})", "vote"),
    ],
)  # fmt: skip
def test_a_name_gives_a_rule_and_the_rule_its_canonical_name(given: str, name: str) -> None:
    assert parse(given).name == name
    assert parse(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "there is no rule ''"),
        ("sma", "there is no rule 'sma'; there are sma-cross(20,50), "),
        ("x" * 5000, "there is no rule 'xxx"),
        ("vote(" * 400, "there is no rule"),
        ("sma-cross(20)", "'sma-cross(20)' has 1 parameters; write sma-cross(fast,slow)"),
        ("candle(3)", "'candle(3)' has 1 parameters; write candle, without any"),
        ("sma-cross(50,20)", "the fast period 50 is not below the slow 20"),
        ("sma-cross(0,20)", ">= 1"),
        ("sma-cross(1.5,20)", "int"),
        ("sma-cross(a,b)", "'sma-cross(a,b)' cannot be: Expected `int`"),
        ("rsi-bounds(14,70,30)", "the lower bound 70 is not below the upper 30"),
        ("rsi-bounds(14,30,101)", "<= 100"),
        ("rsi-bounds(14,nan,70)", "cannot be"),
        ("bollinger-breakout(20,0)", "> 0"),
        ("vote()", "gives '' no weight"),
        ("vote(candle)", "'vote(candle)' gives 'candle' no weight"),
        ("vote(candle=0)", "> 0"),
        ("vote(vote=1)", "a vote cannot count votes"),
        ("vote(nonesuch=1)", "there is no rule 'nonesuch'"),
    ],
)
def test_a_name_that_names_no_rule_is_refused_with_its_reason(name: str, message: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(name)
    assert message in str(refused.value)


def test_what_the_default_rules_need_are_default_indicators_or_what_is_heard() -> None:
    warm = Series(DEFAULTS)
    for step in range(100):
        values = warm.add(100.0 + step % 3, 104.0, 99.0, 101.0 + step % 2, 7.0)
    heard = {"order_flow", "forecast"}
    assert {need for name in DEFAULT_RULES for need in parse(name).needs} - heard <= set(values)
    studies = Panel([parse("vote")]).studies
    assert set(studies) <= set(DEFAULTS)
    assert len(studies) == len(set(studies)) == 8


# Crosses


def test_a_cross_says_nothing_until_it_is_seen_then_keeps_to_its_side() -> None:
    seen = [
        lines(*pair) for pair in [(11, 10), (12, 10), (9, 10), (8, 10), (10, 10), (9, 10), (10, 10), (11, 10), (12, 10)]
    ]
    assert actions("sma-cross(20,50)", *seen) == [None, None, "SELL", "SELL", "SELL", "SELL", "SELL", "BUY", "BUY"]


def test_lines_that_begin_as_one_and_part_have_crossed() -> None:
    assert actions("sma-cross(20,50)", lines(10, 10), lines(10, 10), lines(11, 10)) == [None, None, "BUY"]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("sma-cross(20,50)", ("sma(20)", "sma(50)")),
        ("ema-cross(12,26)", ("ema(12)", "ema(26)")),
        ("macd-cross(12,26,9)", ("macd(12,26,9)", "macd(12,26,9).signal")),
    ],
)
def test_a_cross_names_its_lines_and_is_as_strong_as_they_are_apart_in_true_ranges(
    rule: str, names: tuple[str, str]
) -> None:
    first, second = names
    assert judged(rule, lines(9, 10, names), lines(11, 10, names), lines(30, 10, names), lines(9.5, 10, names))[1:] == [
        Verdict("BUY", 0.25, f"{first} 11 > {second} 10", {first: 11, second: 10, "atr(14)": 4.0}),
        Verdict("BUY", 1.0, f"{first} 30 > {second} 10", {first: 30, second: 10, "atr(14)": 4.0}),
        Verdict("SELL", 0.125, f"{first} 9.5 < {second} 10", {first: 9.5, second: 10, "atr(14)": 4.0}),
    ]


# Levels


@pytest.mark.parametrize(
    ("rule", "now", "verdict"),
    [
        ("rsi-bounds(14,30,70)", {"rsi(14)": 27.9}, Verdict("BUY", (30 - 27.9) / 30, "rsi(14) 27.9 < 30", {"rsi(14)": 27.9})),
        ("rsi-bounds(14,30,70)", {"rsi(14)": 85.0}, Verdict("SELL", 0.5, "rsi(14) 85 > 70", {"rsi(14)": 85.0})),
        ("rsi-bounds(14,30,70)", {"rsi(14)": 30.0}, Verdict("HOLD", 0.0, "30 <= rsi(14) 30 <= 70", {"rsi(14)": 30.0})),
        ("rsi-bounds(14,0,100)", {"rsi(14)": 100.0}, Verdict("HOLD", 0.0, "0 <= rsi(14) 100 <= 100", {"rsi(14)": 100.0})),
        ("forecast", {"forecast": 0.6}, Verdict("BUY", pytest.approx(0.2), "forecast 0.6 > 0.55", {"forecast": 0.6})),
        ("forecast", {"forecast": 0.25}, Verdict("SELL", 0.5, "forecast 0.25 < 0.45", {"forecast": 0.25})),
        ("forecast", {"forecast": 0.55}, Verdict("HOLD", 0.0, "0.45 <= forecast 0.55 <= 0.55", {"forecast": 0.55})),
        ("news", {"news": 0.5}, Verdict("BUY", 0.5, "news 0.5 > 0.2", {"news": 0.5})),
        ("news", {"news": -0.21}, Verdict("SELL", 0.21, "news -0.21 < -0.2", {"news": -0.21})),
        ("news", {"news": 0.2}, Verdict("HOLD", 0.0, "-0.2 <= news 0.2 <= 0.2", {"news": 0.2})),
    ],
)  # fmt: skip
def test_a_level_is_compared_with_its_bounds(rule: str, now: dict[str, float], verdict: Verdict) -> None:
    assert judged(rule, valued(**now)) == [verdict]


@pytest.mark.parametrize(
    ("close", "action", "strength", "reason"),
    [
        (106.0, "BUY", 0.5, "close 106 > bollinger(20,2).upper 104"),
        (109.0, "BUY", 1.0, "close 109 > bollinger(20,2).upper 104"),
        (95.0, "SELL", 0.25, "close 95 < bollinger(20,2).lower 96"),
        (104.0, "HOLD", 0.0, "bollinger(20,2).lower 96 <= close 104 <= bollinger(20,2).upper 104"),
    ],
)
def test_a_close_beyond_a_band_breaks_out(close: float, action: Any, strength: float, reason: str) -> None:
    bands = {"bollinger(20,2).lower": 96.0, "bollinger(20,2).upper": 104.0}
    assert judged("bollinger-breakout(20,2)", valued(close, **bands)) == [
        Verdict(action, strength, reason, {"close": close, **bands})
    ]


@pytest.mark.parametrize(
    ("open_price", "close", "action", "strength", "reason"),
    [
        (100.0, 102.0, "BUY", 0.5, "close 102 > open 100"),
        (102.0, 100.0, "SELL", 0.5, "close 100 < open 102"),
        (100.0, 100.0, "HOLD", 0.0, "close 100 = open 100"),
    ],
)
def test_a_candle_says_its_colour(open_price: float, close: float, action: Any, strength: float, reason: str) -> None:
    assert judged("candle", bar(close, open_price=open_price)) == [
        Verdict(action, strength, reason, {"close": close, "open": open_price})
    ]


# What is heard


def test_news_that_have_grown_old_are_held_and_where_there_never_were_any_nothing_is_said() -> None:
    assert actions("news", bar(), bar(news=0.9), bar(), bar()) == [None, "BUY", "HOLD", "HOLD"]


def test_order_flow_speaks_after_twenty_bars_of_it_where_it_is_beyond_its_mean() -> None:
    usual = [bar(order_flow=10.0 * (-1) ** step) for step in range(20)]
    said = judged("order-flow", *usual, bar(order_flow=40.0), bar(order_flow=-20.0), bar(order_flow=1.0))
    assert said[:20] == [None] * 20
    assert said[20] == Verdict("BUY", 0.75, "order_flow 40 > 10", {"order_flow": 40.0, "mean": 10.0})
    assert [one and one.action for one in said[21:]] == ["SELL", "HOLD"]


# Vote


def voting(**leans: float) -> Observation:
    return valued(**{name.replace("_", "-"): lean for name, lean in leans.items()})


def test_a_vote_is_the_weighted_mean_of_those_who_say_something() -> None:
    [said] = judged("vote(candle=2,news=1,forecast=1)", voting(candle=0.5, news=-0.1))
    total = (2 * 0.5 - 0.1) / 3
    assert said == Verdict(
        "BUY", total, "vote 0.3 > 0.25: candle +0.50, news -0.10", {"vote": total, "candle": 0.5, "news": -0.1}
    )


def test_there_is_no_vote_while_less_than_half_of_the_weight_speaks() -> None:
    assert actions("vote(candle=2,news=1,forecast=1)", voting(news=-0.1), voting(news=-1, forecast=-1)) == [
        None,
        "SELL",
    ]


def test_votes_that_cancel_each_other_out_hold() -> None:
    assert judged("vote(candle=1,news=1)", voting(candle=0.5, news=-0.5), voting(candle=0.0, news=0.0)) == [
        Verdict("HOLD", 0.0, "-0.25 <= vote 0 <= 0.25: candle +0.50, news -0.50", {"vote": 0.0, "candle": 0.5, "news": -0.5}),
        Verdict("HOLD", 0.0, "-0.25 <= vote 0 <= 0.25", {"vote": 0.0, "candle": 0.0, "news": 0.0}),
    ]  # fmt: skip


# Panels


def test_a_panel_tells_what_it_was_asked_for_in_that_order_and_hears_the_voters_of_a_vote() -> None:
    panel = Panel([parse("vote(candle=1,news=1)"), parse("rsi-bounds"), parse("candle")])
    now = msgspec.structs.replace(bar(102.0), values={"news": 0.75})
    said = panel.ask(now)
    assert list(said) == ["vote(candle=1,news=1)", "candle"]
    assert said["vote(candle=1,news=1)"].numbers == {"vote": 0.625, "candle": 0.5, "news": 0.75}


def test_a_panel_whose_bar_before_was_not_warm_has_no_bar_before() -> None:
    panel = Panel([parse("sma-cross")])
    assert panel.ask(bar()) == {}
    assert panel.ask(lines(11, 10)) == {}
    assert [one.action for one in panel.ask(lines(9, 10)).values()] == ["SELL"]


def test_panels_of_the_same_rules_do_not_share_what_they_remember() -> None:
    rules = [parse("news")]
    first, second = Panel(rules), Panel(rules)
    first.ask(bar(news=1.0))
    assert (len(first.ask(bar())), len(second.ask(bar()))) == (1, 0)


def walk(seed: int, bars: int) -> list[Observation]:
    """A random walk of bars with all that rules can see of them."""
    print("seed", seed)
    chance, series, close, found = random.Random(seed), Series(DEFAULTS), 100.0, []
    for number in range(bars):
        opened, close = close * (1 + chance.gauss(0, 0.002)), close * (1 + chance.gauss(0, 0.02))
        high, low = max(opened, close) * 1.005, min(opened, close) * 0.995
        values = series.add(opened, high, low, close, chance.uniform(1, 100))
        heard = {"news": chance.uniform(-1, 1), "order_flow": chance.gauss(0, 50), "forecast": chance.random()}
        values |= {name: value for name, value in heard.items() if chance.random() < 0.7}
        found.append(Observation(number * 60_000, (number + 1) * 60_000, opened, high, low, close, 1.0, values))
    return found


def test_a_panel_restored_after_every_bar_says_the_same_and_remembers_little() -> None:
    rules = [parse(name) for name in DEFAULT_RULES]
    kept, restored, told = Panel(rules), Panel(rules), set()
    for now in walk(seed=8, bars=300):
        said = kept.ask(now)
        assert restored.ask(now) == said
        stored = msgspec.json.encode(restored.state())
        assert stored == msgspec.json.encode(kept.state())
        assert len(stored) < 1_000
        restored = Panel(rules, msgspec.json.decode(stored, type=PanelState))
        told |= {(name, verdict.action) for name, verdict in said.items()}
        assert all(0 <= verdict.strength <= 1 for verdict in said.values())
    assert {name for name, action in told if action == "BUY"} == set(DEFAULT_RULES)
    assert {name for name, action in told if action == "SELL"} == set(DEFAULT_RULES)


def test_a_flat_market_says_nothing_but_hold_except_for_rsi_which_is_0_there_by_definition() -> None:
    series, panel = Series(DEFAULTS), Panel([parse(name) for name in DEFAULT_RULES])
    said = {
        (name, verdict.action)
        for _ in range(120)
        for name, verdict in panel.ask(Observation(0, 1, 5.0, 5.0, 5.0, 5.0, 0.0, series.add(5.0, 5.0, 5.0, 5.0, 0.0))).items()
    }  # fmt: skip
    assert {name for name, action in said if action != "HOLD"} == {"rsi-bounds(14,30,70)"}
