"""What a host needs of a machine. `book.Book` and `accounts.Accounts` are the two there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from exchange.channel import Inbound

Entries: TypeAlias = Mapping[str, str]
"""A machine's durable state: short texts by name."""

Address: TypeAlias = tuple[str, str]
"""A topic (without its venue) and a record key."""


class Machine(Protocol):
    """A deterministic state machine: messages in, messages out, and its state as named texts."""

    inbound: Inbound
    halted: bool

    def accepts(self, message: Any) -> bool:
        """Say whether the message belongs under this machine's key."""

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message, which the broker appended at `arrival_ms`, and return the messages it causes.

        Raises:
            InvalidPacket: if it asks for what cannot be; the host drops the packet.
            AssertionError: if it breaks an invariant; the host halts the machine. After either, the machine is rebuilt
                from its entries.
        """

    def address(self, message: Any) -> Address:
        """Say where a message that `apply` returned goes."""

    def changes(self) -> dict[str, str | None]:
        """Return the state entries that changed since the last call; None for one that is gone."""

    def discard(self) -> None:
        """Let go of the working form; the machine is not used again."""

    def deadline_ms(self) -> int | None:
        """Return the time at which the machine wants to see a `Tick` if nothing else comes, or None."""
