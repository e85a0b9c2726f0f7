"""Counts together with all other processes of a venue, in Redis.

Theory of operation: one script takes the claims of all requests that wait, each request's all or none, so two processes never both grant the last
of a limit. A bucket is one value, `window:used`, whose window is told by Redis' own clock: processes' clocks do not matter, and a value
that has not expired yet cannot be taken for the present window's. What is asked while a call is under way goes with the next. A call
that fails or takes longer than `TIMEOUT_S` is answered by this process' own count, and so is everything until Redis has answered a probe:
nobody waits for a server that is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import redis
from redis.asyncio import Redis

from gateway.gathering import Closed, Gathering
from gateway.keys import Keys
from gateway.limiting.local import LocalLimits
from gateway.limiting.ports import Claim, Verdict
from gateway.tasks import stop

TIMEOUT_S: Final = 0.25
"""How long Redis may take for an answer."""
PROBE_S: Final = 0.5
"""How often Redis is looked for while it is away."""
CALL_MAX: Final = 256
"""How many requests' claims go in one call."""
WAITING_MAX: Final = 4_096
"""How many requests may wait for a call; those beyond are counted here."""

_LOG = logging.getLogger(__name__)

_TAKE: Final = """
local seconds = tonumber(redis.call('TIME')[1])
local answer, claim, at = {}, 0, 1
while at <= #ARGV do
  local claims = tonumber(ARGV[at])
  at = at + 1
  local used, granted, retry_s = {}, 1, 0
  for i = 1, claims do
    local amount, limit, window_s = tonumber(ARGV[at + i*3-3]), tonumber(ARGV[at + i*3-2]), tonumber(ARGV[at + i*3-1])
    local window = string.format('%.0f', math.floor(seconds / window_s))
    local stored = redis.call('GET', KEYS[claim + i])
    local had = 0
    if stored then
      local of, count = string.match(stored, '^(%d+):(%d+)$')
      if of == window then had = tonumber(count) end
    end
    used[i] = had
    if had + amount > limit then
      local left_s = window_s - seconds % window_s
      if granted == 1 or left_s < retry_s then retry_s = left_s end
      granted = 0
    end
  end
  for i = 1, claims do
    local amount, window_s = tonumber(ARGV[at + i*3-3]), tonumber(ARGV[at + i*3-1])
    if granted == 1 then
      used[i] = used[i] + amount
      local window = string.format('%.0f', math.floor(seconds / window_s))
      redis.call('SET', KEYS[claim + i], window .. ':' .. string.format('%.0f', used[i]), 'EX', window_s)
    end
  end
  answer[#answer + 1] = granted
  answer[#answer + 1] = retry_s
  for i = 1, claims do answer[#answer + 1] = used[i] end
  claim = claim + claims
  at = at + claims * 3
end
return answer
"""
"""KEYS: the buckets of all claims. ARGV, by request: the number of its claims, and of each the amount, limit and window in seconds.

Returns by request: 1 or 0 for granted, the seconds to the first full window's end, and what each bucket has had.
"""


_FAILURES: Final = (redis.RedisError, OSError, TimeoutError)


class _Away(Exception):
    """Redis does not count now."""


class RedisLimits:
    """Implements `limiting.ports.Limits` for all processes of a venue. `gateways`: how many there are, by which each divides the limits while Redis is away.

    It belongs to one event loop, connects when it is first asked, and is closed with `close`.
    """

    def __init__(self, url: str, venue: str, *, gateways: int = 1) -> None:
        # No time-out of a socket's: the time of a call bounds its parts, too.
        self._redis: Any = Redis.from_url(url, socket_connect_timeout=TIMEOUT_S)
        self._prefix = f"{Keys(venue).prefix}limits:"
        self._script: Any = self._redis.register_script(_TAKE)
        self._here = LocalLimits(gateways)
        self._asked: Gathering[Sequence[Claim], Verdict] = Gathering(self._call, CALL_MAX)
        self._probing: asyncio.Task[None] | None = None

    @property
    def together(self) -> bool:
        """Whether Redis counts; else this process does by itself."""
        return self._probing is None

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """Grant all claims, or refuse; within about `TIMEOUT_S`."""
        if not claims:
            return Verdict(True, ())
        if self.together and len(self._asked) < WAITING_MAX:
            with suppress(_Away, Closed):
                return await self._asked.ask(claims)
        return self._here.count(claims)

    async def close(self) -> None:
        """End what is under way; those who wait are answered by this process' own count."""
        await self._asked.close()
        if self._probing is not None:
            await stop([self._probing])
        await self._redis.aclose()

    async def _call(self, asked: Sequence[Sequence[Claim]]) -> list[Verdict]:
        """Return Redis' verdicts. Raises _Away where it does not answer, and as long as it is looked for."""
        if not self.together:
            raise _Away
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._ask(asked)
        except _FAILURES as error:
            _LOG.warning("Redis does not count (%s): this process counts by itself", type(error).__name__)
            self._probing = asyncio.create_task(self._probe())
            raise _Away from error

    async def _ask(self, asked: Sequence[Sequence[Claim]]) -> list[Verdict]:
        keys, arguments = [], []
        for claims in asked:
            arguments.append(len(claims))
            for claim in claims:
                keys.append(f"{self._prefix}{claim.bucket}:{claim.window_s}")
                arguments += [claim.amount, claim.limit, claim.window_s]
        answer = await self._script(keys=keys, args=arguments)
        verdicts, at = [], 0
        for claims in asked:
            granted, retry_s, *used = answer[at : at + 2 + len(claims)]
            verdicts.append(Verdict(bool(granted), tuple(used), retry_s))
            at += 2 + len(claims)
        return verdicts

    async def _probe(self) -> None:
        """Look for Redis until it is back."""
        while True:
            await asyncio.sleep(PROBE_S)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._ask([])
            except _FAILURES:
                continue
            self._probing = None
            _LOG.info("Redis counts again")
            return
