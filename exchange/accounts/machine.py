"""Messages into an account shard: whom they are for, in which order they are taken, and which commands are new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from exchange import messages as m
from exchange import topics
from exchange.accounts import changes, groups, money, operations, orders, reports
from exchange.accounts.shard import REPORTS, UPDATES, Shard
from exchange.machine import Address
from exchange.requests import Request, digest

CarryOut: TypeAlias = Callable[[Shard, Any, Request, list[Any]], m.RejectReason | None]

_COMMANDS: dict[type, CarryOut] = {
    m.PlaceOrder: orders.place,
    m.CancelOrder: orders.cancel,
    m.Deposit: money.deposit,
    m.Withdraw: money.withdraw,
    m.OpenAccount: money.open_account,
    m.PlaceOco: groups.place_oco,
    m.PlaceBracket: groups.place_bracket,
    m.AmendOrder: changes.amend,
    m.ReplaceOrder: changes.replace,
    m.CancelAll: orders.cancel_all,
    m.SetDeadMan: orders.set_dead_man,
}
_OPERATIONS = frozenset(
    (m.AdvanceClock, m.Tick, m.Resume, m.ListInstrument, m.Delist, m.SetFees, m.SetLimits, m.SetKillSwitch)
)
_TO_BOOK = frozenset((m.EnterOrder, m.EnterOco, m.PullOrder, m.ReviseOrder, m.SwapOrder))


class Accounts(Shard):
    """The machine of one account shard."""

    # What the host asks

    def accepts(self, message: Any) -> bool:
        """Say whether the message is for this shard."""
        if type(message) in _OPERATIONS:
            return bool(message.key == self.shard)
        return m.shard_of(message.account, self.shards) == self.shard

    def address(self, message: Any) -> Address:
        """Say where an event goes."""
        kind = type(message)
        if kind in _TO_BOOK:
            return topics.BOOK_INBOX, message.symbol
        if kind is m.BalanceChanged or kind is m.AccountOpened:
            return UPDATES, self.shard
        return REPORTS, self.shard

    def discard(self) -> None:
        """Do nothing: accounts hold nothing that would not go by itself."""

    def deadline_ms(self) -> int | None:
        """Return when the next dead-man timer goes off, or None; a halted shard waits for its operator only."""
        return None if self.halted else self.timers.earliest()

    # Messages in

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message and return the events it causes, in their order."""
        out: list[Any] = []
        kind = type(message)
        self.clock.appended(arrival_ms)
        carry_out = _COMMANDS.get(kind)
        if carry_out is None:
            if kind is m.AdvanceClock:
                self.clock.told(message.time_ms)
            elif kind not in _OPERATIONS:
                if not self.inbound.admit(message.source, message.seq, arrival_ms):
                    return out
                self.clock.told(message.time_ms)
        if self.timers.due_ms and not self.halted:
            orders.let_dead_men_go(self, out)
        if carry_out is not None:
            self._command(message, carry_out, arrival_ms, out)
        elif kind in _OPERATIONS:
            self._operation(message, out)
        elif self.halted:
            self.parked.append(message)
            self.parked_changed = True
        else:
            reports.settle(self, message, out)
        return out

    def _operation(self, message: Any, out: list[Any]) -> None:
        match message:
            case m.ListInstrument():
                self.listings.take(message)
            case m.Delist():
                self.listings.delist(message)
            case m.SetFees():
                self.listings.set_fees(message)
            case m.SetLimits():
                operations.set_limits(self, message)
            case m.SetKillSwitch():
                operations.set_kill_switch(self, message, out)
            case m.Resume():
                self._resume(out)

    def _resume(self, out: list[Any]) -> None:
        """Go on after a halt: settle first what books have reported meanwhile, but not the report that was no good."""
        self.halted = False
        parked, self.parked = self.parked, []
        self.parked_changed = True
        for report in parked:
            if reports.flaw(self, report) is None:
                reports.settle(self, report, out)

    def _command(self, command: m.AccountCommand, carry_out: CarryOut, arrival_ms: int, out: list[Any]) -> None:
        self.requests.forget(arrival_ms)
        seen = self.requests.find(command.account, command.request_id)
        if seen is not None:
            if seen.digest == digest(command):
                self._repeated(seen, out)
            else:
                self._refuse(command, "DUPLICATE", out)
            return
        reason = self.requests.untimely(command, arrival_ms)
        if self.halted:
            reason = "HALTED"
        elif reason is None and (command.account not in self.accounts or command.account == m.FEES):
            reason = (
                None if type(command) is m.OpenAccount else "UNKNOWN_ACCOUNT"
            )  # the fees' account takes no commands
        if reason is not None:
            self._refuse(command, reason, out)
            return
        request = self.requests.remember(command, arrival_ms)
        request.reason = carry_out(self, command, request, out)
        if request.reason is not None:
            self._refuse(command, request.reason, out, request.order_id)

    # Answers

    def _refuse(self, command: m.AccountCommand, reason: m.RejectReason, out: list[Any], order_id: int = 0) -> None:
        if type(command) is m.PlaceOrder:
            self.order_rejected(command.account, command.symbol, command.request_id, reason, out, order_id)
        else:
            self.request_rejected(command.account, command.request_id, reason, out, order_id)

    def _repeated(self, seen: Request, out: list[Any]) -> None:
        outcome = {"order_id": seen.order_id, "reason": seen.reason}
        self.say(m.RequestRepeated, out, account=seen.account, request_id=seen.request_id, **outcome)
