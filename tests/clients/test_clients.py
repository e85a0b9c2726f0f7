"""Clients that other people wrote for Binance trade here: only their URLs and options are set."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Run, Trader

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_ccxt_reads_markets_and_trades(trader: Trader, run: Run) -> None:
    symbol = f"{trader.base}/USD"
    told = run("ccxt_calls.py", trader.url, trader.key, trader.secret, symbol)
    market = told["market"]
    assert (market["id"], market["base"], market["quote"]) == (trader.symbol, trader.base, "USD")
    assert (market["active"], market["spot"]) == (True, True)
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 1
    assert told["book"]["bids"] == [[99.0, 10_000], [98.0, 10_000]]
    assert told["book"]["asks"] == [[100.0, 10_000], [101.0, 10_000]]
    assert told["ticker"] == symbol
    assert told["tickers"] >= 1
    assert told["bids_asks"] == 99
    assert (told["balance"]["USD"], told["balance"][trader.base]) == (10**9, 10_000)
    assert told["resting"] == {
        "clientOrderId": "ccxt-1", "status": "open", "price": 89.1, "amount": 2, "filled": 0, "type": "limit", "side": "buy",
    }  # fmt: skip
    assert (told["fetched"], told["open"]) == ("open", True)
    assert told["edited"] == {"price": 89.09, "another": True, "status": "open"}
    assert told["cancelled"] == "canceled"
    assert told["bought"] == {"status": "closed", "filled": 2, "remaining": 0}
    assert told["cost"]
    assert told["my_trades"] == {"filled": 2, "taker": "taker"}
    assert told["orders"] == ["canceled", "canceled", "closed"]
    assert told["closed"]
    assert (told["all_cancelled"], told["left_open"]) == (1, 0)
    assert told["refusals"] == {
        "cancel_unknown": "OrderNotFound",
        "fetch_unknown": "OrderNotFound",
        "too_dear": "InsufficientFunds",
        "post_only": "OrderImmediatelyFillable",
        "wrong_secret": "AuthenticationError",
    }


def test_ccxt_pro_watches_a_market_and_an_account(trader: Trader, run: Run) -> None:
    symbol = f"{trader.base}/USD"
    told = run("ccxt_watches.py", trader.url, trader.key, trader.secret, symbol)
    assert told["book"]["bids"] == [[99.0, 10_000], [98.0, 10_000]]
    assert {"closed"} <= set(told["orders"]) <= {"open", "closed"}
    assert {trader.base, "USD"} <= set(told["balance"])
    assert told["trades"] >= 1
    assert told["ticker"] == symbol
    assert told["candles"] >= 1
    assert set(told["my_trades"]) == {"buy"}
    assert (told["placed_ws"], told["cancelled_ws"]) == ("open", "canceled")


def test_python_binance_reads_trades_and_hears_of_its_orders(trader: Trader, run: Run) -> None:
    told = run("python_binance_calls.py", trader.url, trader.key, trader.secret, trader.symbol)
    assert (told["ping"], told["time"]) == ({}, True)
    assert (told["info"]["status"], told["info"]["baseAsset"], told["info"]["quoteAsset"]) == (
        "TRADING",
        trader.base,
        "USD",
    )
    assert {"LIMIT", "MARKET", "LIMIT_MAKER"} <= set(told["info"]["orderTypes"])
    assert {"PRICE_FILTER", "LOT_SIZE"} <= set(told["filters"])
    assert [price for price, _ in told["book"]["bids"]] == ["99.00", "98.00"]
    assert told["ticker"] == trader.symbol
    assert told["average"]
    assert float(told["account"]["USD"]) == 10**9
    assert told["tested"] == {}
    assert (told["placed"], told["asked"], told["open"], told["cancelled"]) == ("NEW", True, 1, "CANCELED")
    assert told["bought"] == {"status": "FILLED", "fills": True}
    assert told["mine"]
    assert told["all"] == ["CANCELED", "FILLED"]
    assert told["unknown"] == [-2013, "Order does not exist."]
    assert told["heard"][:2] == ["NEW", "TRADE"]
    assert told["own"]
    assert told["depth"] == ["asks", "bids", "lastUpdateId"]
