"""A venue in this process: a log with its machines, and the views of it, in step as time goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from exchange import topics
from exchange.clock import VenueClock
from exchange.instruments import Instrument, Rules
from exchange.messages import AccountCommand, Deposit, ListInstrument, OpenAccount, shard_of
from gateway.projecting.projection import TOPICS
from gateway.sim.clocks import Clock, VirtualClock
from gateway.sim.log import MemoryLog, Station, exchange_stations
from gateway.sim.projector import MemoryProjector

SHARDS: Final = 4
BEAT_S: Final = 0.5
"""How often word is left that the views are those of now."""


class SimVenue:
    """A venue whose commands are carried out at once, and shown when the event loop comes round: what is sent together is shown together.

    `kind` says whose time its machines go by; `watching` are machines that read what the exchange says.
    """

    def __init__(
        self, name: str, clock: Clock, kind: VenueClock = "live", watching: Sequence[Station] = (), shards: int = SHARDS
    ) -> None:
        self.clock = clock
        self.log = MemoryLog(name, [*exchange_stations(kind, shards), *watching], clock.now_ms, TOPICS)
        self._shards = shards
        self.projector = MemoryProjector(name, clock)
        self._showing = False
        self._woken = asyncio.Event()

    # Commands

    def write(self, topic: str, key: str, messages: Sequence[Any]) -> None:
        """Carry messages out. The views follow before the event loop goes on with anything that was not ready yet, or by `show`."""
        self.log.write(topic, key, messages)
        self._woken.set()
        if not self._showing:
            with suppress(RuntimeError):  # no loop runs while a venue is being made
                asyncio.get_running_loop().call_soon(self.show)
                self._showing = True

    def send(self, *commands: AccountCommand) -> None:
        """Carry out accounts' commands, in their order."""
        for command in commands:
            self.write(topics.ACCOUNT_INBOX, shard_of(command.account, self._shards), [command])

    def list(self, instrument: Instrument, rules: Rules | None = None) -> None:
        """List an instrument at its book and all account shards."""
        rules = rules or Rules()
        book = ListInstrument(key=instrument.symbol, instrument=instrument, rules=rules)
        self.write(topics.BOOK_INBOX, instrument.symbol, [book])
        for shard in map(str, range(self._shards)):
            self.write(topics.ACCOUNT_INBOX, shard, [ListInstrument(key=shard, instrument=instrument, rules=rules)])

    def fund(self, account: str, amounts: Mapping[str, int]) -> None:
        """Open an account and deposit amounts, in minor units by asset."""
        now_ms = self.clock.now_ms()
        self.send(OpenAccount(account=account, request_id="sim-open", created_ms=now_ms))
        self.send(
            *(
                Deposit(account=account, request_id=f"sim-{asset}", created_ms=now_ms, asset=asset, amount=amount)
                for asset, amount in sorted(amounts.items())
            )
        )

    def show(self) -> None:
        """Bring the views up to date."""
        self._showing = False
        records = self.log.take()
        if records:
            self.projector.add(records)

    # Time

    async def run(self) -> None:
        """Let time go by, for ever: what is due happens, and readers hear that the views are those of now."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time()
        while True:
            self._woken.clear()
            if not self.clock.virtual:
                while self.log.ring():
                    pass
                self.show()
            if loop.time() >= beat_at:
                self.projector.beat()
                beat_at = loop.time() + BEAT_S
            with suppress(TimeoutError):
                async with asyncio.timeout(min(beat_at - loop.time(), self._due_s())):
                    await self._woken.wait()

    def advance(self, milliseconds: int) -> None:
        """Let the virtual clock go on, and what is due meanwhile happen at its time."""
        assert isinstance(self.clock, VirtualClock), "the wall's clock goes by itself"
        until_ms = self.clock.now_ms() + milliseconds
        while (due_ms := self.log.due_ms()) is not None and due_ms <= until_ms:
            self.clock.go_to(max(due_ms, self.clock.now_ms()))
            while self.log.ring():
                pass
            self.show()
        self.clock.go_to(until_ms)
        self.show()
        self.projector.beat()

    def _due_s(self) -> float:
        due_ms = None if self.clock.virtual else self.log.due_ms()
        return BEAT_S if due_ms is None else max(0.0, (due_ms - self.clock.now_ms()) / 1_000)


def rich(instruments: Iterable[Instrument], units: int) -> dict[str, int]:
    """Return so many minor units of every asset of some instruments."""
    return {asset: units for each in instruments for asset in (each.base, each.quote)}
