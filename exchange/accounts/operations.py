"""What the operator sets for an account."""

from __future__ import annotations

from typing import Any

from exchange.accounts.shard import Shard
from exchange.errors import InvalidPacket
from exchange.messages import FEES, SetKillSwitch, SetLimits


def set_limits(shard: Shard, command: SetLimits) -> None:
    """Set an account's limits and tier; orders that are open already stay as they are."""
    _known(shard, command.account)
    shard.control(command.account).limits = command.limits


def set_kill_switch(shard: Shard, command: SetKillSwitch, out: list[Any]) -> None:
    """Refuse an account's new orders and take its open ones off, or let it trade again."""
    _known(shard, command.account)
    shard.control(command.account).off = command.on
    if command.on:
        for order in shard.accounts[command.account].orders.values():
            shard.pull(order, out, "KILL_SWITCH")


def _known(shard: Shard, name: str) -> None:
    if name not in shard.accounts or name == FEES:
        raise InvalidPacket(f"there is no account {name[:64]}")
