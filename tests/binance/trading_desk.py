"""The application over real machines, a real projection, a real Redis and real users in SQLite, with a client that signs as Binance's clients do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from gateway.binance.signing import sign
from gateway.identity.directory import Directory
from gateway.identity.secrets import SecretKey
from tests.gateway.adapters import LOCAL, Floor, FloorCommands, app_over
from tests.gateway.projected import NOW_MS

SYMBOL = "AAPLUSD"
LIMIT = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "3", "price": "50.00"}
MARKET = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "3"}
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Desk:
    """A running application, and the keys of its users: `demo`, `bob` and `broker` trade, `reader` has a key that only reads, `boxed` one for other networks."""

    def __init__(
        self, client: TestClient[Litestar], floor: Floor, commands: FloorCommands, keys: dict[str, Any]
    ) -> None:
        self.client, self.floor, self.commands, self.keys = client, floor, commands, keys

    def send(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        who: str = "demo",
        account: str = "",
        *,
        in_body: bool = False,
    ) -> httpx.Response:
        """Sign a request and send it, at the time of the application's clock."""
        key, secret = self.keys[who]
        payload = urlencode({"timestamp": NOW_MS, **(params or {})})
        signed = f"{payload}&signature={sign(secret.encode(), payload.encode())}"
        headers = {"X-MBX-APIKEY": key} | ({"X-Openbell-Account": account} if account else {})
        if in_body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return self.client.request(method, f"/api/v3{path}", content=signed, headers=headers)
        return self.client.request(method, f"/api/v3{path}?{signed}", headers=headers)

    def get(self, path: str, **params: Any) -> Any:
        """Return what is answered to a question."""
        return told(self.send("GET", path, params))

    def post(self, path: str, **params: Any) -> Any:
        return told(self.send("POST", path, params, in_body=True))

    def delete(self, path: str, **params: Any) -> Any:
        return told(self.send("DELETE", path, params))

    def place(self, **params: Any) -> Any:
        """Place a limit order, but for what is said otherwise; None leaves a parameter away."""
        return self.post("/order", **{name: value for name, value in (LIMIT | params).items() if value is not None})

    def refused(self, method: str, path: str, **params: Any) -> tuple[int, str]:
        """Return the code and the text of what is refused."""
        response = self.send(method, path, params)
        assert response.status_code >= 400, response.text
        return response.json()["code"], response.json()["msg"]

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return what is free and what is locked, by asset."""
        found = self.get("/account")["balances"]
        return {each["asset"]: (Decimal(each["free"]), Decimal(each["locked"])) for each in found}


def told(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


@contextmanager
def desk(url: str, name: str, users: Users, **settings: Any) -> Iterator[Desk]:
    """Run the application in this process, the accounts `demo` and `bob` funded."""
    floor = Floor(url, name)
    floor.projected.fund("bob", USD=10**12, AAPL=10_000)
    floor.projected.project()
    commands = FloorCommands(floor)
    with TestClient(app_over(floor, commands, directory=users.directory(), **settings), base_url=LOCAL) as client:
        yield Desk(client, floor, commands, users.keys)


class Users:
    """A database of users, made once for all tests that need it."""

    def __init__(self, folder: Path) -> None:
        self._url, self._secret = f"sqlite+aiosqlite:///{folder / 'users.db'}", SecretKey.new()
        self.keys = asyncio.run(_keys(self.directory()))

    def directory(self, kind: type[Directory] = Directory) -> Directory:
        return kind(self._url, self._secret, now_ms=lambda: NOW_MS, hasher=CHEAP)


async def _keys(directory: Directory) -> dict[str, tuple[str, str]]:
    async with directory.running():
        for name in ("demo", "bob"):
            await directory.users.create(name, None)
        await directory.users.create("broker", None, account="house", accounts=("de*",))
        await directory.users.create("viewer", None, role="viewer", account="demo")
        trade = ("read", "trade")
        return {
            "demo": await directory.keys.create("demo", trade),
            "bob": await directory.keys.create("bob", trade),
            "broker": await directory.keys.create("broker", trade),
            "reader": await directory.keys.create("demo", ("read",)),
            "viewer": await directory.keys.create("viewer", trade),
            "boxed": await directory.keys.create("demo", trade, ("203.0.113.0/24",)),
        }
