"""The order flow of the benchmarks, encoded beforehand so that making it costs no time while it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from exchange import messages as m
from exchange.instruments import Instrument
from exchange.packets import encode

SYMBOLS = tuple(f"BENCH{number}USD" for number in range(16))
REFERENCE_TICKS = 10_000
SPREAD_TICKS = 10.0
QUANTITY_MAX = 100


def instrument(symbol: str) -> Instrument:
    """Return the listing of a benchmark symbol."""
    return Instrument(symbol=symbol, base=symbol.removesuffix("USD"), quote="USD")


def _terms(random: Random) -> tuple[m.Side, int, int]:
    """Draw a side, a price around the reference (normal, so that four of ten orders trade at once) and a quantity."""
    side: m.Side = "buy" if random.random() < 0.5 else "sell"
    return side, REFERENCE_TICKS + round(random.gauss(0, SPREAD_TICKS)), random.randint(1, QUANTITY_MAX)


def market_orders(symbol: str, seed: int) -> Iterator[m.EnterOrder]:
    """Yield endless `@market` limit orders of one symbol."""
    random = Random(f"{seed} {symbol}")
    seq = 0
    while True:
        seq += 1
        side, price, quantity = _terms(random)
        yield m.EnterOrder(
            source="@bench", seq=seq, time_ms=0, account=m.MARKET, order_id=-seq, symbol=symbol, side=side, price=price,
            quantity=quantity,
        )  # fmt: skip


def book_packets(orders: int, packet: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (symbol, record value): `orders` orders over all symbols in turn, `packet` to a record."""
    sources = {symbol: market_orders(symbol, seed) for symbol in SYMBOLS}
    for number in range(orders // packet):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        yield symbol, encode(list(islice(sources[symbol], packet)))


def account_names(accounts: int) -> list[str]:
    """Return the names of the benchmark's accounts."""
    return [f"bench-{number}" for number in range(accounts)]


def funding(account: str, created_ms: int) -> list[m.AccountCommand]:
    """Return the commands that open an account and pay for all its orders to come."""
    made: list[m.AccountCommand] = [m.OpenAccount(account=account, request_id="open", created_ms=created_ms)]
    assets = ("USD", *(instrument(symbol).base for symbol in SYMBOLS))
    made += [
        m.Deposit(account=account, request_id=f"fund-{asset}", created_ms=created_ms, asset=asset, amount=10**14)
        for asset in assets
    ]
    return made


def placements(accounts: int, orders: int, created_ms: int, seed: int = 1) -> Iterator[m.PlaceOrder]:
    """Yield `orders` limit orders of random accounts on random symbols."""
    random = Random(seed)
    names = account_names(accounts)
    for number in range(orders):
        side, price, quantity = _terms(random)
        yield m.PlaceOrder(
            account=random.choice(names), request_id=f"p{number}", created_ms=created_ms, symbol=random.choice(SYMBOLS),
            side=side, price=price, quantity=quantity,
        )  # fmt: skip
