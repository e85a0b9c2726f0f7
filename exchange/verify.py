"""Checks a venue's log: that what the jobs wrote is what the machines say, once, and that nothing is made or lost.

Theory of operation: the machines are run again over both inboxes. Every channel then has two sequences of messages: what
its machine sends, and what stands in the log once repeats are dropped. The second must be a beginning of the first; the
rest is in flight. Of each message only a hash and an offset are kept, so that millions fit. The audits, which do not
know the machines, check the same messages for what must hold in any exchange. Snapshots of books, of which the log need
keep only the last, are no channel: each must say what the deltas up to it add up to.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import msgspec

from exchange import messages as m
from exchange import packets, topics
from exchange.accounts import Accounts
from exchange.audits import Flaw, LegAudit, LevelAudit, MoneyAudit, OrderAudit
from exchange.book import Book
from exchange.clock import VenueClock
from exchange.errors import InvalidPacket
from exchange.host import Host, Record, accounts_host, book_host
from exchange.ladder import Ladder
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
}
TOPICS = (*DECODERS, topics.BOOK_SNAPSHOTS, topics.DEAD_LETTERS)
"""What `verify` reads."""

_FROM_OUTSIDE = (
    m.OpenAccount, m.Deposit, m.PlaceOrder, m.CancelOrder, m.ListInstrument, m.AdvanceClock, m.Resume, m.Tick,
)  # fmt: skip
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
        self.books, self.accounts = book_host(clock, shards), accounts_host(clock, shards)
        self.channels: defaultdict[tuple[str, str, str], _Channel] = defaultdict(_Channel)
        self.verdict = Verdict()
        self.money = MoneyAudit({})
        self.orders = OrderAudit()
        self.legs: defaultdict[str, LegAudit] = defaultdict(LegAudit)
        self.levels: defaultdict[str, LevelAudit] = defaultdict(LevelAudit)
        self.snapshots: dict[tuple[str, int], tuple[Record, int]] = {}
        self.dead: dict[tuple[str, int, int, str], str] = {}

    def run(self, quiesced: bool) -> None:
        """Pass over all topics, then compare."""
        self._inbox(topics.ACCOUNT_INBOX, self.accounts, self._deposits)
        self._inbox(topics.BOOK_INBOX, self.books, self._trades)
        self._output(topics.ORDER_REPORTS, self._report)
        self._output(topics.ACCOUNT_UPDATES, self._update)
        self._output(topics.TRADES, lambda _: None)
        self._read_snapshots()
        self._output(topics.BOOK_DELTAS, self._delta)
        self._dead_letters()
        self._compare(quiesced)
        self._end(quiesced)

    # Passes

    def _inbox(self, topic: str, host: Host, audit: Callable[[Host, Record, list[Any], list[bytes]], None]) -> None:
        """Run the machines over an inbox, and note both what they send and what the other machines sent to it."""
        decode = DECODERS[topic]
        entries: defaultdict[str, dict[str, str]] = defaultdict(dict)
        audited = topics.TRADES if topic == topics.BOOK_INBOX else topics.ACCOUNT_UPDATES
        for record in self.read(topic):
            stored = entries[record.key]
            outcome = host.process(record, lambda stored=stored: stored)  # type: ignore[misc]
            _store(stored, outcome.changes)
            facts: list[bytes] = []
            refused = False
            for to, key, value in outcome.records:
                if to == topics.DEAD_LETTERS:
                    letter = packets.decode_dead_letters(value)[0]
                    self.dead[letter.topic, letter.partition, letter.offset, letter.reason] = letter.detail
                    refused = refused or letter.reason == "INVALID_PACKET"
                    continue
                raw = [bytes(part) for part in _split(value)]
                if to == topics.BOOK_SNAPSHOTS:
                    continue
                self.channels[to, key, record.key].sent.extend(map(hash, raw))
                if to == audited:
                    facts += raw
            if refused:
                continue
            packet = decode(record.value)
            self._take(topic, record, packet)
            with _named(record, packet[0]):
                audit(host, record, packet, facts)

    def _output(self, topic: str, audit: Callable[[Any], None]) -> None:
        """Pass over an output topic."""
        decode = DECODERS[topic]
        for record in self.read(topic):
            try:
                packet = decode(record.value)
            except InvalidPacket as error:
                _fail(record, record.value[:500].decode(errors="replace"), f"not a packet of {topic}: {error}")
            for message in self._take(topic, record, packet):
                with _named(record, message):
                    audit(message)

    def _read_snapshots(self) -> None:
        """Note what each snapshot says; that of an empty book is checked at once, the others when their delta comes."""
        for record in self.read(topics.BOOK_SNAPSHOTS):
            for snapshot in packets.decode_book_snapshots(record.value):
                said = hash((tuple(snapshot.bids), tuple(snapshot.asks)))
                name = (snapshot.symbol, snapshot.delta)
                with _named(record, snapshot):
                    if snapshot.delta == 0 and said != _EMPTY:
                        raise Flaw("a book without deltas is empty")
                    if self.snapshots.setdefault(name, (record, said))[1] != said:
                        raise Flaw(f"another snapshot after delta {snapshot.delta} has other content")
                self.verdict.messages[topics.BOOK_SNAPSHOTS] += 1

    def _delta(self, delta: m.BookDelta) -> None:
        levels = self.levels[delta.symbol]
        levels.take(delta)
        record, said = self.snapshots.pop((delta.symbol, delta.seq), (None, 0))
        if record is not None and said != _fingerprint(levels.levels):
            _fail(
                record, f"the snapshot of {delta.symbol} after delta {delta.seq}", "it is not what the deltas add up to"
            )

    def _take(self, topic: str, record: Record, packet: list[Any]) -> list[Any]:
        """Return the messages that are new in their channels."""
        fresh = []
        channels, key = self.channels, record.key
        for message in packet:
            kind = type(message)
            if kind in _FROM_OUTSIDE:
                self.verdict.messages[topic] += 1
                continue
            source = message.symbol if kind is m.Trade or kind is m.BookDelta else message.source
            with _named(record, message):
                if channels[topic, key, source].take(message.seq, hash(encode(message)), record):
                    fresh.append(message)
        self.verdict.messages[topic] += len(fresh)
        self.verdict.repeats[topic] += sum(type(message) not in _FROM_OUTSIDE for message in packet) - len(fresh)
        return fresh

    def _dead_letters(self) -> None:
        """Pass over `dead-letters`: there is one for each bad record of an inbox, and for no other."""
        seen = set()
        for record in self.read(topics.DEAD_LETTERS):
            for letter in packets.decode_dead_letters(record.value):
                name = (letter.topic, letter.partition, letter.offset, letter.reason)
                if name in seen:
                    self.verdict.repeats[topics.DEAD_LETTERS] += 1
                    continue
                seen.add(name)
                self.verdict.dead_letters[letter.reason] += 1
                inbox = letter.topic.rpartition(".")[2] in topics.INBOXES
                if inbox and letter.reason != "CHANNEL_HOLE" and name not in self.dead:
                    where = f"{letter.topic} {letter.partition} {letter.offset}"
                    _fail(record, _text(letter), f"the record at {where} is no dead letter ({letter.reason})")
        self.verdict.messages[topics.DEAD_LETTERS] = len(seen)
        missing = [name for name in self.dead if name not in seen and name[3] != "CHANNEL_HOLE"]
        self.verdict.in_flight[topics.DEAD_LETTERS] = len(missing)

    # Audits

    def _deposits(self, host: Host, record: Record, packet: list[Any], facts: list[bytes]) -> None:
        del host, record
        asked: dict[tuple[str, str], m.Deposit] = {}
        for message in packet:
            if type(message) is m.ListInstrument:
                self.money.instruments.setdefault(message.instrument.symbol, message.instrument)
            elif type(message) is m.Deposit:
                asked.setdefault((message.account, message.request_id), message)
        if asked:
            for raw in facts:
                for update in packets.decode_account_updates(raw):
                    if type(update) is m.BalanceChanged and update.request_id is not None:
                        deposit = asked[update.account, update.request_id]
                        self.money.deposit(deposit.account, deposit.asset, deposit.amount)

    def _trades(self, host: Host, record: Record, packet: list[Any], facts: list[bytes]) -> None:
        book = host.machines.get(record.key)
        if isinstance(book, Book):
            trades = [packets.decode_trades(raw)[0] for raw in facts]
            self.legs[record.key].take(packet, trades, book.orders)

    def _report(self, report: Any) -> None:
        self.orders.take(report)
        if type(report) is m.OrderFilled:
            self.money.fill(report)

    def _update(self, update: Any) -> None:
        if type(update) is m.BalanceChanged:
            self.money.balance(update)
        else:
            self.verdict.accounts += 1

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
        self.verdict.in_flight[topics.BOOK_DELTAS] += sum(delta > 0 for _, delta in self.snapshots)
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
            channel = self.channels[topics.BOOK_DELTAS, symbol, symbol]
            if len(channel.seen) == len(channel.sent):
                levels = self.levels[symbol].levels
                if levels != {"buy": _levels(book.bids), "sell": _levels(book.asks)}:
                    _fail(None, "", f"the levels of {symbol} are not those of its orders", topics.BOOK_DELTAS)
        self.verdict.orders_open = len(self.orders.open)
        if self.verdict.in_flight and not quiesced:
            return
        legs = sum(audit.account_legs for audit in self.legs.values())
        if self.money.fills != legs:
            reason = f"accounts have {self.money.fills} fills, but their trades have {legs} legs"
            _fail(None, "", reason, topics.ORDER_REPORTS)
        if {order_id: order.leaves for order_id, order in self.orders.open.items()} != resting:
            _fail(None, "", "the open orders by the reports are not those on the books", topics.ORDER_REPORTS)
        try:
            self.money.settle(self.orders.open)
        except Flaw as flaw:
            _fail(None, "", str(flaw), topics.ACCOUNT_UPDATES)


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


def _fingerprint(levels: dict[Any, dict[int, int]]) -> int:
    """Return the hash of a book's prices and totals, as a snapshot has them."""
    return hash((tuple(sorted(levels["buy"].items(), reverse=True)), tuple(sorted(levels["sell"].items()))))


_EMPTY = hash(((), ()))


def _levels(ladder: Ladder) -> dict[int, int]:
    return {level.price: level.total for level in ladder.levels.values()}
