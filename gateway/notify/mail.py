"""Delivers alerts by e-mail: one message to one address, over the operator's mail server (SMTP, RFC 5321).

Theory of operation: up to the moment when the message itself goes out, the server cannot have taken it, so whatever goes wrong may be
tried again. From then on only an answer tells: a refusal is one, and may be tried again if it is for a while (4xx); no answer
leaves open whether the message was taken, so it is not sent again. What goes in between, aiosmtplib does.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as CRLF_LINES
from email.utils import format_datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPResponse, SMTPStatus

from exchange.analysis import Alert
from gateway.notify.addresses import email_flaw
from gateway.notify.deliveries import Delivery
from gateway.notify.ports import DELIVERED, Attempt, Begin, Clock

ATTEMPT_S: Final = 10.0
"""How long each of the two parts of an attempt may take: up to the message, and from it to the answer."""
QUIT_S: Final = 1.0
SUBJECT_MAX: Final = 150
TEXT_MAX: Final = 4_000
"""Greatest length of a subject and of an alert's text, in characters."""
FOR_A_WHILE: Final = range(400, 500)

_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_PLAIN = CRLF_LINES.clone(cte_type="7bit")  # what every server can take
_LEADING_STOP = re.compile(rb"^\.", re.MULTILINE)


class InvalidServer(Exception):
    """A mail server's URL that cannot be used: one sentence that says what to write."""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and as whom. `starttls`: the connection must become TLS; `tls`: it is from the first byte."""

    host: str
    port: int
    starttls: bool = False
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str, password: str | None = None) -> MailServer:
        """Return the server that a URL names.

        >>> MailServer.from_url("smtp+starttls://ann@mail.example.org", "secret").port
        587

        Raises:
            InvalidServer: if it names none, or would send a password in the clear.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidServer(f"{url!r} is no URL: write one such as smtps://mail.example.org") from error
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or port == 0:
            raise InvalidServer(
                f"{url!r} names no mail server: write {', '.join(f'{each}://HOST[:PORT]' for each in _PORTS)}"
            )
        if parts.password is not None:
            raise InvalidServer("a URL is no place for a password: write it into a file")
        user = unquote(parts.username) if parts.username else None
        if (user is None) != (password is None):
            raise InvalidServer("a user needs a password, and a password a user: name both or neither")
        if user is not None and parts.scheme == "smtp":
            raise InvalidServer("a password must not be sent in the clear: write smtps:// or smtp+starttls://")
        return cls(
            parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "smtp+starttls", parts.scheme == "smtps",
            user, password,
        )  # fmt: skip


class MailSender:
    """Sends e-mails from one address. Implements `ports.Sender`. `tls`: whom to trust; by default whom the system trusts."""

    def __init__(
        self,
        server: MailServer,
        sender: str,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self._server = server
        self._sender = Address(addr_spec=sender)
        self._clock = clock
        self._tls = tls or ssl.create_default_context()
        self._attempt_s = attempt_s

    async def send(self, delivery: Delivery, begin: Begin, further: Sequence[Delivery] = ()) -> Attempt:
        """Make one attempt, with one message for all."""
        flaw = email_flaw(delivery.target)
        if flaw:
            return Attempt("given-up", flaw)
        client = self._client()
        try:
            try:
                async with asyncio.timeout(self._attempt_s):
                    refusal = await self._hand_over(client, delivery.target)
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                return _before(error)
            if refusal:
                return refusal
            await begin()
            return await self._deliver(client, self.message(delivery, further))
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            local_hostname=self._sender.domain,
            use_tls=server.tls,
            start_tls=server.starttls,
            tls_context=self._tls,
            timeout=self._attempt_s,
        )

    async def _hand_over(self, client: aiosmtplib.SMTP, recipient: str) -> Attempt | None:
        """Do all that comes before the message; return the refusal, if it is one of DATA. Raises what aiosmtplib raises."""
        await client.connect()
        await client.mail(self._sender.addr_spec)
        await client.rcpt(recipient)
        answer = await client.execute_command(b"DATA")
        return None if answer.code == SMTPStatus.start_input else _refusal(answer.code, answer.message)

    async def _deliver(self, client: aiosmtplib.SMTP, message: EmailMessage) -> Attempt:
        """Send the message and say what the server made of it."""
        raw = _LEADING_STOP.sub(b"..", message.as_bytes())
        try:
            async with asyncio.timeout(self._attempt_s):
                answer = await _answered(client, raw + b".\r\n")
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            what = "the mail server did not answer to the message, so it may or may not have been taken"
            return Attempt("given-up", f"{what}: {_said(error)}")
        if answer.code != SMTPStatus.completed:
            return _refusal(answer.code, answer.message)
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=QUIT_S)
        return DELIVERED

    def message(self, delivery: Delivery, further: Sequence[Delivery] = ()) -> EmailMessage:
        """Return the message: an event in full, and a line for each one `further`. Its id is the first event's, so that mail programs show one only."""
        alert = delivery.alert
        more = f" and {len(further)} more" if further else ""
        message = EmailMessage(_PLAIN)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=delivery.target)
        message["Subject"] = _line(f"Openbell alert {alert.alert}: {alert.symbol}{more}")
        message["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC))
        message["Message-ID"] = f"<{delivery.event}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        lines = "".join(f"{_when(each.alert)}: {_line(each.alert.text)}\n" for each in further)
        since = f"And since then:\n{lines}\n" if further else ""
        message.set_content(
            f"{alert.text[:TEXT_MAX]}\n\n{since}"
            f"Alert {alert.alert} of account {alert.account}, {_line(alert.symbol)}, {_when(alert)}.\n"
        )
        return message


async def _answered(client: aiosmtplib.SMTP, raw: bytes) -> SMTPResponse:
    """Send what follows DATA, and return the answer."""
    if client.protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
    client.protocol.write(raw)
    return await client.protocol.read_response()


def _before(error: Exception) -> Attempt:
    """Say what an error before the message means."""
    if isinstance(
        error, aiosmtplib.SMTPAuthenticationError
    ):  # not the recipient's fault, and put right by the operator
        return Attempt("again", f"the mail server refuses the login: {error.code} {error.message}")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _refusal(error.code, error.message)
    return Attempt("again", f"the mail server cannot be used: {_said(error)}")


def _refusal(code: int, message: str) -> Attempt:
    return Attempt("again" if code in FOR_A_WHILE else "given-up", f"the mail server answered {code} {message}")


def _when(alert: Alert) -> str:
    return datetime.fromtimestamp(alert.time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _line(text: str) -> str:
    r"""Return a text as one line: what prints, single spaces, `SUBJECT_MAX` at most.

    >>> _line("dip\r\nBcc: all@example.org")
    'dip Bcc: all@example.org'
    """
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:SUBJECT_MAX]
