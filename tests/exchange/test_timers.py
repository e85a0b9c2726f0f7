"""Deadlines by name."""

from __future__ import annotations

from exchange.timers import SLACK_MAX, Timers


def test_the_earliest_deadline_is_at_hand() -> None:
    timers = Timers()
    assert timers.earliest() is None
    for name, due_ms in (("b", 20), ("a", 30), ("c", 10)):
        timers.set(name, due_ms)
    assert timers.earliest() == 10
    timers.set("c", 40)
    assert timers.earliest() == 20
    timers.set("b", 0)
    assert timers.earliest() == 30


def test_those_that_are_due_are_called_off_in_order() -> None:
    timers = Timers()
    for name, due_ms in (("b", 20), ("a", 20), ("c", 10), ("d", 21)):
        timers.set(name, due_ms)
    assert timers.pop_due(9) == []
    assert timers.pop_due(20) == ["c", "a", "b"]
    assert timers.pop_due(20) == []
    assert timers.due_ms == {"d": 21}


def test_a_deadline_that_is_set_again_to_what_it_was_is_due_once() -> None:
    timers = Timers()
    for due_ms in (10, 20, 10):
        timers.set("a", due_ms)
    assert timers.pop_due(10) == ["a"]
    assert (timers.earliest(), timers.pop_due(30)) == (None, [])


def test_a_deadline_that_is_moved_for_ever_does_not_pile_up() -> None:
    timers = Timers()
    for due_ms in range(1, 10 * SLACK_MAX):
        timers.set("a", due_ms)
        assert len(timers._heap) <= SLACK_MAX + 3
    assert timers.earliest() == 10 * SLACK_MAX - 1
