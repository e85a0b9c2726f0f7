"""The words of the scenario tables: what each command does in the pit. `scenario` has the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias, get_args

import msgspec

from exchange import messages as m
from exchange.book import Book
from exchange.instruments import Rules
from tests.exchange.pit import INSTRUMENT, SHARDS, SYMBOL, Pit

FAR = {"buy": 1_000_000, "sell": 1}
"""The protection price of an order for which the table gives none."""
SIDES: dict[str, m.Side] = {"buys": "buy", "sells": "sell"}


class Unreadable(Exception):
    """A command or a word that is not in the vocabulary."""


class Floor:
    """A pit, the listing that orders come under, and what has been stored of the book."""

    def __init__(self, *, listed: bool) -> None:
        self.pit = Pit(listed=listed)
        self.listing = 1
        self.stored: dict[str, str] = {}

    def restore(self) -> None:
        """Lose the book, and make it anew from what its changes have left in the store."""
        for name, text in self.pit.book.changes().items():
            if text is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = text
        self.pit.book = Book(SYMBOL, "live", SHARDS, self.stored)

    def check(self) -> None:
        """Hold the book to what is always so: no order without anything left."""
        done = [order.order_id for order in self.pit.book.orders.values() if order.leaves <= 0]
        assert not done, f"orders {done} have nothing left and are still in the book"

    def order(self, account: str, side: m.Side, quantity: int, terms: dict[str, Any], number: dict[str, Any]) -> Any:
        """Make the order of these terms, numbered by `number`."""
        known = {"price": FAR[side], "listing": self.listing} | terms
        return m.EnterOrder(
            **number,
            time_ms=self.pit.now_ms,
            account=account,
            symbol=SYMBOL,
            side=side,
            quantity=quantity,
            **known,
        )


Act: TypeAlias = Callable[[Floor], list[str]]
"""What a command does on the floor; returns the answers."""


# The terms of an order


def _one_of(*choices: str) -> Callable[[str], str]:
    def choose(word: str) -> str:
        if word not in choices:
            raise Unreadable(f"{word!r} is none of {', '.join(choices)}")
        return word

    return choose


_FORCES = get_args(m.TimeInForce)
_WORDS: dict[str, dict[str, Any]] = {
    "market": {"kind": "market", "time_in_force": "IOC"},
    "market-to-limit": {"kind": "market-to-limit"},
    "all-or-none": {"all_or_none": True},
} | {force: {"time_in_force": force} for force in _FORCES}
"""Words that stand alone."""
_VALUES: dict[str, tuple[str, Callable[[str], Any], dict[str, Any]]] = {
    "@": ("price", int, {}),
    "stop": ("stop", int, {"kind": "stop"}),
    "stop-limit": ("stop", int, {"kind": "stop-limit"}),
    "trailing": ("trail", int, {"kind": "trailing-stop"}),
    "from": ("stop", int, {}),
    "pegged": ("peg", _one_of(*get_args(m.Peg)), {"kind": "pegged"}),
    "offset": ("offset", int, {}),
    "until": ("expires_ms", int, {"time_in_force": "GTD"}),
    "showing": ("display", int, {}),
    "post-only": ("post_only", _one_of(*get_args(m.PostOnly)), {}),
    "at-least": ("min_quantity", int, {}),
    "self-trade": ("self_trade", _one_of(*get_args(m.SelfTrade)), {}),
    "listing": ("listing", int, {}),
    "maker-fee": ("maker_fee", int, {}),
    "taker-fee": ("taker_fee", int, {}),
}
"""Words that a value follows: the field it is for, how it is read, and what the word says besides."""
_CONDITIONS = frozenset(m.Conditions.__struct_fields__)


def _terms(text: str) -> tuple[dict[str, Any], range]:
    """Read an order's terms: the fields of `EnterOrder`, and the ids it comes under."""
    said: dict[str, Any] = {}
    head, named, ids = text.rpartition("as ")
    found = re.fullmatch(r"(-?\d+)(?: to (-?\d+))?", ids)
    if not named or not found:
        raise Unreadable(f"{text!r} does not end with the order's id, as in 'as 1'")
    words = iter(head.split())
    for word in words:
        if word in _WORDS:
            said |= _WORDS[word]
        elif word in _VALUES:
            name, read, besides = _VALUES[word]
            said |= besides | {name: read(next(words, ""))}
        else:
            raise Unreadable(f"unknown word {word!r}")
    asked = {name: said.pop(name) for name in _CONDITIONS & said.keys()}
    first, last = int(found[1]), int(found[2] or found[1])
    step = 1 if last >= first else -1
    return said | ({"conditions": m.Conditions(**asked)} if asked else {}), range(first, last + step, step)


# The commands


def _order(who: str, side: str, quantity: str, text: str) -> Act:
    terms, ids = _terms(text)

    def act(floor: Floor) -> list[str]:
        answers: list[str] = []
        for order_id in ids:
            number = floor.pit.numbered(who)
            fields = terms | {"order_id": order_id}
            answers = floor.pit.tell(floor.order(who, SIDES[side], int(quantity), fields, number))
        return answers

    return act


def _pair(who: str, side: str, quantity: str, first: str, second: str) -> Act:
    legs = [terms | {"order_id": ids[0]} for terms, ids in (_terms(first), _terms(second))]

    def act(floor: Floor) -> list[str]:
        number = floor.pit.numbered(who)
        one, two = (floor.order(who, SIDES[side], int(quantity), leg, number) for leg in legs)
        return floor.pit.tell(
            m.EnterOco(**number, time_ms=floor.pit.now_ms, account=who, symbol=SYMBOL, first=one, second=two)
        )

    return act


def _request(kind: type[Any], who: str, order_id: str, **more: Any) -> Act:
    """Ask something of an order, as its account does."""

    def act(floor: Floor) -> list[str]:
        return floor.pit.tell(
            kind(
                **floor.pit.numbered(who),
                time_ms=floor.pit.now_ms,
                account=who,
                order_id=int(order_id),
                symbol=SYMBOL,
                request_id="r",
                **more,
            )
        )

    return act


def _amendment(who: str, order_id: str, quantity: str | None, price: str | None, stop: str | None) -> Act:
    return _request(
        m.ReviseOrder, who, order_id, quantity=int(quantity or 0), price=int(price or 0), stop=int(stop or 0)
    )


def _replacement(who: str, order_id: str, leaves: str, side: str, quantity: str, text: str) -> Act:
    terms, ids = _terms(text)
    fields = terms | {"order_id": ids[0]}

    def act(floor: Floor) -> list[str]:
        number = {"source": m.shard_of(who, SHARDS), "seq": floor.pit.seqs.get(m.shard_of(who, SHARDS), 0) + 1}
        order = floor.order(who, SIDES[side], int(quantity), fields, number)
        return _request(m.SwapOrder, who, order_id, leaves=int(leaves), order=order)(floor)

    return act


def _cancel(who: str, order_id: str) -> Act:
    return _request(m.PullOrder, who, order_id)


def _phase(phase: str, at_ms: str | None) -> Act:
    _one_of(*get_args(m.Phase))(phase)
    return _operation(m.SetPhase(key=SYMBOL, phase=phase, at_ms=int(at_ms or 0)))  # type: ignore[arg-type]


def _operation(message: m.Message) -> Act:
    return lambda floor: floor.pit.tell(message)


def _listing(version: str, text: str | None) -> Act:
    names = {"tick": "tick", "lot": "lot"}
    rules: dict[str, Any] = {}
    for part in (text or "").split(", ") if text else ():
        name, _, value = part.partition(" ")
        name = name.replace("-", "_")
        if name in names:
            names[name] = value
        elif name in Rules.__struct_fields__:
            rules[name] = int(value) if value.isdecimal() else value or True
        else:
            raise Unreadable(f"unknown word {part!r}")
    changed = {name: value for name, value in names.items() if value != name}
    command = m.ListInstrument(
        key=SYMBOL,
        instrument=msgspec.structs.replace(INSTRUMENT, **changed),
        version=int(version),
        rules=msgspec.convert(rules, Rules),
    )

    def act(floor: Floor) -> list[str]:
        floor.listing = int(version)
        return floor.pit.tell(command)

    return act


def _bust(trade: str, buyer: str, buy: str, quantity: str, price: str, seller: str, sell: str, *fees: str) -> Act:
    def act(floor: Floor) -> list[str]:
        return floor.pit.tell(
            m.BustTrade(
                key=SYMBOL,
                trade=int(trade),
                price=int(price),
                quantity=int(quantity),
                buyer=buyer,
                seller=seller,
                buy_order=int(buy),
                sell_order=int(sell),
                buy_fee=int(fees[0] or 0),
                sell_fee=int(fees[1] or 0),
                listing=floor.listing,
            )
        )

    return act


def _machine_halts() -> Act:
    def act(floor: Floor) -> list[str]:
        floor.pit.book.halted = True
        return []

    return act


def _best(floor: Floor) -> list[str]:
    return ["best {} {}".format(*("-" if price is None else price for price in floor.pit.book.best()))]


def _checksums(floor: Floor) -> list[str]:
    return [f"checksum {event.seq}: {event.crc32}" for event in floor.pit.checksums]


_ID = r"(-?\d+)"
_COMMANDS: list[tuple[str, Callable[..., Act]]] = [
    (r"(\S+) (buys|sells) (\d+) either (.+?) or (.+)", _pair),
    (r"(\S+) (buys|sells) (\d+) (.+)", _order),
    (rf"(\S+) amends {_ID}(?: to (\d+))?(?: @ (\d+))?(?: stop (\d+))?", _amendment),
    (rf"(\S+) replaces {_ID} with (\d+) left: (buys|sells) (\d+) (.+)", _replacement),
    (rf"(\S+) cancels {_ID}", _cancel),
    (r"the market goes into (\S+)(?: at (\d+))?", _phase),
    (r"the clock ticks", lambda: _operation(m.Tick(key=SYMBOL))),
    (r"all orders are cancelled", lambda: _operation(m.CancelSymbol(key=SYMBOL))),
    (r"the listing is (\d+)(?:: (.+))?", _listing),
    (r"there is no listing", lambda: lambda _: []),
    (r"the listing ends", lambda: _operation(m.Delist(key=SYMBOL, symbol=SYMBOL))),
    (
        rf"trade (\d+) is busted: (\S+) {_ID} bought (\d+) @ (\d+) from (\S+) {_ID}(?:, fees (-?\d+) and (-?\d+))?",
        _bust,
    ),
    (r"the machine halts", _machine_halts),
    (r"the machine resumes", lambda: _operation(m.Resume(key=SYMBOL))),
    (r"best\?", lambda: _best),
    (r"checksums\?", lambda: _checksums),
]


def command(said: str) -> Act:
    """Understand a command."""
    when = re.fullmatch(r"at (\d+) (.+)", said)
    text = when[2] if when else said
    for pattern, make in _COMMANDS:
        found = re.fullmatch(pattern, text)
        if found:
            act = make(*found.groups())
            return _at(int(when[1]), act) if when else act
    raise Unreadable(f"unknown command {said!r}")


def _at(time_ms: int, act: Act) -> Act:
    def timed(floor: Floor) -> list[str]:
        floor.pit.now_ms = time_ms
        return act(floor)

    return timed
