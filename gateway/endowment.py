"""Gives accounts something to trade, where it is play money: deposits whose request ids are always the same on the same occasion.

The exchange takes a request id once, so it does no harm if several servers give, or one gives again, or the views lag behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from exchange.instruments import Instrument
from exchange.messages import Deposit, OpenAccount
from exchange.money import UNITS_MAX
from gateway.ports import Commands, Views

CASH: Final = 1_000_000
"""How much of each asset that others are priced in, in whole units of it."""
LOTS: Final = 10_000
"""How many lots of each asset that is traded."""


def endowment(instruments: Iterable[Instrument]) -> dict[str, int]:
    """Return what an account is given, in minor units by asset; what others are priced in counts as cash."""
    instruments = list(instruments)
    shares = {each.base: LOTS * each.lot_units for each in instruments}
    cash = {each.quote: min(CASH * 10**each.quote_scale, UNITS_MAX) for each in instruments}
    return {**shares, **cash}


def gift(account: str, amounts: Mapping[str, int], occasion: str, now_ms: int) -> tuple[OpenAccount, list[Deposit]]:
    """Return what opens an account and what gives it amounts, of the same asset once an occasion."""
    opening = OpenAccount(account=account, request_id=f"{occasion}-open", created_ms=now_ms)
    return opening, [
        Deposit(
            account=account,
            request_id=f"{occasion}-fund-{asset}",
            created_ms=now_ms,
            asset=asset,
            amount=amounts[asset],
        )
        for asset in sorted(amounts)
    ]


def faucet_day(now_ms: int) -> str:
    """Name the occasion of a day's play money.

    >>> faucet_day(1_800_000_000_000)
    'faucet-2027-01-15'
    """
    return f"faucet-{datetime.fromtimestamp(now_ms / 1_000, UTC).date().isoformat()}"


async def endow(
    commands: Commands, account: str, amounts: Mapping[str, int], occasion: str, now_ms: int, *, opened: bool
) -> None:
    """Give an account amounts, of the same asset once an occasion; `opened`: it is known to be open. Raises what the port raises."""
    opening, deposits = gift(account, amounts, occasion, now_ms)
    if not opened:
        await commands.write(opening)
    await asyncio.gather(*map(commands.write, deposits))


class Faucet:
    """Gives a user's account its endowment: once a day (UTC), and so at sign-up, too."""

    def __init__(self, commands: Commands, views: Views) -> None:
        self._commands = commands
        self._views = views

    async def give(self, account: str, now_ms: int) -> Collection[str]:
        """Give what the day brings, and return the assets; the second time in a day nothing comes of it. Raises what the ports raise."""
        amounts = endowment((await self._views.instruments()).values())
        await endow(self._commands, account, amounts, faucet_day(now_ms), now_ms, opened=False)
        return amounts.keys()
