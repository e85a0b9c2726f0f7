"""The order book of one symbol, as a machine; docs/MATCHING.md says what it does, rule by rule.

Theory of operation: a command is checked, then carried out by the parts of this package, which share one `Floor`. An order comes in by `Entry`, is matched by
`Continuous` (or `Pairing`), and what is left of it rests or goes, as its time in force says. After each command `FollowUp` does what it
has caused. All the book knows of time is its clock: what has a time happens when a message shows that the time has come, before that
message is applied, as if it were a command of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from exchange import topics
from exchange.book.amending import Amending
from exchange.book.entry import Entry
from exchange.book.floor import Floor
from exchange.book.follow_up import FollowUp
from exchange.book.ladder import Order
from exchange.book.listing import Listing
from exchange.book.phases import Phases
from exchange.book.plain import Plain
from exchange.book.state import State
from exchange.channel import Inbound, Outbound
from exchange.clock import Clock, VenueClock
from exchange.errors import InvalidPacket
from exchange.machine import Address, Entries
from exchange.messages import (
    MARKET,
    AdvanceClock,
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    BookSnapshot,
    BustTrade,
    CancelSymbol,
    Delist,
    EnterOco,
    EnterOrder,
    ListInstrument,
    OrderDelta,
    PhaseChanged,
    PullOrder,
    Resume,
    ReviseOrder,
    SetPhase,
    SwapOrder,
    Tick,
    Trade,
    TradeBusted,
    shard_of,
)

META = "book"
_NUMBERED: Final = frozenset((EnterOrder, PullOrder, EnterOco, ReviseOrder, SwapOrder))
_TO_PUBLIC: Final[dict[Any, str]] = {
    BookDelta: topics.BOOK_DELTAS,
    BookChecksum: topics.BOOK_DELTAS,
    PhaseChanged: topics.BOOK_DELTAS,
    AuctionIndicated: topics.BOOK_DELTAS,
    TradeBusted: topics.BOOK_DELTAS,
    Trade: topics.TRADES,
    OrderDelta: topics.BOOK_ORDERS,
    BookSnapshot: topics.BOOK_SNAPSHOTS,
}


class Book:
    """The machine of one symbol. `shards` is the venue's number of account shards."""

    def __init__(self, symbol: str, clock: VenueClock, shards: int, entries: Entries | None = None) -> None:
        """Start empty, or from the entries that `changes` has given so far."""
        self.symbol = symbol
        self.shards = shards
        self.state = state = msgspec.json.decode(entries[META], type=State) if entries else State()
        self.clock = Clock(clock, state.now_ms)
        self.inbound, self.outbound = Inbound(state.inbound), Outbound(state.outbound)
        self.halted = state.halted
        self.floor = floor = Floor(symbol, shards, self.clock, self.outbound, state)
        self.phases = Phases(floor)
        self.entry = Entry(floor, self.phases)
        self.follow_up = FollowUp(floor, self.entry)
        self.listing = Listing(floor)
        self.amending = Amending(floor, self.entry)
        self.bids, self.asks, self.orders = floor.orders.bids, floor.orders.asks, floor.orders.by_id
        if entries:
            floor.load(entries)
        self._operations: dict[Any, Callable[[Any], None]] = {
            EnterOco: self.entry.enter_pair,
            PullOrder: self._pull,
            ReviseOrder: self.amending.amend,
            SwapOrder: self.entry.swap,
            SetPhase: self.phases.ask,
            CancelSymbol: lambda _: self.listing.cancel_all("OPERATOR"),
            Delist: lambda _: self.listing.delist(),
            BustTrade: self.listing.bust,
            ListInstrument: self.listing.list,
            AdvanceClock: _nothing,
            Tick: _nothing,
        }
        self._plain = Plain(floor)
        self.reports = floor.reports
        self._counts, self._holes = self.inbound.counts, self.inbound.holes
        self._look()

    # What the host asks

    def accepts(self, message: Any) -> bool:
        """Say whether the message is for this symbol."""
        kind = type(message)
        if kind not in _NUMBERED:
            return bool(message.key == self.symbol and _symbol_of(message) == self.symbol)
        if message.symbol != self.symbol or (message.account == MARKET) != (message.source[0] == "@"):
            return False
        if kind is EnterOco:
            return _is_of(message, message.first) and _is_of(message, message.second) and _is_pair(message)
        return kind is not SwapOrder or _is_of(message, message.order)

    def address(self, message: Any) -> Address:
        """Say where an event goes."""
        topic = _TO_PUBLIC.get(type(message))
        if topic is not None:
            return topic, self.symbol
        account = message.account
        if account == MARKET:
            return topics.DEAD_LETTERS, self.symbol
        return topics.ACCOUNT_INBOX, shard_of(account, self.shards)

    def changes(self) -> dict[str, str | None]:
        """Return the entries to store."""
        state = self.state
        state.now_ms, state.halted = self.clock.now_ms, self.halted
        state.inbound, state.outbound = self.inbound.counts, self.outbound.counts
        changed: dict[str, str | None] = {META: msgspec.json.encode(state).decode()}
        self.floor.orders.pages.changes(changed)
        return changed

    def deadline_ms(self) -> int | None:
        """Return when the next order expires or the next phase comes by itself, or None; a halted book waits for its operator only."""
        if self.halted:
            return None
        expiring, coming = self.floor.orders.next_deadline(), self.phases.next()
        times = [due[0] for due in (expiring, coming) if due is not None]
        return min(times, default=None)

    def best(self) -> tuple[int | None, int | None]:
        """Return the best bid and ask in ticks."""
        bid, ask = self.bids.best(), self.asks.best()
        return (bid.price if bid else None), (ask.price if ask else None)

    def discard(self) -> None:
        """Take the orders apart, which hold one another and are not seen by the garbage collector."""
        for ladder in (self.bids, self.asks):
            for level in ladder:
                for order in level:
                    order.level = order.previous = order.next = None
                level.head = level.tail = None
        self.orders.clear()

    # Messages in

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message and return the events it causes, in their order."""
        clock, kind = self.clock, type(message)
        out: list[Any] = []
        self.reports.out = out
        if clock.live and arrival_ms > clock.now_ms:
            clock.now_ms = arrival_ms
        if kind is EnterOrder or kind is PullOrder or kind in _NUMBERED:
            source, seq, counts = message.source, message.seq, self._counts
            if (
                seq == counts.get(source, 0) + 1 and not self._holes
            ):  # as `admit` does it, which this spares the call of
                counts[source] = seq
            elif not self.inbound.admit(source, seq, arrival_ms):
                return out
            if not clock.live and message.time_ms > clock.now_ms:
                clock.now_ms = message.time_ms
        elif kind is AdvanceClock:
            clock.told(message.time_ms)
        if self._timed and not self.halted:
            self._due()
        if (
            not self._is_plain
            or self.halted
            or not (
                self._plain.enter(message) if kind is EnterOrder else kind is PullOrder and self._plain.pull(message)
            )
        ):
            self._take(message)
        if self.state.deltas >= self._publish_due:
            self._publish()
        return out

    def _take(self, message: Any) -> None:
        """Carry out a command."""
        kind = type(message)
        if self.halted:
            self._halted(message)
            return
        if kind is EnterOrder:
            self.entry.enter(message)
        elif kind is not Resume:
            self._operations[kind](message)
        self._follow_up()
        if self.state.phase != "continuous":
            self.phases.indicate()
        self._look()

    def _look(self) -> None:
        """See what the next command must be asked; whatever can change it ends with this."""
        state = self.state
        self._timed = bool(self.floor.orders.deadlines or state.planned or state.interrupted_ms)
        self._is_plain = self._plain.holds()
        self._publish_due = min(state.checksum_due, state.snapshot_due)

    def _publish(self) -> None:
        """Publish the checksum and the whole book, each when it is due."""
        state, reports = self.state, self.floor.reports
        if state.deltas >= state.checksum_due:
            reports.checksum(self.bids, self.asks)
        if state.deltas >= state.snapshot_due:
            reports.snapshot(self.bids, self.asks)
        self._publish_due = min(state.checksum_due, state.snapshot_due)

    def _follow_up(self) -> None:
        """Do what a command has caused."""
        floor = self.floor
        if floor.trading.path or floor.orders.whole or floor.orders.pegged or self.state.fired:
            self.follow_up.run()

    def _due(self) -> None:
        """Let happen what has a time that has come, the earliest first."""
        now_ms = self.clock.now_ms
        while True:
            expiring, coming = self.floor.orders.next_deadline(), self.phases.next()
            if expiring is not None and expiring[0] <= now_ms and (coming is None or expiring[0] <= coming[0]):
                self.floor.trading.expire(expiring[1])
            elif coming is not None and coming[0] <= now_ms:
                self.phases.take_next()
            else:
                break
            self._follow_up()
        self._look()

    def _halted(self, message: Any) -> None:
        """Refuse what comes to a halted book, whose operator must see to it first."""
        kind, reports = type(message), self.floor.reports
        if kind is Resume:
            self.halted = False
        elif kind is ListInstrument:
            self.listing.list(message)
        elif kind is EnterOrder:
            self._refuse_halted(message)
        elif kind is EnterOco:
            self._refuse_halted(message.first)
            self._refuse_halted(message.second)
        elif kind in _NUMBERED:
            if kind is SwapOrder:
                self._refuse_halted(message.order)
            reports.request_rejected(message, "HALTED")
        elif kind not in (Tick, AdvanceClock):
            raise InvalidPacket(f"{self.symbol} is halted: resume it first")

    def _refuse_halted(self, entered: EnterOrder) -> None:
        if entered.order_id not in self.orders:  # else it is what halted the book: the order of that id still rests
            self.floor.reports.rejected(entered, "HALTED")

    def _pull(self, message: PullOrder) -> None:
        order: Order | None = self.orders.get(message.order_id)
        if order is None or order.account != message.account:
            self.floor.reports.request_rejected(message, "TOO_LATE")
        else:
            self.floor.trading.cancel(order, message.reason, message.request_id)


def _nothing(_: Any) -> None:
    """Do nothing but what the clock brings."""


def _symbol_of(command: Any) -> str:
    """Return the symbol that an operator's command is about."""
    kind = type(command)
    if kind is ListInstrument:
        return str(command.instrument.symbol)
    return str(command.symbol if kind is Delist else command.key)


def _is_of(command: EnterOco | SwapOrder, order: EnterOrder) -> bool:
    """Say whether an order belongs to the command that brings it."""
    return (order.symbol, order.account) == (command.symbol, command.account)


def _is_pair(pair: EnterOco) -> bool:
    """Say whether two orders can be the legs of one group."""
    first, second = pair.first, pair.second
    same = (first.side, first.quantity, first.listing) == (second.side, second.quantity, second.listing)
    return same and first.order_id != second.order_id
