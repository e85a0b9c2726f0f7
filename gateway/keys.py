"""The names of everything in Redis, and the form of what is kept there. Only the projector writes; the server reads.

All views of one generation stand under its own prefix, so that a rebuild fills a new one while readers go on with the old.
Values are JSON arrays of integers and short texts: ticks, lots and minor units, as in the log.

What is computed of a market (`exchange.analysis`) is kept with its rank: of two with one name, the one with the greater rank holds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote

import msgspec

from exchange.instruments import Instrument, Rules
from exchange.messages import Phase
from exchange.statement import OrderLine
from gateway.shown import ReportEvent

FORMAT: Final = 4
"""Raise it when the form of the views changes: a projector that finds another one rebuilds them."""

TOP_LEVELS: Final = 200
"""How many prices a side can be shown; all of them are in hashes, which only the projector reads."""
TRADES_MAX: Final = 1_000
ENDED_MAX: Final = 1_000
REQUESTS_MAX: Final = 5_000
STEPS_MAX: Final = 1_000
FILLS_MAX: Final = 1_000
REPORTS_MAX: Final = 1_000
"""How many of the newest are kept: trades and steps of the book a symbol; ended orders, requests, fills and reports an account."""
CANDLES_MAX: Final = 5_000
SECONDS_MAX: Final = 1_800
"""How many of a symbol's newest candles are kept of each span, and of the shortest."""
INDICATORS_MAX: Final = 501
WINDOWS_MAX: Final = 500
LEADERS_MAX: Final = 100
LATE_MAX: Final = 100
SIGNALS_MAX: Final = 200
OUTCOMES_MAX: Final = 3 * SIGNALS_MAX
ALERTS_MAX: Final = 200
"""How many of the newest are kept: indicators a series (the open bar's and 500 of closed ones), averages and profits a symbol and method,
leaders a method, late data, signals and their outcomes (at three horizons) a symbol, alerts an account."""
SYMBOLS_MAX: Final = 100_000
SERIES_MAX: Final = 256
SCORES_MAX: Final = 5_000
"""How many symbols may have a summary, and how many series and scores a symbol may have; the jobs have bounds of their own, far below."""


class Keys:
    """The names that hold for a venue whatever the generation."""

    def __init__(self, venue: str) -> None:
        self.prefix = f"openbell:{venue}:"
        self.generation = self.prefix + "generation"
        """Which generation to read: the token of its prefix."""
        self.lease = self.prefix + "lease"
        """Which projector works: its token, which expires unless it is renewed."""
        self.beat = self.prefix + "beat"
        """A `Beat`, written anew at least each second while a projector works."""
        self.changed = self.prefix + "changed"
        """The channel on which changes are published."""

    def of(self, generation: str) -> GenerationKeys:
        """Return the names of one generation."""
        return GenerationKeys(f"{self.prefix}{generation}:")


class GenerationKeys:
    """The names of one generation's views."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.position = prefix + "position"
        """Hash: `commit`, `format`, the next offset of each `topic/partition`, and each `seen topic`: its channels' last numbers."""
        self.listings = prefix + "listings"
        """Hash: `ListingRow` by symbol and version."""

    def market(self, symbol: str) -> str:
        """A `MarketRow`."""
        return f"{self.prefix}market:{symbol}"

    def levels(self, symbol: str, side: str) -> str:
        """Hash: quantity by price, of side `buy` or `sell`."""
        return f"{self.prefix}levels:{symbol}:{side}"

    def steps(self, symbol: str) -> str:
        """Sorted set: `projecting.book_steps.StepRow` by the number of the event that it ends with."""
        return f"{self.prefix}steps:{symbol}"

    def trades(self, symbol: str) -> str:
        """List: `TradeRow`, the newest first."""
        return f"{self.prefix}trades:{symbol}"

    def waiting(self, symbol: str) -> str:
        """The trades, as a packet, that wait for the snapshot of their listing, if there are such."""
        return f"{self.prefix}waiting:{symbol}"

    def busted_trades(self, symbol: str) -> str:
        """Sorted set: numbers of trades that are undone, by themselves."""
        return f"{self.prefix}busted-trades:{symbol}"

    def candles(self, symbol: str, span: str) -> str:
        """Sorted set: `CandleRow` by start."""
        return f"{self.prefix}candles:{symbol}:{span}"

    def series(self, symbol: str) -> str:
        """Hash: by source and span, the ranked newest indicators; a greater start outranks any version."""
        return f"{self.prefix}series:{symbol}"

    def indicators(self, symbol: str, source: str, span_ms: int) -> str:
        """Sorted set: Ranked `Indicators` by start."""
        return f"{self.prefix}indicators:{_quoted(symbol)}:{_quoted(source)}:{span_ms}"

    def averages(self, symbol: str, method: str) -> str:
        """Sorted set: Ranked `WindowAverage` by end."""
        return f"{self.prefix}averages:{symbol}:{method}"

    def profits(self, symbol: str, method: str) -> str:
        """Sorted set: Ranked `WindowProfit` by end."""
        return f"{self.prefix}profits:{symbol}:{method}"

    def leaders(self, method: str) -> str:
        """Sorted set: Ranked `ProfitLeader` by end."""
        return f"{self.prefix}leaders:{method}"

    @property
    def summaries(self) -> str:
        """Hash: ranked `SymbolSummary` by symbol."""
        return f"{self.prefix}summaries"

    @property
    def rankings(self) -> str:
        """The last `MarketSummary`."""
        return f"{self.prefix}rankings"

    @property
    def fundamentals(self) -> str:
        """Hash: ranked `Fundamentals` by symbol."""
        return f"{self.prefix}fundamentals"

    def late(self, symbol: str) -> str:
        """Hash: `LateData` by its name."""
        return f"{self.prefix}late:{symbol}"

    def late_ids(self, symbol: str) -> str:
        """List: names of late data, the last told first."""
        return f"{self.prefix}late-ids:{symbol}"

    def late_counts(self, symbol: str) -> str:
        """Hash: by source, the ranked `LateData` that counts the most."""
        return f"{self.prefix}late-counts:{symbol}"

    def signals(self, symbol: str) -> str:
        """Hash: `Signal` by its name."""
        return f"{self.prefix}signals:{symbol}"

    def signal_ids(self, symbol: str) -> str:
        """List: names of signals, the last said first."""
        return f"{self.prefix}signal-ids:{symbol}"

    def signal_outcomes(self, symbol: str) -> str:
        """Hash: `SignalOutcome` by its name."""
        return f"{self.prefix}signal-outcomes:{symbol}"

    def signal_outcome_ids(self, symbol: str) -> str:
        """List: names of outcomes of signals, the last told first."""
        return f"{self.prefix}signal-outcome-ids:{symbol}"

    def scores(self, symbol: str) -> str:
        """Hash: ranked `RuleScore` by source, span, rule and horizon."""
        return f"{self.prefix}scores:{symbol}"

    def alerts(self, account: str) -> str:
        """Hash: `Alert` by its name."""
        return f"{self.prefix}alerts:{account}"

    def alert_ids(self, account: str) -> str:
        """List: names of alerts, the last told first."""
        return f"{self.prefix}alert-ids:{account}"

    def alert_count(self, account: str) -> str:
        """How many alerts the account has been told of."""
        return f"{self.prefix}alert-count:{account}"

    def balances(self, account: str) -> str:
        """Hash: `BalanceRow` by asset."""
        return f"{self.prefix}balances:{account}"

    def open_orders(self, account: str) -> str:
        """Hash: `statement.OrderLine` by order id."""
        return f"{self.prefix}open:{account}"

    def ended_orders(self, account: str) -> str:
        """Hash: `statement.OrderLine` by order id."""
        return f"{self.prefix}ended:{account}"

    def ended_ids(self, account: str) -> str:
        """List: ids of ended orders, the newest first."""
        return f"{self.prefix}ended-ids:{account}"

    def busted_orders(self, account: str) -> str:
        """Hash: by order id, a mark for each order of which a fill is undone."""
        return f"{self.prefix}busted-orders:{account}"

    def fills(self, account: str) -> str:
        """List: `FillRow`, the newest first."""
        return f"{self.prefix}fills:{account}"

    def busted_fills(self, account: str) -> str:
        """Set: ids of the trades that were undone, such as `AAPLUSD-1842`: as many as the operator has undone."""
        return f"{self.prefix}busted-fills:{account}"

    def reports(self, account: str) -> str:
        """List: `ReportRow`, the newest first."""
        return f"{self.prefix}reports:{account}"

    def outcomes(self, account: str) -> str:
        """Hash: `statement.RequestLine` by request id: how it ended."""
        return f"{self.prefix}outcomes:{account}"

    def repeats(self, account: str) -> str:
        """Hash: `statement.RequestLine` by request id: what its last repeat was told."""
        return f"{self.prefix}repeats:{account}"

    def request_ids(self, account: str) -> str:
        """List: ids of requests, the newest first."""
        return f"{self.prefix}request-ids:{account}"


class Beat(msgspec.Struct, frozen=True):
    """A projector's word on the views: when (wall milliseconds), whether they are complete, when they last were, and else why not."""

    at_ms: int
    complete: bool
    complete_ms: int | None
    reason: str = ""
    messages: int = 0
    refused: int = 0
    mismatches: int = 0


Rank: TypeAlias = tuple[int, ...]
"""What decides between two facts of one name: the first number, of equal ones the next, and so on; of equal ranks the later told holds.
It stands at the head of what is kept, where the script that applies batches reads it."""


class CandleRow(msgspec.Struct, array_like=True, frozen=True):
    """A candle, ranked by listing, trades and whether it is closed: milliseconds, ticks and lots, and the sum of price times quantity."""

    rank: tuple[int, int, int]
    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int


class DayRow(msgspec.Struct, array_like=True, frozen=True):
    """The day of a market: milliseconds, ticks, lots and a number of trades."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


class ListingRow(msgspec.Struct, array_like=True, frozen=True):
    """A version of a symbol's listing."""

    symbol: str
    version: int
    instrument: Instrument


class MarketRow(msgspec.Struct, array_like=True, frozen=True):
    """A symbol after so many deltas and trades, with its best levels (price and quantity, best first).

    The rest is as in `views.MarketView`; `instrument` None: no snapshot has told of it yet.
    """

    deltas: int
    trades: int
    time_ms: int
    day: DayRow | None
    previous_close: int | None
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    listing: int
    since: int
    instrument: Instrument | None
    rules: Rules
    phase: Phase
    indication: tuple[int, int, int] | None
    reference: int | None
    delisted: bool


class TradeRow(msgspec.Struct, array_like=True, frozen=True):
    """A trade; `buy` says whether the taker bought, `auction` whether it happened in an auction; `taker_order` is the taker's."""

    seq: int
    time_ms: int
    price: int
    quantity: int
    buy: bool
    auction: bool
    taker_order: int


class FillRow(msgspec.Struct, array_like=True, frozen=True):
    """A fill of an account's order: ticks, lots and minor units; `trade` is the symbol's trade number, `maker`: the order rested."""

    seq: int
    time_ms: int
    symbol: str
    listing: int
    trade: int
    order_id: int
    request_id: str
    buy: bool
    price: int
    quantity: int
    fee: int
    maker: bool


class ReportRow(msgspec.Struct, array_like=True, frozen=True):
    """What happened to an account's order, the order after it, and the fill if that is what happened.

    `request_id` is that of the request that cancelled or changed the order, where one did.
    """

    seq: int
    event: ReportEvent
    request_id: str
    order: OrderLine
    fill: FillRow | None


class BalanceRow(msgspec.Struct, array_like=True, frozen=True):
    """A balance in minor units."""

    available: int
    reserved: int
    owed: int
    seq: int


@lru_cache(maxsize=100_000)
def _quoted(name: str) -> str:
    """Write a name that others have chosen such that no two make one key."""
    return quote(name, safe="@")
