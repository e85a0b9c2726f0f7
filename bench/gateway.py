"""What one gateway process takes in and gives out: orders by REST, by websocket and in bulk, and streams to many websockets.

Beside each rate stands the gateway's own processor time, because the exchange behind it and the clients share the machine's cores:
an order's worth of it bounds what a gateway with a core of its own takes. Bare servers, asked by the same clients in the same run, say what
a request costs before anything is done for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final

from bench import machine
from bench.echo import KINDS
from bench.flow import SYMBOLS
from bench.live import market
from bench.processor import watched
from bench.traders import Asked, Make, ask, rest, sockets
from bench.watchers import Watchers
from exchange import messages as m
from exchange import topics
from exchange.packets import decode_trades
from gateway.identity.directory import Directory
from gateway.identity.secrets import load_secret
from openbell.stack import Stack, gateway
from openbell.supervise.processes import wait_until
from wire.reader import Reader
from wire.writer import PacketWriter

Row = dict[str, Any]

SYMBOL: Final = SYMBOLS[0]
ACCOUNT: Final = "bench"
CONNECTIONS: Final = 64
SECONDS: Final = 10.0
BULK: Final = 1_000
BULK_CONNECTIONS: Final = 2
CLIENTS: Final = 1_000
UPDATES: Final = 20
"""Trades a second that a thousand clients watch."""
WARM_UP_S: Final = 20
WATCH_S: Final = 30


def measure(repeat: int) -> Iterator[Row]:
    """Yield a row for each way in, beside bare servers, and one for the websockets."""
    for kind in KINDS:
        yield from _echoed(kind, repeat)
    with market(analytics="off") as stack:
        key, secret = asyncio.run(_key(stack))
        _fund(stack)
        port, group = stack.settings.gateway_port, stack.pid("gateway")
        url = f"ws://127.0.0.1:{port}/ws-api/v3"
        ask(rest, port, signed_orders, (key, secret), CONNECTIONS, WARM_UP_S)  # the exchange behind the gateway, too
        yield from _asked(
            "orders by REST", group, 1, repeat, rest, port, signed_orders, (key, secret), CONNECTIONS, SECONDS
        )
        yield from _asked(
            "orders by websocket", group, 1, repeat, sockets, url, socket_orders, (key, secret), CONNECTIONS, SECONDS
        )
        bulk = (stack.settings.seed_port, bulk_orders, (BULK,), BULK_CONNECTIONS, SECONDS)
        yield from _asked(f"bulk orders, {BULK:,} at once", group, BULK, repeat, rest, *bulk)
    with market(analytics="off") as stack:
        _fund(stack)
        yield _watched(stack)


def fixed() -> Make:
    """Make requests that are all alike."""
    request = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    return lambda _: request


def _query(number: int, **more: str) -> dict[str, str]:
    """Sell and buy by turns at one price, so that the book stays small."""
    return {
        "symbol": SYMBOL,
        "side": "BUY" if number % 2 else "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "100.00",
        "newOrderRespType": "RESULT",
        "timestamp": str(time.time_ns() // 1_000_000),
        **more,
    }


def signed_orders(key: str, secret: str) -> Make:
    """Make signed REST requests."""

    def make(number: int) -> bytes:
        query = "&".join(f"{name}={value}" for name, value in _query(number).items())
        signature = hmac.digest(secret.encode(), query.encode(), "sha256").hex()
        path = f"POST /api/v3/order?{query}&signature={signature} HTTP/1.1"
        return f"{path}\r\nhost: localhost\r\nx-mbx-apikey: {key}\r\ncontent-length: 0\r\n\r\n".encode()

    return make


def socket_orders(key: str, secret: str) -> Make:
    """Make signed messages of the websocket API."""

    def make(number: int) -> bytes:
        params = _query(number, apiKey=key)
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return json.dumps({"id": number, "method": "order.place", "params": params}).encode()

    return make


def bulk_orders(orders: int) -> Make:
    """Make requests of many orders each."""
    order = {"symbol": SYMBOL, "qty": 1, "type": "limit", "price": 100, "time_in_force": "gtc"}
    body = json.dumps([{**order, "side": "buy" if number % 2 else "sell"} for number in range(orders)]).encode()
    head = f"POST /api/v1/orders/bulk HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    request = head.encode() + b"\r\n\r\n" + body
    return lambda _: request


def _echoed(kind: str, repeat: int) -> Iterator[Row]:
    command = [sys.executable, "-m", "bench.echo", kind]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        yield from _asked(f"bare {kind}, requests", server.pid, 1, repeat, rest, port, fixed, (), CONNECTIONS, SECONDS)
    finally:
        server.terminate()
        server.wait()


def _asked(what: str, group: int, each: int, repeat: int, *work: Any) -> Iterator[Row]:
    """Measure some times; `each` is how many of what is counted one request has."""
    rates, costs, p50, p99 = [], [], [], []
    for _ in range(repeat):
        with watched([group]) as used:
            asked: Asked = ask(*work)
        number = asked.answered * each
        rates.append(asked.rate * each)
        costs.append(used.between(asked.begin_ms, asked.end_ms) / number * 1e6)
        p50.append(machine.percentile(asked.took_ms, 50))
        p99.append(machine.percentile(asked.took_ms, 99))
    yield {
        "what": what,
        "median": f"{median(rates):,.0f} a second",
        "spread": f"{min(rates):,.0f} to {max(rates):,.0f}",
        "processor": f"{median(costs):.1f} us each",
        "a core": f"{1e6 / median(costs):,.0f} a second",
        "p50": f"{median(p50):.1f} ms",
        "p99": f"{median(p99):.1f} ms",
        "load": machine.load(),
    }


async def _key(stack: Stack) -> tuple[str, str]:
    """Make a market maker with a key, and return the key and its secret."""
    directory = Directory(gateway.database_url(stack.settings), load_secret(gateway.secret_key_file(stack.settings)))
    async with directory.running():
        await directory.users.create(ACCOUNT, None, role="market-maker", account=ACCOUNT)
        return await directory.keys.create(ACCOUNT, ("read", "trade"))


def _fund(stack: Stack) -> None:
    common = {"account": ACCOUNT, "created_ms": time.time_ns() // 1_000_000}
    base = SYMBOL.removesuffix("USD")
    with PacketWriter(stack.bootstrap_servers, stack.venue) as writer:
        commands = [
            m.OpenAccount(request_id="open", **common),  # type: ignore[arg-type]
            *(m.Deposit(request_id=asset, asset=asset, amount=10**15, **common) for asset in ("USD", base)),  # type: ignore[arg-type]
        ]
        for command in commands:
            writer.send(topics.ACCOUNT_INBOX, m.shard_of(ACCOUNT, stack.settings.account_shards), [command])


def _watched(stack: Stack) -> Row:
    """Let many websockets watch each trade, and say how long after its append to the log each of them had it."""
    before = stack.memory_mb()["gateway"]
    group = stack.pid("gateway")
    with Watchers(stack.settings.gateway_port, f"/ws/{SYMBOL.lower()}@trade", CLIENTS, b'"t":') as watchers:
        _trade(stack, "warm-up", WARM_UP_S)
        with watched([group]) as used:
            begin_ms = time.time() * 1_000
            _trade(stack, "measured", WATCH_S)
            end_ms = time.time() * 1_000
        memory = stack.memory_mb()["gateway"]
        came = watchers.came()
    traded = {number: at for number, at in _trades(stack).items() if at >= begin_ms}
    delays = [at - traded[number] for number, at in came if number in traded]
    return {
        "what": f"{CLIENTS:,} websockets, {UPDATES} trades a second",
        "trades missing": len(traded) * CLIENTS - len(delays),
        **{f"p{percent}": f"{machine.percentile(delays, percent):.0f} ms" for percent in (50, 95, 99)},
        "memory a client": f"{(memory - before) * 1_000 / CLIENTS:.0f} kB",
        "processor": f"{used.between(begin_ms, end_ms) / (end_ms - begin_ms) * 1e5:.0f} % of a core",
        "load": machine.load(),
    }


def _trade(stack: Stack, name: str, seconds: int) -> None:
    """Make trades at a steady rate, and return when all are in the log."""
    before = len(_trades(stack))
    shard = m.shard_of(ACCOUNT, stack.settings.account_shards)
    start = time.monotonic()
    with PacketWriter(stack.bootstrap_servers, stack.venue) as writer:
        for number in range(UPDATES * seconds):
            pair = [
                m.PlaceOrder(
                    account=ACCOUNT, request_id=f"{name}-{side}-{number}", created_ms=time.time_ns() // 1_000_000, symbol=SYMBOL,
                    side=side, price=10_000, quantity=1,
                )
                for side in ("sell", "buy")
            ]  # fmt: skip
            writer.send(topics.ACCOUNT_INBOX, shard, pair)
            threading.Event().wait(max(0.0, start + number / UPDATES - time.monotonic()))
    wait_until(lambda: len(_trades(stack)) - before == UPDATES * seconds, 60, every=0.5)
    threading.Event().wait(1)


def _trades(stack: Stack) -> dict[int, float]:
    """Return when each trade was appended to the log, by its number."""
    with Reader(stack.bootstrap_servers, stack.venue, [topics.TRADES]) as reader:
        return {
            one.seq: record.time_ms
            for record in reader.to_end()
            for one in decode_trades(record.value)
            if isinstance(one, m.Trade)
        }
