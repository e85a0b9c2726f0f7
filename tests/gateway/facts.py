"""Facts as the jobs that watch the market might tell them, and a writer of them."""

from __future__ import annotations

from typing import Any

from exchange import analysis as a
from exchange import topics
from exchange.messages import Message
from exchange.packets import encode
from tests.gateway.projected import NOW_MS, Projected
from tests.gateway.script import SYMBOL

TOPIC_OF: dict[type[Any], str] = {
    a.Candle: topics.CANDLES,
    a.Indicators: topics.INDICATORS,
    a.WindowAverage: topics.AVERAGES,
    a.WindowProfit: topics.PROFITS,
    a.ProfitLeader: topics.LEADERS,
    a.SymbolSummary: topics.SUMMARIES,
    a.MarketSummary: topics.RANKINGS,
    a.LateData: topics.LATE_DATA,
    a.Signal: topics.SIGNALS,
    a.SignalOutcome: topics.SCORES,
    a.RuleScore: topics.SCORES,
    a.Alert: topics.ALERTS,
    a.Fundamentals: topics.MARKET_DATA,
}
MINUTE_MS = 60_000
START_MS = NOW_MS - NOW_MS % MINUTE_MS


def say(projected: Projected, *facts: Message) -> None:
    """Append facts to their topics, each in a packet of its own."""
    for fact in facts:
        projected.venue.written[TOPIC_OF[type(fact)]].append(encode([fact]))


def candle(minute: int = 0, trades: int = 3, **fields: Any) -> a.Candle:
    """Tell a one-minute candle of AAPLUSD, `minute` minutes after `START_MS`."""
    usual: dict[str, Any] = {
        "open": 100,
        "high": 103,
        "low": 99,
        "close": 101,
        "volume": 9,
        "turnover": 911,
        "listing": 1,
    }
    named = {"symbol": SYMBOL, "span_ms": MINUTE_MS, "start_ms": START_MS + minute * MINUTE_MS, "trades": trades}
    return a.Candle(**{**usual, **named, **fields})


def indicators(minute: int = 0, version: int = 3, **fields: Any) -> a.Indicators:
    """Tell the indicators after a one-minute bar."""
    usual: dict[str, Any] = {
        "symbol": SYMBOL, "source": a.TRADES_SOURCE, "span_ms": MINUTE_MS, "bars": minute + 1,
        "open": 1.0, "high": 1.03, "low": 0.99, "close": 1.01, "volume": 9.0, "values": {"sma(20)": 1.0 / 3, "rsi(14)": 55.5},
    }  # fmt: skip
    return a.Indicators(**{**usual, "start_ms": START_MS + minute * MINUTE_MS, "version": version, **fields})


def average(five: int = 0, version: int = 3, value: float = 1.5, **fields: Any) -> a.WindowAverage:
    """Tell the moving average of a window that ends `five` times five minutes after `START_MS`."""
    return a.WindowAverage(**{**_window(five), "version": version, "average": value, **fields})


def profit(five: int = 0, version: int = 3, value: float = -0.5, **fields: Any) -> a.WindowProfit:
    """Tell the profit of such a window."""
    return a.WindowProfit(**{**_window(five), "version": version, "profit": value, **fields})


def leader(five: int = 0, symbol: str = SYMBOL, value: float = 0.5, **fields: Any) -> a.ProfitLeader:
    """Tell who led by the profit of such a window."""
    return a.ProfitLeader(**{**_window(five), "symbol": symbol, "profit": value, "symbols": 2, **fields})


def _window(five: int) -> dict[str, Any]:
    end_ms = START_MS + five * 300_000
    return {"symbol": SYMBOL, "method": "hopping-10m-5m", "start_ms": end_ms - 600_000, "end_ms": end_ms}


def summary(trades: int = 3, **fields: Any) -> a.SymbolSummary:
    """Tell how AAPLUSD does."""
    session = a.Totals(open=100, high=103, low=99, close=101, volume=9, turnover=911, trades=3)
    usual: dict[str, Any] = {
        "symbol": SYMBOL, "time_ms": START_MS, "listing": 1, "session": session, "day": session, "turnover": 9.11,
        "change": 0.01, "change_24h": 0.02, "previous_close": 100, "bid": 100, "ask": 102, "volatility": 0.001, "profit": 0.5, "late": 2,
    }  # fmt: skip
    return a.SymbolSummary(**{**usual, "trades": trades, **fields})


def fundamentals(time_ms: int = START_MS, market_cap: float = 3e12) -> a.Fundamentals:
    """Tell what the company of AAPLUSD is worth."""
    return a.Fundamentals(source="ingest", symbol=SYMBOL, time_ms=time_ms, market_cap=market_cap, pe_ratio=32.5)


def market(time_ms: int = START_MS) -> a.MarketSummary:
    """Tell how all symbols do."""
    ranking = [a.Ranked(SYMBOL, 0.01), a.Ranked("COINUSD", -0.01)]
    return a.MarketSummary(
        time_ms=time_ms, symbols=2, advancers=1, decliners=1, unchanged=0,
        by_change=ranking, by_turnover=ranking, by_profit=ranking[:1],
    )  # fmt: skip


def late(number: int = 1, source: str = a.TRADES_SOURCE, **fields: Any) -> a.LateData:
    """Tell of a trade that came too late."""
    usual = {"time_ms": START_MS - 9_000, "clock_ms": START_MS - 5_000, "price": 1.01, "volume": 5.0}
    return a.LateData(**{**usual, "symbol": SYMBOL, "source": source, "late": number, **fields})


def signal(minute: int = 0, rule: str = "rsi-bounds(14,30,70)", **fields: Any) -> a.Signal:
    """Tell what a rule says after a one-minute bar."""
    start_ms = START_MS + minute * MINUTE_MS
    usual: dict[str, Any] = {
        "symbol": SYMBOL, "source": a.TRADES_SOURCE, "span_ms": MINUTE_MS, "start_ms": start_ms, "time_ms": start_ms + MINUTE_MS,
        "action": "BUY", "strength": 0.7, "price": 1.01, "reason": "RSI 27.9 < 30", "numbers": {"rsi(14)": 27.9},
    }  # fmt: skip
    return a.Signal(**{**usual, "rule": rule, **fields})


def outcome(horizon: int = 5, **fields: Any) -> a.SignalOutcome:
    """Tell what became of `signal()`."""
    usual: dict[str, Any] = {
        "symbol": SYMBOL, "source": a.TRADES_SOURCE, "span_ms": MINUTE_MS, "start_ms": START_MS, "rule": "rsi-bounds(14,30,70)",
        "action": "BUY", "time_ms": START_MS + (horizon + 1) * MINUTE_MS, "entry": 1.0, "price": 1.02, "gain": 0.02,
    }  # fmt: skip
    return a.SignalOutcome(**{**usual, "horizon": horizon, **fields})


def score(bars: int = 30, horizon: int = 5, rule: str = "candle", **fields: Any) -> a.RuleScore:
    """Tell how well a rule has done."""
    usual: dict[str, Any] = {
        "symbol": SYMBOL, "source": a.TRADES_SOURCE, "span_ms": MINUTE_MS, "time_ms": START_MS, "signals": 4, "hits": 3, "average": 0.01,
        "average_gain": 0.02, "average_loss": -0.02, "random": 0.0, "random_hit_rate": 0.5, "hold": 0.03,
    }  # fmt: skip
    return a.RuleScore(**{**usual, "bars": bars, "horizon": horizon, "rule": rule, **fields})


def alert(event: str = "trade 7", account: str = "demo", **fields: Any) -> a.Alert:
    """Tell an account that its alert has come true."""
    usual: dict[str, Any] = {
        "alert": "dip",
        "symbol": SYMBOL,
        "time_ms": START_MS,
        "text": "AAPLUSD is at 0.99",
        "channels": ["inbox"],
    }
    return a.Alert(**{**usual, "account": account, "event": event, **fields})
