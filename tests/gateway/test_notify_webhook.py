"""Whom a webhook reaches and whom it must not, and how a receiver knows who sent it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.notify.addresses import email_flaw, may_reach, webhook_flaw
from gateway.notify.deliveries import event_id
from gateway.notify.ports import Attempt, ManualClock
from gateway.notify.signing import NoSecret, account_key, read_secret
from gateway.notify.webhook import WebhookSender
from tests.gateway.notified import NOW_MS, SECRET, alert, certificate, delivery, played, receiving

DOCUMENT = Path(__file__).parents[2] / "docs" / "ALERTS.md"


async def sent(url: str, sender: WebhookSender | None = None, **fields: Any) -> tuple[Attempt, int]:
    """Make one attempt, and return what became of it and how often it was begun."""
    begun = 0

    async def begin() -> None:
        nonlocal begun
        begun += 1

    sender = sender or WebhookSender(SECRET, ManualClock(NOW_MS), private=True)
    try:
        return await sender.send(delivery(alert(**{"webhook": url, **fields})), begin), begun
    finally:
        await sender.close()


def documented() -> Callable[..., bool]:
    """Return the function with which docs/ALERTS.md verifies a webhook."""
    [text] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(text, names)
    found: Callable[..., bool] = names["is_genuine"]
    return found


def test_a_receiver_verifies_a_webhook_as_documented() -> None:
    async def scenario() -> None:
        now_ms = time.time_ns() // 1_000_000
        async with receiving() as hook:
            sender = WebhookSender(SECRET, ManualClock(now_ms), private=True)
            assert await sent(hook.url, sender, text="\u00dcber 100 \u20ac") == (Attempt("delivered"), 1)
        [request] = hook.requests
        is_genuine, key = documented(), account_key(SECRET, "ann")
        assert is_genuine(key, request.headers, request.body)
        assert not is_genuine(account_key(SECRET, "bob"), request.headers, request.body)
        assert not is_genuine(key, request.headers, request.body + b" ")
        later = {**request.headers, "Openbell-Timestamp": str(now_ms // 1000 + 1)}
        assert not is_genuine(key, later, request.body)
        sender = WebhookSender(SECRET, ManualClock(now_ms - 301_000), private=True)
        async with receiving() as hook:
            await sent(hook.url, sender)
        assert not is_genuine(key, hook.requests[0].headers, hook.requests[0].body)

    played(scenario)


def test_the_document_shows_what_is_sent() -> None:
    [text] = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    sender = WebhookSender(SECRET, ManualClock(NOW_MS))
    body, headers = sender.signed(delivery(alert(webhook="https://example.org/")))
    asyncio.run(sender.close())
    assert list(json.loads(text)) == list(json.loads(body))
    table = set(re.findall(r"^\| `(Openbell-\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert table == {name for name in headers if name.startswith("Openbell-")}


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.9.9.9", "100.64.0.1", "0.0.0.0", "169.254.169.254",
     "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "192.0.2.1", "198.18.0.1", "240.0.0.1",
     "not-an-address", ""],
)  # fmt: skip
def test_addresses_that_are_not_public_are_not_reached(address: str) -> None:
    assert not may_reach(address, private=False)


def test_public_addresses_are_reached_and_private_ones_where_that_is_allowed() -> None:
    assert all(may_reach(each, private=False) for each in ("93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"))
    assert all(may_reach(each, private=True) for each in ("127.0.0.1", "::1", "10.0.0.1", "192.168.0.9", "fd12::1"))
    never = ("169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "ff02::1", "64:ff9b::7f00:1")
    assert not any(may_reach(each, private=True) for each in never)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_a_webhook_to_this_machine_is_refused_however_it_is_written(host: str) -> None:
    async def scenario() -> None:
        async with receiving() as hook:
            port = hook.url.rpartition(":")[2].partition("/")[0]
            sender = WebhookSender(SECRET, ManualClock(NOW_MS))
            attempt, begun = await sent(f"http://{host}:{port}/", sender)
            assert (attempt.outcome, begun, hook.requests) == ("given-up", 0, [])
            assert attempt.reason.endswith("an address that webhooks must not reach")

    played(scenario)


def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(_loop: object, host: str, port: int, **_: object) -> list[Any]:
        del host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("93.184.216.34", "10.0.0.1")]

    async def scenario() -> None:
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
        attempt, begun = await sent("https://rebinding.example/", WebhookSender(SECRET, ManualClock(NOW_MS)))
        reason = "rebinding.example is at 10.0.0.1, an address that webhooks must not reach"
        assert (attempt, begun) == (Attempt("given-up", reason), 0)

    played(scenario)


def test_the_address_that_was_looked_at_is_connected_to_and_the_certificate_is_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path, "DNS:hook.example")
    looked: list[str] = []

    async def found(_loop: object, host: str, port: int, **_: object) -> list[Any]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def scenario() -> None:
        async with receiving(made.server) as hook:
            monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
            url = hook.url.replace("127.0.0.1", "hook.example")
            trusting = WebhookSender(SECRET, ManualClock(NOW_MS), private=True, tls=made.trusting)
            assert await sent(url, trusting) == (Attempt("delivered"), 1)
            assert hook.requests[0].headers["Host"] == url.split("/")[2]
            assert [name for name in looked if name != "127.0.0.1"] == ["hook.example"]
            other = WebhookSender(SECRET, ManualClock(NOW_MS), private=True, tls=made.trusting)
            attempt, _ = await sent(url.replace("hook.", "other."), other)
            assert attempt.outcome == "again"
            assert "certificate" in attempt.reason.lower()
            attempt, _ = await sent(url)
            assert (attempt.outcome, len(hook.requests)) == ("again", 1)

    played(scenario)


def test_an_answer_that_drips_or_never_ends_is_not_read() -> None:
    async def scenario() -> None:
        async with receiving() as hook:
            hook.extra = b"Content-Length: 999999999999\r\n\r\n" + b"x" * 100_000
            assert await sent(hook.url) == (Attempt("delivered"), 1)
        async with receiving() as hook:
            hook.extra = b"X: " + b"x" * 10_000_000 + b"\r\n\r\n"
            attempt, _ = await sent(hook.url)
            assert attempt.outcome == "again"
        async with receiving() as hook:
            hook.slow = asyncio.Event()
            sender = WebhookSender(SECRET, ManualClock(NOW_MS), private=True, attempt_s=0.2)
            assert await sent(hook.url, sender) == (Attempt("again", "no answer within 0.2 s"), 1)
            assert hook.requests[0].headers["Openbell-Event"] == event_id(alert(webhook=hook.url))

    played(scenario)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org", "http://", "https:///path",
     "http://example.org:0/", "http://example.org:99999/", "http://ann:secret@example.org/", "http://ann@example.org/",
     "http://example.org/#part", "http://example.org/a b", "http://example.org/\r\nX: y", "http://example.org\\@evil.example/",
     "http://\u00fcber.example/", "http://[::1", "https://example.org/" + "x" * 2_000],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_before_anything_is_looked_up(url: str) -> None:
    assert webhook_flaw(url)

    async def scenario() -> None:
        attempt, begun = await sent(url)
        assert (attempt, begun) == (Attempt("given-up", webhook_flaw(url) or ""), 0)

    played(scenario)


@pytest.mark.parametrize("url", ["https://example.org", "HTTP://example.org:8080/a?b=c", "http://[2606:4700::1111]/x"])
def test_a_url_of_a_webhook_is_taken(url: str) -> None:
    assert webhook_flaw(url) is None


@pytest.mark.parametrize(
    "address",
    ["", "ann", "@example.org", "ann@", "ann@localhost", "ann@example..org", "ann@-example.org", "a b@example.org",
     "ann@example.org ", "ann@example.org\n", "ann@example.org\r\nBcc: x@example.org", "ann@example.org,bob@example.org",
     "<ann@example.org>", '"a b"@example.org', ".ann@example.org", "\u00fc@example.org", "a" * 65 + "@example.org",
     "a@" + "b." * 130 + "org"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert email_flaw(address)


@pytest.mark.parametrize("address", ["ann@example.org", "a.b+c_d-e@mail.example.co", "O'Neil!#@x1.example"])
def test_an_address_is_taken(address: str) -> None:
    assert email_flaw(address) is None


def test_a_secret_that_is_short_or_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(NoSecret, match="No such file"):
        read_secret(str(path))
    path.write_bytes(b"x" * 31 + b"\n")
    with pytest.raises(NoSecret, match="31 bytes"):
        read_secret(str(path))
    path.write_bytes(SECRET + b"\n")
    assert read_secret(str(path)) == SECRET
