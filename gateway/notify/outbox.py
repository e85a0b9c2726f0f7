"""What is on its way, what has been claimed, and how far the log has been read: kept in Redis, outside the views' generations.

Theory of operation: of all notifiers of a venue the one with the lease works, and every change names it: one that was displaced changes
nothing and is told. Records are taken in as a batch, whole and in order: each of their deliveries is claimed and put into the outbox
unless it was claimed before, and the offsets move on with it. So nothing is taken in twice, whoever reads the log again. What
a notifier is about to do with a delivery is written before it does it; a successor finds it there. When Redis has lost all of this,
nothing tells what has been sent: then the log is gone on with at its end, and nothing is sent twice even so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis

from exchange.analysis import RemoveAlert, SetAlert
from gateway.keys import Keys
from gateway.notify.deliveries import Delivery
from wire.reader import Offsets

LEASE_MS: Final = 5_000
"""How long a notifier that falls silent keeps others waiting."""
CLAIM_MS: Final = 172_800_000
"""How long a claim is kept, in which the same event is not delivered again (two days)."""
TIMEOUT_S: Final = 5.0
CONNECTIONS_MAX: Final = 8

_ACCEPT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] or (redis.call('HGET', KEYS[2], 'commit') or '0') ~= ARGV[2] then return false end
local batch, accepted = cmsgpack.unpack(ARGV[3]), {}
for number, delivery in ipairs(batch[2]) do
  if redis.call('SET', ARGV[4] .. delivery[1], 1, 'NX', 'PX', ARGV[5]) then
    redis.call('HSET', KEYS[3], delivery[1], delivery[2])
    accepted[#accepted + 1] = number
  end
end
for _, command in ipairs(batch[3]) do redis.call(unpack(command)) end
for _, field in ipairs(batch[1]) do redis.call('HSET', KEYS[2], field[1], field[2]) end
redis.call('HSET', KEYS[2], 'commit', ARGV[2] + 1)
return accepted
"""

_CHANGE = """
local stored = redis.call('HGET', KEYS[2], ARGV[2])
if redis.call('GET', KEYS[1]) ~= ARGV[1] or not stored or cjson.decode(stored).step ~= tonumber(ARGV[3]) then return 0 end
if ARGV[4] == '' then redis.call('HDEL', KEYS[2], ARGV[2]) else redis.call('HSET', KEYS[2], ARGV[2], ARGV[4]) end
return 1
"""

_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"

_encode = msgspec.json.encode
_pack = msgspec.msgpack.encode
_delivery = msgspec.json.Decoder(Delivery).decode


class Displaced(Exception):
    """The outbox is not as this notifier left it: another one works, or Redis has lost what it had."""


class NotifyKeys:
    """The names of what notifiers keep for a venue."""

    def __init__(self, venue: str) -> None:
        self.prefix = Keys(venue).prefix + "notify:"
        self.lease = self.prefix + "lease"
        """Which notifier works: its token, which expires unless it is renewed."""
        self.position = self.prefix + "position"
        """Hash: `commit` counts the batches, `rules` says that all rules are there; the next offset of each `topic/partition`."""
        self.outbox = self.prefix + "outbox"
        """Hash: `Delivery` by name, of those that have not ended."""
        self.claims = self.prefix + "claim:"
        """A key for each delivery that there has been, which expires."""

    def rules(self, account: str) -> str:
        """Hash: `SetAlert` by the alert's name, of one account."""
        return f"{self.prefix}rules:{account}"


class Outbox:
    """One notifier's hold on a venue's outbox. Every method raises redis.RedisError when Redis cannot be reached."""

    def __init__(self, url: str, venue: str, token: str) -> None:
        self.keys = NotifyKeys(venue)
        self._token = token
        self._commit = 0
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
        )
        self._redis: Any = Redis(connection_pool=pool)
        self._accept = self._redis.register_script(_ACCEPT)
        self._change = self._redis.register_script(_CHANGE)
        self._renew = self._redis.register_script(_RENEW)

    async def close(self) -> None:
        """Give the connections up."""
        await self._redis.aclose(close_connection_pool=True)

    # The lease

    async def lead(self) -> bool:
        """Take or renew the lease, and say whether it is this notifier's."""
        if await self._renew(keys=[self.keys.lease], args=[self._token, LEASE_MS]):
            return True
        return bool(await self._redis.set(self.keys.lease, self._token, nx=True, px=LEASE_MS))

    async def renew(self) -> None:
        """Keep the lease. Raises Displaced if it is lost."""
        if not await self._renew(keys=[self.keys.lease], args=[self._token, LEASE_MS]):
            raise Displaced("the lease is lost")

    async def release(self) -> None:
        """Give the lease back, so that nobody need wait for it to expire."""
        await self._renew(keys=[self.keys.lease], args=[self._token, 1])

    # What is kept

    async def load(self) -> tuple[Offsets, list[Delivery]]:
        """Return where the log was left (empty: nothing is known), and the deliveries that have not ended, oldest first."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(self.keys.position)
            pipe.hvals(self.keys.outbox)
            position, stored = await pipe.execute()
        self._commit = int(position.pop(b"commit", 0))
        offsets: Offsets = {}
        for name, offset in position.items():
            topic, slash, partition = name.decode().rpartition("/")
            if slash:
                offsets[topic, int(partition)] = int(offset)
        pending = [_delivery(value) for value in stored]
        return offsets, sorted(pending, key=lambda each: (each.place.time_ms, each.place.partition, each.place.offset))

    async def forget_rules(self) -> None:
        """Drop the rules, which are about to be read from their beginning."""
        await self._redis.hdel(self.keys.position, "rules")
        async for key in self._redis.scan_iter(match=f"{self.keys.prefix}rules:*", count=1_000):
            await self._redis.unlink(key)

    async def accept(
        self,
        offsets: Offsets,
        deliveries: Sequence[Delivery],
        rules: Sequence[SetAlert | RemoveAlert],
        *,
        rules_complete: bool,
    ) -> list[Delivery]:
        """Take in what records say, and return those of `deliveries` that are new.

        Raises:
            Displaced: if the lease is lost, or the stored position is not this notifier's last.
        """
        fields = [[f"{topic}/{partition}", str(offset)] for (topic, partition), offset in offsets.items()]
        if rules_complete:
            fields.append(["rules", "complete"])
        batch = [
            fields,
            [[each.name, _encode(each).decode()] for each in deliveries],
            [self._rule(each) for each in rules],
        ]
        accepted = await self._accept(
            keys=[self.keys.lease, self.keys.position, self.keys.outbox],
            args=[self._token, self._commit, _pack(batch), self.keys.claims, CLAIM_MS],
        )
        if accepted is None:
            raise Displaced(f"the outbox is not at batch {self._commit}, or the lease is lost")
        self._commit += 1
        return [deliveries[number - 1] for number in accepted]

    async def change(self, before: Delivery, after: Delivery | None) -> None:
        """Put a delivery in the place of what it was before; None: it has ended.

        Raises:
            Displaced: if the lease is lost, or the delivery does not stand as `before` says.
        """
        value = b"" if after is None else _encode(after)
        changed = await self._change(
            keys=[self.keys.lease, self.keys.outbox], args=[self._token, before.name, before.step, value]
        )
        if not changed:
            raise Displaced(f"delivery {before.name} is not at step {before.step}, or the lease is lost")

    def _rule(self, command: SetAlert | RemoveAlert) -> list[str]:
        key = self.keys.rules(command.account)
        if isinstance(command, RemoveAlert):
            return ["HDEL", key, command.alert]
        return ["HSET", key, command.alert, _encode(command).decode()]
