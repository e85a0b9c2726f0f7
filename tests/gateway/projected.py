"""A venue in memory whose outputs are projected into a real Redis, as the projector does it with Kafka's."""

from __future__ import annotations

import json
import random
from typing import Any

from memory_venue import MemoryVenue

from exchange import messages as m
from exchange import topics
from exchange.host import Record
from exchange.instruments import Instrument
from exchange.messages import shard_of
from exchange.packets import decode_order_reports
from exchange.topics import topic_name
from gateway.keys import Beat
from gateway.projecting.projection import TOPICS, Projection
from gateway.projecting.store import Store, new_generation
from tests.gateway.computed import Watch

NOW_MS = 1_700_000_000_000
SHARDS = 16
TOKEN = "test"
AAPL = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD", quote_scale=5)
COIN = Instrument(symbol="COINUSD", base="COIN", quote="USD", tick="0.05", lot="0.001", base_scale=3, quote_scale=5)

PHASES = ("continuous", "continuous", "continuous", "pre-open", "opening-auction", "halt", "closing-auction", "closed")
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("limit", {}),
    ("limit", {}),
    ("limit", {"display": 3}),
    ("limit", {"post_only": "slide"}),
    ("limit", {"post_only": "reject"}),
    ("limit", {"min_quantity": 4}),
    ("limit", {"all_or_none": True}),
    ("market", {}),
    ("market-to-limit", {}),
    ("stop", {"stop": 1_001}),
    ("stop-limit", {"stop": 999}),
    ("trailing-stop", {"trail": 2}),
    ("pegged", {"peg": "mid", "offset": -1}),
)
"""Kinds of orders, with conditions that go with them."""


class Projected:
    """A venue, the records of its output topics in one partition each, and their projection."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self.venue = MemoryVenue()
        self.store = Store(url, name)
        self.generation = new_generation()
        self.projection = Projection(name)
        self.commit = 0
        self.watch = Watch(self.venue.written, self.venue.keys)
        self.busted: set[tuple[str, int]] = set()
        """Trades that were undone, by symbol and number."""
        self._requests = 0

    # Commands

    def list(self, *instruments: Instrument) -> None:
        for listed in instruments:
            self.venue.write(topics.BOOK_INBOX, listed.symbol, [m.ListInstrument(key=listed.symbol, instrument=listed)])
            for shard in map(str, range(SHARDS)):
                self.venue.write(topics.ACCOUNT_INBOX, shard, [m.ListInstrument(key=shard, instrument=listed)])

    def send(self, kind: type[Any], account: str, /, **fields: Any) -> str:
        """Send a command and return its request id."""
        self._requests += 1
        fields.setdefault("request_id", f"r{self._requests}")
        shard = shard_of(account, SHARDS)
        self.venue.write(topics.ACCOUNT_INBOX, shard, [kind(account=account, created_ms=NOW_MS, **fields)])
        return str(fields["request_id"])

    def fund(self, account: str, **amounts: int) -> None:
        self.send(m.OpenAccount, account)
        for asset, amount in amounts.items():
            self.send(m.Deposit, account, asset=asset, amount=amount)

    def order(self, account: str, side: str, price: int, quantity: int, symbol: str = "AAPLUSD", **more: Any) -> str:
        return self.send(m.PlaceOrder, account, symbol=symbol, side=side, price=price, quantity=quantity, **more)

    def advance(self, time_ms: int) -> None:
        """Let the market's time pass, at all machines that are there."""
        for shard in map(str, range(SHARDS)):
            self.venue.write(topics.ACCOUNT_INBOX, shard, [m.AdvanceClock(key=shard, time_ms=time_ms)])

    def trade_about(self, seed: int, orders: int) -> None:
        """Let three accounts trade at random in both instruments."""
        dice = random.Random(seed)
        placed: list[tuple[str, str]] = []
        for step in range(orders):
            if step % 20 == 0:
                self.advance(NOW_MS + step * 3_600_000)
            account = dice.choice(("ann", "bob", "cy"))
            if placed and dice.random() < 0.2:
                owner, request_id = dice.choice(placed)
                self.send(m.CancelOrder, owner, order_request_id=request_id)
                continue
            listed = dice.choice((AAPL, COIN))
            side = dice.choice(("buy", "sell"))
            price = dice.randint(995, 1_005)
            placed.append((account, self.order(account, side, price, dice.randint(1, 9), listed.symbol)))

    def trade_in_every_way(self, seed: int, commands: int) -> None:
        """Let three accounts send every kind of command at random, while the markets go through their phases."""
        dice = random.Random(seed)
        placed: list[tuple[str, str]] = []
        for _ in range(commands):
            account, listed = dice.choice(("ann", "bob", "cy")), dice.choice((AAPL, COIN))
            what = dice.random()
            if what < 0.06:
                self.operate(listed.symbol, m.SetPhase, phase=dice.choice(PHASES))
            elif what < 0.08:
                self._bust(dice)
            elif what < 0.1:
                self.send(m.CancelAll, account, symbol=dice.choice((None, listed.symbol)))
            elif what < 0.3 and placed:
                owner, request_id = dice.choice(placed)
                amendment = {"price": dice.randint(990, 1_010), "quantity": dice.randint(1, 15)}
                self.send(m.AmendOrder, owner, order_request_id=request_id, **amendment)
            elif what < 0.4 and placed:
                owner, request_id = dice.choice(placed)
                self.send(m.CancelOrder, owner, order_request_id=request_id)
            else:
                placed.append((account, self._any_order(dice, account, listed.symbol)))

    def _any_order(self, dice: random.Random, account: str, symbol: str) -> str:
        kind, conditions = dice.choice(KINDS)
        force = dice.choice(("IOC", "FOK", "OPG", "CLS") if kind == "market" else ("GTC", "GTC", "GTC", "DAY"))
        self_trade = dice.choice(("none", "none", "newest", "oldest", "both", "decrement"))
        return self.order(
            account,
            dice.choice(("buy", "sell")),
            dice.randint(992, 1_008),
            dice.randint(5, 15),
            symbol,
            kind=kind,
            time_in_force=force,
            conditions=m.Conditions(**conditions, self_trade=self_trade),
        )

    def operate(self, symbol: str, kind: type[Any], **fields: Any) -> None:
        """Send a book a command of the operator."""
        self.venue.write(topics.BOOK_INBOX, symbol, [kind(key=symbol, **fields)])

    def _bust(self, dice: random.Random) -> None:
        """Undo a trade that is not undone yet."""
        fills: dict[tuple[str, int], dict[str, m.OrderFilled]] = {}
        for report in self.venue.read(topics.ORDER_REPORTS, decode_order_reports):
            if isinstance(report, m.OrderFilled):
                fills.setdefault((report.symbol, report.trade), {})[report.side] = report
        whole = [name for name, sides in fills.items() if len(sides) == 2 and name not in self.busted]
        if not whole:
            return
        symbol, number = dice.choice(whole)
        buy, sell = fills[symbol, number]["buy"], fills[symbol, number]["sell"]
        self.busted.add((symbol, number))
        self.operate(
            symbol,
            m.BustTrade,
            trade=number,
            price=buy.price,
            quantity=buy.quantity,
            buyer=buy.account,
            seller=sell.account,
            buy_order=buy.order_id,
            sell_order=sell.order_id,
            buy_fee=buy.fee,
            sell_fee=sell.fee,
        )

    # Projection

    def records(self, topic: str, begin: int = 0) -> list[Record]:
        name = topic_name(self.name, topic)
        new = self.venue.written[topic][begin:]
        return [Record(name, 0, offset, NOW_MS, "", value) for offset, value in enumerate(new, begin)]

    def project(self, *, publish: bool = False) -> None:
        """Apply, as one batch, what has been written since the last time, and the candles of it."""
        self.watch.write()
        for topic in TOPICS:
            begin = self.projection.offsets.get((topic_name(self.name, topic), 0), 0)
            for record in self.records(topic, begin):
                self.projection.add(record)
        self.commit += 1
        changes = self.projection.changes(self.store.keys.of(self.generation))
        self.store.apply(self.generation, self.commit, changes, publish=publish)

    def show(self, *, now_ms: int = NOW_MS) -> None:
        """Project, and let readers read it as complete."""
        self.project()
        assert self.store.lead(TOKEN)
        self.store.switch(self.generation, self.commit, TOKEN)
        self.store.beat(Beat(at_ms=now_ms, complete=True, complete_ms=now_ms))

    def rebuild(self) -> None:
        """Project everything anew, from the beginning and in one batch."""
        self.generation, self.projection, self.commit = new_generation(), Projection(self.name), 0
        self.project()

    def contents(self, generation: str | None = None, *, prefix: str = "") -> dict[str, Any]:
        """Return all that a generation holds, but the count of its batches and where it stopped reading."""
        client = self.store._redis
        prefix = prefix or self.store.keys.of(generation or self.generation).prefix
        found: dict[str, Any] = {}
        for raw in client.scan_iter(match=f"{prefix}*"):
            name = raw.decode().removeprefix(prefix)
            if name.startswith("steps:"):  # they lead from batch to batch, wherever those end
                continue
            kind = client.type(raw)
            read = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}.get(kind)
            if read is not None:
                found[name] = read(raw)
            elif kind == b"list":
                found[name] = client.lrange(raw, 0, -1)
                if name.startswith("request-ids:"):
                    found[name].sort()  # two topics tell of requests, with no order between them
            else:
                found[name] = client.zrange(raw, 0, -1, withscores=True)
        position = found.pop("position")
        found["seen"] = {name: json.loads(value) for name, value in position.items() if name.startswith(b"seen")}
        return found


def market(url: str, name: str, seed: int = 1, orders: int = 0) -> Projected:
    """Return a venue with both instruments listed, three rich accounts and some flow."""
    projected = Projected(url, name)
    projected.list(AAPL, COIN)
    for account in ("ann", "bob", "cy"):
        projected.fund(account, USD=10**12, AAPL=10**6, COIN=10**9)
    projected.trade_about(seed, orders)
    return projected
