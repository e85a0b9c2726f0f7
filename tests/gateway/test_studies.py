"""What the pages can show is what the jobs compute."""

from __future__ import annotations

from gateway.analytics.shown import IndicatorsShown
from gateway.analytics.studies import BOOK, LINES, OUTPUTS, PANES, RULES, Chosen, chosen, warm_up
from gateway.figures import study_rows
from udfs.indicators import BOOK_DEFAULTS, DEFAULTS, output_names, parse
from udfs.rules import DEFAULT_RULES


def test_the_studies_have_the_outputs_and_warm_ups_of_the_indicators() -> None:
    computed = {frozenset(output_names(study)): study.warm_up for study in map(parse, DEFAULTS)}
    assert {frozenset(study.outputs): study.bars for study in (*LINES, *PANES)} == computed


def test_the_book_measures_and_rules_are_those_of_the_jobs() -> None:
    assert set(BOOK) == set(BOOK_DEFAULTS)
    assert set(RULES) == set(DEFAULT_RULES)


def test_an_address_that_names_no_pane_gets_the_usual_and_one_that_does_gets_what_it_names() -> None:
    assert chosen({"marks": "candle"}, ["ema12"]) == Chosen()
    assert chosen({"pane": "none"}, []) == Chosen(lines=(), pane="", marks="")
    assert chosen({"pane": "macd", "marks": "candle"}, ["bollinger", "<b>", "sma20", "sma20"]) == Chosen(
        lines=("sma20", "bollinger"), pane="macd", marks="candle"
    )


def test_a_study_says_how_many_bars_it_waits_for_or_that_this_bar_gives_it_none() -> None:
    macd = PANES[1]
    assert warm_up(macd, 33, {"rsi(14)": 1.0}) == "not warm yet: 33 of 34 bars"
    assert warm_up(macd, 34, {}) == "none of this bar"
    assert warm_up(macd, 34, dict.fromkeys(macd.outputs, 0.0)) == ""


def test_the_rows_of_a_chart_hold_null_where_a_study_is_not_warm() -> None:
    bar = IndicatorsShown(
        start_ms=60_000, seq=1, bars=1, closed=True, open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0, values={OUTPUTS[1]: 0.5}
    )  # fmt: skip
    assert study_rows([bar]) == f"[[60000,null,0.5{',null' * (len(OUTPUTS) - 2)}]]"
    assert study_rows([]) == "[]"
