"""Limits that processes count together in a real Redis, and alone while it is away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import redis
import redis_server

from gateway.limiting.address import client_address, network_of
from gateway.limiting.claims import Messages, order_claims, request_claims
from gateway.limiting.local import BUCKETS_MAX, LocalLimits
from gateway.limiting.ports import Claim, Verdict
from gateway.limiting.redis_limits import PROBE_S, TIMEOUT_S, RedisLimits
from gateway.limiting.settings import LimitSettings, rate_limits
from tests.gateway.adapters import DEADLINE_S, played, until
from tests.gateway.limits_claimant import ALWAYS_S, PAIRED, SHORT

ROOT = Path(__file__).parents[2]
PROCESSES, CLAIMS, AT_ONCE = 4, 1_000, 50


def claim(bucket: str = "b", amount: int = 1, limit: int = 10, window_s: int = ALWAYS_S) -> Claim:
    return Claim(bucket, amount, limit, window_s)


def test_four_processes_together_grant_a_limit_to_the_last_claim_and_no_more(redis_url: str, venue: str) -> None:
    words = [redis_url, venue, str(CLAIMS), str(AT_ONCE), f"start:{venue}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    asking = [
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("limits_claimant.py"), *words],
            env=environment,
            stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    with redis.Redis.from_url(redis_url) as client:
        for _ in asking:
            assert client.blpop([f"start:{venue}:here"], timeout=DEADLINE_S)
        begun = time.monotonic()
        client.rpush(f"start:{venue}", *("go" for _ in asking))
    told = [json.loads(process.communicate(timeout=DEADLINE_S)[0]) for process in asking]
    print(f"{PROCESSES * CLAIMS * 2} claims of {PROCESSES} processes in {time.monotonic() - begun:.1f} s")
    both = sorted(used for each in told for used in each["both"])
    assert both == list(range(PAIRED.amount, PAIRED.limit + 1, PAIRED.amount)), "the stricter of two limits decides"
    by_count = Counter(used for each in told for used in each["short"])
    windows = by_count[1]
    counts = [by_count[used] for used in range(1, SHORT.limit + 1)]
    assert max(by_count) <= SHORT.limit
    assert counts == sorted(counts, reverse=True), "each number is given once a window"
    assert windows >= 1
    assert counts[-1] >= windows - 2, "only the first and the last window were not used up"


@played
async def test_claims_of_one_request_are_granted_all_or_none(redis_url: str, venue: str) -> None:
    limits = RedisLimits(redis_url, venue)
    assert await limits.take([claim("a", 3, 10), claim("b", 1, 2)]) == Verdict(True, (3, 1))
    assert await limits.take([claim("a", 3, 10), claim("b", 1, 2)]) == Verdict(True, (6, 2))
    refused = await limits.take([claim("a", 3, 10), claim("b", 1, 2)])
    assert (refused.granted, refused.used) == (False, (6, 2))
    assert 0 < refused.retry_after_s <= ALWAYS_S
    assert await limits.take([claim("a", 4, 10)]) == Verdict(True, (10,))
    assert not (await limits.take([claim("a", 1, 10)])).granted
    assert await limits.take([]) == Verdict(True, ())
    await limits.close()


@played
async def test_requests_that_wait_together_are_each_counted_by_themselves(redis_url: str, venue: str) -> None:
    limits = RedisLimits(redis_url, venue)
    verdicts = await asyncio.gather(*(limits.take([claim(f"of-{n % 7}", 1, 30)]) for n in range(700)))
    assert sum(verdict.granted for verdict in verdicts) == 7 * 30
    await limits.close()


@played
async def test_windows_begin_at_multiples_by_the_clock_of_redis_and_keys_expire(redis_url: str, venue: str) -> None:
    limits = RedisLimits(redis_url, venue)
    with redis.Redis.from_url(redis_url) as client:
        seconds, _ = client.time()
        stale = f"openbell:{venue}:limits:b:60"
        client.set(stale, f"{seconds // 60 - 1}:10")  # of the window before, not expired yet
        verdict = await limits.take([claim("b", 10, 10, 60)])
        assert verdict == Verdict(True, (10,))
        refused = await limits.take([claim("b", 1, 10, 60)])
        now, _ = client.time()
        if now // 60 == seconds // 60:  # else the minute has just ended
            assert not refused.granted
            assert 60 - now % 60 <= refused.retry_after_s <= 60 - seconds % 60
        assert 0 < client.ttl(stale) <= 60
    await limits.close()


@played
async def test_without_redis_a_process_counts_by_itself_and_nobody_waits() -> None:
    limits = RedisLimits(f"redis://127.0.0.1:{redis_server.free_port()}/0", "replay", gateways=2)
    verdicts = await asyncio.gather(*(limits.take([claim(limit=10)]) for _ in range(20)))
    assert sum(verdict.granted for verdict in verdicts) == 5, "its share of the limit, one of two"
    assert not limits.together
    begun = time.monotonic()
    for _ in range(1_000):
        await limits.take([claim()])
    assert time.monotonic() - begun < 1, "none of them asked Redis"
    await limits.close()


@played
async def test_a_redis_that_says_nothing_is_waited_for_once_and_counts_again_when_it_is_back(tmp_path: Path) -> None:
    port = redis_server.free_port()
    with redis_server.running(tmp_path, port) as url:
        limits = RedisLimits(url, "replay")
        assert (await limits.take([claim()])).used == (1,)
        with redis.Redis.from_url(url) as client:
            process = client.info("server")["process_id"]
        os.kill(process, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            verdicts = await asyncio.gather(*(limits.take([claim()]) for _ in range(100)))
            took = time.monotonic() - begun
            assert sum(verdict.granted for verdict in verdicts) == 10, "counted anew, by this process alone"
            assert not limits.together
            print(f"waited {took:.3f} s, bound {TIMEOUT_S} s")
            assert took < 4 * TIMEOUT_S
        finally:
            os.kill(process, signal.SIGCONT)
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: limits.together)
        verdict = await limits.take([claim()])
        assert verdict.used[0] >= 2, "what was counted together before counts on"
        await limits.close()
    print(f"looked for every {PROBE_S} s")


@played
async def test_closing_answers_those_who_wait(redis_url: str, venue: str) -> None:
    limits = RedisLimits(redis_url, venue)
    waiting = [asyncio.create_task(limits.take([claim()])) for _ in range(5)]
    await asyncio.sleep(0)
    await limits.close()
    async with asyncio.timeout(DEADLINE_S):
        assert all(verdict.granted for verdict in await asyncio.gather(*waiting))


def test_shares_of_all_gateways_are_never_more_than_the_limit_but_a_bulk_order_still_goes() -> None:
    gateways = [LocalLimits(3, lambda: 1_000.0) for _ in range(3)]
    granted = [one.count([claim(limit=10)]).granted for one in gateways for _ in range(10)]
    assert sum(granted) == 9
    alone = LocalLimits(4, lambda: 1_000.0)
    assert alone.count([claim(amount=500, limit=1_000)]).granted, "more than the share of 250, but nothing was before"
    assert not alone.count([claim(amount=500, limit=1_000)]).granted


def test_a_window_ends_at_its_multiple_and_says_when() -> None:
    now = [119.5]
    limits = LocalLimits(now_s=lambda: now[0])
    assert limits.count([claim(limit=1, window_s=60)]).granted
    assert limits.count([claim(limit=1, window_s=60)]) == Verdict(False, (1,), 1)
    now[0] = 120.0
    assert limits.count([claim(limit=1, window_s=60)]) == Verdict(True, (1,))


def test_counting_alone_keeps_a_bounded_number_of_buckets() -> None:
    limits = LocalLimits(now_s=lambda: 1.0)
    for number in range(BUCKETS_MAX + 10):
        limits.count([claim(f"of-{number}")])
    assert len(limits._used) == BUCKETS_MAX


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("198.51.100.7", [], (), "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], (), "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], ("10.0.0.0/8",), "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9"], ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9"], ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9 , 10.0.0.2"], ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, <script>"], ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4, nonsense, 10.0.0.3"], ("10.0.0.0/8",), "10.0.0.3"),
        ("10.0.0.1", [], ("10.0.0.0/8",), "10.0.0.1"),
        ("::ffff:10.0.0.1", ["2001:db8::7"], ("10.0.0.0/8",), "2001:db8::7"),
        ("fe80::1%eth0", [], (), "fe80::1"),
        ("10.0.0.1", [",".join(["10.0.0.9"] * 5_000)], ("10.0.0.0/8",), "10.0.0.9"),
        (None, ["203.0.113.9"], ("0.0.0.0/0",), "0.0.0.0"),
    ],
)
def test_only_the_word_of_trusted_proxies_counts(
    peer: str | None, forwarded: list[str], trusted: tuple[str, ...], expected: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"client": None if peer is None else (peer, 1), "headers": headers}
    assert client_address(scope, trusted) == expected


def test_addresses_of_one_ipv6_network_are_counted_as_one() -> None:
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::3")


def test_claims_name_windows_and_amounts() -> None:
    settings = LimitSettings()
    assert [(one.amount, one.limit, one.window_s) for one in request_claims(settings, "192.0.2.1", 20)] == [
        (20, 6_000, 60),
        (1, 61_000, 300),
    ]
    assert [(one.bucket, one.amount) for one in order_claims(settings, "ann", 5)] == [
        ("orders:ann", 5),
        ("orders-day:ann", 5),
    ]


def test_the_limits_that_are_told_are_those_that_are_enforced() -> None:
    settings = LimitSettings(weight_1m=7, orders_10s=3)
    told = {(one["rateLimitType"], one["interval"], one["intervalNum"]): one["limit"] for one in rate_limits(settings)}
    seconds = {"SECOND": 1, "MINUTE": 60, "DAY": 86_400}
    enforced = {one.window_s: one.limit for one in [*request_claims(settings, "a", 1)]}
    assert {
        number * seconds[unit]: limit for (kind, unit, number), limit in told.items() if kind != "ORDERS"
    } == enforced
    orders = {one.window_s: one.limit for one in order_claims(settings, "a", 1)}
    assert {number * seconds[unit]: limit for (kind, unit, number), limit in told.items() if kind == "ORDERS"} == orders


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="limit weight_1m is 0: write a whole number from 1"):
        LimitSettings(weight_1m=0)


def test_a_socket_may_send_so_many_messages_a_second() -> None:
    now = [10.2]
    messages = Messages(LimitSettings(messages_1s=3), lambda: now[0])
    assert [messages.admit() for _ in range(5)] == [True, True, True, False, False]
    now[0] = 11.0
    assert messages.admit()
