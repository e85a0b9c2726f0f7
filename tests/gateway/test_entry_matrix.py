"""Every route for everybody: each role, with a session and with keys of each scope, and visitors. Each cell is let in, or refused as it should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest
from litestar import Litestar, get
from litestar.exceptions import WebSocketDisconnect

from gateway.entry import check_needs
from gateway.identity.principal import Role
from tests.gateway.adapters import running
from tests.gateway.let_in import HERE, House, house

ROLES: Final[dict[str, str]] = {
    "visitor": "enter see-market see-account trade",
    "viewer": "enter see-market see-account manage-self",
    "trader": "enter see-market see-account manage-self trade send-alerts",
    "market-maker": "enter see-market see-account manage-self trade send-alerts quote",
    "operator": "enter see-market see-account manage-self operate",
    "admin": "enter see-market see-account manage-self operate administer",
}
"""What each may do by a session, and what a visitor may where there is a demo account."""
SCOPES: Final[dict[str, str]] = {
    "read": "enter see-market see-account",
    "trade": "enter trade send-alerts quote",
    "admin": "enter operate administer",
}
NEEDS: Final[dict[str, str]] = {
    "see-market": """
        GET / | GET /market/{symbol} | GET /live/markets | GET /live/market/{symbol}
        GET /api/native/instruments | GET /api/native/markets | GET /api/native/markets/{symbol}
        GET /api/native/depth/{symbol} | GET /api/native/trades/{symbol} | GET /api/native/candles/{symbol}
        GET /api/native/market | GET /api/native/leaders | GET /api/native/markets/{symbol}/summary
        GET /api/native/markets/{symbol}/series | GET /api/native/markets/{symbol}/indicators
        GET /api/native/markets/{symbol}/averages | GET /api/native/markets/{symbol}/profits
        GET /api/native/markets/{symbol}/signals | GET /api/native/markets/{symbol}/scores
        GET /api/native/markets/{symbol}/late""",
    "see-account": """
        GET /alerts | POST /alerts/read | GET /live/alerts | GET /api/native/inbox | GET /api/native/alerts
        GET /api/native/balances | GET /api/native/orders | GET /api/native/orders/{order_id}
        GET /api/native/requests/{request_id}""",
    "trade": """
        POST /market/{symbol}/orders | POST /market/{symbol}/orders/{order_id}/cancel
        POST /alerts | POST /alerts/{name}/remove | POST /account/faucet
        PUT /api/native/alerts/{name} | DELETE /api/native/alerts/{name} | POST /api/native/orders
        POST /api/native/orders/oco | POST /api/native/orders/bracket | PATCH /api/native/orders/{order_id}
        DELETE /api/native/orders/{order_id} | DELETE /api/native/orders | PUT /api/native/dead-man""",
    "manage-self": """
        GET /account | POST /account/password | POST /account/second-factor | POST /account/second-factor/confirm
        POST /account/second-factor/codes | POST /account/second-factor/off | POST /account/keys
        POST /account/keys/{key_id}/revoke | POST /account/sessions/{number}/revoke
        POST /account/sessions/revoke-others""",
    "enter": """
        GET /sign-in | POST /sign-in | POST /sign-in/second-factor | GET /sign-up | POST /sign-up | POST /sign-out
        GET /health | GET /ready | GET /metrics | POST /csp-reports | GET /static/{name} | GET /api/native/status""",
}
"""What the native API and the pages need; what other interfaces need, each says of its own routes."""
KNOWN: Final = {
    tuple(route.split()): needs for needs, routes in NEEDS.items() for route in re.split(r"\||\n\s*", routes) if route
}
VALUES: Final = {"symbol": "AAPLUSD", "order_id": "1", "number": "1", "path": "x", "int": "1"}
WEBSOCKET: Final = "WS"


@pytest.fixture(scope="module")
def home(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(redis_url, "matrix", tmp_path_factory.mktemp("matrix")) as started:
        for role in get_args(Role):
            started.user(f"a-{role}", role)
        yield started


def routes(home: House) -> list[tuple[str, str, str]]:
    """Return all routes: method (of a websocket `WS`), path, and what it says that it needs."""
    handlers = [
        (route.path_format, handler)
        for route in home.client.app.routes
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]  # type: ignore[attr-defined]
    ]
    return sorted(
        (method, path, str(handler.opt["needs"]))
        for path, handler in handlers
        for method in getattr(handler, "http_methods", (WEBSOCKET,))
        if method != "OPTIONS"
    )


def refused(home: House, method: str, path: str, needs: str, headers: dict[str, str]) -> tuple[int, str] | None:
    """Ask for a route, and return by which status and why it was refused for who asks, None if it was not."""
    url = re.sub(r"\{(\w+)[^}]*\}", lambda found: VALUES.get(found.group(1), "x"), path)
    home.client.cookies.clear()
    if method == WEBSOCKET:
        return refused_socket(home, url, headers)
    answer = home.client.request(method, url, headers={**HERE, **headers})
    if answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"):
        return 401, ""
    assert answer.status_code < 500 or answer.status_code in (503, 504), f"{method} {url}: {answer.status_code}"
    if answer.status_code not in (401, 403):
        return None
    if not answer.headers["content-type"].startswith("application/json"):
        return answer.status_code, ""
    body = answer.json()
    if "error" not in body:  # another interface's form, such as Binance's, whose signed routes ask for keys themselves
        return None if needs == "enter" else (answer.status_code, "")
    return (answer.status_code, body["error"]) if body["error"] in ("NOT_SIGNED_IN", "FORBIDDEN") else None


def refused_socket(home: House, url: str, headers: dict[str, str]) -> tuple[int, str] | None:
    """Open a websocket; otherwise as `refused`."""
    try:
        with home.client.websocket_connect(url, headers={**HERE, **headers}):
            return None
    except WebSocketDisconnect as closed:
        by_guard = re.match(r"Sign in first|Your role|This API key may not|No API key", str(closed.detail))
        return (closed.code, "") if by_guard else None


def cell(home: House, who: str, may: set[str], headers: Any) -> int:
    """Assert a whole row of the matrix; `headers` makes them anew where a route ended the session. Return how many were let in."""
    let_in, given = 0, headers()
    for method, path, needs in routes(home):
        if method != WEBSOCKET and path.startswith("/account") and "revoke-others" not in path:
            given = headers()
        got = refused(home, method, path, needs, given)
        if path == "/sign-out":
            given = headers()
        where = f"{who}: {method} {path}, which needs {needs}"
        if needs in may:
            assert got is None, f"{where}, was refused"
            let_in += 1
        else:
            expected = (1008,) if method == WEBSOCKET else (401,) if who.startswith("visitor") else (403,)
            assert got is not None, f"{where}, was let in"
            assert got[0] in expected, f"{where}, got {got}"
    return let_in


def test_routes_need_what_they_should(home: House) -> None:
    found = {("GET" if method == WEBSOCKET else method, path): needs for method, path, needs in routes(home)}
    ours = {
        route: needs
        for route, needs in found.items()
        if not route[1].startswith(("/api/v", "/ws", "/stream", "/udf", "/admin", "/sapi"))
    }
    known = {(method, path): needs for (method, path), needs in KNOWN.items()}
    assert {route: needs for route, needs in ours.items() if route in known} == known


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_let_in_where_it_may_and_nowhere_else(home: House, role: str) -> None:
    may = set(ROLES[role].split())
    let_in = cell(home, role, may, dict if role == "visitor" else lambda: home.session(f"a-{role}"))
    assert let_in


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", get_args(Role))
def test_a_key_lets_in_where_both_its_scope_and_its_users_role_do(home: House, role: str, scope: str) -> None:
    may = set(ROLES[role].split()) & set(SCOPES[scope].split())
    key = home.key(f"a-{role}", scope)
    assert cell(home, f"{role} with a key to {scope}", may, lambda: key)


SENT: Final = {"condition": {"type": "OrderFills"}, "channels": ["email"], "email": "ann@example.org"}
"""An alert that goes out: whether somebody may have that is no route's to say."""


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_alerts_go_out_where_it_may_and_nowhere_else(home: House, role: str) -> None:
    everybody = {"a session": ROLES[role].split()}
    if role != "visitor":
        everybody |= {scope: list(set(ROLES[role].split()) & set(SCOPES[scope].split())) for scope in SCOPES}
    for who, may in everybody.items():
        headers = {} if role == "visitor" else home.session(f"a-{role}")
        if who in SCOPES:
            headers = home.key(f"a-{role}", who)
        home.client.cookies.clear()
        answer = home.client.put("/api/native/alerts/out", json=SENT, headers=headers)
        assert answer.status_code == (200 if "send-alerts" in may else 403), f"{role} by {who}: {answer.text}"


def test_where_there_is_no_demo_account_visitors_only_look(redis_url: str, venue: str) -> None:
    with running(redis_url, venue, demo_account=None) as bench:
        looked = {path: bench.client.get(path).status_code for path in ("/", "/market/AAPLUSD", "/api/native/markets")}
        assert set(looked.values()) == {200}
        refusal = bench.client.post("/api/native/orders", json={})
        assert (refusal.status_code, refusal.json()["error"]) == (401, "NOT_SIGNED_IN")


def test_a_route_that_does_not_say_what_it_needs_keeps_the_server_from_starting(home: House) -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "anybody can read this"

    with pytest.raises(AssertionError, match=r"forgotten.*needs None"):
        check_needs(Litestar([forgotten], openapi_config=None))
    check_needs(home.client.app)
