"""python-binance, unmodified: only its URLs are set. Prints what each call gave, as JSON."""

import asyncio
import json
import sys

from binance import AsyncClient, BinanceSocketManager
from binance.client import Client
from binance.exceptions import BinanceAPIException

base, key, secret, symbol = sys.argv[1:5]
sockets = base.replace("http", "ws", 1)
DEADLINE_S = 60
Client.API_URL = AsyncClient.API_URL = f"{base}/api"
AsyncClient.WS_API_URL = f"{sockets}/ws-api/v3"
BinanceSocketManager.STREAM_URL = f"{sockets}/"
client = Client(key, secret)
told = {"ping": client.ping(), "time": client.get_server_time()["serverTime"] > 0}
info = client.get_symbol_info(symbol)
told["info"] = {name: info[name] for name in ("status", "baseAsset", "quoteAsset", "orderTypes")}
filters = {each["filterType"]: each for each in info["filters"]}
told["filters"] = sorted(filters)
told["book"] = client.get_order_book(symbol=symbol, limit=5)
told["trades"] = len(client.get_recent_trades(symbol=symbol, limit=3))
told["aggregated"] = len(client.get_aggregate_trades(symbol=symbol, limit=3))
told["candles"] = len(client.get_klines(symbol=symbol, interval="1d", limit=2))
told["ticker"] = client.get_symbol_ticker(symbol=symbol)["symbol"]
told["account"] = {each["asset"]: each["free"] for each in client.get_account()["balances"]}
lot, tick = filters["LOT_SIZE"]["minQty"], float(filters["PRICE_FILTER"]["tickSize"])
far = f"{round(float(told['book']['bids'][0][0]) * 0.9 / tick) * tick:.8f}".rstrip("0").rstrip(".")
told["tested"] = client.create_test_order(
    symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", quantity=lot, price=far
)
order = client.order_limit_buy(symbol=symbol, quantity=lot, price=far)
told["placed"] = order["status"]
told["asked"] = client.get_order(symbol=symbol, origClientOrderId=order["clientOrderId"])["orderId"] == order["orderId"]
told["open"] = len(client.get_open_orders(symbol=symbol))
told["cancelled"] = client.cancel_order(symbol=symbol, orderId=order["orderId"])["status"]
bought = client.order_market_buy(symbol=symbol, quantity=lot)
told["bought"] = {"status": bought["status"], "fills": len(bought["fills"]) > 0}
told["mine"] = client.get_my_trades(symbol=symbol)[-1]["orderId"] == bought["orderId"]
told["all"] = [each["status"] for each in client.get_all_orders(symbol=symbol)][-2:]
try:
    client.get_order(symbol=symbol, orderId=999_999_999)
except BinanceAPIException as error:
    told["unknown"] = [error.code, error.message]


async def watch():
    """Hear of an order over the user's stream, and of the market over another."""
    asynchronous = await AsyncClient.create(key, secret)
    manager = BinanceSocketManager(asynchronous)
    try:
        async with (
            asyncio.timeout(DEADLINE_S),
            manager.user_socket() as user,
            manager.depth_socket(symbol, depth="5") as depth,
        ):
            placed = await asynchronous.order_market_buy(symbol=symbol, quantity=lot)
            events = []
            while not any(event.get("x") == "TRADE" for event in events):
                events.append(await user.recv())
            told["heard"] = [event["x"] for event in events if event.get("e") == "executionReport"]
            told["own"] = all(
                event["i"] == placed["orderId"] for event in events if event.get("e") == "executionReport"
            )
            told["depth"] = sorted(await depth.recv())
    finally:
        await asynchronous.close_connection()


asyncio.run(watch())
told["average"] = float(client.get_avg_price(symbol=symbol)["price"]) > 0
print(json.dumps(told))
