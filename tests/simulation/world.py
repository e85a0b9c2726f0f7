"""The whole exchange in one process, in a world where everything that may go wrong does.

Theory of operation: `Log` is Kafka: topics of partitions, append times. A `Job` is a Flink job: it reads its inbox a record
at a time, runs the machines in parallel instances, and keeps what it wants to write in queues that reach the log later,
cut into other packets than before. A checkpoint writes the queues out and remembers offsets and state. A crash goes back
to the last checkpoint; of what was queued any part is lost, and any part reaches the log long after. `World` lets clients
and jobs take turns by a seeded dice, so that a seed is a run.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from exchange import topics
from exchange.clock import VenueClock
from exchange.host import Host, Record, accounts_host, book_host
from exchange.instruments import Instrument
from exchange.messages import (
    MARKET,
    AdvanceClock,
    CancelOrder,
    Deposit,
    EnterOrder,
    ListInstrument,
    Message,
    OpenAccount,
    PlaceOrder,
    PullOrder,
    Resume,
    Tick,
    shard_of,
)
from exchange.packets import encode
from exchange.verify import DECODERS, Verdict, verify

SHARDS = 3
PARTITIONS = 3
START_MS = 1_700_000_000_000
INSTRUMENTS = (
    Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"),
    Instrument(symbol="GOOGUSD", base="GOOG", quote="USD", tick="0.1", lot="0.1", base_scale=1, quote_scale=2),
)
ACCOUNTS = tuple(f"trader-{number}" for number in range(5))
BAD_RECORDS = (
    b"",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"type":"Nothing"}',
    b'{"type":"Tick","key":"AAPLUSD","more":1}',
    b'{"type":"AdvanceClock","key":"0","time_ms":1e999}',
    b'{"type":"Tick","key":"of-another-key"}',
    b'{"type":"Resume","key":"of-another-key"}',
)
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def place_of(key: str) -> int:
    """Return the partition of a key."""
    return crc32(key.encode()) % PARTITIONS


class Log:
    """Topics of partitions; records get the broker's time, which never goes back."""

    def __init__(self, clock: VenueClock) -> None:
        self.clock = clock
        self.now_ms = START_MS
        self.partitions: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)

    def append(self, topic: str, key: str, value: bytes) -> None:
        place = place_of(key)
        partition = self.partitions[topic, place]
        partition.append(Record(topic, place, len(partition), self.now_ms, key, value))

    def read(self, topic: str) -> Iterator[Record]:
        for place in range(PARTITIONS):
            yield from self.partitions[topic, place]

    def verify(self, *, quiesced: bool) -> Verdict:
        return verify(self.read, self.clock, SHARDS, quiesced=quiesced)

    def messages(self, topic: str) -> dict[str, list[bytes]]:
        """Return a topic's messages by key, without repeats."""
        found: defaultdict[str, list[bytes]] = defaultdict(list)
        for record in self.read(topic):
            for message in DECODERS[topic](record.value):
                if message.seq == len(found[record.key]) + 1:
                    found[record.key].append(encode(message))
        return found


@dataclass
class Checkpoint:
    """What a job goes back to."""

    offsets: dict[int, int] = field(default_factory=dict)
    state: dict[str, dict[str, str]] = field(default_factory=dict)


class Job:
    """A Flink job with parallel instances of its operator, and a sink with a queue for each partition it writes to."""

    def __init__(self, log: Log, inbox: str, make_host: Callable[[VenueClock, int], Host], dice: random.Random) -> None:
        self.log = log
        self.inbox = inbox
        self.dice = dice
        self.checkpoint = Checkpoint()
        self.make_host = make_host
        self.flush_before_checkpoint = True
        self.queues: defaultdict[tuple[str, int], list[tuple[str, bytes]]] = defaultdict(list)
        self.late: list[tuple[str, str, bytes]] = []
        self.start()

    def start(self) -> None:
        """Begin at the checkpoint, with any number of instances."""
        self.hosts = [self.make_host(self.log.clock, SHARDS) for _ in range(self.dice.randint(1, 3))]
        self.offsets = dict(self.checkpoint.offsets)
        self.state = {key: dict(entries) for key, entries in self.checkpoint.state.items()}
        self.deadlines: dict[str, int] = {}

    def take_checkpoint(self) -> None:
        if self.flush_before_checkpoint:
            self.flush()
        self.checkpoint = Checkpoint(dict(self.offsets), {key: dict(entries) for key, entries in self.state.items()})

    def crash(self) -> None:
        """Lose the process. What was queued is in the log, comes there late, or never does."""
        for (topic, _), queue in self.queues.items():
            for key, value in queue:
                fate = self.dice.random()
                if fate < 0.3:
                    self.log.append(topic, key, value)
                elif fate < 0.6:
                    self.late.append((topic, key, value))
        self.queues.clear()
        self.start()

    def waiting(self) -> list[int]:
        """Return the partitions with records to read."""
        partitions = self.log.partitions
        return [p for p in range(PARTITIONS) if self.offsets.get(p, 0) < len(partitions[self.inbox, p])]

    def step(self) -> bool:
        """Process one record, if there is one."""
        waiting = self.waiting()
        if not waiting:
            return False
        place = self.dice.choice(waiting)
        offset = self.offsets.get(place, 0)
        record = self.log.partitions[self.inbox, place][offset]
        self.offsets[place] = offset + 1
        entries = self.state.setdefault(record.key, {})
        host = self.hosts[crc32(b"group" + record.key.encode()) % len(self.hosts)]
        outcome = host.process(record, lambda: entries)
        for name, text in outcome.changes.items():
            if text is None:
                entries.pop(name, None)
            else:
                entries[name] = text
        if outcome.deadline_ms is not None and self.log.clock == "live":
            self.deadlines[record.key] = outcome.deadline_ms
        for topic, key, value in outcome.records:
            self.queue(topic, key, value)
        return True

    def queue(self, topic: str, key: str, value: bytes) -> None:
        """Queue a record, cut in two or joined to the one before it as the dice say."""
        queue = self.queues[topic, place_of(key)]
        if topic == topics.DEAD_LETTERS:
            queue.append((key, value))
            return
        messages = [bytes(raw) for raw in _split(value)]
        if queue and queue[-1][0] == key and self.dice.random() < 0.2:
            messages = [bytes(raw) for raw in _split(queue.pop()[1])] + messages
        cut = self.dice.randint(0, len(messages)) if self.dice.random() < 0.3 else 0
        for part in (messages[:cut], messages[cut:]):
            if part:
                queue.append((key, b"[" + b",".join(part) + b"]"))

    def write(self, count: int) -> None:
        """Write up to `count` records of some queue."""
        names = [name for name, queue in self.queues.items() if queue]
        if names:
            name = self.dice.choice(names)
            queue = self.queues[name]
            for key, value in queue[:count]:
                self.log.append(name[0], key, value)
            del queue[:count]

    def flush(self) -> None:
        for (topic, _), queue in self.queues.items():
            for key, value in queue:
                self.log.append(topic, key, value)
            queue.clear()

    def write_late(self) -> None:
        """Let a record of a dead predecessor reach the log."""
        if self.late:
            self.log.append(*self.late.pop(self.dice.randrange(len(self.late))))

    def tick(self) -> None:
        """Wake the machines whose time has come, as the idle timer of a live venue does."""
        for key, deadline_ms in list(self.deadlines.items()):
            if deadline_ms <= self.log.now_ms:
                del self.deadlines[key]
                self.queue(self.inbox, key, encode([Tick(key=key)]))


class Clients:
    """Traders, recorded flow, an operator and a vandal; whatever they send may be sent again."""

    def __init__(self, log: Log, dice: random.Random, *, traders: bool = True) -> None:
        self.log = log
        self.dice = dice
        self.traders = traders
        self.sent: list[tuple[str, str, bytes]] = []
        self.requests = 0
        self.placed: list[tuple[str, str]] = []
        self.flow: dict[str, int] = defaultdict(int)
        self.time_ms = START_MS
        for instrument in INSTRUMENTS:
            self.send(
                topics.BOOK_INBOX, instrument.symbol, ListInstrument(key=instrument.symbol, instrument=instrument)
            )
        for shard in map(str, range(SHARDS)) if traders else ():
            listings = [ListInstrument(key=shard, instrument=instrument) for instrument in INSTRUMENTS]
            self.send(topics.ACCOUNT_INBOX, shard, *listings)
        for account in ACCOUNTS if traders else ():
            commands: list[Message] = [OpenAccount(account=account, request_id="open", created_ms=START_MS)]
            for asset, amount in (("USD", 8_000), ("AAPL", 60), ("GOOG", 50)):
                commands.append(
                    Deposit(account=account, request_id=asset, created_ms=START_MS, asset=asset, amount=amount)
                )
            self.send(topics.ACCOUNT_INBOX, shard_of(account, SHARDS), *commands)

    def send(self, topic: str, key: str, *messages: Message) -> None:
        value = encode(messages if len(messages) > 1 or self.dice.random() < 0.5 else messages[0])
        self.sent.append((topic, key, value))
        self.log.append(topic, key, value)

    def act(self) -> None:
        """Do one thing."""
        if not self.traders:
            self.record()
            return
        what = self.dice.random()
        if what < 0.60:
            account = self.dice.choice(ACCOUNTS)
            commands = [self.command(account) for _ in range(self.dice.randint(1, 4))]
            self.send(topics.ACCOUNT_INBOX, shard_of(account, SHARDS), *commands)
        elif what < 0.75:
            self.record()
        elif what < 0.90:
            self.log.append(*self.dice.choice(self.sent))
        elif what < 0.95:
            shard = str(self.dice.randrange(SHARDS))
            if self.log.clock == "replay":
                self.time_ms += self.dice.randint(0, 3_000)
                self.send(topics.ACCOUNT_INBOX, shard, AdvanceClock(key=shard, time_ms=self.time_ms))
            else:
                self.send(topics.ACCOUNT_INBOX, shard, Resume(key=shard))
        else:
            topic = self.dice.choice(topics.INBOXES)
            values = BAD_RECORDS if self.dice.random() < 0.7 else [value for _, _, value in self.sent]
            self.log.append(topic, self.dice.choice(("", "AAPLUSD", "0", "1")), self.dice.choice(values))

    def command(self, account: str) -> Message:
        dice = self.dice
        self.requests += 1
        request_id = f"r{self.requests}"
        if self.placed and dice.random() < 0.25:
            owner, placed = dice.choice(self.placed)
            account = owner if shard_of(owner, SHARDS) == shard_of(account, SHARDS) else account
            return CancelOrder(account=account, request_id=request_id, created_ms=START_MS, order_request_id=placed)
        self.placed.append((account, request_id))
        kind = "market" if dice.random() < 0.1 else "limit"
        force = dice.choice(("IOC", "FOK") if kind == "market" else ("GTC", "GTC", "GTC", "IOC", "FOK", "GTD"))
        return PlaceOrder(
            account=account,
            request_id=request_id,
            created_ms=START_MS,
            symbol="NONE" if dice.random() < 0.02 else dice.choice(INSTRUMENTS).symbol,
            side=dice.choice(("buy", "sell")),
            price=dice.randint(96, 104),
            quantity=dice.randint(1, 12),
            kind=kind,
            time_in_force=force,
            expires_ms=START_MS + dice.randint(0, 20_000) if force == "GTD" else 0,
        )

    def record(self) -> None:
        """Send a packet of flow without accounts."""
        dice = self.dice
        symbol = dice.choice(INSTRUMENTS).symbol
        packet: list[Message] = []
        for _ in range(dice.randint(1, 5)):
            self.flow[symbol] += 1
            seq = self.flow[symbol]
            self.time_ms += dice.randint(0, 200)
            if seq > 1 and dice.random() < 0.2:
                packet.append(
                    PullOrder(
                        source="@tape",
                        seq=seq,
                        time_ms=self.time_ms,
                        account=MARKET,
                        order_id=-dice.randrange(1, seq),
                        symbol=symbol,
                    )
                )
                continue
            packet.append(
                EnterOrder(
                    source="@tape",
                    seq=seq,
                    time_ms=self.time_ms,
                    account=MARKET,
                    order_id=-seq,
                    symbol=symbol,
                    side=dice.choice(("buy", "sell")),
                    price=dice.randint(96, 104),
                    quantity=dice.randint(1, 12),
                    expires_ms=self.time_ms + dice.randint(1, 5_000) if dice.random() < 0.1 else 0,
                )
            )
        self.send(topics.BOOK_INBOX, symbol, *packet)


class World:
    """Clients, both jobs and the log; `crashes` is how probable one is at each turn."""

    def __init__(self, seed: int, clock: VenueClock, *, crashes: float = 0.02, traders: bool = True) -> None:
        self.dice = random.Random(f"jobs {seed}")
        self.log = Log(clock)
        self.clients = Clients(self.log, random.Random(f"clients {seed}"), traders=traders)
        self.jobs = (
            Job(self.log, topics.ACCOUNT_INBOX, accounts_host, self.dice),
            Job(self.log, topics.BOOK_INBOX, book_host, self.dice),
        )
        self.crashes = crashes
        self.turns = 0
        self.crash_at: tuple[int, int] | None = None

    def run(self, actions: int) -> None:
        """Let clients act so many times while the jobs work, then let the jobs finish."""
        while actions:
            if self.dice.random() < 0.25:
                self.clients.act()
                actions -= 1
            self.turn()
        self.drain()

    def turn(self) -> None:
        """Let one job do one thing."""
        dice = self.dice
        self.turns += 1
        self.log.now_ms += dice.choice((0, 0, 1, 40))
        job = dice.choice(self.jobs)
        if self.crash_at is not None and self.crash_at[0] == self.turns:
            self.jobs[self.crash_at[1]].crash()
        what = dice.random()
        if what < self.crashes:
            job.crash()
        elif what < 0.08:
            job.take_checkpoint()
        elif what < 0.12:
            job.write_late()
        elif what < 0.15:
            job.tick()
        elif what < 0.40:
            job.write(dice.randint(1, 4))
        else:
            job.step()

    def drain(self) -> None:
        """Let everything that is on its way arrive, without further crashes; what the dead still write comes first."""
        for job in self.jobs:
            while job.late:
                job.write_late()
        self.log.now_ms += 60_000
        working = True
        while working:
            working = False
            for job in self.jobs:
                job.tick()
                while job.step():
                    working = True
                working = working or any(job.queues.values())
                job.flush()
