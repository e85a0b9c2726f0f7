"""Orders as the clients of design B write them: answered in exactly the fields from which those build their objects."""

from __future__ import annotations

import http.client
import inspect
import json
import random
from dataclasses import dataclass
from typing import Any

import pytest

from exchange import topics
from exchange.packets import decode_account_inbox
from gateway.identity.roles import may
from gateway.seeds.bulk import ORDERS_MAX
from tests.gateway.adapters import ACCOUNT
from tests.gateway.projected import NOW_MS
from tests.seeds.seed_port import SeedPort, seed_port


class Stock:
    """As a client of design B has it: one keyword more or fewer breaks it."""

    def __init__(
        self,
        symbol: Any, name: Any, exchange: Any, currency: Any, country: Any, sector: Any, industry: Any, market_cap: Any, beta: Any, pe_ratio: Any,
        eps: Any, dividend_yield: Any, dividend_per_share: Any, dividend_pay_date: Any, dividend_ex_date: Any, last_split_factor: Any,
        last_split_date: Any,
    ) -> None:  # fmt: skip
        vars(self).update({name: value for name, value in locals().items() if name != "self"})


@dataclass
class Order:
    symbol: Any
    qty: Any
    price: Any
    side: Any
    timestamp: Any
    order_id: Any
    instmt: Any
    trade_price: Any
    trade_qty: Any
    trade_side: Any
    trade_id: Any


class ClientB:
    """A client of design B: only 200 is success."""

    def __init__(self, port: SeedPort) -> None:
        self.port = port

    def stock(self, symbol: str) -> Any:
        return Stock(**self._ask("GET", f"/api/v1/stock/{symbol}"))

    def place(self, **fields: Any) -> Order:
        return Order(**self._ask("POST", "/api/v1/orders/place", fields))

    def cancel(self, **fields: Any) -> Any:
        return self._ask("DELETE", "/api/v1/orders/cancel", fields)["trade"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.port.ask(method, path, body)
        if status != 200:
            raise RuntimeError(f"{status}: {answer}")
        return answer


def order(**changes: Any) -> dict[str, Any]:
    wanted = {"symbol": "AAPL", "qty": 10, "side": "buy", "type": "limit", "price": 98.5, "time_in_force": "gtc"}
    return wanted | changes


@pytest.fixture
def client(port: SeedPort) -> ClientB:
    return ClientB(port)


def test_a_stock_has_exactly_its_17_fields_and_nothing_made_up(client: ClientB) -> None:
    apple = client.stock("AAPL")
    assert len(inspect.signature(Stock).parameters) == 17
    assert (apple.symbol, apple.name, apple.currency, apple.last_split_factor) == ("AAPL", "Apple Inc.", "USD", "4:1")
    told = vars(client.stock("COIN"))
    assert told.pop("symbol") == "COIN"
    assert told.pop("currency") == "USD"
    assert set(told.values()) == {None}, "nothing is known of it"
    with pytest.raises(RuntimeError, match="404"):
        client.stock("NOSUCH")


def test_what_is_told_of_a_company_takes_the_place_of_what_the_listing_file_says(client: ClientB) -> None:
    for seconds, cap in ((NOW_MS / 1000, 5e12), (NOW_MS / 1000 - 60, 1.0)):
        told = {
            "data_type": "market_data",
            "timestamp": seconds,
            "stock_symbol": "AAPL",
            "market_cap": cap,
            "pe_ratio": 30.5,
        }
        assert client.port.ask("POST", "/ingest", told)[0] == 200
    apple = client.stock("AAPL")
    assert (apple.market_cap, apple.pe_ratio, apple.beta) == (5e12, 30.5, 1.25), "the latest holds, whatever came last"


def test_all_stocks_are_listed_with_their_details_and_how_they_are_traded(port: SeedPort) -> None:
    stocks = port.ask("GET", "/api/v1/stocks")[1]
    assert [Stock(**one).symbol for one in stocks] == ["AAPL", "COIN"]
    shown = port.ask("GET", "/api/v1/instruments")[1]
    assert shown[1] == {
        "symbol": "COIN",
        "listed": "COINUSD",
        "base": "COIN",
        "quote": "USD",
        "tick": "0.05",
        "lot": "0.001",
    }


@pytest.mark.parametrize("symbol", ["AAPL", "AAPLUSD"])
def test_an_order_rests_is_answered_in_exactly_11_fields_and_is_cancelled_by_the_same_six(
    client: ClientB, symbol: str
) -> None:
    client.port.floor.projected.advance(NOW_MS)
    wanted = order(symbol=symbol, side="BUY", type="Limit")
    placed = client.place(**wanted)
    assert (placed.symbol, placed.qty, placed.price, placed.side) == (symbol, 10, 98.5, "BUY")
    assert (placed.trade_price, placed.trade_qty, placed.trade_side, placed.trade_id) == (None, 0, None, None)
    assert placed.timestamp == "2023-11-14 22:13:20"
    assert Order(**client.cancel(**wanted)).order_id == placed.order_id
    with pytest.raises(RuntimeError, match="404"):
        client.cancel(**wanted)


def test_an_order_that_trades_says_at_what_price_in_mean_how_much_and_in_which_trade(client: ClientB) -> None:
    placed = client.place(**order(qty=150, price=102))
    assert (placed.trade_qty, placed.trade_side, placed.trade_id) == (150, "buy", "AAPLUSD-1")
    assert placed.trade_price == 101.33, "the mean of 100 at 101 and 50 at 102, to a tick"


def test_a_market_order_needs_no_price_and_any_time_in_force_will_do(client: ClientB) -> None:
    for fields in ({"price": None}, {"price": 0}, {"price": 105.5}):
        placed = client.place(**order(type="MARKET", qty=1, **fields))
        assert (placed.trade_price, placed.trade_qty) == (101, 1)


@pytest.mark.parametrize(
    ("text", "force", "expires_ms"),
    [
        ("GTC", "GTC", 0),
        ("day", "DAY", 0),
        ("2023-11-14 22:13:20", "GTC", 0),
        ("2023-11-14 20:00:00", "GTC", 0),
        ("2023-11-14 22:13:21", "GTD", NOW_MS + 1_000),
    ],
)
def test_a_time_that_has_come_says_good_till_cancelled_and_a_later_one_is_the_expiry(
    client: ClientB, text: str, force: str, expires_ms: int
) -> None:
    client.place(**order(time_in_force=text))
    written = client.port.commands.written[-1]
    assert (written.time_in_force, written.expires_ms) == (force, expires_ms)
    client.cancel(**order(time_in_force=text))


def test_of_several_orders_that_are_alike_the_first_is_cancelled_first(client: ClientB) -> None:
    first, second = client.place(**order()), client.place(**order())
    client.place(**order(qty=11))
    assert [client.cancel(**order())["order_id"] for _ in range(2)] == [first.order_id, second.order_id]
    with pytest.raises(RuntimeError, match="404"):
        client.cancel(**order())


def test_what_the_market_refuses_is_no_success(client: ClientB) -> None:
    with pytest.raises(RuntimeError, match=r"409.*INSUFFICIENT_FUNDS"):
        client.place(**order(symbol="COIN", qty=10_000, price=10_000))


WRONG = [
    None,
    True,
    -1,
    0,
    1.5,
    1e30,
    10**400,
    "",
    "x",
    "NaN",
    "1e5",
    "9" * 200,
    [],
    {},
    "\u0000",
    "\ud83d\ude00",
    {"a": [1]},
]


def test_every_field_wrong_in_every_way_is_told_and_never_a_fault_of_the_server(port: SeedPort) -> None:
    told = 0
    for field in order():
        for value in WRONG:
            for method, path in (("POST", "place"), ("DELETE", "cancel"), ("POST", "bulk")):
                wanted = order(**{field: value})
                status, answer = port.ask(method, f"/api/v1/orders/{path}", [wanted] if path == "bulk" else wanted)
                assert status in (200, 400, 404, 409, 422), (path, wanted, answer)
                told += status == 422
        wanted = order()
        del wanted[field]
        status, _ = port.ask("POST", "/api/v1/orders/place", wanted)
        assert status == (200 if field == "time_in_force" else 422)
    assert told > 100
    for raw in (b"", b"[]", b"null", b"\xff", b"{" * 5_000, b'{"symbol": "AAPL"', b'{"more": 1}'):
        for method, path in (("POST", "place"), ("DELETE", "cancel"), ("POST", "bulk")):
            assert port.ask(method, f"/api/v1/orders/{path}", raw=raw)[0] in (400, 422)


def test_what_is_wrong_is_named_as_the_client_names_it(port: SeedPort) -> None:
    wrong = {"qty": 0.5, "type": "odd", "symbol": "NOSUCH", "price": 98.501, "side": "hold", "time_in_force": "soon"}
    for field, value in wrong.items():
        status, answer = port.ask("POST", "/api/v1/orders/place", order(**{field: value}))
        assert (status, list(answer["fields"])) == (422, [field]), answer


def test_many_orders_go_in_few_records_and_each_is_answered(port: SeedPort) -> None:
    dice = random.Random(7)
    sides = {"BUY": 97, "sell": 103.25}
    orders = [
        order(qty=dice.randint(1, 9), side=side, price=sides[side]) for side in dice.choices(list(sides), k=ORDERS_MAX)
    ]
    orders[3]["qty"], orders[5]["price"], orders[7]["request_id"] = 0, None, "mine"
    status, answer = port.ask("POST", "/api/v1/orders/bulk", orders)
    assert status == 200
    assert (answer["sent"], answer["refused"]) == (ORDERS_MAX - 2, 2)
    assert [list(answer["orders"][number]["fields"]) for number in (3, 5)] == [["qty"], ["price"]]
    assert answer["orders"][7]["request_id"] == "mine"
    written = port.written(topics.ACCOUNT_INBOX, decode_account_inbox)
    assert (
        len([one for one in written if type(one).__name__ == "PlaceOrder" and one.account == ACCOUNT]) == ORDERS_MAX - 2
    )
    with port.floor.lock:
        packets = [value for value in port.floor.projected.venue.written[topics.ACCOUNT_INBOX] if b'"mine"' in value]
    assert len(json.loads(packets[0])) > 400, "they go together"
    status, shown = port.ask("GET", "/api/v1/requests/mine")
    assert (status, shown["order"]["state"]) == (200, "OPEN")


@pytest.mark.parametrize("count", [0, ORDERS_MAX + 1])
def test_too_many_orders_at_once_or_none_are_refused_whole(port: SeedPort, count: int) -> None:
    status, answer = port.ask("POST", "/api/v1/orders/bulk", [order()] * count)
    assert (status, answer["error"]) == (400, "TOO_MANY")
    assert port.commands.written == []


def test_of_orders_with_one_request_id_only_the_first_goes(port: SeedPort) -> None:
    answer = port.ask("POST", "/api/v1/orders/bulk", [order(request_id="a"), order(request_id="a")])[1]
    assert [one["state"] for one in answer["orders"]] == ["SENT", "REFUSED"]


def test_what_cannot_be_sent_or_confirmed_is_no_success(port: SeedPort) -> None:
    port.commands.up = False
    for path, body in (("place", order()), ("bulk", [order()])):
        assert port.ask("POST", f"/api/v1/orders/{path}", body)[0] == 503
    assert port.ask("GET", "/health")[0] == 503
    port.commands.up, port.commands.confirmed = True, False
    for path, body in (("place", order()), ("bulk", [order()])):
        status, answer = port.ask("POST", f"/api/v1/orders/{path}", body)
        assert (status, answer["error"], list(answer["fields"])) == (504, "UNKNOWN_OUTCOME", ["request_id"])


def test_a_page_of_another_site_and_another_host_name_are_refused(port: SeedPort) -> None:
    host, _, number = port.url.removeprefix("http://").partition(":")
    for headers, status in (
        ({"Origin": "https://evil.example", "Content-Type": "application/json"}, 403),
        ({"Host": "evil.example", "Content-Type": "application/json"}, 400),
        ({"Content-Type": "text/plain"}, 415),
    ):
        connection = http.client.HTTPConnection(host, int(number))
        connection.request("POST", "/api/v1/orders/place", json.dumps(order()), headers)
        assert connection.getresponse().status == status
        connection.close()
    assert port.commands.written == []


def test_without_an_account_nobody_trades_but_markets_are_shown(redis_url: str) -> None:
    with seed_port(redis_url, "seed-nobody", account=None) as port:
        assert port.ask("POST", "/api/v1/orders/place", order())[0] == 404
        assert port.ask("GET", "/api/v1/stock/AAPL")[0] == 200


def test_every_route_names_what_it_needs_and_the_port_may_do_it(port: SeedPort) -> None:
    principal = port.app.state.principal
    for route in port.app.routes:
        for handler in route.route_handlers:
            if handler.fn.__name__ != "options_handler":
                assert may(principal, handler.opt["needs"]), route.path
