"""The whole market: breadth, rankings and profit leaders, whatever the order of the symbols' messages."""

from __future__ import annotations

import random
from functools import partial

import pytest

from exchange import topics
from exchange.analysis import MARKET_KEY, MarketSummary, ProfitLeader, Ranked, SymbolSummary, Totals, WindowProfit
from exchange.host import Outcome, Record
from exchange.packets import encode
from udfs.ranking import PAUSE_MS, PLACES_MAX, WINDOWS_MAX, Ranking, ranking_host

TOTALS = Totals(open=1, high=1, low=1, close=1, volume=1, turnover=1, trades=1)


def summary(
    symbol: str, change: float, trades: int = 1, turnover: float = 1.0, profit: float | None = None
) -> SymbolSummary:
    return SymbolSummary(
        symbol=symbol, time_ms=trades, trades=trades, listing=1, session=TOTALS, day=TOTALS, turnover=turnover, change=change,
        change_24h=0.0, profit=profit,
    )  # fmt: skip


def profit(symbol: str, gained: float, version: int = 1, end_ms: int = 600_000) -> WindowProfit:
    return WindowProfit(
        symbol=symbol, method="hopping-10m-5m", start_ms=end_ms - 600_000, end_ms=end_ms, version=version, profit=gained
    )


def leader(symbol: str, gained: float, symbols: int, end_ms: int = 600_000) -> ProfitLeader:
    return ProfitLeader(
        method="hopping-10m-5m", start_ms=end_ms - 600_000, end_ms=end_ms, symbol=symbol, profit=gained, symbols=symbols
    )


def told(ranking: Ranking, *messages: SymbolSummary | WindowProfit, at_ms: int = 10_000) -> list[object]:
    for message in messages:
        assert ranking.apply(message, at_ms) == []
    return ranking.finish()


def test_breadth_and_rankings_of_three_symbols():
    found = told(
        Ranking(), summary("A", 0.1, turnover=5.0, profit=-1.0), summary("B", -0.2, turnover=9.0), summary("C", 0.0)
    )
    assert found == [
        MarketSummary(
            time_ms=1,
            symbols=3,
            advancers=1,
            decliners=1,
            unchanged=1,
            by_change=[Ranked("A", 0.1), Ranked("C", 0.0), Ranked("B", -0.2)],
            by_turnover=[Ranked("B", 9.0), Ranked("A", 5.0), Ranked("C", 1.0)],
            by_profit=[Ranked("A", -1.0)],
        )
    ]


def test_of_many_symbols_the_first_and_the_last_by_change_are_told():
    names = [f"S{number:03d}" for number in range(50)]
    [found] = told(Ranking(), *(summary(name, float(number)) for number, name in enumerate(names)))
    assert isinstance(found, MarketSummary)
    assert [place.symbol for place in found.by_change] == [*reversed(names[30:]), *reversed(names[:20])]
    assert len(found.by_turnover) == PLACES_MAX


def test_rankings_are_told_once_a_second_and_after_a_pause_by_the_wall():
    ranking = Ranking()
    assert len(told(ranking, summary("A", 0.1), at_ms=5_000)) == 1
    assert (told(ranking, summary("A", 0.2, 2), at_ms=5_500), ranking.deadline_ms()) == ([], 5_000 + PAUSE_MS)
    [closed] = ranking.closing(6_020, is_quiet=True)
    assert isinstance(closed, MarketSummary)
    assert (closed.by_change, ranking.closing(7_100, is_quiet=True), ranking.deadline_ms()) == (
        [Ranked("A", 0.2)],
        [],
        None,
    )


def test_what_was_not_told_before_a_restore_is_told_after_it():
    ranking = Ranking()
    assert told(ranking, summary("A", 0.1))
    assert told(ranking, summary("B", 0.2), at_ms=10_000 + PAUSE_MS - 1) == []
    entries = {name: text for name, text in ranking.changes().items() if text is not None}
    [found] = Ranking(entries).closing(20_000, is_quiet=True)
    assert (found.symbols, found.by_change) == (2, [Ranked("B", 0.2), Ranked("A", 0.1)])
    assert Ranking().closing(20_000, is_quiet=True) == []


def test_an_older_summary_changes_nothing():
    ranking = Ranking()
    told(ranking, summary("A", 0.3, trades=7))
    assert told(ranking, summary("A", 0.1, trades=6), at_ms=90_000) == []


def test_the_greatest_profit_leads_and_equal_ones_by_name():
    ranking = Ranking()
    assert told(ranking, profit("B", 1.0)) == [leader("B", 1.0, 1)]
    assert told(ranking, profit("C", 0.5)) == []
    assert told(ranking, profit("A", 1.0)) == [leader("A", 1.0, 3)]
    assert told(ranking, profit("A", 0.1, version=2)) == [leader("B", 1.0, 3)], "a correction takes the lead away"
    assert told(ranking, profit("B", 9.0, version=0)) == [], "an older version says nothing"


def test_the_leader_is_the_same_whatever_the_order():
    print("seed 7")
    chance = random.Random(7)
    profits = [
        profit(f"S{number}", float(chance.randrange(-5, 6)), version) for number in range(30) for version in (1, 2)
    ]
    ends = []
    for _ in range(20):
        chance.shuffle(profits)
        last = told(Ranking(), *profits)[-1]
        ends.append(last)
    best = min((-one.profit, one.symbol) for one in profits if one.version == 2)
    assert {(-one.profit, one.symbol) for one in ends if isinstance(one, ProfitLeader)} == {best}


def test_old_windows_are_forgotten_and_no_longer_count():
    ranking = Ranking()
    for number in range(1, WINDOWS_MAX + 3):
        assert told(ranking, profit("A", 1.0, end_ms=number * 300_000 + 300_000))
    assert told(ranking, profit("Z", 5.0, end_ms=600_000)) == []
    assert len(ranking._windows["hopping-10m-5m"]) == WINDOWS_MAX


@pytest.mark.parametrize("packet", [1, 4])
def test_restored_after_each_packet_it_goes_on_as_if_never_lost(packet: int):
    print("seed 11")
    chance = random.Random(11)
    messages: list[SymbolSummary | WindowProfit] = []
    for number in range(200):
        symbol = chance.choice("ABCD")
        if chance.random() < 0.5:
            messages.append(summary(symbol, chance.uniform(-1, 1), number, chance.uniform(1, 9), chance.uniform(-1, 1)))
        else:
            end_ms = 300_000 * chance.randrange(2, 18)
            messages.append(profit(symbol, float(chance.randrange(9)), number, end_ms))
    records = [
        Record("summaries", 0, start, start * 400, "X", encode(messages[start : start + packet]))
        for start in range(0, len(messages), packet)
    ]
    whole, stored = ranking_host(), dict[str, str]()
    for record in records:
        expected = whole.process(record, dict)
        found = ranking_host().process(record, partial(dict, stored))
        assert _leaders(found) == _leaders(expected)
        assert found.changes == expected.changes
        stored |= {name: text for name, text in found.changes.items() if text is not None}


def _leaders(outcome: Outcome) -> list[tuple[str, str, bytes]]:
    return [one for one in outcome.records if one[:2] == (topics.LEADERS, MARKET_KEY)]
