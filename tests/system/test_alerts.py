"""Alerts from end to end on real Kafka, Flink and Redis: each event comes once by each channel, through a restore and a kill."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
import redis
import redis_server
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from venue import SHARDS, OpenVenue, Venue

from exchange import topics
from exchange.analysis import TRADES_SOURCE, Alert, Indicators
from exchange.packets import PacketDecoder, decode_alerts
from gateway.identity.directory import Directory
from gateway.identity.secrets import load_secret
from gateway.notify.deliveries import event_id
from gateway.notify.outbox import NotifyKeys
from gateway.notify.signing import account_key
from openbell.supervise.processes import wait_until
from wire.reader import Reader
from wire.writer import PacketWriter

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WAIT_S = 180
RESTART_S = 360
"""Time for a killed TaskManager to come back and a job to be set back, on a machine that is full of other tests."""
SECRET = b"a secret of thirty-two bytes or more"
SYMBOL = "AAPLUSD"
ACCOUNT = "demo"
EVERYWHERE = ["inbox", "email", "webhook"]
STEPS = 6
"""Levels that are crossed shortly before and while the TaskManager is dead, half and half."""
decode_indicators: PacketDecoder[Indicators] = PacketDecoder(Indicators)


class Hooks:
    """A receiver of webhooks; it takes all that comes, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Mailbox:
    """A mail server's hands: it takes all that comes, and keeps it."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"


async def made_user(database: str, secret_key: Path) -> str:
    """Make a user who has the page's own account, for visitors' alerts go out to nobody; returns an API key."""
    async with Directory(database, load_secret(secret_key)).running() as directory:
        await directory.users.create("ann", "forty green kettles", account=ACCOUNT)
        return ".".join(await directory.keys.create("ann", ("read", "trade")))


class Desk:
    """The page of a venue with all that stands behind it, one who trades there, and where alerts arrive."""

    def __init__(self, venue: Venue, folder: Path, stack: ExitStack) -> None:
        self.venue = venue
        self.hooks = Hooks()
        self.box = Mailbox()
        self.last = 100.0
        self.orders = 0
        self._folder = folder
        self._stack = stack
        stack.callback(self.hooks.close)
        mail = Controller(self.box, hostname="127.0.0.1", port=redis_server.free_port())
        mail.start()
        stack.callback(mail.stop)
        url = stack.enter_context(redis_server.running(folder))
        self.redis: Any = stack.enter_context(redis.Redis.from_url(url))
        self.indicators = stack.enter_context(Reader(venue.servers, venue.name, [topics.INDICATORS]))
        port = redis_server.free_port()
        self.page = f"http://127.0.0.1:{port}"
        key = folder / "key"
        key.write_bytes(SECRET)
        database, secret_key = f"sqlite+aiosqlite:///{folder}/identity.db", folder / "secret.key"
        self._headers = {"Content-Type": "application/json", "X-Api-Key": asyncio.run(made_user(database, secret_key))}
        common = ["--bootstrap-servers", venue.servers, "--redis", url, "--venue", venue.name]
        self._run("projector", common)
        users = ["--database", database, "--secret-key-file", str(secret_key)]
        pages = ["--port", str(port), "--account-shards", str(SHARDS), "--demo-account", ACCOUNT, *users]
        self._run("server", [*common, *pages])
        smtp = ["--smtp", f"smtp://127.0.0.1:{mail.port}", "--mail-from", "alerts@example.org"]
        self._run("notifier", [*common, *smtp, "--webhook-key-file", str(key), "--allow-private"])

    def _run(self, module: str, arguments: list[str]) -> None:
        with (self._folder / f"{module}.log").open("ab") as log:
            command = [sys.executable, "-m", f"gateway.{module}", *arguments]
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def ask(self, path: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
        """Ask the REST interface, and return the status and what was answered; 0 if nothing."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.page}/api/native/{path}"
        try:
            with urlopen(Request(url, data, self._headers, method=method), timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)
        except URLError:
            return 0, None

    # Trading

    def begin(self) -> None:
        """List the symbol, and wait until all can trade it."""
        self.venue.list(SYMBOL)
        self.venue.fund("ann", "bob", USD=10**9, AAPL=10**6)
        funded = lambda: "AAPL" in {one["asset"] for one in (self.ask("balances")[1] or [])}  # noqa: E731
        assert wait_until(lambda: self.ask("balances")[0] == 200 and funded(), WAIT_S, every=0.3)
        self.trade(self.last)

    def trade(self, price: float) -> None:
        """Let two others trade, and wait until the price is known to all."""
        self.meet(price)
        seen = lambda: any(price == each for each in self._closes())  # noqa: E731
        assert wait_until(seen, WAIT_S, every=0.02), f"{price} never becomes the last price"
        self.last = price

    def meet(self, price: float) -> None:
        """Send an order to buy and one to sell."""
        self.orders += 1
        self.venue.order("ann", f"sell-{self.orders}", "sell", round(price * 100), 1)
        self.venue.order("bob", f"buy-{self.orders}", "buy", round(price * 100), 1)

    def fill(self) -> None:
        """Let an order of the page's own account fill at the last price."""
        self.orders += 1
        self.venue.order("ann", f"sell-{self.orders}", "sell", round(self.last * 100), 1)
        order = {"symbol": SYMBOL, "side": "buy", "price": f"{self.last:.2f}", "quantity": "1"}
        status, answer = self.ask("orders", order)
        assert status == 201, answer

    def _closes(self) -> list[float]:
        told = [each for record in self.indicators.poll() for each in decode_indicators(record.value)]
        return [each.close for each in told if each.source == TRADES_SOURCE and each.span_ms == 60_000]

    # Alerts

    def set(self, name: str, price: float, channels: list[str], direction: str = "up") -> None:
        """Set an alert on the last price."""
        self.put(name, {"type": "PriceCrosses", "price": price, "direction": direction}, channels)

    def put(self, name: str, condition: dict[str, Any], channels: list[str]) -> None:
        targets = {"email": "ann@example.org", "webhook": self.hooks.url}
        where = {channel: target for channel, target in targets.items() if channel in channels}
        body = {"symbol": SYMBOL, "condition": condition, "channels": channels, **where}
        status, answer = self.ask(f"alerts/{name}", body, "PUT")
        assert status == 200, answer

    def settle(self, name: str) -> None:
        """Return when all that was set before holds, and all that was known before has been judged: an alert set now has come."""
        low, high = self.last, self.last + 0.25
        self.set(name, self.last + 0.125, ["inbox"], "either")

        def heard() -> bool:
            self.trade(high if self.last == low else low)
            return any(alert.alert == name for alert in self.told())

        assert wait_until(heard, WAIT_S, every=0.2), f"{name} never comes"

    def told(self) -> list[Alert]:
        """Return what the job has told, repeats and all."""
        return [alert for record in self.venue.records(topics.ALERTS) for alert in decode_alerts(record.value)]

    def tell_again(self) -> None:
        """Write all that was told once more, as a job that is set back does: a kill alone leaves it to chance how much that is."""
        with PacketWriter(self.venue.servers, self.venue.name) as writer:
            for record in self.venue.records(topics.ALERTS):
                writer.send_raw(topics.ALERTS, record.key, record.value)

    def events(self) -> Counter[str]:
        """Count the events of each alert, but for those of `settle`."""
        names = {event_id(alert): alert.alert for alert in self.told()}.values()
        return Counter(name for name in names if not name.startswith("probe-"))

    def delivered(self) -> bool:
        """Say whether the notifier has read all that the job has told, and has nothing left to deliver."""
        keys = NotifyKeys(self.venue.name)
        position = self.redis.hgetall(keys.position)
        with Reader(self.venue.servers, self.venue.name, [topics.ALERTS]) as reader:
            ends = reader.end_offsets()
        read = all(int(position.get(f"{topic}/{part}".encode(), -1)) == end for (topic, part), end in ends.items())
        return read and not self.redis.exists(keys.outbox)


@pytest.fixture
def desk(open_venue: OpenVenue, tmp_path: Path) -> Iterator[Desk]:
    venue = open_venue("live", "accounts", "matching", "indicators", "signals")
    with ExitStack() as stack:
        yield Desk(venue, tmp_path, stack)


def test_every_event_comes_once_by_each_channel_through_a_restore_and_a_kill(desk: Desk):
    desk.begin()
    assert wait_until(lambda: desk.ask("alerts") == (200, []), WAIT_S, every=0.2), "the notifier never reads the alerts"

    # Set, come true, removed
    desk.set("up", 101, EVERYWHERE)
    desk.set("removed", 111, EVERYWHERE)
    desk.set("later", 112, EVERYWHERE)
    desk.put("fills", {"type": "OrderFills"}, EVERYWHERE)
    desk.settle("probe-1")
    desk.trade(102)
    desk.fill()
    assert desk.ask("alerts/removed", method="DELETE")[0] == 200
    desk.settle("probe-2")

    # Savepoint, restore at another parallelism
    desk.venue.restart("signals", 2)
    desk.trade(113)
    for number in range(STEPS):
        desk.set(f"step-{number}", 120 + number, EVERYWHERE)
    desk.settle("probe-3")

    # A kill: what was told since the last checkpoint is told again, what has come meanwhile is told later
    desk.trade(119.5 + STEPS / 2)
    half = {f"step-{number}" for number in range(STEPS // 2)}
    assert wait_until(lambda: half <= {alert.alert for alert in desk.told()}, WAIT_S, every=0.05)
    restarts = desk.venue.jobs.status("signals").restarts
    desk.venue.kill_task_manager_of("signals")
    desk.trade(120 + STEPS)
    desk.fill()
    restarted = lambda: desk.venue.jobs.status("signals").restarts > restarts  # noqa: E731
    assert wait_until(restarted, WAIT_S, every=0.3), "the kill is not noticed"
    expected = {"up": 1, "later": 1, "fills": 2, **{f"step-{number}": 1 for number in range(STEPS)}}
    assert wait_until(lambda: desk.events() == expected, RESTART_S, every=0.3), (
        desk.events(),
        desk.venue.jobs.status("signals"),
    )
    desk.settle("probe-4")
    desk.tell_again()
    assert wait_until(desk.delivered, WAIT_S, every=0.3), desk.redis.hgetall(NotifyKeys(desk.venue.name).outbox)

    every = {event_id(alert): alert for alert in desk.told()}
    told_again = len(desk.told()) - len(every)
    print(f"{told_again} of {len(every)} events were told again")
    assert told_again >= len(every)
    assert desk.events() == expected
    _look_at_inbox(desk, every)
    _look_at_webhooks(desk, every)
    _look_at_mail(desk, every)
    assert desk.venue.messages(topics.DEAD_LETTERS) == []


def _look_at_inbox(desk: Desk, every: dict[str, Alert]) -> None:
    wanted = sorted((alert.alert, alert.event, alert.text) for alert in every.values())

    def shown() -> list[tuple[str, str, str]]:
        status, inbox = desk.ask("inbox?limit=200")
        return sorted((one["alert"], one["event"], one["text"]) for one in inbox["alerts"]) if status == 200 else []

    assert wait_until(lambda: shown() == wanted, WAIT_S, every=0.3), shown()


def _look_at_webhooks(desk: Desk, every: dict[str, Alert]) -> None:
    key = account_key(SECRET, ACCOUNT).encode()
    for headers, body in desk.hooks.requests:
        signed = hmac.new(key, headers["Openbell-Timestamp"].encode() + b"." + body, hashlib.sha256)
        assert headers["Openbell-Signature"] == f"v1={signed.hexdigest()}"
        alert = every[headers["Openbell-Event"]]
        told = json.loads(body)
        assert (told["account"], told["alert"], told["text"]) == (ACCOUNT, alert.alert, alert.text)
    hooked = Counter(headers["Openbell-Event"] for headers, _ in desk.hooks.requests)
    assert hooked == dict.fromkeys(_by(every, "webhook"), 1)


def _look_at_mail(desk: Desk, every: dict[str, Alert]) -> None:
    said = "".join(str(message.get_content()) for message in desk.box.messages)
    assert {event: said.count(every[event].text) for event in _by(every, "email")} == dict.fromkeys(
        _by(every, "email"), 1
    )
    assert len(desk.box.messages) <= len(_by(every, "email"))


def _by(every: dict[str, Alert], channel: str) -> list[str]:
    """Return the events that are delivered by a channel."""
    return [event for event, alert in every.items() if channel in alert.channels]
