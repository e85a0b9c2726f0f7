"""Plays a plan into a venue: commands to the accounts, and each day's bars to the market data once it is over.

Theory of operation: a day's bars are written only when all commands before them are acknowledged, so whoever finds a bar
finds its orders, too. Played as fast as possible, some days go together, in large packets. A player that is stopped ends
the day it is in, without waiting; one that is killed leaves a beginning of what it was to send, and the next one, seeing
in the log where that ends, sends the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from msgspec.structs import replace

from exchange import topics
from exchange.instruments import Instrument
from exchange.messages import AdvanceClock, Bar, PlaceOrder
from replay.history import History
from replay.orders import Paper, listings, setup, steps
from replay.pace import Pace, Stop
from replay.plan import Plan
from wire.clock import wall_ms

DAYS_TOGETHER: Final = 20
"""How many days leave together when there is no pace to keep."""


class Writer(Protocol):
    """What a player writes with: a `wire.writer.PacketWriter`."""

    def send(self, topic: str, key: str, messages: Iterable[Any]) -> int:
        """Hand over messages of one key."""

    def flush(self) -> None:
        """Wait until all of them are in the log."""


class Brake(Protocol):
    """What keeps a player from running ahead: a `replay.flow.Flow`."""

    sent: int

    def wait(self, stop: Stop) -> None:
        """Return when the exchange has kept up, or `stop` is asked for."""


class Player:
    """Plays into one venue. `stop` ends it after the day that it is in; `played` is told of every bar that is done."""

    def __init__(
        self,
        writer: Writer,
        flow: Brake,
        pace: Pace,
        *,
        accounts: Paper,
        shards: int,
        history: History,
        stop: Stop,
        played: Callable[[int], None] = lambda _: None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._writer = writer
        self._flow = flow
        self._pace = pace
        self._accounts = accounts
        self._shards = [str(number) for number in range(shards)]
        self._history = history
        self._stop = stop
        self._played = played
        self._now_ms = now_ms

    def prepare(self, instruments: list[Instrument]) -> None:
        """List the instruments everywhere, and open and fund the paper accounts; what has been done is not done again."""
        for command in listings(instruments, self._shards):
            self._writer.send(topics.ACCOUNT_INBOX, command.key, [command])
        for listed in instruments:
            self._writer.send(topics.BOOK_INBOX, listed.symbol, listings([listed], [listed.symbol]))
        assets = sorted({asset for listed in instruments for asset in (listed.base, listed.quote)})
        self._send(setup(self._accounts, assets, self._now_ms()))
        self._writer.flush()

    def play(self, plan: Plan) -> list[Bar]:
        """Play the plan's days in turn and return the bars that have been played."""
        previous = dict(plan.previous)
        done: list[Bar] = []
        commands: list[Any] = []
        bars: list[Bar] = []
        together = 1 if self._pace.keeps_time else DAYS_TOGETHER
        for number, day in enumerate(plan.days, start=1):
            for step in steps(day, previous, self._accounts, self._now_ms()):
                self._pace.wait(step.time_ms)
                commands += step.commands
                if self._pace.keeps_time:
                    self._send(commands)
                    commands = []
            bars += day
            previous.update((bar.symbol, bar) for bar in day)
            if number % together == 0 or number == len(plan.days) or self._stop.asked:
                self._send(commands)
                self._finish(bars)
                done += bars
                commands, bars = [], []
                if self._stop.asked:
                    break
                self._flow.wait(self._stop)
        return done

    def _send(self, commands: Iterable[Any]) -> None:
        """Send those of the paper accounts' commands that the log does not have, as created now."""
        made, now_ms = self._history.requests, self._now_ms()
        new = [
            command if isinstance(command, AdvanceClock) else replace(command, created_ms=now_ms)
            for command in commands
            if isinstance(command, AdvanceClock) or (command.account, command.request_id) not in made
        ]
        self._writer.send(topics.ACCOUNT_INBOX, self._accounts.shard, new)
        self._flow.sent += sum(isinstance(command, PlaceOrder) and command.time_in_force == "IOC" for command in new)

    def _finish(self, bars: list[Bar]) -> None:
        """Publish bars whose orders have all been sent, and tell the time to the shards that have no part in them."""
        self._writer.flush()
        for symbol in dict.fromkeys(bar.symbol for bar in bars):
            self._writer.send(topics.MARKET_DATA, symbol, [bar for bar in bars if bar.symbol == symbol])
        for shard in self._shards:
            if shard != self._accounts.shard:
                self._writer.send(topics.ACCOUNT_INBOX, shard, [AdvanceClock(key=shard, time_ms=bars[-1].start_ms)])
        self._writer.flush()
        self._played(len(bars))
