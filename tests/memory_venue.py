"""Both kinds of machines over one in-memory log: an exchange in which nothing ever goes wrong."""

from collections import defaultdict, deque
from typing import Any

from exchange import topics
from exchange.host import Record, accounts_host, book_host
from exchange.messages import Bar
from replay.bars import INSTRUMENTS
from replay.orders import listings, paper, setup, steps
from wire.writer import packets

SHARDS = 16
NOW_MS = 1_700_000_000_000


class MemoryVenue:
    """Both kinds of machines over one in-memory log: each record is processed before the next is written from outside."""

    def __init__(self) -> None:
        self.hosts = {
            topics.ACCOUNT_INBOX: accounts_host("replay", SHARDS),
            topics.BOOK_INBOX: book_host("replay", SHARDS),
        }
        self.state: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self.written: dict[str, list[bytes]] = defaultdict(list)
        self.keys: dict[str, list[str]] = defaultdict(list)

    def write(self, topic: str, key: str, messages: list[Any]) -> None:
        queue = deque((topic, key, packet) for packet in packets(messages))
        while queue:
            topic, key, value = queue.popleft()
            self.written[topic].append(value)
            self.keys[topic].append(key)
            if topic in self.hosts:
                outcome = self.hosts[topic].process(Record(topic, 0, 0, NOW_MS, key, value), dict)
                queue.extend(outcome.records)

    def read(self, topic: str, decode: Any) -> list[Any]:
        return [message for value in self.written[topic] for message in decode(value)]


def replayed(days: list[list[Bar]]) -> MemoryVenue:
    """Play days of bars into a venue of their own."""
    venue = MemoryVenue()
    accounts = paper(SHARDS)
    instruments = list(INSTRUMENTS.values())
    for command in listings(instruments, [accounts.shard]):
        venue.write(topics.ACCOUNT_INBOX, accounts.shard, [command])
    for listed in instruments:
        venue.write(topics.BOOK_INBOX, listed.symbol, list(listings([listed], [listed.symbol])))
    assets = sorted({asset for listed in instruments for asset in (listed.base, listed.quote)})
    venue.write(topics.ACCOUNT_INBOX, accounts.shard, list(setup(accounts, assets, NOW_MS)))
    previous: dict[str, Bar] = {}
    commands: list[Any] = []
    for day in days:
        commands += [command for step in steps(day, previous, accounts, NOW_MS) for command in step.commands]
        previous.update((bar.symbol, bar) for bar in day)
        if len(commands) > 400 or day is days[-1]:
            venue.write(topics.ACCOUNT_INBOX, accounts.shard, commands)
            commands = []
    return venue
