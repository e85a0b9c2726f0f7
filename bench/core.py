"""The machines alone: no Kafka, no Flink. What they leave of a second is what the rest may cost."""

from __future__ import annotations

import time

from bench import flow
from exchange import messages as m
from exchange import topics
from exchange.host import Record, book_host
from exchange.packets import encode


def _listed(symbol: str) -> Record:
    return Record(
        topics.BOOK_INBOX, 0, 0, 0, symbol, encode(m.ListInstrument(key=symbol, instrument=flow.instrument(symbol)))
    )


def books(orders: int, packet: int) -> float:
    """Return the orders per second through the host of the books: decode, match, encode, changed state."""
    packets = list(flow.book_packets(orders, packet))
    host = book_host("live", 16)
    for symbol in flow.SYMBOLS:
        host.process(_listed(symbol), dict)
    start = time.perf_counter()
    for symbol, value in packets:
        host.process(Record(topics.BOOK_INBOX, 0, 1, 0, symbol, value), dict)
    return orders / (time.perf_counter() - start)


def resting(depth: int, packet: int = 100, packets: int = 200) -> tuple[float, float]:
    """Fill a book with `depth` orders, then return orders per second and state bytes written per order of a crossing flow."""
    symbol = flow.SYMBOLS[0]
    host = book_host("live", 16)
    host.process(_listed(symbol), dict)
    seq = 0
    for start in range(0, depth, 1_000):
        orders = []
        for number in range(start, min(start + 1_000, depth)):
            seq += 1
            if number % 2:
                orders.append(_order(symbol, seq, "buy", 9_000 - number % 4_000, 10))
            else:
                orders.append(_order(symbol, seq, "sell", 11_000 + number % 4_000, 10))
        host.process(Record(topics.BOOK_INBOX, 0, 1, 0, symbol, encode(orders)), dict)
    values = []
    for _ in range(packets):
        orders = []
        for number in range(packet):
            seq += 1
            orders.append(_order(symbol, seq, "sell" if number % 2 else "buy", 10_000 + number % 3, 1 + number % 7))
        values.append(encode(orders))
    written = 0
    begin = time.perf_counter()
    for value in values:
        outcome = host.process(Record(topics.BOOK_INBOX, 0, 1, 0, symbol, value), dict)
        written += sum(len(text or "") for text in outcome.changes.values())
    return packet * packets / (time.perf_counter() - begin), written / (packet * packets)


def _order(symbol: str, seq: int, side: m.Side, price: int, quantity: int) -> m.EnterOrder:
    return m.EnterOrder(
        source="@bench", seq=seq, time_ms=0, account=m.MARKET, order_id=-seq, symbol=symbol, side=side, price=price,
        quantity=quantity,
    )  # fmt: skip
