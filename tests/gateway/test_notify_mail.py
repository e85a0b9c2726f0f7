"""What a mail server may say or leave unsaid, and what may be tried again after it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from gateway.notify.mail import InvalidServer, MailSender, MailServer
from gateway.notify.ports import Attempt, ManualClock
from tests.gateway.notified import ANN, FROM, NOW_MS, alert, certificate, delivery, mail_server, played


async def sent(server: MailServer, tls: ssl.SSLContext | None = None, **fields: Any) -> tuple[Attempt, int]:
    """Make one attempt, and return what became of it and how often it was begun."""
    begun = 0

    async def begin() -> None:
        nonlocal begun
        begun += 1

    sender = MailSender(server, FROM, ManualClock(NOW_MS), tls=tls, attempt_s=fields.pop("attempt_s", 10.0))
    return await sender.send(delivery(alert(**{"email": ANN, **fields})), begin), begun


@pytest.mark.parametrize(
    ("recipient", "message", "expected", "begun"),
    [
        ("250 OK", "250 OK", Attempt("delivered"), 1),
        ("451 busy", "250 OK", Attempt("again", "the mail server answered 451 busy"), 0),
        ("550 unknown", "250 OK", Attempt("given-up", "the mail server answered 550 unknown"), 0),
        ("250 OK", "452 full", Attempt("again", "the mail server answered 452 full"), 1),
        ("250 OK", "554 spam", Attempt("given-up", "the mail server answered 554 spam"), 1),
    ],
)
def test_what_an_answer_of_the_mail_server_means(recipient: str, message: str, expected: Attempt, begun: int) -> None:
    async def scenario() -> None:
        async with mail_server() as box:
            box.rcpt_answers, box.answers = [recipient], [message]
            assert await sent(MailServer("127.0.0.1", box.port)) == (expected, begun)
            assert len(box.taken) == (expected.outcome == "delivered")

    played(scenario)


def test_a_server_that_refuses_connections_or_says_nothing_is_tried_again() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            server = MailServer("127.0.0.1", silent.getsockname()[1])
            attempt, begun = await sent(server, attempt_s=0.2)
            assert (attempt.outcome, begun) == ("again", 0)
        attempt, begun = await sent(server)
        assert (attempt.outcome, begun) == ("again", 0)

    played(scenario)


@pytest.mark.parametrize(
    ("last", "outcome", "begun"),
    [
        (b"MAIL", "again", 0),
        (b"RCPT", "again", 0),
        (b"DATA", "again", 0),
        (b".", "given-up", 1),
    ],
)
@pytest.mark.parametrize("closes", [True, False])
def test_a_server_that_falls_silent_or_hangs_up_is_asked_again_only_before_it_had_the_message(
    last: bytes, outcome: str, begun: int, *, closes: bool
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        inside = False
        while line := await reader.readline():
            if (line.strip() == last) if inside else line.startswith(last):
                break
            if not inside:
                inside = line.startswith(b"DATA")
                writer.write(b"354 go on\r\n" if inside else b"250 OK\r\n")
        if not closes:
            await reader.read()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        attempt, times = await sent(MailServer("127.0.0.1", port), attempt_s=10.0 if closes else 0.3)
        server.close()
        assert (attempt.outcome, times) == (outcome, begun)

    played(scenario)


def test_nothing_that_an_alert_says_becomes_a_header_a_recipient_or_the_end_of_the_message() -> None:
    async def scenario() -> None:
        async with mail_server() as box:
            server = MailServer("127.0.0.1", box.port)
            evil = "X\r\nBcc: all@example.org\r\n\r\n<b>"
            text = "first\r\n.\r\nRSET\r\n..two\n\u00dcber 100 \u20ac\n" + "long " * 400
            assert await sent(server, symbol=evil, text=text) == (Attempt("delivered"), 1)
            for address in (f"{ANN}\r\nBcc: all@example.org", f"{ANN}, all@example.org", f"<{ANN}> SIZE=1", "ann", ""):
                attempt, begun = await sent(server, email=address)
                assert (attempt.outcome, begun) == ("given-up", 0), address
        [raw] = box.taken
        message = message_from_bytes(raw, policy=policy.default)
        assert box.recipients == [[ANN]]
        assert "Bcc" not in message
        assert message["To"] == ANN
        assert message["Subject"] == "Openbell alert dip: X Bcc: all@example.org <b>"
        said = message.get_content().splitlines()
        assert said[:5] == ["first", ".", "RSET", "..two", "\u00dcber 100 \u20ac"]
        assert said[5] == "long " * 400
        assert all(len(line) <= 998 for line in raw.split(b"\r\n"))

    played(scenario)


def test_a_server_with_tls_must_be_who_it_says_and_takes_the_login(tmp_path: Path) -> None:
    made = certificate(tmp_path, "IP:127.0.0.1")

    async def scenario() -> None:
        async with mail_server(made.server, auth_require_tls=False) as box:
            server = MailServer("127.0.0.1", box.port, tls=True, user="ann", password="secret")
            assert await sent(server, made.trusting) == (Attempt("delivered"), 1)
            attempt, begun = await sent(server)
            assert (attempt.outcome, begun) == ("again", 0)
            wrong = MailServer("127.0.0.1", box.port, tls=True, user="ann", password="wrong")
            attempt, begun = await sent(wrong, made.trusting)
            assert (attempt.outcome, begun) == ("again", 0)
            assert attempt.reason.startswith("the mail server refuses the login: 535")
        async with mail_server(tls_context=made.server, require_starttls=True) as box:
            assert await sent(MailServer("127.0.0.1", box.port, starttls=True), made.trusting) == (
                Attempt("delivered"),
                1,
            )
            attempt, begun = await sent(MailServer("127.0.0.1", box.port))
            assert (attempt, begun) == (
                Attempt("given-up", "the mail server answered 530 Must issue a STARTTLS command first"),
                0,
            )
        async with mail_server() as box:
            attempt, begun = await sent(MailServer("127.0.0.1", box.port, starttls=True), made.trusting)
            assert (attempt.outcome, begun, box.taken) == ("again", 0, [])

    played(scenario)


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("smtp://localhost", None, MailServer("localhost", 25)),
        ("smtp://localhost:2525/", None, MailServer("localhost", 2525)),
        ("smtps://mail.example", None, MailServer("mail.example", 465, tls=True)),
        (
            "smtp+starttls://a%40b@mail.example",
            "p",
            MailServer("mail.example", 587, starttls=True, user="a@b", password="p"),
        ),
    ],
)
def test_a_url_names_a_mail_server(url: str, password: str | None, expected: MailServer) -> None:
    assert MailServer.from_url(url, password) == expected
    assert "password" not in repr(expected)


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("http://localhost", None),
        ("localhost:25", None),
        ("smtp://", None),
        ("smtp://localhost:99999", None),
        ("smtp://ann@localhost", "p"),
        ("smtps://ann@localhost", None),
        ("smtps://localhost", "p"),
        ("smtps://ann:p@localhost", None),
        ("smtps://localhost/path", None),
    ],
)
def test_a_url_that_names_no_usable_mail_server_is_refused(url: str, password: str | None) -> None:
    with pytest.raises(InvalidServer):
        MailServer.from_url(url, password)
