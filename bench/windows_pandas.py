"""The window work of `bench.windows` in pandas: all at once, over trades that are all there.

Nothing of it goes on from where it stopped: one more trade means all of it again. It knows no late trade (it sorts nothing, and has no clock
that settles anything), keeps no state, and gives nothing before the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

pd: Any = import_module("pandas")  # which ships no types


class Computed(NamedTuple):
    """The candles of a minute with their indicators, and the averages of ten minutes every five, by symbol and time."""

    candles: Any
    averages: Any


class Traded(msgspec.Struct):
    """What of a trade is needed."""

    symbol: str
    time_ms: int
    price: int
    quantity: int


_decode = msgspec.json.Decoder(list[Traded]).decode


def frame(packets: Iterable[bytes]) -> Any:
    """Return the trades of some records, in their order."""
    rows = [msgspec.structs.astuple(trade) for packet in packets for trade in _decode(packet)]
    trades = pd.DataFrame(rows, columns=list(Traded.__struct_fields__))
    trades["time"] = pd.to_datetime(trades.pop("time_ms"), unit="ms")
    return trades


def compute(trades: Any) -> Computed:
    """Return what the trades come to; of symbols whose trades are in order."""
    by_minute = trades.groupby(["symbol", pd.Grouper(key="time", freq="1min")])
    candles = by_minute.agg(
        open=("price", "first"), high=("price", "max"), low=("price", "min"), close=("price", "last"),
        volume=("quantity", "sum"),
    )  # fmt: skip
    candles = candles[candles["volume"] > 0]
    closes = candles["close"].groupby("symbol")
    change = closes.diff()
    candles["sma(20)"] = closes.transform(lambda own: own.rolling(20).mean())
    candles["ema(12)"] = closes.transform(lambda own: own.ewm(span=12, adjust=False).mean())
    gain, loss = (
        part.clip(lower=0).groupby("symbol").transform(lambda own: own.ewm(alpha=1 / 14, adjust=False).mean())
        for part in (change, -change)
    )
    candles["rsi(14)"] = 100 * gain / (gain + loss)
    fives = candles["close"].reset_index("symbol").groupby("symbol")["close"].resample("5min").agg(["sum", "count"])
    tens = fives.groupby("symbol").transform(lambda own: own.rolling(2, min_periods=1).sum())
    return Computed(candles, tens["sum"] / tens["count"])
