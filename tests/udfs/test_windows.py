"""Windows of the seeds, by hand (docs/ANALYTICS.md, section 4); at random they are compared in test_watch."""

from __future__ import annotations

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from tests.udfs.watched import START_MS, Run, final, listed, trade

MINUTE_MS = 60_000


def run(*rows: tuple[float, int, int], **given: bool) -> Run:
    """Return a run over trades, given as minutes, price and quantity."""
    found = Run(**given)
    found.tell(topics.BOOK_SNAPSHOTS, listed(tick="1"))
    found.trades(trades(*rows))
    return found


def trades(*rows: tuple[float, int, int], after: int = 0) -> list[m.Trade]:
    return [
        trade(seq, START_MS + int(minutes * MINUTE_MS), price, quantity)
        for seq, (minutes, price, quantity) in enumerate(rows, after + 1)
    ]


def windows(found: Run, method: a.Method) -> list[tuple[float, float, float, float]]:
    """Return start and end in minutes, average and profit of each window in the end."""
    facts = final(found.told)
    rows = []
    for name, profit in facts.items():
        if isinstance(profit, a.WindowProfit) and profit.method == method:
            average = facts["WindowAverage", *name[1:]]
            assert (average.start_ms, average.version) == (profit.start_ms, profit.version)
            start, end = ((time_ms - START_MS) / MINUTE_MS for time_ms in (profit.start_ms, profit.end_ms))
            rows.append((start, end, average.average, profit.profit))
    return sorted(rows, key=lambda row: row[1])


def test_hopping_windows_average_closes_less_opens_of_the_minutes_in_them():
    found = run((0, 100, 1), (0.5, 104, 1), (4, 110, 5), (5, 90, 1), (5.9, 96, 1), (10, 1, 1))
    assert windows(found, "hopping-10m-5m") == [
        (-5, 5, (104 + 110) / 2, (104 + 110) / 2 - (100 + 110) / 2),
        (0, 10, (104 + 110 + 96) / 3, (104 + 110 + 96) / 3 - (100 + 110 + 90) / 3),
    ]


def test_a_window_is_told_when_the_clock_reaches_its_end_and_not_a_millisecond_before():
    found = run((0, 100, 1))
    last = trade(2, START_MS + 5 * MINUTE_MS - 1, 100)
    found.tell(topics.TRADES, last)
    assert windows(found, "hopping-10m-5m") == windows(found, "vwap-5m") == []
    found.tell(topics.TRADES, trade(3, START_MS + 5 * MINUTE_MS, 100))
    assert windows(found, "hopping-10m-5m") == [(-5, 5, 100, 0)]
    assert windows(found, "vwap-5m") == [(0, 5, 100, 0)]


def test_a_bucket_s_price_is_its_vwap_and_is_averaged_with_that_of_the_last_bucket_with_trades():
    found = run((0, 100, 1), (1, 130, 2), (25, 150, 1), (26, 90, 3), (30, 80, 7), (60, 1, 1))
    assert windows(found, "vwap-5m") == [
        (0, 5, 120, 20),
        (0, 30, (120 + 105) / 2, (120 + 105) / 2 - 100),
        (25, 35, (105 + 80) / 2, (105 + 80) / 2 - 150),
    ]


def test_a_window_without_candles_is_not_told_and_each_other_is_told_once():
    found = run((0, 100, 1), (24 * 60 * 8, 200, 1), (24 * 60 * 8 + 10, 200, 1))
    profits = [fact for fact in found.told if isinstance(fact, a.WindowProfit)]
    week = 24 * 60 * 8
    assert [row[:2] for row in windows(found, "hopping-10m-5m")] == [
        (-5, 5), (0, 10), (week - 5, week + 5), (week, week + 10)
    ]  # fmt: skip
    assert len(profits) == 4 + 2, "and two buckets"


def test_a_late_trade_makes_the_windows_it_lies_in_be_told_again_under_a_greater_version():
    found = run((0, 100, 1), (4.99, 110, 1), (5.01, 50, 1), restoring=True)
    assert windows(found, "hopping-10m-5m") == [(-5, 5, 105, 0)]
    assert windows(found, "vwap-5m") == [(0, 5, 105, 5)]
    told = len(found.told)
    found.trades(trades((4.995, 130, 2), after=3))
    assert windows(found, "hopping-10m-5m") == [(-5, 5, (100 + 130) / 2, (100 + 130) / 2 - (100 + 110) / 2)]
    assert windows(found, "vwap-5m") == [(0, 5, (100 + 110 + 260) / 4, (100 + 110 + 260) / 4 - 100)]
    again = [fact.version for fact in found.told[told:] if isinstance(fact, a.WindowProfit | a.WindowAverage)]
    assert again == [4] * 4


def test_a_late_trade_in_an_older_window_leaves_the_summary_the_newest_window_s_profit():
    found = Run(lateness_ms=3_600_000)
    found.tell(topics.BOOK_SNAPSHOTS, listed(tick="1"))
    rows = trades((0, 100, 1), (0.5, 110, 1), (19, 200, 1), (19.5, 250, 1), (31, 300, 1), (0.7, 170, 1))
    found.trades(rows)
    assert windows(found, "hopping-10m-5m")[-2:] == [(10, 20, 250, 50), (15, 25, 250, 50)]
    newest = found.told[-1]
    assert isinstance(newest, a.SymbolSummary)
    assert newest.profit == 50


def test_a_bucket_that_is_settled_still_counts_for_the_next_after_a_restore():
    rows = ((0, 100, 1), (60 * 24 * 3, 200, 1), (60 * 24 * 3 + 5, 200, 1))
    assert (
        windows(run(*rows, restoring=True), "vwap-5m")
        == windows(run(*rows), "vwap-5m")
        == [
            (0, 5, 100, 0),
            (0, 60 * 24 * 3 + 5, 150, 50),
        ]
    )
