"""From an order at REST to the painted cell of a browser, by hop, and what hundreds of websockets cost.

A process of its own places pairs of orders over REST, a sell and a buy at one price, at a steady rate; each pair makes one trade. Its
buy or sell, whichever came second, is followed: by the append times in the log, by the moment at which Redis shows the trade, and by
what a page in a real browser notes when the websocket's message comes in, and when its row has been painted.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from typing import Any
from urllib.request import urlopen

import msgspec
import redis
from playwright.sync_api import sync_playwright
from websockets.asyncio.client import connect

from bench import flow
from bench.cluster import SHARDS, started
from bench.latency import Latency
from bench.machine import percentile
from exchange import messages as m
from exchange import topics
from exchange.packets import (
    PacketDecoder,
    decode_account_inbox,
    decode_book_inbox,
    decode_order_reports,
    decode_trades,
)
from gateway.keys import Keys, MarketRow
from gateway.limiting.settings import LimitSettings
from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from wire.reader import Reader
from wire.writer import PacketWriter

SYMBOL = flow.SYMBOLS[0]
CONNECTIONS = 32
LIMITS = ",".join(f"{limit.name}=1000000000" for limit in fields(LimitSettings))
"""None that would be reached."""
WARM_UP_S = 40
HOPS = (
    "REST to account-inbox",
    "accounts: to book-inbox",
    "matching: to trades",
    "projector: to Redis",
    "gateway: to the browser",
    "browser: to the painted row",
    "order at REST to painted row",
)

OBSERVE = """() => {
  const now = () => performance.timeOrigin + performance.now();
  const seen = window.benchSeen = {};
  let received = 0;
  document.body.addEventListener('htmx:wsBeforeMessage', () => { received = now(); });
  const look = () => {
    const fresh = [];
    for (const row of document.querySelectorAll('#tape tbody tr')) {
      if (!(row.dataset.seq in seen)) fresh.push(seen[row.dataset.seq] = {received, painted: 0});
    }
    if (fresh.length) requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => { const at = now(); for (const one of fresh) one.painted = at; };
      channel.port2.postMessage(0);
    });
  };
  new MutationObserver(look).observe(document.getElementById('main'), {childList: true, subtree: true});
}"""


@contextmanager
def market(**settings: Any) -> Iterator[Stack]:
    """Start a whole stack with a live venue, one symbol listed and the demo account funded; keywords are fields of `Settings`."""
    with started(jobs=True, venue="bench", clock="live", limits=LIMITS, **settings) as stack:
        listed = flow.instrument(SYMBOL)
        with PacketWriter(stack.bootstrap_servers, stack.venue) as writer:
            writer.send(topics.BOOK_INBOX, SYMBOL, [m.ListInstrument(key=SYMBOL, instrument=listed)])
            for shard in map(str, range(SHARDS)):
                writer.send(topics.ACCOUNT_INBOX, shard, [m.ListInstrument(key=shard, instrument=listed)])
        balances = f"{stack.page_url}/api/native/balances"
        if not wait_until(lambda: len(_get(balances)) > 1, 60, every=0.2):
            raise TimeoutError("the demo account was not funded within 60 s")
        yield stack


def order_to_paint(stack: Stack, rate: int, seconds: int) -> list[Latency]:
    """Return each hop's latency at `rate` orders a second over `seconds`, after a warm-up at the same rate."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{stack.page_url}/market/{SYMBOL}?span=1m")
        page.evaluate(OBSERVE)
        with _watching_redis(stack) as shown:
            placed = _place(stack, rate, seconds + WARM_UP_S)
            page.wait_for_timeout(2_000)
        seen = {int(seq): one for seq, one in page.evaluate("() => window.benchSeen").items()}
        browser.close()
    return _hops(stack, placed, shown, seen)


def clients(stack: Stack, number: int, rate: int, seconds: int) -> dict[str, Any]:
    """Let many websockets watch one market at a rate of orders; return the delay from trade to client, and the memory."""
    before = stack.memory_mb()["gateway"]
    started, done = multiprocessing.get_context("spawn").Event(), multiprocessing.get_context("spawn").Event()
    queue: Any = multiprocessing.get_context("spawn").Queue()
    url = stack.page_url.replace("http", "ws") + f"/live/market/{SYMBOL}?span=1m"
    watchers = multiprocessing.get_context("spawn").Process(target=_watch, args=(url, number, started, done, queue))
    watchers.start()
    started.wait(60)
    _place(stack, rate, seconds)
    memory = stack.memory_mb()["gateway"]
    done.set()
    received: list[tuple[int, float]] = queue.get(timeout=60)
    watchers.join()
    traded = {trade.seq: at for trade, at in _messages(stack, topics.TRADES, decode_trades, m.Trade)}
    delays = [at - traded[seq] for seq, at in received if seq in traded]
    return {
        "clients": number,
        "trades seen": len(delays),
        **{f"p{percent}": round(percentile(delays, percent), 1) for percent in (50, 95, 99)},
        "memory before MB": round(before),
        "memory with clients MB": round(memory),
    }


def _get(url: str) -> Any:
    with urlopen(url, timeout=5) as answer:
        return json.load(answer)


def _place(stack: Stack, rate: int, seconds: int) -> dict[int, float]:
    """Place orders from another process and return when each was sent, in wall milliseconds, by order id."""
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    sender = context.Process(target=_send, args=(stack.settings.gateway_port, rate, rate * seconds, queue))
    sender.start()
    placed: dict[int, float] = queue.get(timeout=seconds + 120)
    sender.join()
    return placed


def _send(port: int, rate: int, orders: int, queue: Any) -> None:
    """Place orders at a steady rate over some connections; the odd ones of them buy."""
    placed: dict[int, float] = {}
    start = time.time() + 2
    numbers = iter(range(orders))
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            body = {"symbol": SYMBOL, "side": "buy" if number % 2 else "sell", "price": "100.00", "quantity": "1"}
            time.sleep(max(0.0, start + number / rate - time.time()))
            sent_ms = time.time() * 1000
            connection.request("POST", "/api/native/orders", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 201, text
            placed[json.loads(text)["outcome"]["order_id"]] = sent_ms

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put(dict(sorted(placed.items(), key=lambda item: item[1])))


def _watch(url: str, number: int, started: Any, done: Any, queue: Any) -> None:
    """Open websockets and note, for each, when it is first sent each trade."""
    received: list[tuple[int, float]] = []

    async def one() -> None:
        seen = 0
        async with connect(url, compression=None, max_size=None) as socket:
            opened.append(1)
            async for message in socket:
                now_ms = time.time() * 1000
                place = str(message).find('id="trade-')
                if place >= 0:
                    newest = int(str(message)[place + 10 : str(message).index('"', place + 10)])
                    if seen:
                        received.extend((seq, now_ms) for seq in range(seen + 1, newest + 1))
                    seen = newest

    opened: list[int] = []

    async def everyone() -> None:
        tasks = [asyncio.create_task(one()) for _ in range(number)]
        while not done.is_set():
            if len(opened) == number:
                started.set()
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(everyone())
    queue.put(received)


@contextmanager
def _watching_redis(stack: Stack) -> Iterator[dict[int, float]]:
    """Note when Redis shows each trade, in wall milliseconds by its number."""
    shown: dict[int, float] = {}
    client: Any = redis.Redis.from_url(stack.redis_url)
    keys = Keys(stack.venue)
    row_key = keys.of(client.get(keys.generation).decode()).market(SYMBOL)
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(keys.changed)
    stop = threading.Event()

    def watch() -> None:
        last = 0
        while not stop.is_set():
            if pubsub.get_message(timeout=0.2) is None:
                continue
            now_ms = time.time() * 1000
            row = client.get(row_key)
            trades = msgspec.json.decode(row, type=MarketRow).trades if row else 0
            for seq in range(last + 1, trades + 1):
                shown[seq] = now_ms
            last = trades

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield shown
    finally:
        stop.set()
        thread.join()


def _messages(stack: Stack, topic: str, decode: PacketDecoder[Any], kind: type[Any]) -> Iterator[tuple[Any, int]]:
    """Yield the messages of a kind in a topic, each with the time of its record."""
    with Reader(stack.bootstrap_servers, stack.venue, [topic]) as reader:
        for record in reader.to_end():
            yield from ((one, record.time_ms) for one in decode(record.value) if isinstance(one, kind))


def _hops(stack: Stack, placed: dict[int, float], shown: dict[int, float], seen: dict[int, Any]) -> list[Latency]:
    """Join what was noted along the way for each trade after the warm-up that the page has painted."""
    placements = _messages(stack, topics.ACCOUNT_INBOX, decode_account_inbox, m.PlaceOrder)
    arrived = {one.request_id: at for one, at in placements}
    entries = _messages(stack, topics.BOOK_INBOX, decode_book_inbox, m.EnterOrder)
    entered = {one.order_id: at for one, at in entries}
    reports = _messages(stack, topics.ORDER_REPORTS, decode_order_reports, m.OrderAccepted)
    requests = {one.order_id: one.request_id for one, _ in reports}
    begin_ms = next(iter(placed.values())) + WARM_UP_S * 1000
    rows = []
    for trade, traded_ms in _messages(stack, topics.TRADES, decode_trades, m.Trade):
        page, order_id = seen.get(trade.seq), trade.taker_order
        if page and page["painted"] and trade.seq in shown and placed.get(order_id, 0) >= begin_ms:
            times = (
                placed[order_id], arrived[requests[order_id]], entered[order_id], traded_ms, shown[trade.seq],
                page["received"], page["painted"],
            )  # fmt: skip
            rows.append([*(after - before for before, after in pairwise(times)), times[-1] - times[0]])
    print(f"{len(rows)} trades were followed to the page")
    columns = list(zip(*rows, strict=True))
    return [
        Latency(hop, *(round(percentile(column, percent), 1) for percent in (50, 95, 99)))
        for hop, column in zip(HOPS, columns, strict=True)
    ]
