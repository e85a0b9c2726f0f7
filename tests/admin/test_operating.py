"""What an operator is told when the exchange or the views fail after a part of what was asked for is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from exchange.topics import BOOK_INBOX
from gateway.admin.market_page import installed
from gateway.admin.operating import Operating
from gateway.ports import NotTaken, UnknownOutcome, ViewsUnavailable
from gateway.shown import Summary
from gateway.views import RedisViews
from tests.gateway.adapters import Floor, FloorCommands
from tests.gateway.projected import NOW_MS


class CommandsWithoutBooks(FloorCommands):
    """Commands of which those for books are not taken."""

    async def operate(self, inbox: str, commands: Mapping[str, Sequence[Any]]) -> None:
        if inbox == BOOK_INBOX:
            raise NotTaken("the exchange cannot be reached now: nothing was sent")
        await super().operate(inbox, commands)


class ViewsForAWhile(RedisViews):
    """Views that can be read twice."""

    reads = 0

    async def summaries(self) -> list[Summary]:
        self.reads += 1
        if self.reads > 2:
            raise ViewsUnavailable("Redis does not answer")
        return await super().summaries()


def test_a_command_that_only_accounts_have_taken_is_not_called_undone(redis_url: str) -> None:
    async def scenario() -> None:
        views = RedisViews(redis_url, "parts", lambda: NOW_MS)
        operating = Operating(CommandsWithoutBooks(Floor(redis_url, "parts")), views, lambda: NOW_MS)
        try:
            for act in (operating.delist("COINUSD"), operating.list_instrument(installed()["INFY"])):
                with pytest.raises(UnknownOutcome, match="the accounts have taken it"):
                    await act
        finally:
            await views.close()

    asyncio.run(scenario())


def test_a_phase_that_is_seen_is_told_though_views_cannot_be_read_any_more(redis_url: str) -> None:
    async def scenario() -> str:
        views = ViewsForAWhile(redis_url, "short", lambda: NOW_MS)
        operating = Operating(FloorCommands(Floor(redis_url, "short")), views, lambda: NOW_MS)
        try:
            return await operating.set_phase("COINUSD", "halt")
        finally:
            await views.close()

    assert asyncio.run(scenario()) == "COINUSD went from continuous into halt."
