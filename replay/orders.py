"""How a bar becomes trades: the orders of two paper accounts that touch its open, low, high and close.

Theory of operation: a bar is walked in four touches, a quarter of its span apart: open, low, high, close if it rose (or
stood), else open, high, low, close. At each touch one account rests a limit order at the price and the other takes it,
so that exactly one trade comes of it; the volume is split evenly over the four, the odd lots going to the first ones.
Buyer and seller change places from touch to touch and from day to day, so neither runs out of cash or shares. The taker
buys where the price has risen and sells where it has fallen. After each touch both leave a small quote, a cent either
side of the price, which the symbol's next touch cancels first: there is a best bid and ask at any time.

Both accounts live on one account shard, so a single channel carries all orders to a book, and all trades, their ids and
times included, are the same however the work is timed. Somebody else's orders may get in between: makers expire at the
next touch and takers are immediate-or-cancel, so that even then no paper order is left lying about.

Request ids are made of symbol, date and step, so the log says which commands it has, and the accounts drop one that
comes twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from exchange.instruments import Instrument
from exchange.messages import (
    AccountCommand,
    AdvanceClock,
    Bar,
    CancelOrder,
    Deposit,
    ListInstrument,
    OpenAccount,
    PlaceOrder,
    Side,
    shard_of,
)

TOUCHES: Final = 4
QUOTE_TICKS: Final = 100
"""How far from the last price the resting quotes stand: a cent."""
QUOTE_LOTS: Final = 1
DEPOSIT: Final = 2**52
"""What each paper account gets of each asset, in minor units: enough even if every order of the whole data set were open
at once, so that no order is ever refused for want of a report that is still on its way."""


@dataclass(frozen=True)
class Paper:
    """The two paper accounts and the account shard that both live on."""

    accounts: tuple[str, str]
    shard: str


@dataclass(frozen=True)
class Touch:
    """One price that a bar is walked through: when (milliseconds), at how many ticks, how many lots, who takes."""

    time_ms: int
    price: int
    quantity: int
    taker_side: Side


@dataclass(frozen=True)
class Step:
    """What happens at one time of the replay: commands of the paper accounts' shard."""

    time_ms: int
    commands: list[Any]


def paper(shards: int) -> Paper:
    """Name the paper accounts of a venue with so many account shards: `paper-a`, and the first `paper-bN` beside it."""
    first = "paper-a"
    shard = shard_of(first, shards)
    second = next(name for name in (f"paper-b{number}" for number in count(1)) if shard_of(name, shards) == shard)
    return Paper((first, second), shard)


def traded_volume(bar: Bar) -> int:
    """Return the lots that the bar's trades add up to: its volume, but at least a lot at each touch."""
    return max(bar.volume, TOUCHES)


def touches(bar: Bar) -> list[Touch]:
    """Return the bar's walk."""
    prices = [bar.open, *((bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)), bar.close]
    share, odd = divmod(traded_volume(bar), TOUCHES)
    walk = []
    last = bar.open
    for number, price in enumerate(prices):
        time_ms = bar.start_ms + bar.span_ms * number // TOUCHES
        walk.append(Touch(time_ms, price, share + (number < odd), "buy" if price >= last else "sell"))
        last = price
    return walk


def begun(bar: Bar, accounts: Paper, requests: Container[tuple[str, str]]) -> bool:
    """Say whether any order of the bar is among the requests made, as (account, request id)."""
    first = _request_id(bar, "maker-0")
    return any((account, first) in requests for account in accounts.accounts)


def setup(accounts: Paper, assets: Iterable[str], created_ms: int) -> list[AccountCommand]:
    """Return the commands that open the paper accounts and fund them with `DEPOSIT` of each asset."""
    commands: list[AccountCommand] = []
    for account in accounts.accounts:
        commands.append(OpenAccount(account=account, request_id="open", created_ms=created_ms))
        commands += [
            Deposit(account=account, request_id=f"fund-{asset}", created_ms=created_ms, asset=asset, amount=DEPOSIT)
            for asset in assets
        ]
    return commands


def listings(instruments: Sequence[Instrument], keys: Iterable[str]) -> Iterator[ListInstrument]:
    """Yield the commands that list instruments at the machines of the given keys."""
    for key in keys:
        for listed in instruments:
            yield ListInstrument(key=key, instrument=listed)


def steps(bars: Sequence[Bar], previous: Mapping[str, Bar], accounts: Paper, created_ms: int) -> list[Step]:
    """Return what happens on one day: the touches of all its bars, in turn.

    `bars` begin at the same time, one a symbol; `previous` has each symbol's bar before, whose quotes are cancelled.
    """
    walks = [(bar, touches(bar)) for bar in bars]
    day = []
    for number in range(TOUCHES):
        time_ms = walks[0][1][number].time_ms
        commands: list[Any] = [AdvanceClock(key=accounts.shard, time_ms=time_ms)]
        for bar, walk in walks:
            if number > 0:
                commands += _cancel_quotes(bar, number - 1, accounts, created_ms)
            elif bar.symbol in previous:
                commands += _cancel_quotes(previous[bar.symbol], TOUCHES - 1, accounts, created_ms)
            commands += _trade(bar, number, walk[number], accounts, created_ms)
            commands += _quote(bar, number, walk[number].price, accounts, created_ms)
        day.append(Step(time_ms, commands))
    return day


def _trade(bar: Bar, number: int, touch: Touch, accounts: Paper, created_ms: int) -> list[PlaceOrder]:
    """Rest one account's order and take it with the other's."""
    buyer = (bar.start_ms // bar.span_ms + number) % 2
    buys, sells = accounts.accounts[buyer], accounts.accounts[1 - buyer]
    taker, maker = (buys, sells) if touch.taker_side == "buy" else (sells, buys)
    maker_side: Side = "sell" if touch.taker_side == "buy" else "buy"
    return [
        PlaceOrder(
            account=maker,
            request_id=_request_id(bar, f"maker-{number}"),
            created_ms=created_ms,
            symbol=bar.symbol,
            side=maker_side,
            price=touch.price,
            quantity=touch.quantity,
            time_in_force="GTD",
            expires_ms=bar.start_ms + bar.span_ms * (number + 1) // TOUCHES,
        ),
        PlaceOrder(
            account=taker,
            request_id=_request_id(bar, f"taker-{number}"),
            created_ms=created_ms,
            symbol=bar.symbol,
            side=touch.taker_side,
            price=touch.price,
            quantity=touch.quantity,
            time_in_force="IOC",
        ),
    ]


def _quote(bar: Bar, number: int, price: int, accounts: Paper, created_ms: int) -> list[PlaceOrder]:
    """Leave a bid and an ask around the price of a touch."""
    quotes: tuple[tuple[str, Side, int], ...] = (
        (accounts.accounts[0], "buy", max(1, price - QUOTE_TICKS)),
        (accounts.accounts[1], "sell", price + QUOTE_TICKS),
    )
    return [
        PlaceOrder(
            account=account,
            request_id=_request_id(bar, f"quote-{side}-{number}"),
            created_ms=created_ms,
            symbol=bar.symbol,
            side=side,
            price=quoted,
            quantity=QUOTE_LOTS,
        )
        for account, side, quoted in quotes
    ]


def _cancel_quotes(bar: Bar, number: int, accounts: Paper, created_ms: int) -> list[CancelOrder]:
    """Cancel what `_quote` left after a touch."""
    return [
        CancelOrder(
            account=account,
            request_id=_request_id(bar, f"cancel-{side}-{number}"),
            created_ms=created_ms,
            order_request_id=_request_id(bar, f"quote-{side}-{number}"),
        )
        for account, side in zip(accounts.accounts, ("buy", "sell"), strict=True)
    ]


def _request_id(bar: Bar, step: str) -> str:
    day = datetime.fromtimestamp(bar.start_ms / 1000, UTC)
    return f"{bar.symbol}-{day:%Y%m%dT%H%M}-{step}"
