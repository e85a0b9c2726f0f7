"""What is made of the book's best prices and of the depth behind them."""

from __future__ import annotations

from udfs.indicators.checks import Number, check_period
from udfs.study import Study


class Spread(Study, tag="spread"):
    """Quoted spread.

    Formula: best ask - best bid.
    Source: Harris, "Trading and Exchanges" (2003), chapter 14.
    Seeding: none; it is of this moment alone.
    Warm-up: 1 quote.
    Unit: that of the price; above 0 unless the two are crossed.

    >>> Spread().step(99, 101)
    2
    """

    inputs = ("bid", "ask")

    @property
    def warm_up(self) -> int:
        return 1

    def step(self, bid: float, ask: float) -> float:
        """Take in the best prices and return the spread."""
        return ask - bid


class DepthImbalance(Study, tag="depth_imbalance"):
    """Which side of the book has more behind it.

    Formula: (bids - asks) / (bids + asks), the quantities at the `levels` best prices of each side; the caller adds these up. None while
    both sides are empty.
    Source: Gould and Bonart, "Queue Imbalance as a One-Tick-Ahead Price Predictor in Limit Order Books", Market Microstructure and
    Liquidity 2 (2016), whose imbalance is that of one level.
    Seeding: none; it is of this moment alone.
    Warm-up: 1 quote; levels 1 to 10,000.
    Unit: none, -1 (asks alone) to 1 (bids alone).

    >>> DepthImbalance(5).step(30, 10)
    0.5
    """

    inputs = ("bid_depth", "ask_depth")

    levels: int

    def __post_init__(self) -> None:
        check_period("levels", self.levels)

    @property
    def warm_up(self) -> int:
        return 1

    def step(self, bid_depth: float, ask_depth: float) -> float | None:
        """Take in the quantities at the best prices of each side and return their imbalance."""
        both = bid_depth + ask_depth
        return (bid_depth - ask_depth) / both if both else None


class OrderFlowImbalance(Study, tag="order_flow_imbalance"):
    """What the last change of the best quotes says of demand and supply; of a span of time, the sum of what its changes say.

    Formula: e = [bid >= last bid] * bid size - [bid <= last bid] * last bid size - [ask <= last ask] * ask size
    + [ask >= last ask] * last ask size, [x] being 1 where x holds, else 0.
    Source: Cont, Kukanov and Stoikov, "The Price Impact of Order Book Events", Journal of Financial Econometrics 12 (2014).
    Seeding: the first quote says nothing, as it is no change.
    Warm-up: 2 quotes.
    Unit: that of the sizes; above 0: more demand.

    >>> flow = OrderFlowImbalance()
    >>> [flow.step(*quote) for quote in ((99, 5, 101, 5), (99, 7, 101, 5), (100, 4, 101, 5), (100, 4, 102, 9))]
    [None, 2, 4, 5]
    """

    inputs = ("bid", "bid_size", "ask", "ask_size")

    last: tuple[Number, Number, Number, Number] | None = None

    @property
    def warm_up(self) -> int:
        return 2

    def step(self, bid: float, bid_size: float, ask: float, ask_size: float) -> float | None:
        """Take in the best quotes after a change and return what the change says, or None for the first."""
        last = self.last
        self.last = (bid, bid_size, ask, ask_size)
        if last is None:
            return None
        last_bid, last_bid_size, last_ask, last_ask_size = last
        flow = 0 if bid < last_bid else bid_size
        if bid <= last_bid:
            flow -= last_bid_size
        if ask <= last_ask:
            flow -= ask_size
        if ask >= last_ask:
            flow += last_ask_size
        return flow
