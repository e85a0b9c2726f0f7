"""Runs machines of market analysis, which have something to say after a packet, and when the wall's clock has ended something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from exchange.host import Host, Load, Outcome, records_of
from exchange.machine import Entries, Machine
from exchange.packets import PacketDecoder


class ClosingMachine(Machine, Protocol):
    """A machine that gathers what it has to say until a packet ends."""

    def finish(self) -> list[Any]:
        """Return what the packet's messages have changed."""

    def closing(self, now_ms: int, *, is_quiet: bool) -> list[Any]:
        """Return what has not been told yet and, when no records are coming in, what has ended by the wall's clock. It changes no state."""


class ClosingHost(Host):
    """Hosts `ClosingMachine`s."""

    def __init__(self, make: Callable[[str, Entries | None], ClosingMachine], decode: PacketDecoder[Any]) -> None:
        super().__init__(make, decode, finish=lambda machine: machine.finish())

    def closing(self, key: str, load: Load, now_ms: int, *, is_quiet: bool) -> Outcome:
        """Return the records that tell what has not been told yet and what has ended by the wall's clock, and when to ask again."""
        machine: Any = self.machine(key, load)
        return Outcome(
            records_of(machine, machine.closing(now_ms, is_quiet=is_quiet)), deadline_ms=machine.deadline_ms()
        )
