"""ccxt.pro, unmodified: watches a market and an account while an order of its own trades. Prints what came, as JSON."""

import asyncio
import json
import sys

import ccxt.pro

base, key, secret, symbol = sys.argv[1:5]
sockets = base.replace("http", "ws", 1)
DEADLINE_S = 60


async def main():
    exchange = ccxt.pro.binance(
        {
            "apiKey": key,
            "secret": secret,
            "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
        }
    )
    exchange.urls["api"] = {**exchange.urls["api"], "public": f"{base}/api/v3", "private": f"{base}/api/v3"}
    exchange.urls["api"]["ws"] = {
        **exchange.urls["api"]["ws"],
        "spot": f"{sockets}/ws",
        "ws-api": {**exchange.urls["api"]["ws"]["ws-api"], "spot": f"{sockets}/ws-api/v3"},
    }
    told = {}
    try:
        async with asyncio.timeout(DEADLINE_S):
            await exchange.load_markets()
            book = await exchange.watch_order_book(symbol)
            told["book"] = {"bids": book["bids"][:3], "asks": book["asks"][:3]}
            watches = {
                "orders": asyncio.create_task(exchange.watch_orders(symbol)),
                "balance": asyncio.create_task(exchange.watch_balance()),
                "trades": asyncio.create_task(exchange.watch_trades(symbol)),
                "ticker": asyncio.create_task(exchange.watch_ticker(symbol)),
                "candles": asyncio.create_task(exchange.watch_ohlcv(symbol, "1m")),
            }
            mine = asyncio.create_task(exchange.watch_my_trades(symbol))
            lot = exchange.market(symbol)["precision"]["amount"]
            while not all(task.done() for task in (*watches.values(), mine)):
                await exchange.create_order(symbol, "market", "buy", lot)
                await asyncio.wait([*watches.values(), mine], timeout=0.5)
            told["orders"] = [order["status"] for order in await watches["orders"]]
            told["balance"] = sorted((await watches["balance"])["total"])
            told["trades"] = len(await watches["trades"])
            told["ticker"] = (await watches["ticker"])["symbol"]
            told["candles"] = len(await watches["candles"])
            told["my_trades"] = [trade["side"] for trade in await mine]
            placed = await exchange.create_order_ws(
                symbol, "limit", "buy", lot, book["bids"][0][0] * 0.9 // 0.01 * 0.01
            )
            told["placed_ws"] = placed["status"]
            told["cancelled_ws"] = (await exchange.cancel_order_ws(placed["id"], symbol))["status"]
    finally:
        await exchange.close()
    print(json.dumps(told))


asyncio.run(main())
