"""Opens the account that everybody trades with by hand, and gives it something to trade."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.endowment import endow, endowment
from gateway.ports import Changed, Commands, GatewayError, Views

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
        """Look again and again, for ever; what it waits for is logged once."""
        told = ""
        while True:
            self._look.clear()
            reason = ""
            try:
                await self.provide()
            except GatewayError as error:
                reason = str(error)
            if reason and reason != told:
                _LOG.info("the demo account waits: %s", reason)
            told = reason
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
        wanted = {asset: amounts[asset] for asset in missing}
        opened = bool(account.balances)
        await endow(self._commands, self._account, wanted, "demo", self._now_ms(), opened=opened)
        _LOG.info("the demo account asks for %s", ", ".join(sorted(missing)))
