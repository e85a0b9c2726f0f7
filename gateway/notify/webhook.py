"""Delivers alerts to webhooks: a signed POST of JSON to an address that may be reached, once looked up and then held to.

Theory of operation: the host's name is resolved here, and each of its addresses must be one that `addresses.may_reach` allows: one that is
not, and the webhook is refused, since the next look-up might give that one. The request then goes to an address that was
looked at, with the name in the header Host and in TLS, so that the certificate is checked against the name. Nothing of
the answer counts but its status; its body is never read, and a redirect is not followed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from gateway.notify.addresses import SCHEMES, host_and_port, may_reach, webhook_flaw
from gateway.notify.deliveries import Delivery
from gateway.notify.ports import DELIVERED, Attempt, Begin, Clock
from gateway.notify.signing import account_key, signature

ATTEMPT_S: Final = 10.0
"""How long one attempt may take altogether."""
CONNECTIONS_MAX: Final = 100
TOO_MANY: Final = 429


class Hook(msgspec.Struct, frozen=True):
    """What a webhook is sent. `id` is the event's, the same at each attempt; `cause` names what made the alert."""

    id: str
    account: str
    alert: str
    symbol: str
    time_ms: int
    text: str
    cause: str


class NotAllowed(Exception):
    """A webhook's address is one that must not be reached."""


class WebhookSender:
    """Sends webhooks, signed with keys from the venue's `secret`. Implements `ports.Sender`. Close it at the end.

    `private`: receivers may stand on this machine or in a private network. `tls`: whom to trust; by default whom httpx trusts.
    """

    def __init__(
        self,
        secret: bytes,
        clock: Clock,
        *,
        private: bool = False,
        tls: ssl.SSLContext | None = None,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._private = private
        self._attempt_s = attempt_s
        self._client = httpx.AsyncClient(
            verify=tls or True,
            timeout=attempt_s,
            follow_redirects=False,
            trust_env=False,  # a proxy would be asked by name
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Give all connections up."""
        await self._client.aclose()

    async def send(self, delivery: Delivery, begin: Begin, further: Sequence[Delivery] = ()) -> Attempt:
        """Make one attempt. Whatever the receiver has not answered is tried again: it knows repeats by the event's id."""
        assert not further, "each webhook tells of one event"
        flaw = webhook_flaw(delivery.target)
        if flaw:
            return Attempt("given-up", flaw)
        try:
            async with asyncio.timeout(self._attempt_s):
                addresses = await self._look_up(delivery.target)
        except NotAllowed as error:
            return Attempt("given-up", str(error))
        except (OSError, UnicodeError, TimeoutError) as error:
            return Attempt("again", f"the host cannot be found: {error}")
        await begin()
        try:
            async with asyncio.timeout(self._attempt_s):
                status = await self._post(delivery, addresses[delivery.attempts % len(addresses)])
        except TimeoutError:
            return Attempt("again", f"no answer within {self._attempt_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Attempt("again", f"the connection failed: {str(error) or type(error).__name__}")
        return _judged(status)

    async def _look_up(self, url: str) -> list[str]:
        """Return the addresses of a URL's host, at least one. Raises NotAllowed, or OSError when there is none."""
        host, port = host_and_port(urlsplit(url))
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        wrong = [address for address in addresses if not may_reach(address, private=self._private)]
        if wrong:
            raise NotAllowed(f"{host} is at {wrong[0]}, an address that webhooks must not reach")
        return addresses

    async def _post(self, delivery: Delivery, address: str) -> int:
        """Send it to one of its host's addresses, and return the answer's status."""
        parts = urlsplit(delivery.target)
        host, port = host_and_port(parts)
        body, headers = self.signed(delivery)
        shown = f"[{host}]" if ":" in host else host
        headers["Host"] = shown if port == SCHEMES[parts.scheme] else f"{shown}:{port}"
        url = httpx.URL(delivery.target).copy_with(host=address)
        extensions = {"sni_hostname": host}
        async with self._client.stream("POST", url, content=body, headers=headers, extensions=extensions) as answer:
            return answer.status_code

    def signed(self, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of a request that is sent now."""
        alert = delivery.alert
        hook = Hook(delivery.event, alert.account, alert.alert, alert.symbol, alert.time_ms, alert.text, alert.event)
        body, timestamp = msgspec.json.encode(hook), str(self._clock.now_ms() // 1000)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Openbell",
            "Openbell-Event": delivery.event,
            "Openbell-Timestamp": timestamp,
            "Openbell-Signature": signature(account_key(self._secret, alert.account), timestamp, body),
        }
        return body, headers


def _judged(status: int) -> Attempt:
    """Say what an answer means.

    >>> [_judged(status).outcome for status in (204, 301, 404, 429, 503)]
    ['delivered', 'given-up', 'given-up', 'again', 'again']
    """
    if 200 <= status <= 299:
        return DELIVERED
    return Attempt("again" if status == TOO_MANY or status >= 500 else "given-up", f"the receiver answered {status}")
