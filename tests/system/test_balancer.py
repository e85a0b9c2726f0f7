"""Several gateways behind a load balancer, none of them sticky: what one took, all know, and one that is killed costs nobody an order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from redis_server import free_port
from venue import Venue
from websockets.sync.client import connect

from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from tests.clients.conftest import openbell
from tests.system.signed_client import Client, Key

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SYMBOL = "ALDERUSD"
GATEWAYS = 3
ORDERS = 120
WAIT_S = 60
ROOT = Path(__file__).parents[2]


class Balanced(NamedTuple):
    """Where the balancer listens, the gateways' processes, and a key."""

    url: str
    gateways: list[subprocess.Popen[bytes]]
    key: Key


def _gateway(stack: Stack, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start one more gateway of the stack's venue, told what the stack's own was told but for its ports."""
    told = Path(f"/proc/{stack.pid('gateway')}/cmdline").read_bytes().decode().split("\0")[:-1]
    told[told.index("--port") + 1] = str(port)
    told[told.index("--seed-port") + 1] = "-1"
    told += ["--trusted-proxy", "127.0.0.1"]
    with log.open("wb") as output:
        return subprocess.Popen(
            told, stdout=output, stderr=output, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )


@pytest.fixture(scope="module")
def balanced(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    """Three gateways, HAProxy before them, and a funded trader."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        pytest.skip("needs haproxy: make prepare")
    folder = tmp_path_factory.mktemp("balancer")
    venue = Venue(stack, stack.venue, stack.settings.clock)
    venue.list(SYMBOL)
    user = openbell(stack, "user", "create", "balanced", "--role", "trader", typed="correct horse battery staple\n")
    made = openbell(stack, "key", "create", "balanced", "--scope", "read", "--scope", "trade")
    base = SYMBOL.removesuffix("USD")
    venue.fund("balanced-maker", **{"USD": 10**12, base: 10**6})
    venue.fund(user["account"], **{"USD": 10**12, base: 10**6})
    venue.order("balanced-maker", "wall", "sell", 10_000, 10**6, symbol=SYMBOL)
    ports = [free_port() for _ in range(GATEWAYS + 1)]
    gateways = [_gateway(stack, port, folder / f"{port}.log") for port in ports[1:]]
    servers = "\n".join(f"    server g{port} 127.0.0.1:{port} check inter 200ms fall 1 rise 1" for port in ports[1:])
    (folder / "haproxy.cfg").write_text(
        f"""global
    maxconn 4000
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    option forwardfor
    retries 2
frontend all
    bind 127.0.0.1:{ports[0]}
    default_backend gateways
backend gateways
    balance roundrobin
    option httpchk GET /health
    http-check send hdr Host localhost
{servers}
"""
    )
    balancer = subprocess.Popen([haproxy, "-q", "-f", str(folder / "haproxy.cfg")])
    url = f"http://127.0.0.1:{ports[0]}"
    try:
        for port in ports:
            ready = partial(_depth, f"http://127.0.0.1:{port}")
            assert wait_until(ready, WAIT_S, every=0.2), f"nobody answers at {port}: see {folder}"
        yield Balanced(url, gateways, Key(url, made["key_id"], made["secret"]))
    finally:
        for process in (balancer, *gateways):
            process.kill()
            process.wait()


def _depth(url: str) -> Any:
    try:
        answer = httpx.get(f"{url}/api/v3/depth", params={"symbol": SYMBOL, "limit": 5})
    except httpx.HTTPError:
        return None
    return answer.json().get("asks") if answer.status_code == 200 else None


class Persistent(Client):
    """Tries again, under the same client order id, whatever happens to its connection."""

    tried = 0

    def buy(self, order_id: str) -> dict[str, Any]:
        """Place an order until its outcome is known."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            self.tried += 1
            answer = self.place(order_id, price="100.00")
            if answer.status == 200:
                placed: dict[str, Any] = answer.body
                return placed
            assert answer.status in (0, 502, 503, 504), answer  # 0: the gateway is gone, or has gone while it answered
        raise AssertionError(f"{order_id} has no outcome within {WAIT_S} s")


def test_what_one_gateway_takes_all_know_at_once(balanced: Balanced) -> None:
    client = Persistent(balanced.key, SYMBOL)
    for number in range(2 * GATEWAYS):
        placed = client.buy(f"known-{number}")
        asked = [client.ask("GET", "order", symbol=SYMBOL, orderId=placed["orderId"]).body for _ in range(GATEWAYS)]
        assert {each["status"] for each in asked} == {"FILLED"}
        assert {each["clientOrderId"] for each in asked} == {f"known-{number}"}


def test_a_killed_gateway_costs_no_order_and_makes_none_twice(balanced: Balanced) -> None:
    client = Persistent(balanced.key, SYMBOL)
    before = _filled(client)
    half = threading.Event()

    def kill() -> None:
        assert half.wait(WAIT_S)
        balanced.gateways[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    ids = []
    for number in range(ORDERS):
        ids.append(client.buy(f"killed-{number}")["orderId"])
        if number == ORDERS // 2:
            half.set()
    killer.join()
    assert balanced.gateways[0].wait(10) == -signal.SIGKILL
    assert len(set(ids)) == ORDERS
    print(f"{client.tried} attempts for {ORDERS} orders")
    assert _filled(client) - before == ORDERS


def _filled(client: Persistent) -> int:
    """How many shares the account has bought, by the money it has spent."""
    answer = client.ask("GET", "account")
    balances = {each["asset"]: each for each in answer.body["balances"]}
    return round(float(balances[SYMBOL.removesuffix("USD")]["free"]))


def test_a_stream_goes_on_at_another_gateway_without_a_hole(balanced: Balanced) -> None:
    client = Persistent(balanced.key, SYMBOL)
    url = balanced.url.replace("http", "ws")
    seen: list[int] = []
    for round_number in range(2):
        with connect(f"{url}/ws/{SYMBOL.lower()}@trade", open_timeout=20) as socket:
            for number in range(5):
                client.buy(f"stream-{round_number}-{number}")
                seen.append(_trade(socket.recv(timeout=20)))
    assert seen == list(range(seen[0], seen[0] + len(seen)))


def _trade(text: str | bytes) -> int:
    return int(json.loads(text)["t"])
