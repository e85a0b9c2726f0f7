"""A player that is killed at any point and started again leaves the venue as an undisturbed one does."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from exchange import topics
from exchange.channel import Inbound
from exchange.packets import decode_account_inbox, decode_market_data, decode_trades
from replay.bars import INSTRUMENTS, day_ms, load
from replay.history import History, note_commands
from replay.orders import paper
from replay.pace import Pace, Stop
from replay.plan import make_plan
from replay.player import Player

SHARDS = 16
ACCOUNTS = paper(SHARDS)
BARS = load().bars


class Killed(Exception):
    """The player is gone."""


class MemoryWriter:
    """Writes to a memory venue until it has written `writes` times."""

    def __init__(self, venue: Any, writes: int) -> None:
        self.venue = venue
        self.left = writes

    def send(self, topic: str, key: str, messages: Iterable[Any]) -> int:
        if self.left == 0:
            raise Killed
        self.left -= 1
        self.venue.write(topic, key, list(messages))
        return 1

    def flush(self) -> None:
        """All that was sent is in the log."""


class NoBrake:
    """The memory venue always keeps up."""

    def __init__(self) -> None:
        self.sent = 0

    def wait(self, stop: Stop) -> None:
        """Keep nobody waiting."""


def history(venue: Any) -> History:
    found = History()
    for value in venue.written[topics.ACCOUNT_INBOX]:
        messages = decode_account_inbox(value)
        if any(getattr(message, "account", "") in ACCOUNTS.accounts for message in messages):
            note_commands(found, messages, ACCOUNTS)
    inbound = Inbound()
    for bar in venue.read(topics.MARKET_DATA, decode_market_data):
        assert inbound.admit(bar.symbol, bar.seq, 0), "bars are numbered without a gap"
        found.bars.setdefault(bar.symbol, []).append(bar)
    return found


def play(venue: Any, writes: int = -1, speed: float | None = None, stop: Stop | None = None) -> int:
    stop = stop or Stop()
    known = history(venue)
    player = Player(
        MemoryWriter(venue, writes),
        NoBrake(),
        Pace(speed, stop, sleep=lambda _: None),
        accounts=ACCOUNTS,
        shards=SHARDS,
        history=known,
        stop=stop,
        now_ms=lambda: 1_700_000_000_000,
    )
    player.prepare(list(INSTRUMENTS.values()))
    plan = make_plan(
        BARS,
        INSTRUMENTS,
        first_ms=day_ms(date(2012, 5, 16)),
        last_ms=day_ms(date(2012, 5, 22)),
        history=known,
        accounts=ACCOUNTS,
    )
    return len(player.play(plan))


@pytest.mark.parametrize(("speed", "deaths"), [(None, range(44)), (1e9, range(0, 140, 7))])
def test_a_player_killed_at_any_write_loses_and_doubles_nothing(
    memory_venue: Any, speed: float | None, deaths: range
) -> None:
    undisturbed = memory_venue()
    play(undisturbed)
    assert len(undisturbed.read(topics.TRADES, decode_trades)) == 4 * 23
    for writes in deaths:
        venue = memory_venue()
        try:
            play(venue, writes, speed)
        except Killed:
            play(venue, speed=speed)
        for topic, decode in ((topics.TRADES, decode_trades), (topics.MARKET_DATA, decode_market_data)):
            found, expected = (
                sorted(one.read(topic, decode), key=lambda message: (message.symbol, message.seq))
                for one in (venue, undisturbed)
            )
            assert found == expected, f"{topic} after a death at write {writes}"
        assert not venue.written[topics.DEAD_LETTERS]


def test_a_second_replay_of_the_same_days_has_nothing_to_do(memory_venue: Any) -> None:
    venue = memory_venue()
    assert play(venue) == 23
    assert play(venue) == 0


def test_a_player_asked_to_stop_finishes_its_day(memory_venue: Any) -> None:
    venue = memory_venue()
    assert play(venue, speed=1, stop=Stop(asked=True)) == 4
    assert len(venue.read(topics.TRADES, decode_trades)) == 16


def test_bars_before_the_clock_are_left_out(memory_venue: Any) -> None:
    venue = memory_venue()
    play(venue)
    plan = make_plan(
        BARS,
        ["IBMUSD"],
        first_ms=day_ms(date(2012, 5, 14)),
        last_ms=day_ms(date(2012, 5, 23)),
        history=history(venue),
        accounts=ACCOUNTS,
    )
    assert (plan.bars, plan.done, plan.past) == (1, 5, 2)
