"""The proof names the first bar that its trades do not give back."""

from exchange.candles import DAY_MS, Candles
from exchange.messages import Bar, Trade
from replay.proof import Proof, missing, prove


def bar(day: int) -> Bar:
    return Bar(
        source="@t",
        seq=day,
        symbol="X",
        start_ms=day * DAY_MS,
        span_ms=DAY_MS,
        open=5,
        high=9,
        low=3,
        close=7,
        volume=4,
    )


def candles(days: dict[int, list[int]]) -> Candles:
    found = Candles()
    for day, prices in days.items():
        for price in prices:
            found.add(
                Trade(
                    symbol="X",
                    seq=1,
                    time_ms=day * DAY_MS + 7,
                    price=price,
                    quantity=1,
                    taker_side="buy",
                    maker_order=1,
                    taker_order=2,
                )
            )
    return found


def test_equal_bars_prove() -> None:
    proof = prove([bar(1), bar(2)], candles({1: [5, 3, 9, 7], 2: [5, 9, 3, 7]}))
    assert proof == Proof(2, 2, None)
    assert proof.holds


def test_the_first_difference_is_named() -> None:
    proof = prove([bar(1), bar(2), bar(3)], candles({1: [5, 3, 9, 7], 2: [5, 4, 9, 7]}))
    assert proof == Proof(3, 1, "X 1970-01-03: low is 4, not 3")
    assert not proof.holds


def test_trades_that_have_not_come_are_told_from_wrong_ones() -> None:
    proof = prove([bar(1)], candles({1: [5, 3, 9]}))
    assert proof == Proof(1, 0, "X 1970-01-02: only 3 of 4 lots have traded")


def test_bars_are_missing_until_their_volume_has_traded() -> None:
    assert missing([bar(1), bar(2), bar(3)], candles({1: [5, 3, 9, 7], 2: [5, 4, 9]})) == [bar(2), bar(3)]
