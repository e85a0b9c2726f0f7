"""Exactly-once effect: the next message and no other."""

from __future__ import annotations

from exchange.channel import HOLE_ALERT_MS, Inbound, Outbound


def admitted(inbound: Inbound, *numbers: int, source: str = "a") -> list[int]:
    return [number for number in numbers if inbound.admit(source, number, 1)]


def test_a_sender_counts_for_each_receiver() -> None:
    outbound = Outbound()
    assert [outbound.next(receiver) for receiver in ("x", "y", "x", "x", "y")] == [1, 1, 2, 3, 2]


def test_messages_in_order_pass() -> None:
    assert admitted(Inbound(), 1, 2, 3) == [1, 2, 3]


def test_a_repeat_is_dropped() -> None:
    assert admitted(Inbound(), 1, 1, 2, 1, 2, 3) == [1, 2, 3]


def test_what_follows_a_hole_waits_for_the_sender_to_send_it_again() -> None:
    inbound = Inbound()
    assert admitted(inbound, 1, 3, 4) == [1]
    assert admitted(inbound, 2, 3, 4) == [2, 3, 4]


def test_a_first_message_that_is_missing_is_a_hole_too() -> None:
    assert admitted(Inbound(), 2, 1, 2) == [1, 2]


def test_senders_do_not_disturb_each_other() -> None:
    inbound = Inbound()
    assert admitted(inbound, 1, 3, source="a") == [1]
    assert admitted(inbound, 1, 2, source="b") == [1, 2]


def test_a_rewound_sender_says_the_same_and_is_dropped() -> None:
    outbound = Outbound()
    inbound = Inbound()
    for _ in range(3):
        assert inbound.admit("a", outbound.next("x"), 1)
    rewound = Outbound({"x": 1})
    assert [inbound.admit("a", rewound.next("x"), 1) for _ in range(3)] == [False, False, True]


def test_state_goes_on_where_it_stood() -> None:
    inbound = Inbound()
    admitted(inbound, 1, 2)
    assert admitted(Inbound(dict(inbound.counts)), 2, 3) == [3]


def test_a_lasting_hole_is_reported_once() -> None:
    inbound = Inbound()
    inbound.admit("a", 2, 1_000)
    assert inbound.overdue(1_000 + HOLE_ALERT_MS) == []
    assert inbound.overdue(1_001 + HOLE_ALERT_MS) == ["a"]
    assert inbound.overdue(1_002 + HOLE_ALERT_MS) == []


def test_a_hole_that_is_filled_is_not_reported() -> None:
    inbound = Inbound()
    inbound.admit("a", 2, 1_000)
    inbound.admit("a", 1, 2_000)
    assert inbound.overdue(10 * HOLE_ALERT_MS) == []
