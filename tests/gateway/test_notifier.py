"""What is delivered when, how often, and what is left when something fails."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import redis_server

from exchange.analysis import PriceCrosses, RemoveAlert, SetAlert
from exchange.messages import DeadLetter
from exchange.packets import encode
from gateway.notify.deliveries import AGE_MAX_MS, PAUSES_MS, event_id
from gateway.notify.dispatch import UNKNOWN, Bounds
from gateway.notify.kafka_log import KafkaLetters, KafkaLog
from gateway.notify.ports import MemoryLog
from gateway.notify.signing import account_key
from tests.gateway.notified import (
    ANN,
    NOW_MS,
    SECRET,
    Venue,
    alert,
    both,
    mail_server,
    played,
    receiving,
    until,
)
from wire.errors import NotReachableError


def letter(venue: Venue, told: object, detail: str, offset: int = 0) -> DeadLetter:
    return DeadLetter(
        topic=f"{venue.name}.alerts",
        partition=0,
        offset=offset,
        key="AAPLUSD",
        reason="UNDELIVERED",
        detail=detail,
        raw=encode(told),
    )


def test_an_alert_goes_to_a_mailbox_and_to_a_webhook_once(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            told = alert(email=ANN, webhook=hook.url)
            async with stage.notifier(senders) as running:
                running.tell(alert("only-inbox"), told)
                running.tell(told)
                await until(lambda: box.taken and hook.requests and not stage.outbox())
                running.tell(told)
                running.tell(alert("another", webhook=hook.url))
                await until(lambda: len(hook.requests) == 2 and not stage.outbox())
            assert len(box.taken) == 1
            assert [json.loads(request.body)["cause"] for request in hook.requests] == ["AAPLUSD-7", "another"]
        message = message_from_bytes(box.taken[0], policy=policy.default)
        assert box.recipients == [[ANN]]
        assert dict(message.items()) == {
            "From": "alerts@openbell.example",
            "To": ANN,
            "Subject": "Openbell alert dip: AAPLUSD",
            "Date": "Tue, 14 Nov 2023 22:13:20 +0000",
            "Message-ID": f"<{event_id(told)}@openbell.example>",
            "Auto-Submitted": "auto-generated",
            "Content-Type": 'text/plain; charset="utf-8"',
            "Content-Transfer-Encoding": "7bit",
            "MIME-Version": "1.0",
        }
        assert message.get_content().splitlines() == [
            "AAPLUSD fell below 100",
            "",
            "Alert dip of account ann, AAPLUSD, 2023-11-14 22:13:20 UTC.",
        ]
        assert hook.requests[0].line == "POST /hook?of=ann HTTP/1.1"
        assert json.loads(hook.requests[0].body) == {
            "id": event_id(told),
            "account": "ann",
            "alert": "dip",
            "symbol": "AAPLUSD",
            "time_ms": NOW_MS,
            "text": "AAPLUSD fell below 100",
            "cause": "AAPLUSD-7",
        }
        assert stage.log.letters == []

    played(scenario)


def test_a_webhook_is_tried_again_with_growing_pauses_under_the_same_id_until_it_is_taken(
    redis_url: str, venue: str
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            hook.statuses = [503, 429, 500, 200]
            async with stage.notifier(senders) as running:
                running.tell(alert(webhook=hook.url))
                waits = []
                for _ in range(3):
                    await until(stage.clock.waited_for)
                    [due_ms] = stage.clock.waited_for()
                    waits.append(due_ms - stage.clock.now_ms())
                    stage.clock.set(due_ms)
                await until(lambda: not stage.outbox())
        assert waits == list(PAUSES_MS[:3])
        named = {request.headers["Openbell-Event"] for request in hook.requests}
        assert named == {event_id(alert())}
        stamps = [int(request.headers["Openbell-Timestamp"]) * 1000 - NOW_MS for request in hook.requests]
        assert stamps == [0, 1_000, 6_000, 36_000]
        assert stage.log.letters == []

    played(scenario)


def test_a_receiver_that_is_away_for_good_leaves_a_dead_letter(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        async with mail_server() as box, both(stage, box) as senders, stage.notifier(senders) as running:
            told = alert(webhook=f"http://127.0.0.1:{port}/")
            running.tell(told)
            waits = []
            for _ in PAUSES_MS:
                await until(stage.clock.waited_for)
                [due_ms] = stage.clock.waited_for()
                waits.append(due_ms - stage.clock.now_ms())
                stage.clock.set(due_ms)
            await until(lambda: not stage.outbox())
            assert waits == list(PAUSES_MS)
            detail = f"webhook {event_id(told)}: 6 attempts failed; the connection failed: "
            [found] = stage.log.letters
            assert found == letter(stage, told, detail + found.detail.removeprefix(detail))

    played(scenario)


@pytest.mark.parametrize("status", [301, 404, 410])
def test_a_refusal_or_a_redirect_is_given_up_at_once(redis_url: str, venue: str, status: int) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as hook, receiving() as elsewhere, both(stage, box) as senders:
            hook.statuses = [status]
            hook.extra = f"Location: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
            told = alert(webhook=hook.url)
            async with stage.notifier(senders) as running:
                running.tell(told)
                await until(lambda: stage.log.letters and not stage.outbox())
            assert (len(hook.requests), elsewhere.requests) == (1, [])
        detail = f"webhook {event_id(told)}: the receiver answered {status}"
        assert stage.log.letters == [letter(stage, told, detail)]

    played(scenario)


def test_an_email_that_was_being_sent_when_the_notifier_was_killed_is_not_sent_again(
    redis_url: str, venue: str
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, both(stage, box) as senders:
            box.silent = ANN
            told = alert(email=ANN)
            async with stage.notifier(senders) as running:
                running.tell(told)
                await until(lambda: box.taken)
                await running.kill()
            stage.expire_lease()
            async with stage.notifier(senders, token="two"):
                await until(lambda: stage.log.letters and not stage.outbox())
        assert len(box.taken) == 1
        assert stage.log.letters == [letter(stage, told, f"email {event_id(told)}: {UNKNOWN}")]

    played(scenario)


def test_what_was_claimed_and_not_sent_when_the_notifier_was_killed_is_sent_once_by_the_next(
    redis_url: str, venue: str
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            box.rcpt_answers = ["451 later"]
            hook.statuses = [503]
            async with stage.notifier(senders) as running:
                running.tell(alert(email=ANN, webhook=hook.url))
                await until(lambda: len(stage.clock.waited_for()) == 2)
                await running.kill()
            assert len(stage.outbox()) == 2
            stage.expire_lease()
            async with stage.notifier(senders, token="two"):
                await until(lambda: len(stage.clock.waited_for()) == 2)
                stage.clock.set(NOW_MS + PAUSES_MS[0])
                await until(lambda: not stage.outbox())
        assert (len(box.taken), len(hook.requests), stage.log.letters) == (1, 2, [])

    played(scenario)


def test_a_slow_receiver_holds_up_nobody_else(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as slow, receiving() as quick, both(stage, box) as senders:
            slow.slow = asyncio.Event()
            box.silent = "slow@example.org"
            async with stage.notifier(senders, bounds=Bounds(queue_max=3, email_pause_ms=0)) as running:
                running.tell(alert("mail", email="slow@example.org"))
                running.tell(*(alert(f"slow-{number}", webhook=slow.url) for number in range(3)))
                running.tell(*(alert(f"quick-{number}", webhook=quick.url, email=ANN) for number in range(3)))
                await until(lambda: len(quick.requests) == 3 and len(box.taken) == 4)
                assert len(slow.requests) == 1
                late = alert("slow-3", webhook=slow.url)
                running.tell(late)
                await until(lambda: stage.log.letters)
                box.released.set()
                slow.slow.set()
                await until(lambda: not stage.outbox())
        assert [json.loads(request.body)["cause"] for request in slow.requests] == ["slow-0", "slow-1", "slow-2"]
        detail = f"webhook {event_id(late)}: 3 others wait for the same receiver"
        assert stage.log.letters == [letter(stage, late, detail, offset=3)]

    played(scenario)


def test_one_account_cannot_take_all_the_places(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as slow, receiving() as quick, both(stage, box) as senders:
            slow.slow = asyncio.Event()
            bounds = Bounds(concurrent_max={"email": 1, "webhook": 3}, account_concurrent_max=2, pending_max=6)
            async with stage.notifier(senders, bounds=bounds) as running:
                running.tell(*(alert(f"{n}", webhook=f"{slow.url}{n}") for n in range(5)))
                await until(lambda: len(slow.requests) == 2)
                running.tell(alert("other", account="bob", webhook=quick.url))
                await until(lambda: quick.requests)
                await until(lambda: len(stage.outbox()) == 5)
                running.tell(*(alert(f"more-{n}", webhook=f"{slow.url}more{n}") for n in range(2)))
                await until(lambda: stage.log.letters)
                assert len(slow.requests) == 2
                slow.slow.set()
                await until(lambda: not stage.outbox())
        assert [found.detail.partition(": ")[2] for found in stage.log.letters] == ["6 other deliveries wait"]
        assert len(slow.requests) == 6

    played(scenario)


def test_of_one_alert_comes_an_email_a_minute_with_all_that_has_happened_since(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with (
            mail_server() as box,
            both(stage, box) as senders,
            stage.notifier(senders, bounds=Bounds()) as running,
        ):
            running.tell(alert("first", email=ANN))
            await until(lambda: box.taken and not stage.outbox())
            running.tell(alert("second", email=ANN), alert("third", email=ANN, text="AAPLUSD fell below 98"))
            running.tell(alert("elsewhere", email="bob@example.org"), alert("other", alert="peak", email=ANN))
            await until(lambda: len(box.taken) == 3 and stage.clock.waited_for() == [NOW_MS + 60_000])
            running.tell(alert("fourth", email=ANN, time_ms=NOW_MS + 1_000))
            await until(lambda: len(stage.outbox()) == 3)
            box.rcpt_answers = ["451 later"]
            stage.clock.set(NOW_MS + 60_000)
            await until(lambda: stage.clock.waited_for() == [NOW_MS + 60_000 + PAUSES_MS[0]])
            assert len(box.taken) == 3
            stage.clock.set(NOW_MS + 60_000 + PAUSES_MS[0])
            await until(lambda: not stage.outbox())
        assert len(box.taken) == 4
        message = message_from_bytes(box.taken[-1], policy=policy.default)
        assert message["Subject"] == "Openbell alert dip: AAPLUSD and 2 more"
        assert message["Message-ID"] == f"<{event_id(alert('second'))}@openbell.example>"
        assert message.get_content().splitlines() == [
            "AAPLUSD fell below 100",
            "",
            "And since then:",
            "2023-11-14 22:13:20 UTC: AAPLUSD fell below 98",
            "2023-11-14 22:13:21 UTC: AAPLUSD fell below 100",
            "",
            "Alert dip of account ann, AAPLUSD, 2023-11-14 22:13:20 UTC.",
        ]
        assert stage.log.letters == []

    played(scenario)


def test_an_email_of_several_events_that_may_have_been_taken_is_given_up_for_each(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        told = [alert("first", email=ANN), alert("second", email=ANN)]
        async with mail_server() as box, both(stage, box) as senders:
            box.silent = ANN
            async with stage.notifier(senders, bounds=Bounds()) as running:
                running.tell(*told)
                await until(lambda: box.taken)
                await running.kill()
            stage.expire_lease()
            async with stage.notifier(senders, token="two"):
                await until(lambda: len(stage.log.letters) == 2 and not stage.outbox())
        assert len(box.taken) == 1
        details = [f"email {event_id(each)}: {UNKNOWN}" for each in told]
        expected = [letter(stage, each, detail) for each, detail in zip(told, details, strict=True)]
        assert sorted(stage.log.letters, key=lambda one: one.detail) == sorted(expected, key=lambda one: one.detail)

    played(scenario)


def test_of_two_notifiers_one_works_and_the_other_takes_over(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with (
            mail_server() as box,
            receiving() as hook,
            both(stage, box) as senders,
            stage.notifier(senders) as first,
            stage.notifier(senders, token="two") as second,
        ):
            first.tell(*(alert(f"a{n}", email=ANN, webhook=hook.url) for n in range(20)))
            await until(lambda: not stage.outbox() and len(box.taken) == 20)
            assert stage.redis.get(stage.keys.lease) == b"one"
            first.notifier.stop()
            await until(lambda: stage.redis.get(stage.keys.lease) == b"two")
            second.tell(*(alert(f"b{n}", email=ANN, webhook=hook.url) for n in range(20)))
            await until(lambda: not stage.outbox() and len(box.taken) == 40)
        told = [json.loads(request.body)["cause"] for request in hook.requests]
        assert sorted(told) == sorted(f"{part}{n}" for part in "ab" for n in range(20))
        assert stage.log.letters == []

    played(scenario)


def test_a_notifier_that_has_lost_its_lease_unawares_sends_nothing(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            box.rcpt_answers = ["451 later"]
            async with stage.notifier(senders) as running:
                running.tell(alert(email=ANN))
                await until(stage.clock.waited_for)
                stage.redis.set(stage.keys.lease, "two")
                stage.clock.set(NOW_MS + PAUSES_MS[0])
                running.tell(alert("next", webhook=hook.url))
                await until(lambda: running.notifier._said.startswith("another notifier"))
        assert (box.taken, hook.requests, len(stage.outbox())) == ([], [], 1)

    played(scenario)


def test_a_log_that_takes_longer_to_open_than_a_lease_lasts_keeps_no_notifier_from_work(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        opening = MemoryLog.open

        async def slowly(log: MemoryLog, position: Mapping[tuple[str, int], int]) -> bool:
            stage.expire_lease()
            return await opening(log, position)

        monkeypatch.setattr(MemoryLog, "open", slowly)
        async with mail_server() as box, both(stage, box) as senders, stage.notifier(senders) as running:
            running.tell(alert(email=ANN))
            await until(lambda: box.taken and not stage.outbox())
            assert running.notifier._said == ""

    played(scenario)


def test_when_redis_has_lost_everything_nothing_is_sent_twice_and_what_comes_then_is_sent(
    redis_url: str, venue: str
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        rule = SetAlert(
            account="ann", alert="dip", condition=PriceCrosses(price=1.0, direction="up"), channels=["inbox"]
        )
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            stage.log.append(stage.log.rules, "ann", encode(rule), NOW_MS)
            async with stage.notifier(senders) as running:
                running.tell(*(alert(f"old-{n}", email=ANN, webhook=hook.url) for n in range(5)))
                await until(lambda: not stage.outbox() and len(box.taken) == 5)
                stage.wipe()
                await until(lambda: stage.redis.hget(stage.keys.position, "rules"))
                running.tell(alert("new", email=ANN, webhook=hook.url))
                await until(lambda: not stage.outbox() and len(box.taken) == 6)
        told = [json.loads(request.body)["cause"] for request in hook.requests]
        assert told == ["old-0", "old-1", "old-2", "old-3", "old-4", "new"]
        assert stage.redis.hgetall(stage.keys.rules("ann")) == {b"dip": encode(rule)}

    played(scenario)


@pytest.mark.parametrize(("replay", "sent"), [(False, 1), (True, 2)])
def test_what_is_too_old_is_not_sent_and_in_a_replay_only_the_record_counts(
    redis_url: str, venue: str, *, replay: bool, sent: int
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with (
            mail_server() as box,
            receiving() as hook,
            both(stage, box) as senders,
            stage.notifier(senders, replay=replay) as running,
        ):
            running.tell(alert("written-long-ago", webhook=hook.url), time_ms=NOW_MS - AGE_MAX_MS - 1)
            running.tell(alert("of-long-ago", webhook=hook.url, time_ms=NOW_MS - AGE_MAX_MS - 1))
            running.tell(alert("of-now", webhook=hook.url, time_ms=NOW_MS - AGE_MAX_MS))
            await until(lambda: len(hook.requests) == sent and not stage.outbox())
        reasons = {found.detail.partition(": ")[2] for found in stage.log.letters}
        assert (reasons, len(stage.log.letters)) == ({f"the alert is {AGE_MAX_MS // 1000} s old"}, 3 - sent)

    played(scenario)


def test_a_channel_that_the_venue_does_not_have_and_a_record_that_is_no_alert_become_dead_letters(
    redis_url: str, venue: str
) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        told = alert(email=ANN)
        async with stage.notifier({}) as running:
            running.log.append(running.log.alerts, "AAPLUSD", b'{"type":"Nonsense"}', NOW_MS)
            running.tell(told)
            await until(lambda: len(stage.log.letters) == 2 and not stage.outbox())
        unread, given_up = stage.log.letters
        assert (unread.reason, unread.offset, unread.raw) == ("INVALID_PACKET", 0, b'{"type":"Nonsense"}')
        detail = f"email {event_id(told)}: this venue sends no email"
        assert given_up == letter(stage, told, detail, offset=1)

    played(scenario)


def test_rules_are_kept_as_they_were_set_last(redis_url: str, venue: str) -> None:
    def rule(account: str, name: str, price: float) -> SetAlert:
        condition = PriceCrosses(price=price, direction="up")
        return SetAlert(account=account, alert=name, condition=condition, channels=["inbox"])

    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        commands = [rule("ann", "a", 1.0), rule("ann", "b", 2.0), rule("bob", "a", 3.0), rule("ann", "a", 4.0)]
        stage.log.append(stage.log.rules, "ann", encode([*commands, RemoveAlert(account="ann", alert="b")]), NOW_MS)
        async with stage.notifier({}):
            await until(lambda: stage.redis.hget(stage.keys.position, "rules"))
            assert stage.redis.hgetall(stage.keys.rules("ann")) == {b"a": encode(commands[3])}
            assert stage.redis.hgetall(stage.keys.rules("bob")) == {b"a": encode(commands[2])}
            stage.log.append(stage.log.rules, "bob", encode(RemoveAlert(account="bob", alert="a")), NOW_MS)
            await until(lambda: not stage.redis.hgetall(stage.keys.rules("bob")))

    played(scenario)


def test_a_notifier_that_is_stopped_ends_what_it_sends_and_leaves_the_rest(redis_url: str, venue: str) -> None:
    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            hook.statuses = [503]
            box.silent = ANN
            async with stage.notifier(senders) as running:
                running.tell(alert(email=ANN, webhook=hook.url))
                running.tell(alert("next", email=ANN))
                await until(lambda: stage.clock.waited_for() and box.taken)
                running.notifier.stop()
                await until(lambda: not stage.clock.waited_for())
                box.released.set()
                await running.task
            await until(lambda: not stage.redis.exists(stage.keys.lease))
            assert len(stage.outbox()) == 2
            async with stage.notifier(senders, token="two"):
                stage.clock.set(NOW_MS + PAUSES_MS[0])
                await until(lambda: not stage.outbox())
        assert (len(box.taken), len(hook.requests), stage.log.letters) == (2, 2, [])

    played(scenario)


def test_a_notifier_goes_on_when_redis_comes_back(tmp_path: Path, venue: str) -> None:
    port = redis_server.free_port()

    async def scenario() -> None:
        async with mail_server() as box:
            with redis_server.running(tmp_path, port) as url:
                stage = Venue(url, venue)
                senders_of = both(stage, box)
                senders = await senders_of.__aenter__()
                notifier_of = stage.notifier(senders)
                running = await notifier_of.__aenter__()
                running.tell(alert("before", email=ANN))
                await until(lambda: not stage.outbox() and box.taken)
            await until(lambda: running.notifier._said.startswith("Redis"))
            with redis_server.running(tmp_path, port):
                await until(lambda: stage.commits() and stage.redis.hexists(stage.keys.position, "rules"))
                running.tell(alert("after", email=ANN))
                await until(lambda: len(box.taken) == 2 and not stage.outbox())
                await notifier_of.__aexit__(None, None, None)
                await senders_of.__aexit__(None, None, None)
        assert (len(box.taken), stage.log.letters) == (2, [])

    played(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_whenever_notifiers_are_killed_no_email_comes_twice_and_nothing_is_forgotten(
    redis_url: str, venue: str, seed: int
) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")

    async def scenario() -> None:
        stage = Venue(redis_url, venue)
        events = [f"e{number}" for number in range(40)]
        async with mail_server() as box, receiving() as hook, both(stage, box) as senders:
            box.rcpt_answers = [chance.choice(["250 OK", "250 OK", "451 later", "550 no"]) for _ in range(30)]
            box.answers = [chance.choice(["250 OK", "452 full", "554 no"]) for _ in range(15)]
            hook.statuses = [chance.choice([200, 204, 500, 429, 404]) for _ in range(40)]
            statuses = list(hook.statuses)
            left = list(events)
            for kill in range(8):
                async with stage.notifier(senders, token=f"n{kill}") as running:
                    for event in left[:5]:
                        target = chance.choice([ANN, "bob@example.org"])
                        running.tell(alert(event, email=target, webhook=f"{hook.url}{chance.randrange(3)}"))
                    left = left[5:]
                    goal = len(box.taken) + len(hook.requests) + chance.randrange(1, 8)
                    await until(
                        lambda goal=goal: (
                            len(box.taken) + len(hook.requests) >= goal or stage.done() or stage.clock.waited_for()
                        )
                    )
                    stage.clock.set(stage.clock.now_ms() + chance.choice([0, 1_000, 5_000]))
                    await running.kill()
                stage.expire_lease()
            async with stage.notifier(senders, token="last"):
                while not stage.done():
                    await until(lambda: stage.clock.waited_for() or stage.done())
                    stage.clock.set(max([stage.clock.now_ms(), *stage.clock.waited_for()[:1]]))
        mailed = Counter(message_from_bytes(raw)["Message-ID"].partition("@")[0][1:] for raw in box.taken)
        statuses += [204] * len(hook.requests)
        hooked = {
            request.headers["Openbell-Event"]
            for request, status in zip(hook.requests, statuses, strict=False)
            if status < 300
        }
        given_up = {tuple(found.detail.partition(": ")[0].split()) for found in stage.log.letters}
        assert max(mailed.values()) == 1
        for event in events:
            name = event_id(alert(event))
            assert name in mailed or ("email", name) in given_up
            assert name in hooked or ("webhook", name) in given_up

    played(scenario)


def test_without_a_broker_the_log_says_so_at_once() -> None:
    servers = f"127.0.0.1:{redis_server.free_port()}"

    async def scenario() -> None:
        log = KafkaLog(servers, "v")
        with pytest.raises(NotReachableError, match="no Kafka broker answers"):
            await log.open({})
        await log.close()
        await KafkaLetters(servers, "v").close()

    played(scenario)


def test_the_program_waits_for_kafka_and_ends_when_it_is_told_to(redis_url: str, venue: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    base = [sys.executable, "-m", "gateway.notifier", "--bootstrap-servers", f"127.0.0.1:{redis_server.free_port()}"]
    base += ["--redis", redis_url, "--venue", venue, "--webhook-key-file", str(key)]
    shown = subprocess.run([*base, "--show-key", "ann"], check=True, capture_output=True, text=True)
    assert shown.stdout == account_key(SECRET, "ann") + "\n"
    short = [sys.executable, "-m", "gateway.notifier", "--webhook-key-file", str(key)]
    assert (
        subprocess.run([*short, "--show-key", "ann"], check=True, capture_output=True).stdout == shown.stdout.encode()
    )
    refused = subprocess.run(short, check=False, capture_output=True, text=True)
    assert "these are needed: --bootstrap-servers, --redis, --venue" in refused.stderr
    for wrong in (["--venue", "No"], ["--smtp", "smtp://localhost"], ["--smtp", "x", "--mail-from", ANN]):
        refused = subprocess.run([*base, *wrong], check=False, capture_output=True, text=True)
        assert (refused.returncode, "error:" in refused.stderr) == (2, True)
    settings = ["--smtp", "smtp://localhost", "--mail-from", "alerts@example.org"]
    with subprocess.Popen([*base, *settings], stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        lines = [program.stderr.readline() for _ in range(2)]
        os.kill(program.pid, signal.SIGTERM)
        assert program.wait(timeout=20) == 0
    assert lines[0].endswith(f"venue={venue} sends: webhook, email\n")
    assert "no Kafka broker answers" in lines[1]
