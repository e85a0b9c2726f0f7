"""Commands about an account itself: open it, put money in, take money out."""

from __future__ import annotations

from typing import Any

from exchange.account import Account
from exchange.accounts.shard import UPDATES, Shard
from exchange.messages import AccountOpened, Deposit, OpenAccount, RejectReason, Withdraw
from exchange.money import UNITS_MAX
from exchange.requests import Request


def open_account(shard: Shard, command: OpenAccount, _: Request, out: list[Any]) -> RejectReason | None:
    """Open an account, unless there is one."""
    if command.account in shard.accounts:
        return "ACCOUNT_EXISTS"
    shard.accounts[command.account] = Account()
    shard.changed.add(command.account)
    out.append(
        AccountOpened(
            source=shard.shard,
            seq=shard.outbound.next(UPDATES),
            time_ms=shard.clock.now_ms,
            account=command.account,
            request_id=command.request_id,
        )
    )
    return None


def deposit(shard: Shard, command: Deposit, _: Request, out: list[Any]) -> RejectReason | None:
    """Credit an account; no balance grows by a deposit beyond what every reader keeps exact."""
    balance = shard.accounts[command.account].balance(command.asset)
    if balance.available + balance.reserved + command.amount > UNITS_MAX:
        return "BALANCE_LIMIT"
    balance.credit(command.amount)
    shard.balance_changed(command.account, command.asset, out, command.request_id)
    return None


def withdraw(shard: Shard, command: Withdraw, _: Request, out: list[Any]) -> RejectReason | None:
    """Take out what is free."""
    if not shard.accounts[command.account].withdraw(command.asset, command.amount):
        return "INSUFFICIENT_FUNDS"
    shard.balance_changed(command.account, command.asset, out, command.request_id)
    return None
