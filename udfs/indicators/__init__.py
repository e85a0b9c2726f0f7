"""The indicators of docs/ANALYTICS.md, 3.3 and 3.4: each is a `Study`, made by name with `parse`.

Numbers are finite, 0 or between 1e-100 and 1e100 (beyond, squares overflow), whole numbers below 2**53. State is plain: encoded by msgspec as
`AnyStudy` and decoded again after any step, a study goes on as if nothing had been.
"""

from udfs.indicators.averages import Ema, Sma, Wma
from udfs.indicators.bands import Atr, Bollinger, Volatility
from udfs.indicators.book import DepthImbalance, OrderFlowImbalance, Spread
from udfs.indicators.checks import PERIOD_MAX, InvalidIndicator
from udfs.indicators.momentum import Macd, Rsi, Stochastic
from udfs.indicators.registry import BOOK_DEFAULTS, DEFAULTS, STUDIES, AnyStudy, name_of, output_names, parse, values
from udfs.indicators.volume import Obv, Vwap

__all__ = [
    "BOOK_DEFAULTS",
    "DEFAULTS",
    "PERIOD_MAX",
    "STUDIES",
    "AnyStudy",
    "Atr",
    "Bollinger",
    "DepthImbalance",
    "Ema",
    "InvalidIndicator",
    "Macd",
    "Obv",
    "OrderFlowImbalance",
    "Rsi",
    "Sma",
    "Spread",
    "Stochastic",
    "Volatility",
    "Vwap",
    "Wma",
    "name_of",
    "output_names",
    "parse",
    "values",
]
