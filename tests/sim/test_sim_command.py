"""`openbell sim` as a process: how soon it answers, what its options do, how it ends."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from openbell.cli import app
from openbell.supervise.processes import wait_until

START_S = 3.0
"""Within so much of a core's time it is ready, whatever else the machine does."""


@dataclass
class Running:
    """A simulator that runs."""

    process: subprocess.Popen[str]
    url: str
    said: str
    start_s: float

    @property
    def sockets(self) -> str:
        return self.url.replace("http", "ws")


@contextmanager
def simulator(folder: Path, *options: str) -> Iterator[Running]:
    """Run `openbell sim` in an empty folder, and end it with Ctrl-C."""
    log = folder / "said"
    command = [sys.executable, "-m", "openbell", "sim", "--port", "0", "--api-key", "me:shh", *options]
    with log.open("w") as out:
        work = folder / "work"
        work.mkdir()
        process = subprocess.Popen(command, cwd=work, stdout=out, stderr=subprocess.STDOUT, text=True)
    try:
        assert wait_until(lambda: "begin anew" in log.read_text() or process.poll() is not None, 60, every=0.01)
        said = log.read_text()
        found = re.search(r"http://[0-9.:]+", said)
        assert found, said
        yield Running(process, found[0], said, _cpu_s(process.pid))
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
        assert list(work.iterdir()) == [], "it leaves no file"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _cpu_s(pid: int) -> float:
    """Return how much of a core's time a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_of(socket: ClientConnection) -> ConnectionClosed:
    """Read to the end of a connection, and return how it ended."""
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed


def signed(**parameters: str | int) -> str:
    """Return a query as Binance's clients sign it."""
    query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
    return f"{query}&signature={hmac.new(b'shh', query.encode(), hashlib.sha256).hexdigest()}"


def test_it_starts_trades_by_both_interfaces_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with simulator(tmp_path, "--symbols", "AAPL,MSFT", "--account-cash", "5000") as running:
        print(f"started in {running.start_s:.2f} s of a core")
        assert running.start_s < START_S
        assert "ccxt" in running.said
        assert "python-binance" in running.said
        with httpx.Client(base_url=running.url) as client:
            markets = client.get("/api/native/markets").json()
            assert [each["symbol"] for each in markets] == ["AAPL", "MSFT"]
            assert all(each["bid"] and each["ask"] for each in markets), "somebody quotes"
            key = {"X-Api-Key": "me.shh"}
            order = {"symbol": "AAPL", "side": "buy", "quantity": "2", "price": "150.00", "kind": "limit"}
            assert client.post("/api/native/orders", json=order, headers=key).json()["order"]["state"] == "FILLED"
            query = signed(symbol="MSFT", side="BUY", type="MARKET", quantity=1, newOrderRespType="FULL")
            answer = client.post(f"/api/v3/order?{query}", headers={"X-MBX-APIKEY": "me"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == "FILLED"
            balances = {each["asset"]: each["free"] for each in _account(client)["balances"]}
            assert float(balances["AAPL"]) == 10_002
            assert 4_600 < float(balances["USD"]) < 4_800
        with connect(f"{running.sockets}/ws/aapl@trade", proxy=None) as socket:
            assert '"e":"trade"' in str(socket.recv(timeout=20)), "somebody trades"


def _account(client: httpx.Client) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = client.get(
        f"/api/v3/account?{signed()}", headers={"X-MBX-APIKEY": "me"}
    ).json()
    return found


def test_faults_by_chance_show(tmp_path: Path) -> None:
    with simulator(tmp_path, "--latency", "60:10", "--refuse", "50", "--disconnect", "0.5", "--no-makers") as running:
        order = {"symbol": "AAPL", "side": "buy", "quantity": "1", "price": "1.00", "kind": "limit"}
        with httpx.Client(base_url=running.url, headers={"X-Api-Key": "me.shh"}) as client:
            began = time.monotonic()
            codes = [client.post("/api/native/orders", json=order).status_code for _ in range(16)]
            assert time.monotonic() - began >= 16 * 0.05
        assert {201, 503} == set(codes), codes
        with connect(f"{running.sockets}/live/markets", proxy=None) as socket:
            end_of(socket)


def test_the_archive_is_replayed(tmp_path: Path) -> None:
    with simulator(tmp_path, "--replay", "--speed", "864000") as running, httpx.Client(base_url=running.url) as client:

        def candles() -> list[dict[str, str]]:
            answer = client.get("/api/native/candles/AAPLUSD", params={"span": "1d"})
            found: list[dict[str, str]] = answer.json() if answer.status_code == 200 else []
            return found

        assert wait_until(lambda: len(candles()) >= 3, 30, every=0.05)
        first = candles()[0]
        assert first["start_ms"] == 951_868_800_000, "1 March 2000"
        prices = [float(first[name]) for name in ("open", "high", "low", "close")]
        assert prices == [118.56, 132.06, 118.50, 130.31]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--latency", "soon"], "--latency 'soon' is not MS or MS:JITTER"),
        (["--symbols", "NOPE"], "there is no listing of 'NOPE'"),
        (["--api-key", "half"], "--api-key is not KEY:SECRET"),
        (["--replay", "--symbols", "AAPL"], "leave --symbols and --listings away"),
    ],
)
def test_wrong_options_are_said(options: list[str], wrong: str) -> None:
    ended = CliRunner().invoke(app, ["sim", *options])
    assert ended.exit_code == 2
    assert wrong in ended.stderr
