"""Checks a venue's log: that what the jobs wrote is what the machines say, once, and that nothing is made or lost.

Theory of operation: the machines are run again over both inboxes. Every channel then has two sequences of messages: what
its machine sends, and what stands in the log once repeats are dropped. The second must be a beginning of the first; the
rest is in flight. Of each message only a hash and an offset are kept, so that millions fit. The audits, which do not
know the machines, check each command and all that it caused for what must hold in any exchange. Snapshots of books, of which the
log need keep only the last, are no channel: each that is there must be one that its book sends.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias, get_args

import msgspec

from exchange import messages as m
from exchange import packets, topics
from exchange.accounts import Accounts
from exchange.audits import Flaw, MoneyAudit, OrderAudit, TradeAudit
from exchange.book import Book
from exchange.book.ladder import Ladder
from exchange.clock import VenueClock
from exchange.errors import InvalidPacket
from exchange.host import Host, Record
from exchange.machine import Machine
from exchange.packets import PacketDecoder, encode

Read: TypeAlias = Callable[[str], Iterable[Record]]
"""Gives the records of a topic (without its venue), each partition's in their order."""

DECODERS: dict[str, PacketDecoder[Any]] = {
    topics.ACCOUNT_INBOX: packets.decode_account_inbox,
    topics.BOOK_INBOX: packets.decode_book_inbox,
    topics.ORDER_REPORTS: packets.decode_order_reports,
    topics.ACCOUNT_UPDATES: packets.decode_account_updates,
    topics.TRADES: packets.decode_trades,
    topics.BOOK_DELTAS: packets.decode_book_deltas,
    topics.BOOK_ORDERS: packets.decode_book_orders,
}
TOPICS = (*DECODERS, topics.BOOK_SNAPSHOTS, topics.DEAD_LETTERS)
"""What `verify` reads."""

_FROM_OUTSIDE = frozenset(
    kind for kind in (*get_args(m.AccountsInput), *get_args(m.BookCommand)) if "seq" not in kind.__struct_fields__
)
_OF_SYMBOL = frozenset((m.Trade, m.OrderDelta, *get_args(m.BookEvent)))
"""Messages whose source is their symbol."""
_REPORTS = frozenset(get_args(m.BookReport))
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True)
class Finding:
    """The first record that is wrong, the message in it, and why. Offset -1: not a record but what is missing from one."""

    topic: str
    partition: int
    offset: int
    message: str
    reason: str


@dataclass
class Verdict:
    """What `verify` found: `finding` is None where all is well; counts of messages are by topic, repeats not counted."""

    finding: Finding | None = None
    messages: Counter[str] = field(default_factory=Counter)
    repeats: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    accounts: int = 0
    orders_open: int = 0
    halted: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.finding is None


class _FlawFound(Exception):
    """Carries a finding out of the passes."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


def verify(read: Read, clock: VenueClock, shards: int, *, quiesced: bool = False) -> Verdict:
    """Check a venue's topics as far as `read` gives them; with `quiesced`, what is in flight is a fault, too.

    Give outputs no newer than the inboxes: what an inbox prefix cannot have caused is a fault. Only between the inboxes
    themselves, which cause each other, `book-inbox` may be ahead.
    """
    verifier = _Verifier(read, clock, shards)
    try:
        verifier.run(quiesced)
    except _FlawFound as found:
        verifier.verdict.finding = found.finding
    return verifier.verdict


Step: TypeAlias = tuple[Any, list[Any]]
"""A command and what it caused."""


class _SeenBook(Book):
    """A book that notes what it does, for the audits."""

    steps: list[Step]

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """As in `Book`."""
        events = super().apply(message, arrival_ms)
        self.steps.append((message, list(events)))
        return events


class _SeenAccounts(Accounts):
    """Accounts that note what they do, for the audits."""

    steps: list[Step]

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """As in `Accounts`."""
        events = super().apply(message, arrival_ms)
        self.steps.append((message, list(events)))
        return events


def _seen_hosts(clock: VenueClock, shards: int) -> tuple[Host, Host]:
    """Return hosts of books and of accounts that note what they do."""

    def book(symbol: str, entries: Any) -> Book:
        made = _SeenBook(symbol, clock, shards, entries)
        made.steps = []
        return made

    def accounts(shard: str, entries: Any) -> Accounts:
        made = _SeenAccounts(shard, clock, shards, entries)
        made.steps = []
        return made

    return Host(book, packets.decode_book_inbox), Host(accounts, packets.decode_account_inbox)


class _Channel:
    """One channel: hashes of the messages its machine sends, and of those in the log with the offsets of their records."""

    __slots__ = ("ahead", "offsets", "partition", "seen", "sent")

    def __init__(self) -> None:
        self.sent = array("q")
        self.seen = array("q")
        self.offsets = array("q")
        self.partition = 0
        self.ahead: dict[int, tuple[int, int]] = {}

    def take(self, seq: int, fingerprint: int, record: Record) -> bool:
        """Take a message of the log and say whether it is the next one; a repeat must say the same as the first."""
        self.partition = record.partition
        last = len(self.seen)
        if seq <= last:
            if self.seen[seq - 1] != fingerprint:
                raise Flaw(f"message {seq} of the channel stood at offset {self.offsets[seq - 1]} with other content")
            return False
        early = self.ahead.get(seq)
        if early is not None and early[0] != fingerprint:
            raise Flaw(f"message {seq} of the channel stood at offset {early[1]} with other content")
        if seq > last + 1:
            self.ahead[seq] = (fingerprint, record.offset)
            return False
        self.ahead.pop(seq, None)
        self.seen.append(fingerprint)
        self.offsets.append(record.offset)
        return True

    def first_wrong(self) -> int | None:
        """Return the offset of the first record with a message that the machine does not send, or None."""
        both = min(len(self.seen), len(self.sent))
        if self.seen[:both] != self.sent[:both]:
            return next(self.offsets[index] for index in range(both) if self.seen[index] != self.sent[index])
        if len(self.seen) > both:
            return self.offsets[both]
        for seq, (fingerprint, offset) in sorted(self.ahead.items()):
            if seq > len(self.sent) or self.sent[seq - 1] != fingerprint:
                return offset
        return None


class _Verifier:
    """The passes over the topics, inboxes first."""

    def __init__(self, read: Read, clock: VenueClock, shards: int) -> None:
        self.read = read
        self.shards = {str(shard) for shard in range(shards)}
        self.books, self.accounts = _seen_hosts(clock, shards)
        self.channels: defaultdict[tuple[str, str, str], _Channel] = defaultdict(_Channel)
        self.verdict = Verdict()
        self.money = MoneyAudit()
        self.orders = OrderAudit()
        self.trades: defaultdict[str, TradeAudit] = defaultdict(TradeAudit)
        self.snapshots: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self.dead: dict[tuple[str, int, int, str], str] = {}

    def run(self, quiesced: bool) -> None:
        """Pass over all topics, then compare."""
        self._inbox(topics.ACCOUNT_INBOX, self.accounts)
        self._inbox(topics.BOOK_INBOX, self.books)
        for topic in (
            topics.ORDER_REPORTS,
            topics.ACCOUNT_UPDATES,
            topics.TRADES,
            topics.BOOK_DELTAS,
            topics.BOOK_ORDERS,
        ):
            self._output(topic)
        self._read_snapshots()
        self._dead_letters()
        self._compare(quiesced)
        self._end(quiesced)

    # Passes

    def _inbox(self, topic: str, host: Host) -> None:
        """Run the machines over an inbox, audit them, and note both what they send and what the other machines sent to it."""
        decode = DECODERS[topic]
        entries: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for record in self.read(topic):
            stored = entries[record.key]
            outcome = host.process(record, lambda stored=stored: stored)  # type: ignore[misc]
            _store(stored, outcome.changes)
            refused = False
            for to, key, value in outcome.records:
                if to == topics.DEAD_LETTERS:
                    letter = packets.decode_dead_letters(value)[0]
                    self.dead[letter.topic, letter.partition, letter.offset, letter.reason] = letter.detail
                    refused = refused or letter.reason == "INVALID_PACKET"
                    continue
                sent = self.snapshots[key] if to == topics.BOOK_SNAPSHOTS else self.channels[to, key, record.key].sent
                sent.extend(hash(bytes(part)) for part in _split(value))
            if not refused:
                self._take(topic, record, decode(record.value))
                self._audit(host.machines[record.key], record)
        for key, stored in entries.items():
            if stored:  # a machine that has refused its last packet is gone from the host
                host.machine(key, lambda stored=stored: stored)  # type: ignore[misc]

    def _output(self, topic: str) -> None:
        """Pass over an output topic."""
        decode = DECODERS[topic]
        for record in self.read(topic):
            try:
                packet = decode(record.value)
            except InvalidPacket as error:
                _fail(record, record.value[:500].decode(errors="replace"), f"not a packet of {topic}: {error}")
            fresh = self._take(topic, record, packet)
            if topic == topics.ACCOUNT_UPDATES:
                self.verdict.accounts += sum(type(update) is m.AccountOpened for update in fresh)

    def _read_snapshots(self) -> None:
        """Hold each snapshot against the one of its number that its book sends."""
        for record in self.read(topics.BOOK_SNAPSHOTS):
            for snapshot in packets.decode_book_snapshots(record.value):
                sent = self.snapshots[snapshot.symbol]
                with _named(record, snapshot):
                    if snapshot.seq > len(sent):
                        self.verdict.in_flight[topics.BOOK_SNAPSHOTS] += 1
                    elif sent[snapshot.seq - 1] != hash(encode(snapshot)):
                        raise Flaw(f"{snapshot.symbol} does not send this as snapshot {snapshot.seq}")
                self.verdict.messages[topics.BOOK_SNAPSHOTS] += 1

    def _take(self, topic: str, record: Record, packet: list[Any]) -> list[Any]:
        """Return the messages that are new in their channels."""
        fresh = []
        channels, key = self.channels, record.key
        for message in packet:
            kind = type(message)
            if kind in _FROM_OUTSIDE:
                self.verdict.messages[topic] += 1
                continue
            source = message.symbol if kind in _OF_SYMBOL else message.source
            with _named(record, message):
                if channels[topic, key, source].take(message.seq, hash(encode(message)), record):
                    fresh.append(message)
        self.verdict.messages[topic] += len(fresh)
        self.verdict.repeats[topic] += sum(type(message) not in _FROM_OUTSIDE for message in packet) - len(fresh)
        return fresh

    def _dead_letters(self) -> None:
        """Pass over `dead-letters`: there is one for each bad record of an inbox, and for no other."""
        seen: set[tuple[Any, ...]] = set()
        for record in self.read(topics.DEAD_LETTERS):
            for letter in packets.decode_dead_letters(record.value):
                name = (letter.topic, letter.partition, letter.offset, letter.reason)
                one = (*name, letter.detail) if letter.reason == "UNDELIVERED" else name  # a record may be told to many
                if one in seen:
                    self.verdict.repeats[topics.DEAD_LETTERS] += 1
                    continue
                seen.add(one)
                self.verdict.dead_letters[letter.reason] += 1
                inbox = letter.topic.rpartition(".")[2] in topics.INBOXES
                if inbox and letter.reason != "CHANNEL_HOLE" and name not in self.dead:
                    where = f"{letter.topic} {letter.partition} {letter.offset}"
                    _fail(record, _text(letter), f"the record at {where} is no dead letter ({letter.reason})")
        self.verdict.messages[topics.DEAD_LETTERS] = len(seen)
        missing = [name for name in self.dead if name not in seen and name[3] != "CHANNEL_HOLE"]
        self.verdict.in_flight[topics.DEAD_LETTERS] = len(missing)

    # Audits

    def _audit(self, machine: Machine, record: Record) -> None:
        """Audit what a machine has done with a record."""
        if isinstance(machine, _SeenBook):
            audit = self.trades[machine.symbol]
            for command, events in machine.steps:
                with _named(record, command):
                    audit.take(command, events)
            with _named(record, machine.steps[-1][0] if machine.steps else None):
                audit.settle(machine.orders)
            machine.steps.clear()
        elif isinstance(machine, _SeenAccounts):
            for command, events in machine.steps:
                with _named(record, command):
                    self.money.take(command, events)
                    for event in events:
                        if type(event) in _REPORTS:
                            self.orders.take(event)
            machine.steps.clear()

    # Comparisons

    def _compare(self, quiesced: bool) -> None:
        """Hold every channel's messages against its machine's."""
        for (topic, key, source), channel in sorted(self.channels.items()):
            if topic == topics.BOOK_INBOX and source.startswith("@"):
                self.verdict.in_flight[topic] += len(channel.ahead)
                continue
            wrong = channel.first_wrong()
            ahead = topic == topics.BOOK_INBOX and source in self.shards and len(channel.seen) > len(channel.sent)
            if wrong is not None and (quiesced or not ahead or channel.seen[: len(channel.sent)] != channel.sent):
                self._wrong(topic, key, source, channel.partition, wrong)
            self.verdict.in_flight[topic] += abs(len(channel.sent) - len(channel.seen))
        for machine in self.accounts.machines.values():
            if isinstance(machine, Accounts):
                self.verdict.in_flight[topics.ACCOUNT_INBOX] += len(machine.parked)
        self.verdict.halted = sorted(
            key for host in (self.books, self.accounts) for key, machine in host.machines.items() if machine.halted
        )
        self.verdict.in_flight = +self.verdict.in_flight
        if quiesced and self.verdict.in_flight:
            topic, count = min(self.verdict.in_flight.items())
            _fail(None, "", f"{count} messages are missing at the end of {topic}", topic)

    def _wrong(self, topic: str, key: str, source: str, partition: int, offset: int) -> NoReturn:
        """Quote from the log the first message that is not its machine's."""
        sent = self.channels[topic, key, source].sent
        for record in self.read(topic):
            if (record.partition, record.offset) == (partition, offset):
                for message in DECODERS[topic](record.value):
                    of = getattr(message, "source", None) or getattr(message, "symbol", "")
                    seq = getattr(message, "seq", 0)
                    if of == source and seq and (seq > len(sent) or sent[seq - 1] != hash(encode(message))):
                        _fail(record, _text(message), f"{source} does not send this as message {seq} to {key}")
        raise AssertionError("a message that was read stands where it was read")

    def _end(self, quiesced: bool) -> None:
        """Compare what rests, and the money, where nothing is in flight."""
        resting = {}
        for symbol, book in self.books.machines.items():
            if not isinstance(book, Book):
                continue
            resting.update({o.order_id: o.leaves for o in book.orders.values() if o.account != m.MARKET})
            audit = self.trades[symbol]
            if audit.levels.levels != {"buy": _levels(book.bids), "sell": _levels(book.asks)}:
                _fail(None, "", f"the levels of {symbol} are not those of its orders", topics.BOOK_DELTAS)
            try:
                audit.finish({order.order_id: order.number for order in book.orders.values()})
            except Flaw as flaw:
                _fail(None, "", f"{symbol}: {flaw}", topics.BOOK_ORDERS)
        self.verdict.orders_open = len(self.orders.open)
        if self.verdict.in_flight and not quiesced:
            return
        legs = sum(audit.account_legs for audit in self.trades.values())
        if self.money.fills != legs:
            reason = f"accounts have {self.money.fills} fills, but their trades have {legs} legs"
            _fail(None, "", reason, topics.ORDER_REPORTS)
        if {order_id: order.leaves for order_id, order in self.orders.open.items()} != resting:
            _fail(None, "", "the open orders by the reports are not those on the books", topics.ORDER_REPORTS)


class _named:  # noqa: N801 (used as a statement)
    """Gives a flaw the record and the message that it was found at."""

    __slots__ = ("message", "record")

    def __init__(self, record: Record, message: Any) -> None:
        self.record = record
        self.message = message

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Turn a flaw into a finding."""
        if isinstance(error, Flaw):
            _fail(self.record, _text(self.message), str(error))


def _fail(record: Record | None, message: str, reason: str, topic: str = "") -> NoReturn:
    if record is None:
        raise _FlawFound(Finding(topic, -1, -1, message, reason))
    raise _FlawFound(Finding(record.topic, record.partition, record.offset, message, reason))


def _text(message: Any) -> str:
    return encode(message).decode()[:500]


def _store(entries: dict[str, str], changes: dict[str, str | None]) -> None:
    for name, text in changes.items():
        if text is None:
            entries.pop(name, None)
        else:
            entries[name] = text


def _levels(ladder: Ladder) -> dict[int, int]:
    return {level.price: level.total for level in ladder.levels.values()}
