"""The views in Redis as the projector sees them: batches that are applied whole, once and in order, or refused.

Theory of operation: each generation counts its batches. A batch names the count that it was made after, and a script in
Redis, where nothing else runs meanwhile, applies it only if that is the count: so a projector that was displaced, or one
whose Redis has been wiped or set back, changes nothing and is told. Offsets and channel numbers are written with the views,
so that they cannot contradict one another. A lease, renewed while its owner works, says which of several projectors should
be at work; correctness does not rest on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final

import msgspec
import redis

from exchange import topics
from exchange.candles import Candle
from exchange.messages import Trade
from exchange.statement import OrderLine
from exchange.views import BookView, Indication, MarketView
from gateway.keys import FORMAT, Beat, DayRow, GenerationKeys, Keys, ListingRow, MarketRow
from gateway.ports import Changed
from gateway.projecting.batch import Changes
from gateway.projecting.commands import SCRIPT, Command
from gateway.projecting.projection import Projection

LEASE_MS: Final = 5_000
"""How long a projector that falls silent keeps others waiting."""
OLD_GENERATION_S: Final = 10
"""How long readers may still read the generation before the present one."""
TIMEOUT_S: Final = 5.0

_APPLY = f"""
if (redis.call('HGET', KEYS[1], 'commit') or '0') ~= ARGV[1] then return 0 end
{SCRIPT}
apply(cmsgpack.unpack(ARGV[2]))
redis.call('HSET', KEYS[1], 'commit', ARGV[1] + 1, 'format', {FORMAT})
if ARGV[3] ~= '' then redis.call('PUBLISH', KEYS[2], ARGV[3]) end
return 1
"""

_SWITCH = """
if redis.call('GET', KEYS[3]) ~= ARGV[3] or redis.call('HGET', KEYS[2], 'commit') ~= ARGV[2] then return false end
local before = redis.call('GET', KEYS[1]) or ''
if before == ARGV[1] then before = '' end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', KEYS[4], ARGV[4])
return before
"""

_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"

_STORED: Final = (
    "deltas",
    "trades",
    "time_ms",
    "previous_close",
    "listing",
    "since",
    "instrument",
    "rules",
    "phase",
    "reference",
    "delisted",
)
"""What a market's row has as its view does."""

_encode = msgspec.json.encode
_pack = msgspec.msgpack.encode


class Displaced(Exception):
    """The views are not as this projector left them: another one works, or Redis has lost what it had."""


class Store:
    """One venue's views in Redis. Every method raises redis.RedisError when Redis cannot be reached."""

    def __init__(self, server: str | redis.Redis, venue: str) -> None:
        """`server` is Redis's URL, or a client of it."""
        self.keys = Keys(venue)
        self._redis: Any = (
            redis.Redis.from_url(server, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
            if isinstance(server, str)
            else server
        )
        self._apply = self._redis.register_script(_APPLY)
        self._switch = self._redis.register_script(_SWITCH)
        self._renew = self._redis.register_script(_RENEW)

    # The lease

    def lead(self, token: str) -> bool:
        """Take or renew the lease, and say whether it is this projector's."""
        if self._renew(keys=[self.keys.lease], args=[token, LEASE_MS]):
            return True
        return bool(self._redis.set(self.keys.lease, token, nx=True, px=LEASE_MS))

    def release(self, token: str) -> None:
        """Give the lease back, so that nobody need wait for it to expire."""
        self._renew(keys=[self.keys.lease], args=[token, 1])

    # Batches

    def apply(self, generation: str, commit: int, changes: Changes, *, publish: bool) -> None:
        """Apply batch number `commit` (from 1) to a generation and tell readers.

        Raises:
            Displaced: if the generation does not stand at batch `commit - 1`.
        """
        keys = self.keys.of(generation)
        word = _encode(Changed(changes.symbols, changes.accounts)) if publish else b""
        applied = self._apply(
            keys=[keys.position, self.keys.changed], args=[commit - 1, _packed(changes.commands), word]
        )
        if not applied:
            raise Displaced(f"generation {generation} is not at batch {commit - 1}")

    def beat(self, beat: Beat) -> None:
        """Leave word on the state of the views, and let readers hear that they are connected."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self.keys.beat, _encode(beat))
            pipe.publish(self.keys.changed, _encode(Changed()))
            pipe.execute()

    def tell_everything(self) -> None:
        """Have readers read anew what matters to them."""
        self._redis.publish(self.keys.changed, _encode(Changed(everything=True)))

    # Generations

    def generation(self) -> str | None:
        """Return the generation that readers read, if its views are there and of this format."""
        found = self._redis.get(self.keys.generation)
        if found is None:
            return None
        generation = str(found.decode())
        stored = self._redis.hget(self.keys.of(generation).position, "format")
        return generation if stored == str(FORMAT).encode() else None

    def switch(self, generation: str, commit: int, token: str) -> None:
        """Let readers go over to a generation that stands at batch `commit`, and delete older ones, the last after a while.

        Raises:
            Displaced: if it does not stand there, or the lease is not `token`'s.
        """
        keys = self.keys
        word = _encode(Changed(everything=True))
        before = self._switch(
            keys=[keys.generation, keys.of(generation).position, keys.lease, keys.changed],
            args=[generation, commit, token, word],
        )
        if before is None:
            raise Displaced(f"generation {generation} is not for readers to go over to")
        for some in _batches(self._redis.scan_iter(match=f"{keys.prefix}g*:*", count=1_000)):
            with self._redis.pipeline(transaction=False) as pipe:
                for key in some:
                    of = key.decode().removeprefix(keys.prefix).partition(":")[0]
                    if of == before.decode():
                        pipe.expire(key, OLD_GENERATION_S)
                    elif _made(of) < _made(generation):  # a newer one is another projector's
                        pipe.unlink(key)
                pipe.execute()

    def load(self, venue: str, generation: str) -> tuple[Projection, int]:
        """Return the working forms of a stored generation, and the number of its last batch."""
        keys = self.keys.of(generation)
        projection = Projection(venue, lambda account: self._open_orders(keys, account))
        position = self._redis.hgetall(keys.position)
        commit = int(position.pop(b"commit", 0))
        for name, value in position.items():
            text = name.decode()
            if text.startswith("seen "):
                projection.seen[text[5:]].counts.update(msgspec.json.decode(value, type=dict[str, int]))
            elif "/" in text:
                topic, _, partition = text.rpartition("/")
                projection.offsets[topic, int(partition)] = int(value)
        for value in self._redis.hgetall(keys.listings).values():
            listing = msgspec.json.decode(value, type=ListingRow)
            projection.instruments[listing.symbol, listing.version] = listing.instrument
        listed = {symbol for symbol, _ in projection.instruments}
        counted = (projection.seen[topic].counts for topic in (topics.BOOK_DELTAS, topics.TRADES))
        for symbol in listed.union(chain.from_iterable(counted)):  # deltas may come before the listing
            self._load_market(projection, keys, symbol)
        return projection, commit

    def _load_market(self, projection: Projection, keys: GenerationKeys, symbol: str) -> None:
        view = projection.markets[symbol] = MarketView(symbol)
        stored = self._redis.get(keys.market(symbol))
        if stored is None:
            return
        row = msgspec.json.decode(stored, type=MarketRow)
        for name in _STORED:
            setattr(view, name, getattr(row, name))
        view.day = _day(symbol, row.day) if row.day else None
        view.indication = Indication(*row.indication) if row.indication else None
        waiting = self._redis.get(keys.waiting(symbol))
        if waiting is not None:
            view.waiting.extend(msgspec.json.decode(waiting, type=list[Trade]))
        sides = [self._redis.hgetall(keys.levels(symbol, side)) for side in ("buy", "sell")]
        view.book = BookView(*([(int(price), int(quantity)) for price, quantity in side.items()] for side in sides))

    def _open_orders(self, keys: GenerationKeys, account: str) -> list[OrderLine]:
        stored = self._redis.hgetall(keys.open_orders(account))
        return [msgspec.json.decode(value, type=OrderLine) for value in stored.values()]


def new_generation() -> str:
    """Return a token for a generation that no other has: readers and projectors may have heard of all before."""
    return f"g{time.time_ns()}"


def _made(generation: str) -> int:
    """Return when a generation's token was made."""
    return int(generation[1:]) if generation[1:].isdecimal() else 0


def _packed(commands: list[Command]) -> bytes:
    """Encode commands for the script: all as text, since Lua's numbers are exact below 2^53 only, and its msgpack has no bytes."""
    return _pack([[part.decode() if type(part) is bytes else str(part) for part in command] for command in commands])


def _day(symbol: str, row: DayRow) -> Candle:
    candle = Candle(symbol, row.start_ms, row.open)
    candle.high, candle.low, candle.close, candle.volume, candle.trades = (
        row.high, row.low, row.close, row.volume, row.trades,
    )  # fmt: skip
    return candle


def _batches(keys: Iterable[Any], size: int = 1_000) -> Iterable[list[Any]]:
    batch: list[Any] = []
    for key in keys:
        batch.append(key)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
