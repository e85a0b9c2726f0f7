"""A notifier over a real Redis, a real mail server and real receivers of webhooks; only Kafka is a log in memory."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from exchange.analysis import Alert, Channel
from exchange.packets import encode
from gateway.notifier import Notifier
from gateway.notify.deliveries import Delivery, Place, event_id
from gateway.notify.dispatch import Bounds
from gateway.notify.mail import MailSender, MailServer
from gateway.notify.outbox import NotifyKeys, Outbox
from gateway.notify.ports import ManualClock, MemoryLog, Sender
from gateway.notify.webhook import WebhookSender
from gateway.tasks import stop

NOW_MS = 1_700_000_000_000
SECRET = b"a secret of thirty-two bytes or more"
FROM = "alerts@openbell.example"
ANN = "ann@example.org"
DEADLINE_S = 30
AT_ONCE = Bounds(email_pause_ms=0)


def alert(event: str = "AAPLUSD-7", **fields: Any) -> Alert:
    """An alert that goes to the inbox only, unless fields say more."""
    channels: list[Channel] = ["inbox"]
    channels += ["email"] if "email" in fields else []
    channels += ["webhook"] if "webhook" in fields else []
    told: dict[str, Any] = {
        "account": "ann",
        "alert": "dip",
        "event": event,
        "symbol": "AAPLUSD",
        "time_ms": NOW_MS,
        "text": "AAPLUSD fell below 100",
        "channels": channels,
    }
    return Alert(**{**told, **fields})


def delivery(told: Alert) -> Delivery:
    """What comes of an alert that goes by one channel beside the inbox."""
    channel = told.channels[-1]
    target = told.email if channel == "email" else told.webhook
    place = Place("v.alerts", 0, 3, NOW_MS, "AAPLUSD")
    return Delivery(event=event_id(told), channel=channel, target=target or "", alert=told, place=place)


async def until(condition: Callable[[], Any]) -> None:
    """Let other tasks run until something is so; the caller bounds the time."""
    while not condition():  # noqa: ASYNC110  (what is waited for is not told by events)
        await asyncio.sleep(0.002)


def played(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scenario, within `DEADLINE_S`."""

    async def bounded() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await scenario()

    return asyncio.run(bounded())


# A mail server


@dataclass
class Mailbox:
    """What a mail server has taken. `answers` are given to so many messages, and none to those for `silent` until released."""

    port: int = 0
    taken: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    silent: str = ""
    rcpt_answers: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802  (its library's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if self.rcpt_answers:
            answer = self.rcpt_answers.pop(0)
            if not answer.startswith("2"):
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("2"):
            self.taken.append(envelope.original_content or b"")
            self.recipients.append(list(envelope.rcpt_tos))
        if self.silent in envelope.rcpt_tos:
            await self.released.wait()
        return answer

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        """Take whoever has the right password."""
        del server, session, envelope, mechanism
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == b"secret", handled=False)


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[Mailbox]:
    """Run a mail server. `settings` are aiosmtpd's; `tls`: its connections are TLS from the first byte."""
    box = Mailbox()
    loop = asyncio.get_running_loop()

    def make() -> SMTP:
        return SMTP(box, hostname="mail.test", loop=loop, authenticator=box.login, **settings)

    server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        box.released.set()
        server.close()


# A receiver of webhooks


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a receiver of webhooks was sent. `statuses` are answered in turn, then 204; `extra` is written behind the first line."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    extra: bytes = b"Content-Length: 0\r\n\r\n"
    slow: asyncio.Event | None = None
    """Set, it answers."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            named = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append(Request(head[0], named, body))
            if self.slow is not None:
                await self.slow.wait()
            status = self.statuses.pop(0) if self.statuses else 204
            writer.write(b"HTTP/1.1 %d Said\r\n" % status + self.extra)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver of webhooks."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    scheme, port = "https" if tls else "http", server.sockets[0].getsockname()[1]
    receiver.url = f"{scheme}://127.0.0.1:{port}/hook?of=ann"
    try:
        yield receiver
    finally:
        if receiver.slow is not None:
            receiver.slow.set()
        server.close()


# A notifier


@dataclass
class Running:
    """A notifier at work, with all that a test wants to reach of it."""

    notifier: Notifier
    log: MemoryLog
    clock: ManualClock
    task: asyncio.Task[None]

    def tell(self, *alerts: Alert, time_ms: int = NOW_MS) -> None:
        """Write a packet of alerts to the log."""
        self.log.append(self.log.alerts, alerts[0].symbol, encode(list(alerts)), time_ms)

    async def kill(self) -> None:
        """End it as if its process had been killed."""
        await stop([self.task])


class Venue:
    """A venue's Redis and log, over which notifiers are run."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.keys = NotifyKeys(name)
        self.redis: Any = redis.Redis.from_url(url)
        self.log = MemoryLog(name)
        self.clock = ManualClock(NOW_MS)

    def outbox(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self.redis.hgetall(self.keys.outbox)
        return found

    def commits(self) -> int:
        return int(self.redis.hget(self.keys.position, "commit") or 0)

    def done(self) -> bool:
        """Say whether all that was told is taken in, and all of that has ended."""
        taken = int(self.redis.hget(self.keys.position, f"{self.log.alerts}/0") or 0)
        return taken == len(self.log.records[self.log.alerts]) and not self.outbox()

    def expire_lease(self) -> None:
        """Let the lease run out, as it does 5 s after its notifier has fallen silent."""
        self.redis.delete(self.keys.lease)

    def wipe(self) -> None:
        """Lose all that notifiers keep in Redis."""
        self.redis.delete(*self.redis.scan_iter(match=f"{self.keys.prefix}*"))

    @asynccontextmanager
    async def notifier(
        self, senders: dict[Channel, Sender], *, replay: bool = False, bounds: Bounds | None = None, token: str = "one"
    ) -> AsyncIterator[Running]:
        """Run a notifier; it is at work, unless another one is."""
        log = MemoryLog(self.name, self.log.records)
        log.letters = self.log.letters
        outbox = Outbox(self.url, self.name, token)
        made = Notifier(log, log, outbox, senders, self.clock, replay=replay, bounds=bounds or AT_ONCE, retry_s=0.01)
        before = self.commits()
        leads = self.redis.get(self.keys.lease) in (None, token.encode())
        task = asyncio.create_task(made.run())
        try:
            await until(lambda: not leads or self.commits() > before or task.done())
            yield Running(made, log, self.clock, task)
            if not task.done():
                made.stop()
                await task
        finally:
            await stop([task])
            await outbox.close()


@asynccontextmanager
async def both(venue: Venue, box: Mailbox) -> AsyncIterator[dict[Channel, Sender]]:
    """Give both ways to send."""
    webhooks = WebhookSender(SECRET, venue.clock, private=True)
    try:
        yield {"webhook": webhooks, "email": MailSender(MailServer("127.0.0.1", box.port), FROM, venue.clock)}
    finally:
        await webhooks.close()


# Certificates


@dataclass(frozen=True)
class Certificate:
    """A server's TLS with a certificate of its own making for one name, and a client's that trusts it."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


def certificate(folder: Path, name: str) -> Certificate:
    """Make a certificate for a name such as `DNS:localhost`."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    command: Sequence[str] = (
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(made),
    )  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made, key)
    return Certificate(server, ssl.create_default_context(cafile=str(made)))
