"""ccxt, unmodified: only its URLs and options are set. Prints what each call gave, as JSON."""

import json
import sys
from collections.abc import Callable
from typing import Any

import ccxt

base, key, secret, symbol = sys.argv[1:5]
exchange = ccxt.binance(
    {
        "apiKey": key,
        "secret": secret,
        "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
    }
)
exchange.urls["api"] = {**exchange.urls["api"], "public": f"{base}/api/v3", "private": f"{base}/api/v3"}
told = {}


def refused(call: Callable[..., Any], *arguments: Any) -> Any:
    """Say how a call was refused, by ccxt's own kinds of errors."""
    try:
        return call(*arguments)
    except ccxt.BaseError as error:
        return type(error).__name__


market = exchange.load_markets()[symbol]
told["market"] = {name: market[name] for name in ("id", "base", "quote", "active", "spot", "precision", "limits")}
told["time"] = exchange.fetch_time()
book = exchange.fetch_order_book(symbol, 5)
told["book"] = {"bids": book["bids"], "asks": book["asks"], "nonce": book["nonce"]}
told["ticker"] = exchange.fetch_ticker(symbol)["symbol"]
told["tickers"] = len(exchange.fetch_tickers())
told["bids_asks"] = exchange.fetch_bids_asks([symbol])[symbol]["bid"]
told["last_prices"] = exchange.fetch_last_prices([symbol])[symbol]["price"]
told["trades"] = [trade["id"] for trade in exchange.fetch_trades(symbol, limit=5)]
told["candles"] = exchange.fetch_ohlcv(symbol, "1d", limit=5)
told["balance"] = exchange.fetch_balance()["free"]

step, lot = market["precision"]["price"], market["precision"]["amount"]
far = float(exchange.price_to_precision(symbol, book["bids"][0][0] * 0.9))
amount = float(exchange.amount_to_precision(symbol, max(lot, 2 * lot)))
resting = exchange.create_order(symbol, "limit", "buy", amount, far, {"newClientOrderId": "ccxt-1"})
told["resting"] = {
    name: resting[name] for name in ("clientOrderId", "status", "price", "amount", "filled", "type", "side")
}
told["fetched"] = exchange.fetch_order(resting["id"], symbol)["status"]
told["open"] = [order["id"] for order in exchange.fetch_open_orders(symbol)] == [resting["id"]]
edited = exchange.edit_order(resting["id"], symbol, "limit", "buy", amount, far - step)
told["edited"] = {"price": edited["price"], "another": edited["id"] != resting["id"], "status": edited["status"]}
told["cancelled"] = exchange.cancel_order(edited["id"], symbol)["status"]
bought = exchange.create_order(symbol, "market", "buy", amount)
told["bought"] = {name: bought[name] for name in ("status", "filled", "remaining")}
told["cost"] = bought["cost"] > 0
mine = exchange.fetch_my_trades(symbol)
told["my_trades"] = {
    "filled": sum(trade["amount"] for trade in mine if trade["order"] == bought["id"]),
    "taker": mine[-1]["takerOrMaker"],
}
told["orders"] = [order["status"] for order in exchange.fetch_orders(symbol)]
told["closed"] = [order["id"] for order in exchange.fetch_closed_orders(symbol)] == [bought["id"]]
exchange.create_order(symbol, "limit", "buy", amount, far)
told["all_cancelled"] = len(exchange.cancel_all_orders(symbol))
told["left_open"] = len(exchange.fetch_open_orders(symbol))
told["refusals"] = {
    "cancel_unknown": refused(exchange.cancel_order, "999999999", symbol),
    "fetch_unknown": refused(exchange.fetch_order, "999999999", symbol),
    "too_dear": refused(exchange.create_order, symbol, "limit", "buy", 1_000_000_000 * lot, far),
    "post_only": refused(exchange.create_order, symbol, "limit", "buy", amount, book["asks"][0][0], {"postOnly": True}),
}
exchange.secret = "x" * 64
told["refusals"]["wrong_secret"] = refused(exchange.fetch_balance)
print(json.dumps(told))
