"""Other people's clients, in an environment of their own, against the shared stack: a symbol, an account and a key for each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from venue import Venue

from openbell.settings import variable
from openbell.stack import Stack
from openbell.supervise.processes import wait_until

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "clients" / "bin" / "python"
PROGRAMS = Path(__file__).parent / "programs"
SYMBOLS = ("ACORNUSD", "BEECHUSD", "CYPRESSUSD", "ROWANUSD")
MAKER = "clients-maker"
PROGRAM_S = 180

_numbers = count()


class Trader(NamedTuple):
    """Who a client trades as, and what."""

    url: str
    key: str
    secret: str
    symbol: str
    base: str


Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def floor(stack: Stack) -> Venue:
    """The shared stack's venue with some symbols listed, and a book of two prices a side in each."""
    venue = Venue(stack, stack.venue, stack.settings.clock)
    venue.list(*SYMBOLS)
    bases = dict.fromkeys((symbol.removesuffix("USD") for symbol in SYMBOLS), 1_000_000)
    venue.fund(MAKER, USD=10**13, **bases)
    for symbol in SYMBOLS:
        for side, price in (("buy", 9_900), ("buy", 9_800), ("sell", 10_000), ("sell", 10_100)):
            venue.order(MAKER, f"{symbol}-{price}", side, price, 10_000, symbol=symbol)
    return venue


def openbell(stack: Stack, *arguments: str, typed: str = "") -> Any:
    """Run the command line in the stack's home, and return what it printed as JSON."""
    environment = {**os.environ, variable("home"): str(stack.settings.home)}
    command = [str(ROOT / ".venv" / "bin" / "openbell"), *arguments, "--json"]
    ended = subprocess.run(
        command, input=typed, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def trader(stack: Stack, floor: Venue) -> Trader:
    """A new user with a funded account and a key, and a symbol that no other client trades."""
    number = next(_numbers)
    name, symbol = f"client{number}", SYMBOLS[number]
    base = symbol.removesuffix("USD")
    user = openbell(stack, "user", "create", name, "--role", "trader", typed="correct horse battery staple\n")
    floor.fund(user["account"], USD=10**11, **{base: 10_000})
    made = openbell(stack, "key", "create", name, "--scope", "read", "--scope", "trade")
    depth = f"{stack.page_url}/api/v3/depth?symbol={symbol}"
    assert wait_until(lambda: len(_get(depth).get("asks", [])) == 2, 60, every=0.2)
    return Trader(stack.page_url, made["key_id"], made["secret"], symbol, base)


def _get(url: str) -> dict[str, Any]:
    answer = httpx.get(url)
    found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return found


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a program of the clients' environment, and return what it printed as JSON."""
    if not PYTHON.exists():
        pytest.skip("the clients' environment is not there: make prepare")

    def running(name: str, *arguments: str) -> dict[str, Any]:
        command = [str(PYTHON), "-I", "-X", "utf8", str(PROGRAMS / name), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_S, check=False)
        assert ended.returncode == 0, ended.stderr[-4_000:]
        told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return told

    return running
