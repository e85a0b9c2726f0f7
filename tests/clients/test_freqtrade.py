"""A freqtrade bot, unmodified, buys once and sells once on a live market."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from support import StartStack
from venue import Venue

from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from tests.clients.conftest import PROGRAMS, PYTHON, openbell
from tests.system.signed_client import Client, Key

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SYMBOL, PAIR = "BOTUSD", "BOT/USD"
NIGHT = "OPENBELL_NIGHT"
WAIT_S = 300


def _config(folder: Path, url: str, key: str, secret: str) -> Path:
    sockets = url.replace("http", "ws", 1)
    api = {
        "public": f"{url}/api/v3",
        "private": f"{url}/api/v3",
        "ws": {"spot": f"{sockets}/ws", "ws-api": {"spot": f"{sockets}/ws-api/v3"}},
    }
    ccxt = {
        "urls": {"api": api},
        "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
    }
    config: dict[str, Any] = {
        "bot_name": "once",
        "initial_state": "running",
        "dry_run": False,
        "trading_mode": "spot",
        "max_open_trades": 1,
        "stake_currency": "USD",
        "stake_amount": 1_000,
        "timeframe": "1m",
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
        "user_data_dir": str(folder),
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {"name": "binance", "key": key, "secret": secret, "pair_whitelist": [PAIR], "ccxt_config": ccxt},
        "internals": {"process_throttle_secs": 2},
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def _keep_trading(venue: Venue, stop: threading.Event) -> None:
    """Trade a share each half second, as a market that lives does."""
    number = 0
    while not stop.wait(0.5):
        for side in ("sell", "buy"):
            venue.order("maker", f"flow-{side}-{number}", side, 9_950, 1, symbol=SYMBOL)  # type: ignore[arg-type]
        number += 1


@pytest.mark.skipif(not os.environ.get(NIGHT), reason=f"takes minutes: set {NIGHT}=1")
def test_a_bot_buys_and_sells_once(start_stack: StartStack, tmp_path: Path) -> None:
    stack: Stack = start_stack(clock="live", venue="bot", task_managers=4)
    venue = Venue(stack, stack.venue, stack.settings.clock)
    venue.list(SYMBOL)
    user = openbell(stack, "user", "create", "bot", "--role", "trader", typed="correct horse battery staple\n")
    made = openbell(stack, "key", "create", "bot", "--scope", "read", "--scope", "trade")
    venue.fund("maker", USD=10**13, BOT=10**6)
    venue.fund(user["account"], USD=10**9)
    for side, price in (("buy", 9_900), ("sell", 10_000)):
        venue.order("maker", f"wall-{side}", side, price, 10_000, symbol=SYMBOL)  # type: ignore[arg-type]
    client = Client(Key(stack.page_url, made["key_id"], made["secret"]), SYMBOL)
    stop = threading.Event()
    flow = threading.Thread(target=_keep_trading, args=(venue, stop))
    flow.start()
    try:
        log = _let_it_trade(client, tmp_path)
    finally:
        stop.set()
        flow.join()
    trades = client.ask("GET", "myTrades", symbol=SYMBOL).body
    assert [trade["isBuyer"] for trade in trades] == [True, False]
    assert trades[0]["qty"] == trades[1]["qty"] == "10"
    assert "Traceback" not in log.read_text()


def _let_it_trade(client: Client, folder: Path) -> Path:
    """Run the bot until it has bought and sold; return what it wrote."""
    candles = lambda: client.read("klines", symbol=SYMBOL, interval="1m").body  # noqa: E731
    assert wait_until(lambda: len(candles()) >= 3, WAIT_S, every=1)
    config = _config(folder, *client.key)
    command = [str(PYTHON.parent / "freqtrade"), "trade", "--config", str(config), "--strategy", "Once"]
    log = folder / "freqtrade.log"
    with log.open("wb") as output:
        bot = subprocess.Popen(
            [*command, "--strategy-path", str(PROGRAMS / "strategies")], stdout=output, stderr=output
        )
    try:
        done = lambda: len(client.ask("GET", "myTrades", symbol=SYMBOL).body) >= 2  # noqa: E731
        assert wait_until(done, WAIT_S, every=2), log.read_text()[-4_000:]
    finally:
        bot.terminate()
        bot.wait(60)
    return log
