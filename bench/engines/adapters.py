"""How each engine takes an order and a cancel, and what it says of its trades.

This module runs in the engine's own environment, so it imports nothing of Openbell, and each engine by name. What `prepare` gives is made
before the clock starts: the engine's own method with the arguments that it takes.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from typing import Any, TypeAlias

Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
Trade: TypeAlias = tuple[int, int, int]
"""Price, quantity, the maker's number (0: the engine does not say it)."""


class Adapter:
    """One engine with a book for each of `symbols` symbols; `remember` keeps what later cancels need."""

    reports = "price, quantity, maker and taker of each trade, in order"
    totals = False
    """Only the sum traded at each price is known, not the makers."""

    def __init__(self, symbols: int, remember: bool = True) -> None:
        self.remember = remember
        self.orders: dict[int, Any] = {}
        self.log: list[Any] = []
        self.books = [self.open() for _ in range(symbols)]

    def open(self) -> Any:
        """Return an empty book."""
        raise NotImplementedError

    def prepare(self, command: Sequence[int]) -> Call:
        """Return the call that carries out a command."""
        symbol, number, side, price, quantity = command
        book = self.books[symbol]
        return self.add(book, number, side == 1, price, quantity) if side else self.cancel(book, number)

    def carry_out(self, command: Sequence[int]) -> Any:
        """Make what the engine takes and hand it over, in one step."""
        call, arguments = self.prepare(command)
        return call(*arguments)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        """Return the call that enters an order."""
        raise NotImplementedError

    def cancel(self, book: Any, number: int) -> Call:
        """Return the call that cancels an order."""
        raise NotImplementedError

    def trades(self, result: Any) -> list[Trade]:
        """Read the trades out of what the call of an order returned."""
        raise NotImplementedError

    def logged(self) -> list[Any]:
        """Return what the engine has called back since this was last asked."""
        log, self.log[:] = self.log[:], []
        return log

    def keep(self, number: int, order: Any) -> Any:
        """Note how an order is cancelled."""
        if self.remember:
            self.orders[number] = order
        return order

    def close(self) -> None:
        """End the engine's threads, if it has any."""


class LightMatchingEngine(Adapter):
    """One engine with all symbols; it numbers orders as the flow does."""

    def open(self) -> Any:
        if not hasattr(self, "engine"):
            self.engine = import_module("lightmatchingengine.lightmatchingengine").LightMatchingEngine()
            self.names = (f"S{number}" for number in itertools.count())
        return next(self.names)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:  # noqa: ARG002
        return self.engine.add_order, (book, price, quantity, 1 if buys else 2)

    def cancel(self, book: Any, number: int) -> Call:
        return self.engine.cancel_order, (number, book)

    def trades(self, result: Any) -> list[Trade]:
        if not isinstance(result, tuple):
            return []
        order, trades = result
        return [(one.trade_price, one.trade_qty, one.order_id) for one in trades if one.trade_side != order.side]


class PyOrderBook(Adapter):
    """One book with all symbols, orders named by UUID, prices decimal."""

    def open(self) -> Any:
        if not hasattr(self, "module"):
            self.module = import_module("pyorderbook")
            self.book = self.module.Book()
            self.names = (f"S{number}" for number in itertools.count())
            self.numbers: dict[Any, int] = {}
        return next(self.names)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        order = (self.module.bid if buys else self.module.ask)(book, price, quantity)
        if self.remember:
            self.numbers[order.id] = number
        return self.book.match, (self.keep(number, order),)

    def cancel(self, book: Any, number: int) -> Call:  # noqa: ARG002
        return self.book.cancel, (self.orders[number],)

    def trades(self, result: Any) -> list[Trade]:
        return [
            (int(one.fill_price), one.fill_quantity, self.numbers[one.standing_order_id])
            for one in (result.trades if result else ())
        ]


class FastLob(Adapter):
    """Prices and quantities decimal, orders named by the engine."""

    reports = "quantity that each taker traded at each price"
    totals = True

    def open(self) -> Any:
        self.module = import_module("fastlob")
        logging.getLogger().setLevel(logging.CRITICAL)
        return self.module.Orderbook("book", start=True)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        module = self.module
        given = module.OrderParams(module.OrderSide.BID if buys else module.OrderSide.ASK, price, quantity)
        return self._add, (book.process, number, given)

    def _add(self, process: Callable[..., Any], number: int, given: Any) -> Any:
        result = process(given)
        if self.remember:
            self.orders[number] = result.orderid()
        return result

    def cancel(self, book: Any, number: int) -> Call:
        return self._cancel, (book, number)

    def _cancel(self, book: Any, number: int) -> None:
        book.cancel(self.orders[number])

    def trades(self, result: Any) -> list[Trade]:
        prices = result._execprices if result else None  # noqa: SLF001 - its getter fails where nothing was traded
        return [(int(price), int(quantity), 0) for price, quantity in (prices or {}).items()]

    def close(self) -> None:
        for book in self.books:
            book.stop()


class Lobby(Adapter):
    """An order is a dict; the caller names and times it."""

    def open(self) -> Any:
        return import_module("lobby.orderbook").OrderBook(price_digits=0)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        side = self.keep(number, "bid" if buys else "ask")
        order = {
            "type": "limit", "side": side, "qty": quantity, "price": price, "tid": number, "idNum": number,
            "timestamp": number,
        }  # fmt: skip
        return book.processOrder, (order, True, False)

    def cancel(self, book: Any, number: int) -> Call:
        return book.cancelOrder, (self.orders[number], number)

    def trades(self, result: Any) -> list[Trade]:
        return [(one["price"], one["qty"], one["party1"][2]) for one in (result[0] if result else ())]


class Manticore(Adapter):
    """Orders are named by the caller, trades called back."""

    def open(self) -> Any:
        module = import_module("manticore_orderbook")
        logging.disable(logging.CRITICAL)
        events = module.EventManager(enable_logging=False)
        events.subscribe(module.EventType.TRADE_EXECUTED, self._traded)
        return module.OrderBook("S", event_manager=events, enable_logging=False)

    def _traded(self, _: Any, trade: dict[str, Any]) -> None:
        self.log.append((int(trade["price"]), trade["quantity"], int(trade["maker_order_id"])))

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        return book.add_order, ("buy" if buys else "sell", price, quantity, str(number))

    def cancel(self, book: Any, number: int) -> Call:
        return book.cancel_order, (str(number),)

    def trades(self, result: Any) -> list[Trade]:  # noqa: ARG002
        return self.logged()

    def close(self) -> None:
        for book in self.books:
            book.expiry_manager.stop()


class OrderMatching(Adapter):
    """Orders are placed, then matched at a time; each order here at a time of its own, so that time decides as in the flow."""

    def open(self) -> Any:
        self.engine = import_module("order_matching.matching_engine")
        self.order = import_module("order_matching.order").LimitOrder
        self.side = import_module("order_matching.enums").Side
        self.gather = import_module("order_matching.orders").Orders
        import_module("loguru").logger.remove()
        return self.engine.MatchingEngine(seed=1)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        time = datetime.fromtimestamp(1_000_000_000 + number)  # noqa: DTZ006 - the engine compares naive times
        side = self.side.BUY if buys else self.side.SELL
        order = self.order(
            side=side, price=price, size=quantity, timestamp=time, order_id=str(number), trader_id="bench"
        )
        return self._add, (book, self.gather([order]), time)

    def _add(self, book: Any, orders: Any, time: datetime) -> Any:
        book.place(orders)
        return book.match(time)

    def cancel(self, book: Any, number: int) -> Call:
        return book.cancel_order, (str(number),)

    def trades(self, result: Any) -> list[Trade]:
        found = result.trades if result else ()
        return [(int(one.price), int(one.size), int(one.book_order_id)) for one in found]


class NanoBook(Adapter):
    """Each book numbers its own orders, from 1."""

    def open(self) -> Any:
        self.numbers: list[list[int]] = getattr(self, "numbers", [])
        self.numbers.append([0])
        return len(self.numbers) - 1, import_module("nanobook").Exchange()

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        index, exchange = book
        if self.remember:
            self.keep(number, len(self.numbers[index]))
            self.numbers[index].append(number)
        return self._add, (index, exchange.submit_limit, "buy" if buys else "sell", price, quantity)

    def _add(self, index: int, submit: Callable[..., Any], side: str, price: int, quantity: int) -> tuple[int, Any]:
        return index, submit(side, price, quantity)

    def cancel(self, book: Any, number: int) -> Call:
        return book[1].cancel, (self.orders[number],)

    def trades(self, result: Any) -> list[Trade]:
        if not isinstance(result, tuple):
            return []
        numbers = self.numbers[result[0]]
        return [(one.price, one.quantity, numbers[one.passive_order_id]) for one in result[1].trades]


class LiteBook(Adapter):
    """Orders are made by the book beforehand, named by UUID; prices and quantities are floats."""

    reports = "price, quantity, and the pair of orders of each trade, in order"

    def open(self) -> Any:
        self.module = import_module("litebook")
        self.numbers: dict[str, int] = {}
        return self.module.OrderBook(tick_size=1.0)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        side = self.module.OrderType.Buy if buys else self.module.OrderType.Sell
        order = book.create_order(side, float(price), float(quantity))
        if self.remember:
            self.numbers[order.id] = number
            self.keep(number, order.id)
        return book.add, (order,)

    def cancel(self, book: Any, number: int) -> Call:
        return book.cancel, (self.orders[number],)

    def trades(self, result: Any) -> list[Trade]:
        found = result if isinstance(result, list) else []
        # Which of the pair is named the buyer does not go by its side: the older one is the maker.
        return [
            (int(one.price), int(one.quantity), min(self.numbers[one.buy_id], self.numbers[one.sell_id]))
            for one in found
        ]


class OrderlyChaos(Adapter):
    """A C++ library behind ctypes; orders are named by the caller, trades called back."""

    def open(self) -> Any:
        self.module = import_module("orderly_chaos")
        self.buy, self.sell = self.module.Side.BUY, self.module.Side.SELL
        return self.module.LimitOrderBook(on_trade=self.log.append)

    def add(self, book: Any, number: int, buys: bool, price: int, quantity: int) -> Call:
        return book.limit, (self.buy if buys else self.sell, number, quantity, price)

    def cancel(self, book: Any, number: int) -> Call:
        return book.cancel, (number,)

    def trades(self, result: Any) -> list[Trade]:  # noqa: ARG002
        return [(one.price, one.quantity, one.maker_id) for one in self.logged()]

    def close(self) -> None:
        for book in self.books:
            with suppress(AttributeError):
                book.close()


ADAPTERS: dict[str, type[Adapter]] = {
    "fastlob": FastLob,
    "lightmatchingengine": LightMatchingEngine,
    "litebook": LiteBook,
    "lobby": Lobby,
    "manticore-orderbook": Manticore,
    "nanobook": NanoBook,
    "order-matching": OrderMatching,
    "orderly-chaos": OrderlyChaos,
    "pyorderbook": PyOrderBook,
}
