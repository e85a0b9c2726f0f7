"""A process that makes claims as fast as it can: `python limits_claimant.py URL VENUE CLAIMS AT_ONCE START`; prints what was granted as JSON.

It begins when the list START in Redis has something for it.
"""

from __future__ import annotations

import asyncio
import json
import sys

import redis

from gateway.limiting.ports import Claim
from gateway.limiting.redis_limits import RedisLimits

ALWAYS_S = 1_000_000_000
"""A window that no test sees the end of."""
TOTAL = Claim("total", 1, 1_000, ALWAYS_S)
PAIRED = Claim("paired", 2, 1_500, ALWAYS_S)
SHORT = Claim("short", 1, 200, 1)


async def main(url: str, venue: str, claims: int, at_once: int) -> dict[str, list[int]]:
    limits = RedisLimits(url, venue)
    granted: dict[str, list[int]] = {"both": [], "short": []}
    left = iter(range(claims))

    async def ask() -> None:
        for _ in left:
            verdict = await limits.take([TOTAL, PAIRED])
            if verdict.granted:
                granted["both"].append(verdict.used[1])
            verdict = await limits.take([SHORT])
            if verdict.granted:
                granted["short"].append(verdict.used[0])

    await asyncio.gather(*(ask() for _ in range(at_once)))
    assert limits.together, "Redis was taken to be away"
    await limits.close()
    return granted


if __name__ == "__main__":
    _, given_url, given_venue, given_claims, given_at_once, start = sys.argv
    with redis.Redis.from_url(given_url) as client:
        client.rpush(f"{start}:here", "1")
        client.blpop([start], timeout=60)
    print(json.dumps(asyncio.run(main(given_url, given_venue, int(given_claims), int(given_at_once)))))
