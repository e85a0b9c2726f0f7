"""Whose time counts."""

from __future__ import annotations

from exchange.clock import Clock


def test_a_live_clock_follows_the_broker_and_never_goes_back() -> None:
    clock = Clock("live")
    times = []
    for appended in (5, 3, 9):
        clock.appended(appended)
        times.append(clock.now_ms)
    assert times == [5, 5, 9]


def test_nobody_can_push_a_live_clock() -> None:
    clock = Clock("live", 5)
    clock.told(1_000)
    assert clock.now_ms == 5


def test_a_replay_clock_follows_the_data_and_never_the_broker() -> None:
    clock = Clock("replay", 5)
    clock.appended(1_000)
    clock.told(7)
    clock.told(6)
    assert clock.now_ms == 7
