"""A freqtrade strategy that buys once, and sells what it has bought at the next look."""
# ruff: noqa: ARG002  (freqtrade calls these with more than is needed here)

from datetime import datetime
from typing import Any

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Once(IStrategy):
    """Buys and sells once, whatever the market does."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    startup_candle_count = 1
    process_only_new_candles = False
    minimal_roi: dict[str, float] = {}  # noqa: RUF012  (freqtrade's own form)
    stoploss = -0.5
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}  # noqa: RUF012

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def confirm_trade_entry(self, pair: str, *arguments: Any, **fields: Any) -> bool:
        return not Trade.get_trades_proxy(pair=pair)

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, current_profit: float, **fields: Any
    ) -> str:
        return "once"
