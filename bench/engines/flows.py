"""The order flows that every engine gets: seeded, alike in each run, and such that every cancel hits an open order.

A command is `[symbol, order_id, side, price, quantity]`: side 1 buys, -1 sells, 0 cancels the order of that id (its price is 0, its
quantity 0). Symbols and orders are numbered, symbols from 0, orders from 1; prices are ticks, quantities lots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple, TypeAlias

from bench import flow
from exchange import messages as m
from exchange.book import Book

Command: TypeAlias = list[int]

REFERENCE_TICKS: Final = 100_000
DEPTH_TICKS: Final = 25.0
"""How far from the touch orders rest, in the mean."""
QUANTITY_MAX: Final = 100


class Shape(NamedTuple):
    """What of a hundred commands adds to the book, trades at once and cancels; `resting` orders come before the clock starts."""

    about: str
    adds: int
    trades: int
    cancels: int
    trade_quantity_max: int = QUANTITY_MAX
    symbols: int = 1
    resting: int = 0


SHAPES: Final[dict[str, Shape]] = {
    "mixed": Shape("of 100 commands 50 add, 20 trade, 30 cancel", 50, 20, 30),
    "add-heavy": Shape("95 add, 5 trade", 95, 5, 0),
    "cancel-heavy": Shape("55 add, 1 trades, 44 cancel: 8 of 10 orders leave by a cancel", 55, 1, 44),
    "cross-heavy": Shape("30 add, 70 trade", 30, 70, 0, trade_quantity_max=42),
    "deep": Shape("mixed, on 100,000 resting orders", 50, 20, 30, resting=100_000),
    "symbols": Shape("mixed, over 100 symbols", 50, 20, 30, symbols=100),
}


class Flow(NamedTuple):
    """Commands in their order: `before` is not measured."""

    before: list[Command]
    measured: list[Command]


def make(name: str, commands: int, seed: int = 1, resting_orders: int = 0) -> Flow:
    """Make `commands` commands of a shape; Openbell's own book says which orders are open to be cancelled."""
    shape, random = SHAPES[name], Random(f"{seed} {name}")
    before = list(resting(resting_orders or shape.resting, random))
    market = _Market(shape.symbols)
    for command in before:
        market.take(command)
    kinds = random.choices(("add", "trade", "cancel"), (shape.adds, shape.trades, shape.cancels), k=commands)
    measured: list[Command] = []
    for kind in kinds:
        symbol = random.randrange(shape.symbols)
        opened = market.open_order(symbol, random) if kind == "cancel" else 0
        if opened:
            command = [symbol, opened, 0, 0, 0]
        else:
            side, away = random.choice((1, -1)), 1 + int(random.expovariate(1 / DEPTH_TICKS))
            price = REFERENCE_TICKS + (side * away if kind == "trade" else -side * away)
            quantity = random.randint(1, shape.trade_quantity_max if kind == "trade" else QUANTITY_MAX)
            command = [symbol, market.orders + 1, side, price, quantity]
        market.take(command)
        measured.append(command)
    return Flow(before, measured)


def resting(orders: int, random: Random, first: int = 1) -> Iterator[Command]:
    """Yield orders that all rest on one book: half on each side, over 2,000 prices that lie behind those of the flows."""
    for number in range(first, first + orders):
        side = 1 if number % 2 else -1
        price = REFERENCE_TICKS - side * (200 + random.randrange(1_000))
        yield [0, number, side, price, random.randint(1, QUANTITY_MAX)]


def message(command: Sequence[int], seq: int) -> m.EnterOrder | m.PullOrder:
    """Return the message of a command for Openbell's book; `seq` counts the commands of its symbol, from 1."""
    symbol, number, side, price, quantity = command
    if not side:
        return m.PullOrder(
            source="@bench", seq=seq, time_ms=0, account=m.MARKET, order_id=-number, symbol=f"S{symbol}USD"
        )
    return m.EnterOrder(
        source="@bench", seq=seq, time_ms=0, account=m.MARKET, order_id=-number, symbol=f"S{symbol}USD",
        side="buy" if side == 1 else "sell", price=price, quantity=quantity,
    )  # fmt: skip


def listed_book(symbol: int) -> Book:
    """Return an empty book that trades."""
    name = f"S{symbol}USD"
    book = Book(name, "live", 16)
    book.apply(m.ListInstrument(key=name, instrument=flow.instrument(name)), 0)
    return book


class _Market:
    """Books that a flow is made along with."""

    def __init__(self, symbols: int) -> None:
        self.books = [listed_book(symbol) for symbol in range(symbols)]
        self.taken = [0] * symbols
        self.numbers: list[list[int]] = [[] for _ in range(symbols)]
        self.orders = 0

    def take(self, command: Command) -> None:
        """Apply a command."""
        symbol, number, side, _, _ = command
        self.taken[symbol] += 1
        self.books[symbol].apply(message(command, self.taken[symbol]), 0)
        if side:
            self.orders = number
            self.numbers[symbol].append(number)

    def open_order(self, symbol: int, random: Random) -> int:
        """Choose an open order of the symbol; 0: there is none."""
        numbers, orders = self.numbers[symbol], self.books[symbol].orders
        while numbers:
            chosen = random.randrange(len(numbers))
            numbers[chosen], numbers[-1] = numbers[-1], numbers[chosen]
            number = numbers.pop()
            if -number in orders:
                return number
        return 0
