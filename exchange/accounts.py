"""The accounts of one shard, as a machine: reserve, admit, settle, release.

Theory of operation: a command from outside is checked once against the ids seen (`requests`), then against the account.
An order that is paid for is admitted: its cost is reserved and it goes to its book. What the book reports is settled
here first and published then. Accounts know no market: whatever the book may do with an order, within its limit, is
covered by what was reserved.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exchange import topics
from exchange.account import Account, OpenOrder, reservation
from exchange.channel import Inbound, Outbound
from exchange.clock import Clock, VenueClock
from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from exchange.machine import Address, Entries
from exchange.messages import (
    AccountCommand,
    AccountOpened,
    AdvanceClock,
    BalanceChanged,
    BookReport,
    CancelOrder,
    Deposit,
    EnterOrder,
    ListInstrument,
    OpenAccount,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PlaceOrder,
    PullOrder,
    RejectReason,
    RequestRejected,
    RequestRepeated,
    Resume,
    shard_of,
)
from exchange.money import UNITS_MAX
from exchange.pages import Pages
from exchange.requests import Request, Requests, digest

META = "accounts"
PARKED = "parked"
REPORTS = topics.ORDER_REPORTS
UPDATES = topics.ACCOUNT_UPDATES

_COMMANDS = (OpenAccount, Deposit, PlaceOrder, CancelOrder)
_ORDER_MAX = 2**53 - 1


class Accounts:
    """The machine of one account shard. `shards` is the venue's number of them."""

    def __init__(self, shard: str, clock: VenueClock, shards: int, entries: Entries | None = None) -> None:
        """Start empty, or from the entries that `changes` has given so far."""
        entries = entries or {}
        self.shard = shard
        self.shards = shards
        meta = msgspec.json.decode(entries[META], type=_Meta) if entries else _Meta()
        self.clock = Clock(clock, meta.now_ms)
        self.inbound, self.outbound = Inbound(meta.inbound), Outbound(meta.outbound)
        self.halted = meta.halted
        self.placed = meta.placed
        self.listings = {listed.instrument.symbol: listed for listed in meta.listings}
        self.parked: list[BookReport] = msgspec.json.decode(entries.get(PARKED, "[]"), type=list[BookReport])
        self.requests = Requests(entries)
        self.accounts = {
            name[2:]: Account(msgspec.json.decode(text, type=dict[str, tuple[int, int]]))
            for name, text in entries.items()
            if name.startswith("a:")
        }
        self.orders: dict[int, OpenOrder] = {}
        self.pages: Pages[OpenOrder] = Pages("o")
        for number, row in self.pages.load(entries):
            order = OpenOrder(*row)
            self.orders[order.order_id] = order
            self.pages.add(number, order)
        self.pages.dirty.clear()
        self._changed: set[str] = set()
        self._parked_changed = False

    # What the host asks

    def accepts(self, message: Any) -> bool:
        """Say whether the message is for this shard."""
        if isinstance(message, ListInstrument | AdvanceClock | Resume):
            return message.key == self.shard
        return shard_of(message.account, self.shards) == self.shard

    def address(self, message: Any) -> Address:
        """Say where an event goes."""
        kind = type(message)
        if kind is EnterOrder or kind is PullOrder:
            return topics.BOOK_INBOX, message.symbol
        if kind is BalanceChanged or kind is AccountOpened:
            return UPDATES, self.shard
        return REPORTS, self.shard

    def changes(self) -> dict[str, str | None]:
        """Return the entries to store."""
        meta = _Meta(
            now_ms=self.clock.now_ms,
            inbound=self.inbound.counts,
            outbound=self.outbound.counts,
            halted=self.halted,
            placed=self.placed,
            listings=list(self.listings.values()),
        )
        changed: dict[str, str | None] = {META: msgspec.json.encode(meta).decode()}
        for name in self._changed:
            changed[f"a:{name}"] = msgspec.json.encode(self.accounts[name].row()).decode()
        self._changed.clear()
        if self._parked_changed:
            changed[PARKED] = msgspec.json.encode(self.parked).decode() if self.parked else None
            self._parked_changed = False
        self.pages.changes(changed)
        self.requests.pages.changes(changed)
        return changed

    def deadline_ms(self) -> int | None:
        """Accounts wait for no time."""
        return None

    # Messages in

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message and return the events it causes, in their order."""
        out: list[Any] = []
        kind = type(message)
        self.clock.appended(arrival_ms)
        if kind in _COMMANDS:
            self._command(message, arrival_ms, out)
        elif kind is AdvanceClock:
            self.clock.told(message.time_ms)
        elif kind is ListInstrument:
            self._list(message)
        elif kind is Resume:
            self._resume(out)
        elif self.inbound.admit(message.source, message.seq, arrival_ms):
            self.clock.told(message.time_ms)
            if self.halted:
                self.parked.append(message)
                self._parked_changed = True
            else:
                self._report(message, out)
        return out

    def _list(self, command: ListInstrument) -> None:
        listed = self.listings.get(command.instrument.symbol)
        if listed is not None and listed.instrument != command.instrument:
            raise InvalidPacket(f"{command.instrument.symbol} is listed as another instrument")
        for other in self.listings.values() if listed is None else ():
            if not command.instrument.agrees_with(other.instrument):
                raise InvalidPacket(
                    f"{command.instrument.symbol} gives an asset other decimals than {other.instrument.symbol}"
                )
        if listed is None or command.version > listed.version:
            self.listings[command.instrument.symbol] = _Listing(command.instrument, command.version)

    def _resume(self, out: list[Any]) -> None:
        """Go on after a halt: settle first what books have reported meanwhile, but not the report that was no good."""
        self.halted = False
        parked, self.parked = self.parked, []
        self._parked_changed = True
        for report in parked:
            if self._flaw(report) is None:
                self._report(report, out)

    # Commands

    def _command(self, command: AccountCommand, arrival_ms: int, out: list[Any]) -> None:
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
        elif reason is None and command.account not in self.accounts and not isinstance(command, OpenAccount):
            reason = "UNKNOWN_ACCOUNT"
        if reason is not None:
            self._refuse(command, reason, out)
            return
        request = self.requests.remember(command, arrival_ms)
        request.reason = self._carry_out(command, request, out)
        if request.reason is not None:
            self._refuse(command, request.reason, out, request.order_id)

    def _carry_out(self, command: AccountCommand, request: Request, out: list[Any]) -> RejectReason | None:
        """Do what a new command asks, or say why not."""
        if isinstance(command, PlaceOrder):
            return self._place(command, request, out)
        if isinstance(command, CancelOrder):
            return self._cancel(command, request, out)
        if isinstance(command, Deposit):
            return self._deposit(command, out)
        return self._open(command, out)

    def _place(self, command: PlaceOrder, request: Request, out: list[Any]) -> RejectReason | None:
        listed = self.listings.get(command.symbol)
        if listed is None:
            return "UNKNOWN_SYMBOL"
        gtd, untimed_market = command.time_in_force == "GTD", command.time_in_force in ("IOC", "FOK")
        if gtd != bool(command.expires_ms) or (command.kind == "market" and not untimed_market):
            return "INVALID_TIME_IN_FORCE"
        account = self.accounts[command.account]
        asset, amount = reservation(command.side, command.price, command.quantity, listed.instrument)
        if not account.reserve(asset, amount):
            return "INSUFFICIENT_FUNDS"
        self.placed += 1
        request.order_id = order_id = self.placed * self.shards + int(self.shard)
        assert order_id <= _ORDER_MAX, "order ids stay below 2^53"
        order = OpenOrder(
            order_id, command.account, command.request_id, command.symbol, command.side, command.price, command.quantity
        )
        self.orders[order_id] = order
        self.pages.add(self.placed, order)
        self._balance(command.account, asset, out)
        out.append(
            EnterOrder(
                source=self.shard,
                seq=self.outbound.next(command.symbol),
                time_ms=self.clock.now_ms,
                account=command.account,
                order_id=order_id,
                symbol=command.symbol,
                side=command.side,
                price=command.price,
                quantity=command.quantity,
                listing=listed.version,
                kind=command.kind,
                time_in_force=command.time_in_force,
                expires_ms=command.expires_ms,
            )
        )
        return None

    def _cancel(self, command: CancelOrder, request: Request, out: list[Any]) -> RejectReason | None:
        order_id = command.order_id
        if command.order_request_id is not None:
            placed = self.requests.find(command.account, command.order_request_id)
            order_id = placed.order_id if placed is not None else 0
        order = self.orders.get(order_id)
        if order is None or order.account != command.account:
            return "UNKNOWN_ORDER"
        request.order_id = order_id
        out.append(
            PullOrder(
                source=self.shard,
                seq=self.outbound.next(order.symbol),
                time_ms=self.clock.now_ms,
                account=order.account,
                order_id=order_id,
                symbol=order.symbol,
                request_id=command.request_id,
            )
        )
        return None

    def _deposit(self, command: Deposit, out: list[Any]) -> RejectReason | None:
        balance = self.accounts[command.account].balance(command.asset)
        if balance.available + balance.reserved + command.amount > UNITS_MAX:
            return "BALANCE_LIMIT"
        balance.available += command.amount
        self._balance(command.account, command.asset, out, command.request_id)
        return None

    def _open(self, command: OpenAccount, out: list[Any]) -> RejectReason | None:
        if command.account in self.accounts:
            return "ACCOUNT_EXISTS"
        self.accounts[command.account] = Account()
        self._changed.add(command.account)
        out.append(
            AccountOpened(
                source=self.shard,
                seq=self.outbound.next(UPDATES),
                time_ms=self.clock.now_ms,
                account=command.account,
                request_id=command.request_id,
            )
        )
        return None

    # Reports of books

    def _report(self, report: BookReport, out: list[Any]) -> None:
        """Settle what a book reports, then publish it under the id of the request that it answers."""
        flaw = self._flaw(report)
        assert flaw is None, flaw
        if isinstance(report, RequestRejected):
            out.append(self._published(report, report.request_id))
            return
        order = self.orders[report.order_id]
        instrument = self.listings[order.symbol].instrument
        account = self.accounts[order.account]
        asset = instrument.quote if order.side == "buy" else instrument.base
        if isinstance(report, OrderFilled):
            order.leaves = report.leaves
            account.settle(order, instrument, report.price, report.quantity)
            self._balance(order.account, instrument.quote, out)
            self._balance(order.account, instrument.base, out)
        elif not isinstance(report, OrderAccepted):
            account.release(*reservation(order.side, order.price, order.leaves, instrument))
            order.leaves = 0
            self._balance(order.account, asset, out)
        number = order.order_id // self.shards
        if order.leaves:
            if isinstance(report, OrderFilled):
                self.pages.touch(number)
        else:
            del self.orders[order.order_id]
            self.pages.remove(number)
        out.append(self._published(report, order.request_id))

    def _flaw(self, report: BookReport) -> str | None:
        """Say how a report contradicts what the account knows of its order, or None if it does not."""
        if isinstance(report, RequestRejected):
            return None
        order = self.orders.get(report.order_id)
        if order is None:
            return f"{report.source} reports on order {report.order_id}, which is not open"
        if (order.account, order.symbol, order.symbol) != (report.account, report.symbol, report.source):
            return f"{report.source} reports on order {report.order_id} of another account or symbol"
        if isinstance(report, OrderFilled):
            agreed = (order.side, order.leaves) == (report.side, report.leaves + report.quantity)
            beyond = report.price > order.price if order.side == "buy" else report.price < order.price
        else:
            agreed = not isinstance(report, OrderCancelled | OrderExpired) or report.quantity == order.leaves
            beyond = False
        if not agreed:
            return f"book and account disagree on what is left of order {report.order_id}"
        if beyond:
            return f"order {report.order_id} is filled beyond its limit"
        return None

    # Messages out

    def _published(self, report: BookReport, request_id: str | None) -> BookReport:
        return msgspec.structs.replace(
            report, source=self.shard, seq=self.outbound.next(REPORTS), time_ms=self.clock.now_ms, request_id=request_id
        )

    def _balance(self, name: str, asset: str, out: list[Any], request_id: str | None = None) -> None:
        balance = self.accounts[name].balance(asset)
        self._changed.add(name)
        out.append(
            BalanceChanged(
                source=self.shard,
                seq=self.outbound.next(UPDATES),
                time_ms=self.clock.now_ms,
                account=name,
                asset=asset,
                available=balance.available,
                reserved=balance.reserved,
                request_id=request_id,
            )
        )

    def _refuse(self, command: AccountCommand, reason: RejectReason, out: list[Any], order_id: int = 0) -> None:
        common: dict[str, Any] = {
            "source": self.shard,
            "seq": self.outbound.next(REPORTS),
            "time_ms": self.clock.now_ms,
            "account": command.account,
            "reason": reason,
            "order_id": order_id,
            "request_id": command.request_id,
        }
        if isinstance(command, PlaceOrder):
            out.append(OrderRejected(symbol=command.symbol, **common))
        else:
            out.append(RequestRejected(**common))

    def _repeated(self, seen: Request, out: list[Any]) -> None:
        out.append(
            RequestRepeated(
                source=self.shard,
                seq=self.outbound.next(REPORTS),
                time_ms=self.clock.now_ms,
                account=seen.account,
                request_id=seen.request_id,
                order_id=seen.order_id,
                reason=seen.reason,
            )
        )


class _Listing(msgspec.Struct, frozen=True):
    """What an account shard knows of a symbol."""

    instrument: Instrument
    version: int


class _Meta(msgspec.Struct):
    """All of a shard but its accounts, orders and requests."""

    now_ms: int = 0
    inbound: dict[str, int] = {}
    outbound: dict[str, int] = {}
    halted: bool = False
    placed: int = 0
    listings: list[_Listing] = []
