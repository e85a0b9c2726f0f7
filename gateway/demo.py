"""Opens the account that everybody trades with by hand, and gives it something to trade."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from exchange.instruments import Instrument
from exchange.messages import Deposit, OpenAccount
from exchange.money import UNITS_MAX
from gateway.ports import Changed, Commands, GatewayError, Views

CASH: Final = 1_000_000
"""How much of each asset that others are priced in, in whole units of it."""
LOTS: Final = 10_000
"""How many lots of each asset that is traded."""
CHECK_S: Final = 5.0
"""How often, beside every change, it is looked whether something is missing."""

_LOG = logging.getLogger(__name__)


class DemoAccount:
    """Keeps a balance of every asset in `account`: one is deposited wherever the views know of none.

    The commands' request ids are always the same, so it does no harm if several servers do this, or the views lag behind.
    """

    def __init__(self, commands: Commands, views: Views, account: str, now_ms: Callable[[], int]) -> None:
        self._commands = commands
        self._views = views
        self._account = account
        self._now_ms = now_ms
        self._symbols: set[str] = set()
        self._look = asyncio.Event()

    def hear(self, changed: Changed) -> None:
        """Look at once when a symbol is new."""
        if changed.everything or not self._symbols.issuperset(changed.symbols):
            self._symbols.update(changed.symbols)
            self._look.set()

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            self._look.clear()
            try:
                await self.provide()
            except GatewayError as error:
                _LOG.info("the demo account waits: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._look.wait()

    async def provide(self) -> None:
        """Deposit what is missing. Raises what the ports raise."""
        freshness = await self._views.freshness()
        instruments = await self._views.instruments()
        if not freshness.live or not instruments or not self._commands.available():
            return
        account = await self._views.account(self._account)
        amounts = endowment(instruments.values())
        missing = amounts.keys() - {balance.asset for balance in account.balances}
        if not missing:
            return
        if not account.balances:
            await self._commands.write(
                OpenAccount(account=self._account, request_id="demo-open", created_ms=self._now_ms())
            )
        for asset in sorted(missing):
            await self._commands.write(
                Deposit(
                    account=self._account,
                    request_id=f"demo-fund-{asset}",
                    created_ms=self._now_ms(),
                    asset=asset,
                    amount=amounts[asset],
                )
            )
        _LOG.info("the demo account asks for %s", ", ".join(sorted(missing)))


def endowment(instruments: Iterable[Instrument]) -> dict[str, int]:
    """Return what the account is given, in minor units by asset; what others are priced in counts as cash."""
    instruments = list(instruments)
    shares = {each.base: LOTS * each.lot_units for each in instruments}
    cash = {each.quote: min(CASH * 10**each.quote_scale, UNITS_MAX) for each in instruments}
    return {**shares, **cash}
