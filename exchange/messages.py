"""Every message that crosses a topic. `docs/PROTOCOL.md` has a table for each, held to this module by a test.

Commands are imperative, events past tense, facts nouns. Prices are ticks, quantities lots, amounts minor units, times
milliseconds since the epoch in UTC. Field types carry the ranges; a record that leaves them is a dead letter.

`source` and `seq` number a message within its channel (see `channel`): a book's source is its symbol, an account
shard's its number as text, a writer of `@market` flow's its own name, which starts with '@'.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Final, Literal, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Meta

from exchange.instruments import Asset, Instrument, Rules
from exchange.money import UNITS_MAX

PRICE_MAX = 2**40
QUANTITY_MAX = 2**40
FEES = "@fees"
"""The account that fees go to."""
MARKET = "@market"
"""The unlimited account of flow without accounts: it reserves nothing and gets no reports."""

Price = Annotated[int, Meta(ge=1, le=PRICE_MAX)]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Total = Annotated[int, Meta(ge=1)]
Amount = Annotated[int, Meta(ge=1, le=UNITS_MAX)]
Millis = Annotated[int, Meta(ge=0, le=UNITS_MAX)]
Seq = Annotated[int, Meta(ge=1, le=UNITS_MAX)]
OrderId = Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]
NewName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
"""An account, source or symbol in use. Only new names are held to a pattern; a record under an unknown one is refused."""
RequestId = Annotated[str, Meta(min_length=1, max_length=64)]
Key = Name

PPM_MAX = 100_000
Ppm = Annotated[int, Meta(ge=-PPM_MAX, le=PPM_MAX)]
"""A fee in millionths of the cash of a fill; below zero: a rebate."""
Count = Annotated[int, Meta(ge=0, le=UNITS_MAX)]

Side: TypeAlias = Literal["buy", "sell"]
Kind: TypeAlias = Literal["limit", "market", "market-to-limit", "stop", "stop-limit", "trailing-stop", "pegged"]
TimeInForce: TypeAlias = Literal["GTC", "IOC", "FOK", "GTD", "DAY", "OPG", "CLS"]
Liquidity: TypeAlias = Literal["maker", "taker"]
Peg: TypeAlias = Literal["bid", "ask", "mid"]
PostOnly: TypeAlias = Literal["reject", "slide"]
SelfTrade: TypeAlias = Literal["none", "newest", "oldest", "both", "decrement"]
Phase: TypeAlias = Literal["pre-open", "opening-auction", "continuous", "halt", "closing-auction", "closed"]
CALL_PHASES: Final[frozenset[Phase]] = frozenset(("pre-open", "opening-auction", "halt", "closing-auction"))
"""The phases in which orders are taken and nothing trades."""
INDICATED_PHASES: Final = CALL_PHASES - {"pre-open"}
"""The phases in which it is published what an auction would do."""
STOP_KINDS: Final[frozenset[Kind]] = frozenset(("stop", "stop-limit", "trailing-stop"))
"""The kinds of orders that wait for a trade at their stop."""

RejectReason: TypeAlias = Literal[
    "ACCOUNT_EXISTS",
    "ACCOUNT_OFF",
    "AMENDMENT_PENDING",
    "BALANCE_LIMIT",
    "BELOW_FILLED",
    "BOOK_FULL",
    "CLOCK_AHEAD",
    "DELISTED",
    "DUPLICATE",
    "EXPIRED",
    "HALTED",
    "INSUFFICIENT_FUNDS",
    "INVALID_AMENDMENT",
    "INVALID_BUST",
    "INVALID_CONDITIONS",
    "INVALID_ORDER_ID",
    "INVALID_TIME_IN_FORCE",
    "MARKET_CLOSED",
    "NOTIONAL_LIMIT",
    "NOT_CONTINUOUS",
    "OPEN_ORDERS_LIMIT",
    "ORDER_SIZE_LIMIT",
    "POSITION_LIMIT",
    "POST_ONLY",
    "PRICE_COLLAR",
    "RATE_LIMIT",
    "REQUESTS_FULL",
    "RULE_UNSUPPORTED",
    "STALE",
    "STALE_LISTING",
    "TOO_LATE",
    "UNKNOWN_ACCOUNT",
    "UNKNOWN_ORDER",
    "UNKNOWN_SYMBOL",
]
CancelReason: TypeAlias = Literal[
    "REQUESTED",
    "IOC_REMAINDER",
    "FOK_UNFILLED",
    "MARKET_REMAINDER",
    "MINIMUM_UNFILLED",
    "SELF_TRADE",
    "OTHER_LEG",
    "REPLACED",
    "DEAD_MAN",
    "KILL_SWITCH",
    "OPERATOR",
    "LISTING_CHANGED",
    "DELISTED",
]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of all messages: immutable, named by `type` in JSON, unknown fields refused."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What an order asks for besides price and quantity; docs/MATCHING.md says what goes with what.

    `stop` is the trade price that triggers it, `trail` the ticks at which its stop follows the last price; `peg` the price that it follows
    `offset` ticks away; `display` the lots of an iceberg that are seen; `min_quantity` what it must trade at once;
    `self_trade` says which order goes when it would trade with one of its own account.
    """

    stop: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0
    trail: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0
    peg: Peg | None = None
    offset: Annotated[int, Meta(ge=-PRICE_MAX, le=PRICE_MAX)] = 0
    display: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] = 0
    post_only: PostOnly | None = None
    min_quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] = 0
    all_or_none: bool = False
    self_trade: SelfTrade = "none"


class Leg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One order of a group: what is its own. Fields as in `PlaceOrder`."""

    request_id: RequestId
    price: Price
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0
    conditions: Conditions | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an account may do; 0: no limit.

    `order_lots` and `order_notional` (minor units of the quote asset) bound an order, `open_orders` how many are open at once,
    `orders_per_s` how many it may place in one second of the market's clock, `position_lots` what it may hold of a
    symbol's base asset, open buys included. `tier` chooses its fees.
    """

    order_lots: Count = 0
    order_notional: Count = 0
    open_orders: Count = 0
    orders_per_s: Count = 0
    position_lots: Count = 0
    tier: Annotated[int, Meta(ge=0, le=99)] = 0


class FeeTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fees of a tier, in millionths of the cash of a fill; a maker's may be a rebate."""

    maker: Ppm = 0
    taker: Annotated[int, Meta(ge=0, le=PPM_MAX)] = 0


# Commands from outside, to `account-inbox`


class OpenAccount(Message, frozen=True, tag=True):
    """Open an account with no balances."""

    account: NewName
    request_id: RequestId
    created_ms: Millis


class Deposit(Message, frozen=True, tag=True):
    """Credit `amount` minor units of `asset` to an account from outside the exchange."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    asset: Asset
    amount: Amount


class Withdraw(Message, frozen=True, tag=True):
    """Take `amount` minor units of `asset` that are free out of the exchange."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    asset: Asset
    amount: Amount


class PlaceOrder(Message, frozen=True, tag=True):
    """Ask to buy or sell.

    `price` is the limit, or for an order that has none (market, stop, trailing-stop, pegged) the protection price, beyond which it
    never trades. `expires_ms` goes with GTD and no other time in force.
    """

    account: Name
    request_id: RequestId
    created_ms: Millis
    symbol: Name
    side: Side
    price: Price
    quantity: Quantity
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0
    conditions: Conditions | None = None


class PlaceOco(Message, frozen=True, tag=True):
    """Place two orders of which one cancels the other: whatever happens to one first, the other goes."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    symbol: Name
    side: Side
    quantity: Quantity
    first: Leg
    second: Leg


class PlaceBracket(Message, frozen=True, tag=True):
    """Place an entry order that, once it has ended with a fill, places two exits of the other side which cancel each other."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    symbol: Name
    side: Side
    quantity: Quantity
    entry: Leg
    take_profit: Leg
    stop_loss: Leg


class AmendOrder(Message, frozen=True, tag=True):
    """Change an open order, named as in `CancelOrder`; 0 leaves a field as it is. `quantity` counts what is filled, too."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    order_id: OrderId = 0
    order_request_id: RequestId | None = None
    price: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] = 0
    stop: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0


class ReplaceOrder(Message, frozen=True, tag=True):
    """Cancel an open order, named as in `CancelOrder`, and place another one of the same symbol, in one step or not at all."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    side: Side
    price: Price
    quantity: Quantity
    order_id: OrderId = 0
    order_request_id: RequestId | None = None
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0
    conditions: Conditions | None = None


class CancelAll(Message, frozen=True, tag=True):
    """Ask to cancel all open orders of the account, or those of one symbol."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    symbol: Name | None = None


class SetDeadMan(Message, frozen=True, tag=True):
    """Have all open orders of the account cancelled `timeout_ms` from now, unless this comes again before; 0: never."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    timeout_ms: Annotated[int, Meta(ge=0, le=86_400_000)]


class CancelOrder(Message, frozen=True, tag=True):
    """Ask to cancel an open order, named by `order_id`, or by the `order_request_id` it was placed with."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    order_id: OrderId = 0
    order_request_id: RequestId | None = None


# Commands of the operator, to either inbox; `key` is the key of the machine they are for


class ListInstrument(Message, frozen=True, tag=True):
    """List an instrument, or change its tick, lot or rules under a higher `version`, which its orders are admitted under."""

    key: Key
    instrument: Instrument
    version: Seq = 1
    rules: Rules = Rules()


class Delist(Message, frozen=True, tag=True):
    """Take a symbol off the market: its open orders are cancelled, and no new ones are taken until it is listed again."""

    key: Key
    symbol: Name


class SetPhase(Message, frozen=True, tag=True):
    """Let a book's market go into a phase, now or, if `at_ms` is later than its clock, at that time."""

    key: Key
    phase: Phase
    at_ms: Millis = 0


class CancelSymbol(Message, frozen=True, tag=True):
    """Cancel all open orders of a book."""

    key: Key


class BustTrade(Message, frozen=True, tag=True):
    """Undo a trade, named with all that the log says of it; `buy_fee` and `sell_fee` are the fees of the two fills."""

    key: Key
    trade: Seq
    price: Price
    quantity: Quantity
    buyer: Name
    seller: Name
    buy_order: OrderId
    sell_order: OrderId
    buy_fee: Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)] = 0
    sell_fee: Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)] = 0
    listing: Seq = 1


class SetFees(Message, frozen=True, tag=True):
    """Set what orders of a symbol pay from now on, by tier; an account of a tier that is not there has the last one."""

    key: Key
    symbol: Name
    tiers: Annotated[list[FeeTier], Meta(max_length=100)]


class SetLimits(Message, frozen=True, tag=True):
    """Set an account's limits and its tier."""

    key: Key
    account: Name
    limits: Limits


class SetKillSwitch(Message, frozen=True, tag=True):
    """Refuse an account's new orders and cancel its open ones (`on`), or let it trade again."""

    key: Key
    account: Name
    on: bool


class AdvanceClock(Message, frozen=True, tag=True):
    """Set the clock of a machine of a replay venue forward; only the replay source writes it."""

    key: Key
    time_ms: Millis


class Resume(Message, frozen=True, tag=True):
    """Let a halted machine go on."""

    key: Key


class Tick(Message, frozen=True, tag=True):
    """Let an idle machine of a live venue see the time, which is this record's own."""

    key: Key


# Commands from an account shard, or of `@market` flow, to `book-inbox`


class EnterOrder(Message, frozen=True, tag=True):
    """Match an order that is already paid for. `listing` is the version of the listing it was reserved under."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    side: Side
    price: Price
    quantity: Quantity
    listing: Seq = 1
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0
    maker_fee: Ppm = 0
    taker_fee: Ppm = 0
    conditions: Conditions | None = None


class EnterOco(Message, frozen=True, tag=True):
    """Match two orders of one account and side of which one cancels the other; `source` and `seq` of both are those of this."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    symbol: Name
    first: EnterOrder
    second: EnterOrder


class PullOrder(Message, frozen=True, tag=True):
    """Take an order off the book."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    reason: CancelReason = "REQUESTED"
    request_id: RequestId | None = None


class ReviseOrder(Message, frozen=True, tag=True):
    """Change an order on the book; 0 leaves a field as it is. `quantity` counts what is filled, too."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    price: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] = 0
    stop: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0
    request_id: RequestId | None = None


class SwapOrder(Message, frozen=True, tag=True):
    """Take an order off the book and match another one, if `leaves` is still what is left of the first; or do neither."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    leaves: Quantity
    order: EnterOrder
    request_id: RequestId | None = None


# Reports: from a book to `account-inbox`, and once settled from the account to `order-reports`


class OrderAccepted(Message, frozen=True, tag=True):
    """An order has reached the book; fills, if any, follow. `price` is the one it works at, where a post-only order was slid."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    side: Side
    price: Price
    quantity: Quantity
    listing: Seq = 1
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0
    conditions: Conditions | None = None
    request_id: RequestId | None = None


class OrderAmended(Message, frozen=True, tag=True):
    """An order has other terms now: by a request, or because the book made it smaller (self-trade) or gave it its limit.

    `quantity` counts what is filled, too; `leaves` is what may still trade; `stop` 0: it has none.
    """

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    price: Price
    quantity: Quantity
    leaves: Quantity
    stop: Annotated[int, Meta(ge=0, le=PRICE_MAX)] = 0
    request_id: RequestId | None = None
    amend_request_id: RequestId | None = None


class OrderTriggered(Message, frozen=True, tag=True):
    """A trade at `price` has set off a stop order, which now trades as a market or a limit order."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    price: Price
    request_id: RequestId | None = None


class OrderFilled(Message, frozen=True, tag=True):
    """An order has traded `quantity` at `price`; `leaves` is what is left of it, `trade` the symbol's trade number.

    `fee` is what it paid, in minor units of the quote asset; below zero: what it got.
    """

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    trade: Seq
    side: Side
    price: Price
    quantity: Quantity
    leaves: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
    liquidity: Liquidity
    fee: Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)] = 0
    request_id: RequestId | None = None


class FillBusted(Message, frozen=True, tag=True):
    """The trade `trade` is undone: the account gets back what it gave for it, and gives back what it got."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    trade: Seq
    side: Side
    price: Price
    quantity: Quantity
    fee: Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)] = 0
    listing: Seq = 1


class FeeCollected(Message, frozen=True, tag=True):
    """What the two sides of a trade have paid in fees, less rebates, goes to the fee account; below zero: it is given back."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    symbol: Name
    trade: Seq
    asset: Asset
    amount: Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]


class OrderCancelled(Message, frozen=True, tag=True):
    """What was left of an order, `quantity`, is off the book; `cancel_request_id` is the id of the request that did it."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    quantity: Quantity
    reason: CancelReason
    request_id: RequestId | None = None
    cancel_request_id: RequestId | None = None


class OrderExpired(Message, frozen=True, tag=True):
    """What was left of an order, `quantity`, is off the book because its time has come: GTD, DAY, OPG or CLS."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    quantity: Quantity
    request_id: RequestId | None = None


class OrderRejected(Message, frozen=True, tag=True):
    """An order was refused, by the account (then it has no `order_id`) or by the book."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    symbol: Name
    reason: RejectReason
    order_id: OrderId = 0
    request_id: RequestId | None = None


class RequestRejected(Message, frozen=True, tag=True):
    """A request other than an order (`order_id` says of which order, if of one) was refused."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    reason: RejectReason
    order_id: OrderId = 0
    request_id: RequestId | None = None


class RequestDone(Message, frozen=True, tag=True):
    """A request that is about no single order was carried out: a cancel-all (`orders` are asked to go), a dead-man timer."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    request_id: RequestId
    orders: Count = 0


class RequestRepeated(Message, frozen=True, tag=True):
    """A request came again; it had no second effect. Says how the first ended: an order id, a reason, or neither."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    request_id: RequestId
    order_id: OrderId = 0
    reason: RejectReason | None = None


# Facts


class Trade(Message, frozen=True, tag=True):
    """Two orders have traded. `seq` is the symbol's trade number, gapless from 1; `auction`: at an auction's price.

    In an auction the younger order counts as the taker.
    """

    symbol: Name
    seq: Seq
    time_ms: Millis
    price: Price
    quantity: Quantity
    taker_side: Side
    maker_order: OrderId
    taker_order: OrderId
    listing: Seq = 1
    auction: bool = False

    @property
    def trade_id(self) -> str:
        """The trade's id in the whole venue, such as `AAPLUSD-1842`."""
        return f"{self.symbol}-{self.seq}"


class BookDelta(Message, frozen=True, tag=True):
    """The total quantity that now rests on one side of a book at one price (0: none)."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    side: Side
    price: Price
    quantity: Annotated[int, Meta(ge=0)]


class BookChecksum(Message, frozen=True, tag=True):
    """CRC32 of the ten best prices and quantities of each side, as the book deltas before this one leave them.

    The text is `bid price:quantity:ask price:quantity:...`, best first, in ticks and lots; a side that is shorter is left out where it ends.
    """

    symbol: Name
    seq: Seq
    time_ms: Millis
    crc32: Annotated[int, Meta(ge=0, lt=2**32)]


class PhaseChanged(Message, frozen=True, tag=True):
    """A symbol's market is in another phase."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    phase: Phase


class AuctionIndicated(Message, frozen=True, tag=True):
    """What an auction would do now: its price (0: none) and volume, and the lots left over, above zero of buyers, below of sellers."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    price: Annotated[int, Meta(ge=0, le=PRICE_MAX)]
    volume: Annotated[int, Meta(ge=0)]
    imbalance: int


class TradeBusted(Message, frozen=True, tag=True):
    """The trade `trade` of the symbol is undone."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    trade: Seq


class OrderDelta(Message, frozen=True, tag=True):
    """One resting order, without its owner: the lots seen of it at a price (0: it is gone). A lower `number` trades first."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    number: Seq
    side: Side
    price: Price
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]


class BookSnapshot(Message, frozen=True, tag=True):
    """A whole book: each price with the total quantity that rests there, best first, after `delta` book deltas and `trade` trades.

    The first one of a book, and one for each new `listing` and each delisting, say what is traded. `indicated` is price,
    volume and imbalance of the last `AuctionIndicated`. Readers of book deltas can begin at the last.
    """

    symbol: Name
    seq: Seq
    time_ms: Millis
    delta: Annotated[int, Meta(ge=0, le=UNITS_MAX)]
    trade: Annotated[int, Meta(ge=0, le=UNITS_MAX)]
    listing: Seq
    instrument: Instrument
    bids: list[tuple[Price, Total]]
    asks: list[tuple[Price, Total]]
    rules: Rules = Rules()
    phase: Phase = "continuous"
    delisted: bool = False
    indicated: tuple[Count, Annotated[int, Meta(ge=0)], int] = (0, 0, 0)


class BalanceChanged(Message, frozen=True, tag=True):
    """What an account now has of an asset, in minor units: free to use, and reserved for its open orders.

    `owed` is what it must give back for busted trades and has not got: the next that comes in goes there.
    """

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    asset: Asset
    available: Annotated[int, Meta(ge=0)]
    reserved: Annotated[int, Meta(ge=0)]
    owed: Annotated[int, Meta(ge=0)] = 0
    request_id: RequestId | None = None


class AccountOpened(Message, frozen=True, tag=True):
    """An account exists from now on."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    request_id: RequestId


class Bar(Message, frozen=True, tag=True):
    """One bar of market data from outside: `start_ms` to `start_ms + span_ms`; prices in ticks, volume in lots."""

    source: Name
    seq: Seq
    symbol: Name
    start_ms: Millis
    span_ms: Annotated[int, Meta(ge=1, le=UNITS_MAX)]
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Annotated[int, Meta(ge=0, le=UNITS_MAX)]

    def __post_init__(self) -> None:
        """Refuse a bar whose open or close lies outside low to high."""
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError("open and close must lie within low to high")


class DeadLetter(Message, frozen=True, tag=True):
    """A record that could not be used, or an alert that could not be delivered: where it stood, why, and its bytes (base64 in JSON)."""

    topic: str
    partition: int
    offset: int
    key: str
    reason: Literal["INVALID_PACKET", "BROKEN_INVARIANT", "REJECTED", "CHANNEL_HOLE", "UNDELIVERED"]
    detail: str
    raw: bytes


BookCommand: TypeAlias = (
    EnterOrder
    | EnterOco
    | PullOrder
    | ReviseOrder
    | SwapOrder
    | Tick
    | AdvanceClock
    | ListInstrument
    | Delist
    | SetPhase
    | CancelSymbol
    | BustTrade
    | Resume
)
BookReport: TypeAlias = (
    OrderAccepted
    | OrderAmended
    | OrderTriggered
    | OrderFilled
    | OrderCancelled
    | OrderExpired
    | OrderRejected
    | RequestRejected
    | FillBusted
    | FeeCollected
)
AccountCommand: TypeAlias = (
    OpenAccount
    | Deposit
    | Withdraw
    | PlaceOrder
    | PlaceOco
    | PlaceBracket
    | AmendOrder
    | ReplaceOrder
    | CancelOrder
    | CancelAll
    | SetDeadMan
)
AccountsOperation: TypeAlias = (
    AdvanceClock | Tick | ListInstrument | Delist | SetFees | SetLimits | SetKillSwitch | Resume
)
AccountsInput: TypeAlias = AccountCommand | BookReport | AccountsOperation
OrderReport: TypeAlias = BookReport | RequestRepeated | RequestDone
AccountUpdate: TypeAlias = BalanceChanged | AccountOpened
BookEvent: TypeAlias = BookDelta | BookChecksum | PhaseChanged | AuctionIndicated | TradeBusted
"""What stands in `book-deltas`, all of it numbered in one channel."""


@lru_cache(maxsize=65_536)
def shard_of(account: str, shards: int) -> str:
    """Return the key of the account's shard: `crc32(account) % shards`, as text.

    >>> shard_of("alice", 16)
    '7'
    """
    return str(crc32(account.encode()) % shards)
