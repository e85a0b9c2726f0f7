"""What one account shard holds, its durable form, and how it writes messages."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange import topics
from exchange.account import Account
from exchange.channel import Inbound, Outbound
from exchange.clock import Clock, VenueClock
from exchange.listings import Listed, ListingRow, Markets
from exchange.machine import Entries
from exchange.messages import (
    BalanceChanged,
    BookReport,
    CancelReason,
    EnterOrder,
    FeeTier,
    OrderRejected,
    PlaceOrder,
    PullOrder,
    RejectReason,
    RequestDone,
    RequestRejected,
)
from exchange.open_orders import OpenOrder, Ties, load_ties
from exchange.pages import Pages
from exchange.requests import Requests
from exchange.risk import Control
from exchange.timers import Timers

META = "accounts"
PARKED = "parked"
REPORTS = topics.ORDER_REPORTS
UPDATES = topics.ACCOUNT_UPDATES

_ORDER_MAX = 2**53 - 1


class Shard:
    """The state of one account shard. `shards` is the venue's number of them."""

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
        self.listings = Markets(meta.listings, meta.delisted, meta.fees)
        self.markets = self.listings.by_symbol
        self.parked: list[BookReport] = msgspec.json.decode(entries.get(PARKED, "[]"), type=list[BookReport])
        self.requests = Requests(entries)
        self.accounts = {
            name[2:]: Account(msgspec.json.decode(text, type=dict[str, list[int]]))
            for name, text in entries.items()
            if name.startswith("a:")
        }
        self.timers = Timers()
        for name in sorted(name for name in entries if name.startswith("s:")):
            control = msgspec.json.decode(entries[name], type=Control)
            self.accounts[name[2:]].control = control
            self.timers.set(name[2:], control.dead_man_ms)
        self.pages: Pages[OpenOrder] = Pages("o")
        for number, row in self.pages.load(entries):
            self._load_order(number, load_ties(row))
        self.pages.dirty.clear()
        self.changed: set[str] = set()
        self.controls_changed: set[str] = set()
        self.parked_changed = False

    def _load_order(self, number: int, row: list[Any]) -> None:
        market = self.markets[row[3]]
        order = OpenOrder(market.versions[row[7]] if len(row) > 7 else market.current, *row)
        self.accounts[order.account].orders[order.order_id] = order
        self.pages.add(number, order)

    @property
    def orders(self) -> dict[int, OpenOrder]:
        """All open orders of the shard, by id."""
        return {order_id: order for account in self.accounts.values() for order_id, order in account.orders.items()}

    def changes(self) -> dict[str, str | None]:
        """Return the entries to store."""
        meta = _Meta(
            now_ms=self.clock.now_ms,
            inbound=self.inbound.counts,
            outbound=self.outbound.counts,
            halted=self.halted,
            placed=self.placed,
            listings=self.listings.rows(),
            delisted=self.listings.delisted(),
            fees=self.listings.fees(),
        )
        changed: dict[str, str | None] = {META: msgspec.json.encode(meta).decode()}
        for name in self.changed:
            changed[f"a:{name}"] = msgspec.json.encode(self.accounts[name].row()).decode()
        self.changed.clear()
        for name in self.controls_changed:
            changed[f"s:{name}"] = msgspec.json.encode(self.accounts[name].control).decode()
        self.controls_changed.clear()
        if self.parked_changed:
            changed[PARKED] = msgspec.json.encode(self.parked).decode() if self.parked else None
            self.parked_changed = False
        self.pages.changes(changed)
        self.requests.pages.changes(changed)
        return changed

    # What there is

    def control(self, name: str) -> Control:
        """Return an account's limits and switches to change them; they are stored."""
        account = self.accounts[name]
        if account.control is None:
            account.control = Control()
        self.controls_changed.add(name)
        return account.control

    def find(self, name: str, order_id: int, order_request_id: str | None) -> OpenOrder | None:
        """Return an account's open order by its id, or by the id of the request that placed it."""
        if order_request_id is not None:
            placed = self.requests.find(name, order_request_id)
            order_id = placed.order_id if placed is not None else 0
        return self.accounts[name].orders.get(order_id)

    def open(
        self,
        placed: PlaceOrder,
        listed: Listed,
        fee_ppm: int,
        held: int,
        *,
        order_id: int = 0,
        ties: Ties | None = None,
    ) -> OpenOrder:
        """Keep an order that is paid for, under a new id unless `next_id` has given it one."""
        if not order_id:
            order_id = self.next_id()
        order = OpenOrder(
            listed, order_id, placed.account, placed.request_id, placed.symbol, placed.side, placed.price, placed.quantity,
            listed.version, fee_ppm, 0, held, ties,
        )  # fmt: skip
        self.accounts[placed.account].orders[order_id] = order
        self.pages.add(order_id // self.shards, order)
        return order

    def next_id(self) -> int:
        """Return a new order id."""
        self.placed += 1
        order_id = self.placed * self.shards + int(self.shard)
        assert order_id <= _ORDER_MAX, "order ids stay below 2^53"
        return order_id

    def rehold(self, order: OpenOrder, out: list[Any]) -> bool:
        """Have an order, and its other leg, hold just what they need, or say that there is not enough and change nothing."""
        account = self.accounts[order.account]
        reserved = account.balance(order.asset).reserved
        if not account.rehold(order):
            return False
        self.touch(order)
        if order.ties is not None and order.ties.other:
            self.touch(account.orders[order.ties.other])
        if account.balance(order.asset).reserved != reserved:
            self.balance_changed(order.account, order.asset, out)
        return True

    def touch(self, order: OpenOrder) -> None:
        """Note that an order has changed."""
        self.pages.touch(order.order_id // self.shards)

    def close(self, order: OpenOrder) -> None:
        """Forget an order that is no longer open."""
        del self.accounts[order.account].orders[order.order_id]
        self.pages.remove(order.order_id // self.shards)

    # Messages out

    def enter(self, placed: PlaceOrder, order: OpenOrder, fees: tuple[int, int], seq: int = 0) -> EnterOrder:
        """Make the command that enters an order; one that is a part of another command has the `seq` of that."""
        return EnterOrder(
            source=self.shard,
            seq=seq or self.outbound.next(placed.symbol),
            time_ms=self.clock.now_ms,
            account=placed.account,
            order_id=order.order_id,
            symbol=placed.symbol,
            side=placed.side,
            price=placed.price,
            quantity=placed.quantity,
            listing=order.listed.version,
            kind=placed.kind,
            time_in_force=placed.time_in_force,
            expires_ms=placed.expires_ms,
            maker_fee=fees[0],
            taker_fee=fees[1],
            conditions=placed.conditions,
        )

    def pull(self, order: OpenOrder, out: list[Any], reason: CancelReason = "REQUESTED", by: str | None = None) -> None:
        """Ask the book to take an order off, by a request or by none."""
        out.append(
            PullOrder(
                source=self.shard,
                seq=self.outbound.next(order.symbol),
                time_ms=self.clock.now_ms,
                account=order.account,
                order_id=order.order_id,
                symbol=order.symbol,
                reason=reason,
                request_id=by,
            )
        )

    def publish(self, report: BookReport, request_id: str | None, out: list[Any]) -> None:
        """Publish a book's report under the id of the request that it answers."""
        out.append(
            msgspec.structs.replace(
                report,
                source=self.shard,
                seq=self.outbound.next(REPORTS),
                time_ms=self.clock.now_ms,
                request_id=request_id,
            )
        )

    def republish(self, report: BookReport, out: list[Any]) -> None:
        """Publish a book's report that answers no request."""
        seq = self.outbound.next(REPORTS)
        out.append(msgspec.structs.replace(report, source=self.shard, seq=seq, time_ms=self.clock.now_ms))

    def balance_changed(self, name: str, asset: str, out: list[Any], request_id: str | None = None) -> None:
        """Publish what an account now has of an asset."""
        balance = self.accounts[name].balance(asset)
        self.changed.add(name)
        out.append(
            BalanceChanged(
                source=self.shard,
                seq=self.outbound.next(UPDATES),
                time_ms=self.clock.now_ms,
                account=name,
                asset=asset,
                available=balance.available,
                reserved=balance.reserved,
                owed=balance.owed,
                request_id=request_id,
            )
        )

    def say(self, kind: type[Any], out: list[Any], **fields: Any) -> None:
        """Publish a report of the account's own."""
        seq = self.outbound.next(REPORTS)
        out.append(kind(source=self.shard, seq=seq, time_ms=self.clock.now_ms, **fields))

    def done(self, account: str, request_id: str, out: list[Any], orders: int = 0) -> None:
        """Publish that a request about no single order was carried out."""
        self.say(RequestDone, out, account=account, request_id=request_id, orders=orders)

    def order_rejected(
        self, account: str, symbol: str, request_id: str, reason: RejectReason, out: list[Any], order_id: int = 0
    ) -> None:
        """Publish that an order is refused."""
        named = {"account": account, "request_id": request_id, "order_id": order_id}
        self.say(OrderRejected, out, symbol=symbol, reason=reason, **named)

    def request_rejected(
        self, account: str, request_id: str, reason: RejectReason, out: list[Any], order_id: int = 0
    ) -> None:
        """Publish that a request other than an order is refused."""
        self.say(RequestRejected, out, account=account, reason=reason, order_id=order_id, request_id=request_id)


class _Meta(msgspec.Struct):
    """All of a shard but its accounts, orders and requests."""

    now_ms: int = 0
    inbound: dict[str, int] = {}
    outbound: dict[str, int] = {}
    halted: bool = False
    placed: int = 0
    listings: list[ListingRow] = []
    delisted: list[str] = []
    fees: dict[str, list[FeeTier]] = {}
