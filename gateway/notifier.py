"""Delivers a venue's alerts by e-mail and webhook: `python -m gateway.notifier --help`. `docs/ALERTS.md` says what is promised.

Theory of operation: of all notifiers of a venue the one with the lease works; the others wait for it to fall silent. It goes on where
the outbox in Redis says that the log was left, takes each record's deliveries into the outbox together with the new position,
and makes the attempts (see `notify.dispatch`). It also folds the rules into a view, in which accounts read what they have set.
Whatever fails (Redis or Kafka is away, another one works) ends all that is being done; then it begins anew from the outbox.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from email.headerregistry import Address
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import redis

from exchange import topics
from exchange.analysis import Channel
from exchange.errors import ExchangeError, InvalidPacket
from exchange.host import Record
from exchange.packets import decode_alert_rules, decode_alerts
from exchange.topics import topic_name
from gateway.notify.addresses import email_flaw
from gateway.notify.deliveries import deliveries_of, unreadable
from gateway.notify.dispatch import Bounds, Dispatcher
from gateway.notify.kafka_log import KafkaLetters, KafkaLog
from gateway.notify.mail import InvalidServer, MailSender, MailServer
from gateway.notify.outbox import Displaced, Outbox
from gateway.notify.ports import AlertLog, Clock, Letters, Sender, WallClock
from gateway.notify.signing import NoSecret, account_key, read_secret
from gateway.notify.webhook import WebhookSender
from gateway.redis_url import with_password
from gateway.tasks import stop
from wire.errors import WireError
from wire.reader import Offsets
from wire.security import InvalidSecurityError, client_options

LOG = logging.getLogger("openbell.notifier")

RETRY_S: Final = 0.5
NEEDED: Final = ("bootstrap_servers", "redis", "venue")
"""Options that only `--show-key` can do without."""
RENEW_S: Final = 1.0
"""How often the lease is renewed."""


class Notifier:
    """One notifier of one venue. `replay`: the venue replays the past, so that an alert's own time says nothing of its age."""

    def __init__(
        self,
        log: AlertLog,
        letters: Letters,
        outbox: Outbox,
        senders: Mapping[Channel, Sender],
        clock: Clock,
        *,
        replay: bool,
        bounds: Bounds | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._log = log
        self._letters = letters
        self._outbox = outbox
        self._senders = senders
        self._clock = clock
        self._replay = replay
        self._bounds = bounds or Bounds()
        self._retry_s = retry_s
        self._said = ""
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End when the attempts that are being made have ended."""
        self._stopped.set()

    async def run(self) -> None:
        """Work until `stop` is called."""
        while not self._stopped.is_set():
            try:
                if await self._outbox.lead():
                    await self._work()
                else:
                    self._say("another notifier is at work; waiting for it to fall silent")
            except* (redis.RedisError, OSError) as group:
                self._say(f"Redis: {_first(group)}")
            except* Displaced as group:
                self._say(f"displaced: {_first(group)}; beginning anew from the outbox")
            except* WireError as group:
                self._say(f"the exchange's log cannot be used: {_first(group)}")
            await self._pause()
        try:
            await self._outbox.release()
        except (redis.RedisError, OSError):
            LOG.info("Redis is away; the lease will expire by itself")

    async def _work(self) -> None:
        """Deliver what is in the outbox and what comes, until told to stop or something fails."""
        position, pending = await self._outbox.load()
        anew = await self._log.open(position)
        rules_end = {name: end for name, end in (await self._log.ends()).items() if name[0] == self._log.rules}
        if not await self._outbox.lead():  # on a busy machine the log may take longer to open than a lease lasts
            raise Displaced("another notifier has begun to work")
        if anew:
            await self._outbox.forget_rules()
        await self._outbox.accept(self._log.offsets, (), (), rules_complete=False)
        async with asyncio.TaskGroup() as group:
            dispatcher = Dispatcher(
                self._outbox, self._senders, self._letters, self._clock, group, replay=self._replay, bounds=self._bounds
            )
            lease = group.create_task(self._keep_lease(dispatcher))
            try:
                await dispatcher.add(pending)
                self._say("")
                LOG.info("at work: %d deliveries are left over", len(pending))
                await self._follow(dispatcher, rules_end)
                await dispatcher.stop()
                await stop([lease])
            finally:
                dispatcher.ending = True
        LOG.info("stopped: %s", dict(dispatcher.counts))

    async def _follow(self, dispatcher: Dispatcher, rules_end: Offsets) -> None:
        """Take in what comes, until told to stop or something fails."""
        complete = False
        while not self._stopped.is_set() and not dispatcher.ending:
            records = await self._log.poll()
            reached = _reached(self._log.offsets, rules_end)
            if records or reached != complete:
                await self._take(records, dispatcher, rules_complete=reached)
                complete = reached

    async def _take(self, records: Sequence[Record], dispatcher: Dispatcher, *, rules_complete: bool) -> None:
        """Take records in, and begin to deliver what is new in them."""
        deliveries, rules = [], []
        for record in records:
            try:
                if record.topic == self._log.rules:
                    rules += decode_alert_rules(record.value)
                else:
                    deliveries += [
                        each for alert in decode_alerts(record.value) for each in deliveries_of(alert, record)
                    ]
            except InvalidPacket as error:
                LOG.warning("%s/%d offset %d is unreadable: %s", record.topic, record.partition, record.offset, error)
                if record.topic == self._log.alerts:  # whoever evaluates the rules tells of wrong ones
                    await self._letters.write(unreadable(record, error))
        new = await self._outbox.accept(self._log.offsets, deliveries, rules, rules_complete=rules_complete)
        await dispatcher.add(new)

    async def _keep_lease(self, dispatcher: Dispatcher) -> None:
        while not dispatcher.ending:
            await asyncio.sleep(RENEW_S)
            try:
                await self._outbox.renew()
            except Exception:
                dispatcher.ending = True
                raise

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._retry_s):
                await self._stopped.wait()
        except TimeoutError:
            return

    def _say(self, text: str) -> None:
        """Log what is wrong when it begins, and that it is over."""
        if text != self._said:
            LOG.warning("%s", text or "all is well again")
            self._said = text


def _reached(offsets: Offsets, ends: Offsets) -> bool:
    return all(offsets[name] >= end for name, end in ends.items())


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of the errors that a group holds, however deep."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a notifier until SIGTERM or SIGINT."""
    parser = _parser()
    given = parser.parse_args(arguments)
    missing = [name for name in NEEDED if getattr(given, name) is None]
    if missing and given.show_key is None:
        parser.error("these are needed: " + ", ".join("--" + name.replace("_", "-") for name in missing))
    try:
        topic_name(given.venue or "any", topics.ALERTS)
        secret = read_secret(given.webhook_key_file) if given.webhook_key_file else None
        server = _mail_server(given)
        client_options()
        given.redis = with_password(given.redis) if given.redis else None
    except (ExchangeError, InvalidServer, InvalidSecurityError, NoSecret, OSError, ValueError) as error:
        parser.error(str(error))
    if given.show_key is not None:
        if secret is None:
            parser.error("--show-key needs --webhook-key-file")
        sys.stdout.write(account_key(secret, given.show_key) + "\n")
        return
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    LOG.setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # the notifier says itself, once, what keeps it waiting
    asyncio.run(_serve(given, secret, server))


async def _serve(given: argparse.Namespace, secret: bytes | None, server: MailServer | None) -> None:
    """Put a notifier together and run it."""
    clock = WallClock()
    log, letters = KafkaLog(given.bootstrap_servers, given.venue), KafkaLetters(given.bootstrap_servers, given.venue)
    outbox = Outbox(given.redis, given.venue, uuid4().hex)
    webhooks = WebhookSender(secret, clock, private=given.allow_private) if secret else None
    senders: dict[Channel, Sender] = {}
    if webhooks is not None:
        senders["webhook"] = webhooks
    if server is not None:
        senders["email"] = MailSender(server, given.mail_from, clock)
    notifier = Notifier(log, letters, outbox, senders, clock, replay=given.replay)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, notifier.stop)
    LOG.info("venue=%s sends: %s", given.venue, ", ".join(senders) or "nothing; everything is given up")
    try:
        await notifier.run()
    finally:
        closing: list[Any] = [log, letters, outbox, *([webhooks] if webhooks else [])]
        for each in closing:
            await each.close()


def _mail_server(given: argparse.Namespace) -> MailServer | None:
    """Return the mail server that is to be used. Raises InvalidServer, or OSError when the password cannot be read."""
    if given.smtp is None:
        return None
    if given.mail_from is None or email_flaw(given.mail_from):
        raise InvalidServer("--smtp needs --mail-from, the address that alerts come from")
    Address(addr_spec=given.mail_from)
    password = Path(given.smtp_password_file).read_text().strip() if given.smtp_password_file else None
    return MailServer.from_url(given.smtp, password)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.notifier",
        description="Deliver a venue's alerts by e-mail and webhook. Several may run: one works, the others wait.",
        epilog="example: python -m gateway.notifier --bootstrap-servers localhost:9092 --redis redis://localhost:6379/0"
        " --venue replay --replay --smtp smtp://localhost:25 --mail-from alerts@example.org"
        " --webhook-key-file webhook.key",
    )
    parser.add_argument("--bootstrap-servers", help="the Kafka brokers, HOST:PORT[,HOST:PORT]")
    parser.add_argument("--redis", help="Redis, such as redis://localhost:6379/0")
    parser.add_argument("--venue", help="the venue's name, which its topics begin with")
    parser.add_argument(
        "--replay",
        action="store_true",
        help="the venue replays the past: an alert is as old as its record, whatever its own time says",
    )
    parser.add_argument(
        "--smtp",
        metavar="URL",
        help="the mail server: smtp://HOST, smtp+starttls://USER@HOST or smtps://USER@HOST; without it, e-mails are given up",
    )
    parser.add_argument("--smtp-password-file", metavar="FILE", help="the file with the mail server's password")
    parser.add_argument("--mail-from", metavar="ADDRESS", help="the address that alerts come from")
    parser.add_argument(
        "--webhook-key-file",
        metavar="FILE",
        help="the file with the secret that webhooks are signed with; without it, they are given up",
    )
    parser.add_argument(
        "--allow-private",
        action="store_true",
        help="let webhooks reach this machine and private networks: only where everyone who sets alerts may, too",
    )
    parser.add_argument(
        "--show-key", metavar="ACCOUNT", help="print the key with which an account's webhooks are signed, and end"
    )
    return parser


if __name__ == "__main__":
    main()
