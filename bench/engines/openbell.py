"""Openbell's own book behind the adapters' contract."""

from __future__ import annotations

from collections.abc import Sequence

from bench.engines import flows
from bench.engines.adapters import Adapter, Call, Trade
from exchange import messages as m
from exchange.book import Book
from exchange.packets import decode_book_inbox, encode


class Openbell(Adapter):
    """A `Book` for each symbol; messages come as the wire gives them, decoded, so that each has strings of its own."""

    def __init__(self, symbols: int, remember: bool = True) -> None:
        self.opened = 0
        self.taken = [0] * symbols
        super().__init__(symbols, remember)

    def open(self) -> Book:
        self.opened += 1
        return flows.listed_book(self.opened - 1)

    def prepare(self, command: Sequence[int]) -> Call:
        symbol = command[0]
        self.taken[symbol] += 1
        (message,) = decode_book_inbox(encode(flows.message(command, self.taken[symbol])))
        return self.books[symbol].apply, (message, 0)

    def carry_out(self, command: Sequence[int]) -> list[object]:
        symbol = command[0]
        self.taken[symbol] += 1
        events: list[object] = self.books[symbol].apply(flows.message(command, self.taken[symbol]), 0)
        return events

    def trades(self, result: list[object]) -> list[Trade]:
        return [(one.price, one.quantity, -one.maker_order) for one in result if type(one) is m.Trade]
