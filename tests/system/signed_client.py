"""What trades by the Binance-shaped API in tests of faults: signed requests, and websockets whose messages are kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from openbell.supervise.processes import wait_until

REQUEST_S = 30
WINDOW_MS = 60_000


class Key(NamedTuple):
    """An API key, and where it is used."""

    url: str
    id: str
    secret: str

    def signed(self, payload: str) -> str:
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Answer(NamedTuple):
    """What was answered; of a connection that broke 0 and nothing."""

    status: int
    body: Any
    retry_after: str | None = None
    seconds: float = 0.0

    @property
    def code(self) -> tuple[int, int]:
        """The HTTP status and Binance's code; 0 where there is none."""
        return self.status, self.body.get("code", 0) if isinstance(self.body, dict) else 0


class Client:
    """Sends signed requests about one symbol."""

    def __init__(self, key: Key, symbol: str) -> None:
        self.key, self.symbol = key, symbol
        self._http = httpx.Client(base_url=key.url, headers={"X-MBX-APIKEY": key.id}, timeout=REQUEST_S)

    def ask(self, method: str, path: str, **fields: Any) -> Answer:
        query = urlencode({**fields, "recvWindow": WINDOW_MS, "timestamp": now_ms()})
        return self._send(method, f"{path}?{query}&signature={self.key.signed(query)}")

    def read(self, path: str, **fields: Any) -> Answer:
        """Ask for what anybody may see."""
        return self._send("GET", f"{path}?{urlencode(fields)}")

    def _send(self, method: str, path: str) -> Answer:
        begun = time.monotonic()
        try:
            answer = self._http.request(method, f"/api/v3/{path}")
        except httpx.TransportError:
            return Answer(0, None, seconds=time.monotonic() - begun)
        ours = answer.headers.get("Content-Type", "").startswith(
            "application/json"
        )  # a balancer's own answers are pages
        body = answer.json() if ours else None
        return Answer(answer.status_code, body, answer.headers.get("Retry-After"), answer.elapsed.total_seconds())

    def place(self, order_id: str, **terms: Any) -> Answer:
        """Place a limit order that rests, unless its terms say otherwise."""
        return self.ask("POST", "order", **self.terms(order_id, **terms))

    def terms(self, order_id: str, **terms: Any) -> dict[str, Any]:
        usual = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "10.00"}
        return {"symbol": self.symbol, "newClientOrderId": order_id, **usual, **terms}

    def find(self, order_id: str) -> Answer:
        return self.ask("GET", "order", symbol=self.symbol, origClientOrderId=order_id)

    def open_orders(self) -> dict[str, int]:
        """Return the ids of the open orders by those that the client gave them; none may be there twice."""
        orders = self.ask("GET", "openOrders", symbol=self.symbol).body
        found = {order["clientOrderId"]: order["orderId"] for order in orders}
        assert len(found) == len(orders), orders
        return found


class Listener:
    """A websocket whose messages are kept until it is closed, by either side."""

    def __init__(self, url: str) -> None:
        self.messages: list[Any] = []
        self.ended: tuple[int, str] | None = None
        """The code and reason that the server closed it with."""
        self._socket = connect(url.replace("http", "ws", 1), open_timeout=REQUEST_S, ping_interval=None, proxy=None)
        self._thread = threading.Thread(target=self._listen)
        self._numbers = iter(range(1, 1_000_000))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(REQUEST_S)
        assert not self._thread.is_alive()

    def _listen(self) -> None:
        try:
            for message in self._socket:
                self.messages.append(json.loads(message))
        except ConnectionClosed:
            pass
        close = self._socket.protocol.close_rcvd
        self.ended = (0, "") if close is None else (int(close.code), close.reason)

    def call(self, key: Key, method: str, **fields: Any) -> Answer:
        """Make a signed request of the websocket API."""
        number, sent = next(self._numbers), {**fields, "apiKey": key.id, "recvWindow": WINDOW_MS, "timestamp": now_ms()}
        sent["signature"] = key.signed("&".join(f"{name}={sent[name]}" for name in sorted(sent)))
        self._socket.send(json.dumps({"id": number, "method": method, "params": sent}))
        mine = lambda: [each for each in tuple(self.messages) if each.get("id") == number]  # noqa: E731
        assert wait_until(lambda: bool(mine()), REQUEST_S, every=0.02), f"{method} is not answered: {self.ended}"
        (answer,) = mine()
        return Answer(answer["status"], answer.get("error") or answer["result"])

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind so far; those of an account without what is around them."""
        told = (each.get("event", each) for each in tuple(self.messages))
        return [event for event in told if event.get("e") == kind]


class Book:
    """A book kept by Binance's published recipe."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.id = snapshot["lastUpdateId"]
        self._sides = {side: dict(snapshot[name]) for side, name in (("b", "bids"), ("a", "asks"))}

    def follow(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Apply events, which must leave no gap; return the book as a snapshot tells it."""
        begun = False
        for event in events:
            if event["u"] <= self.id:
                continue
            assert event["U"] == self.id + 1 if begun else event["U"] <= self.id + 1, f"a gap before {event}"
            begun = True
            for side, levels in self._sides.items():
                levels |= dict(event[side])
            self.id = event["u"]
        bids, asks = (
            [[price, quantity] for price, quantity in levels.items() if float(quantity)]
            for levels in self._sides.values()
        )
        bids.sort(key=lambda level: -float(level[0]))
        asks.sort(key=lambda level: float(level[0]))
        return {"lastUpdateId": self.id, "bids": bids, "asks": asks}


def now_ms() -> int:
    return time.time_ns() // 1_000_000
