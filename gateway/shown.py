"""What is shown of the exchange: the shapes that pages, websockets and REST share.

Prices, quantities and amounts are decimal strings, as exact as the machines count them; times are milliseconds since the epoch in
UTC. `seq` says how far the log had been read when a view was made: the number of the last message of its channel that is in it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from exchange.messages import (
    CancelReason,
    Kind,
    Peg,
    Phase,
    PostOnly,
    RejectReason,
    SelfTrade,
    Side,
    TimeInForce,
)

Span: TypeAlias = Literal["1s", "1m", "5m", "15m", "1h", "1d"]
OrderState: TypeAlias = Literal["OPEN", "FILLED", "CANCELLED", "EXPIRED"]
Trigger: TypeAlias = Literal["WAITING", "TRIGGERED"]
ReportEvent: TypeAlias = Literal["ACCEPTED", "AMENDED", "TRIGGERED", "FILLED", "CANCELLED", "EXPIRED"]
OutcomeState: TypeAlias = Literal["ACCEPTED", "REJECTED"]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all that is shown."""


class Freshness(Shown, frozen=True):
    """Whether the views are those of now. `age_ms` is how long ago they were known to be complete (None: never).

    `mismatches` counts the checksums that were not those of the books as the projector at work has read them.
    """

    live: bool
    age_ms: int | None
    reason: str
    """Why they are not live, in words for a person; empty when they are."""
    mismatches: int = 0


class Level(Shown, frozen=True):
    """One price of a book. `total` adds up the quantities from the best price to this one; `share` is the total's part, in
    percent (1 to 100), of the greatest total shown on either side.
    """

    price: str
    quantity: str
    total: str
    share: int


class Depth(Shown, frozen=True):
    """The best prices of a book, best first; unless the phase is `continuous`, bids may stand above asks. `seq` counts the book's events.

    `listing` is the version of the listing that prices and quantities are of. `buy_max` is the highest price that a buy may have now,
    `sell_min` the lowest one of a sell; None: there is no such bound.
    """

    symbol: str
    seq: int
    time_ms: int
    bids: list[Level]
    asks: list[Level]
    listing: int = 1
    phase: Phase = "continuous"
    buy_max: str | None = None
    sell_min: str | None = None


class BookChange(Shown, frozen=True):
    """What leads from a state of a book to a later one, after event `seq`: prices with their quantities, `0` where nothing is shown any more.

    `complete` False: the steps in between are gone, so the book must be read anew. Only prices among the best `keys.TOP_LEVELS` count.
    """

    seq: int
    time_ms: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    complete: bool = True


class TradeShown(Shown, frozen=True):
    """A trade; `id` such as `AAPLUSD-1842`, `seq` its number within the symbol, gapless from 1; `taker_order` the order that set it off.

    `auction`: it happened at an auction's price. `busted`: it was undone later; candles and the day's figures still have it.
    """

    id: str
    seq: int
    time_ms: int
    price: str
    quantity: str
    taker_side: Side
    taker_order: int
    auction: bool = False
    busted: bool = False


class CandleShown(Shown, frozen=True):
    """What trades did in the span that begins at `start_ms`. `turnover` is in the quote asset, `vwap` turnover by volume.

    `closed`: no trade is expected in it any more, though one that comes late may still correct it.
    """

    start_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    trades: int
    turnover: str = "0"
    vwap: float | None = None
    closed: bool = False


class Indicative(Shown, frozen=True):
    """What an auction would do now: its price (None: nothing would trade), its volume, and the quantity left over.

    `imbalance` is above zero where buyers are left over, below where sellers are.
    """

    price: str | None
    volume: str
    imbalance: str


class Summary(Shown, frozen=True):
    """A symbol and its current day (midnight to midnight UTC, by the market's clock). None: there is no such thing yet.

    `open`, `high`, `low` and `volume` are the day's, so none and nothing until the day's first trade; `last` is the last price of whatever
    day. `change` and `change_percent` compare it with the close of the last day with trades before the current one;
    `change_percent` is rounded to two decimals, such as `-1.25`. `seq` and `trades` count all of the symbol's trades. `spread` is none, too,
    where bids stand above asks. `indicative` is there only in phases that end with an auction, and once it is known.
    """

    symbol: str
    base: str
    quote: str
    tick: str
    lot: str
    seq: int
    time_ms: int
    last: str | None
    change: str | None
    change_percent: str | None
    open: str | None
    high: str | None
    low: str | None
    volume: str
    trades: int
    bid: str | None
    bid_quantity: str | None
    ask: str | None
    ask_quantity: str | None
    spread: str | None
    listing: int = 1
    phase: Phase = "continuous"
    delisted: bool = False
    indicative: Indicative | None = None


class Market(Shown, frozen=True):
    """All that a symbol's page shows, read at one moment. `trades` and `candles`: see `Views.market`."""

    summary: Summary
    depth: Depth
    trades: list[TradeShown]
    candles: list[CandleShown]


class OrderShown(Shown, frozen=True):
    """An order that has reached its book. `leaves` is what may still trade; `average` the average price of its fills (rounded to a tick), `amount`
    what they are worth in the quote asset, and `fees` what they paid in it, below zero: what they got.

    Prices and quantities are in ticks and lots of its `listing`. `stop` and all after it say what else was asked for: None or false where it was
    not. `trigger` says of a stop order whether it still waits for a trade at its stop. `amended`: its price, quantity or stop are not those that it
    was placed with. `busted`: a trade of it was undone; the order stays as it is. `seq` is that of its last report in its account shard's channel; `time_ms` the time of that report.
    """

    order_id: int
    request_id: str
    symbol: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    expires_ms: int
    price: str
    quantity: str
    filled: str
    leaves: str
    average: str | None
    state: OrderState
    reason: CancelReason | None
    placed_ms: int
    time_ms: int
    seq: int
    amount: str = "0"
    fees: str = "0"
    listing: int = 1
    trigger: Trigger | None = None
    amended: bool = False
    busted: bool = False
    stop: str | None = None
    trail: str | None = None
    peg: Peg | None = None
    offset: str | None = None
    display: str | None = None
    post_only: PostOnly | None = None
    min_quantity: str | None = None
    all_or_none: bool = False
    self_trade: SelfTrade = "none"


class FillShown(Shown, frozen=True):
    """A fill of an account's order. `id` names the trade as in `TradeShown`; `trade` is the symbol's trade number.

    `amount` is price times quantity and `fee` what was paid for it (below zero: what was got), both in `quote`. `maker`: the order rested. `busted`: the trade
    was undone later. `seq` and `time_ms` as in `OrderShown`.
    """

    id: str
    trade: int
    order_id: int
    request_id: str
    symbol: str
    side: Side
    price: str
    quantity: str
    amount: str
    fee: str
    quote: str
    maker: bool
    time_ms: int
    seq: int
    listing: int = 1
    busted: bool = False


class ReportShown(Shown, frozen=True):
    """What happened to an order of an account, and the order after it.

    `request_id` is that of the request that cancelled or changed it (empty: none did); `fill` is there where `event` is `FILLED`.
    """

    seq: int
    event: ReportEvent
    request_id: str
    order: OrderShown
    fill: FillShown | None


class Reports(Shown, frozen=True):
    """An account's reports after a number, in their order. `complete` False: some older ones are gone, so state must be read anew."""

    reports: list[ReportShown]
    complete: bool = True


class BalanceShown(Shown, frozen=True):
    """What an account has of an asset; `total` is available plus reserved. `seq` as in `OrderShown`, of its updates.

    `owed` is what it must give back for trades that were undone, and has not got.
    """

    asset: str
    available: str
    reserved: str
    total: str
    seq: int
    owed: str = "0"


class AccountShown(Shown, frozen=True):
    """An account: balances by asset, open orders (newest first), and the last ended ones (newest first)."""

    account: str
    balances: list[BalanceShown]
    open_orders: list[OrderShown]
    ended_orders: list[OrderShown]


class Outcome(Shown, frozen=True):
    """What became of a request (an order, a cancellation, a deposit, ...), asked for by its own id.

    `repeat` says why the last command with this id had no effect of its own (`DUPLICATE`: it asked for something else), if one
    came. `seq` is that of the report that told the last of it.
    """

    request_id: str
    state: OutcomeState
    reason: RejectReason | None
    order_id: int
    repeat: RejectReason | None
    time_ms: int
    seq: int


class Answer(Shown, frozen=True):
    """What became of a request, and the order it placed or was about, where the views have it."""

    outcome: Outcome
    order: OrderShown | None

    @property
    def refusal(self) -> RejectReason | None:
        """Why the request had no effect; None if it had, or if it is a repeat of one that had."""
        return self.outcome.repeat or self.outcome.reason


class GroupAnswer(Shown, frozen=True):
    """What became of a request for a group of orders, and of those of its orders that were sent to the book at once."""

    outcome: Outcome
    orders: list[Answer]
