"""Does with the market what an operator asks: writes it to the log, and waits until the views show that it is done.

Theory of operation: `openbell market` does the same from the log itself. A book shows in the views what phase it is in and how it is listed. A
shard of accounts is asked by an echo behind the command, in the same packet (`exchange.operating`): once the views have its refusal, the
shard has taken both. What a machine refuses it says in a dead letter, which views do not show; then nothing is seen in time, and that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol
from uuid import uuid4

from exchange.listing_file import Listing
from exchange.messages import Delist, ListInstrument, Phase, SetKillSwitch, SetPhase, shard_of
from exchange.operating import echo
from exchange.topics import ACCOUNT_INBOX, BOOK_INBOX
from gateway.ports import GatewayError, NotTaken, UnknownOutcome, Views, ViewsUnavailable
from gateway.shown import Summary

LOOK_S: Final = 0.05
"""How often it is looked whether the views show what was asked for."""
_UNSEEN: Final = "it was written, but the market has not shown it yet: look again in a moment, and at the dead letters if it stays so"


class NotOperated(GatewayError):
    """What an operator asks for cannot be; nothing was written. The message is a sentence for a person."""


class OperatorCommands(Protocol):
    """Writes what an operator tells machines."""

    @property
    def shards(self) -> int:
        """The number of account shards."""

    async def operate(self, inbox: str, commands: Mapping[str, Sequence[Any]]) -> None:
        """Return when the commands for machines of an inbox, by key, are in the log, each machine's in order.

        Raises NotTaken, or UnknownOutcome when they may or may not be in the log.
        """


class Operating:
    """Operates a venue. Every method says in a sentence what came of it.

    Raises NotOperated, NotTaken or ViewsUnavailable if nothing was written, UnknownOutcome if the views do not show it within `answer_s`
    or only a part of it was written.
    """

    def __init__(
        self, commands: OperatorCommands, views: Views, now_ms: Callable[[], int], *, answer_s: float = 5.0
    ) -> None:
        self._commands = commands
        self._views = views
        self._now_ms = now_ms
        self._answer_s = answer_s

    async def set_phase(self, symbol: str, phase: Phase, ending: Phase | None = None) -> str:
        """Let a market go into a phase; `ending` is the phase that it must be in, if there is one."""
        before = await self._traded(symbol)
        if before.phase == phase:
            return f"{symbol} is in {phase} already."
        if ending not in (None, before.phase):
            raise NotOperated(f"{symbol} is not in {ending} but in {before.phase}: choose the phase it shall go into")
        await self._commands.operate(BOOK_INBOX, {symbol: [SetPhase(key=symbol, phase=phase)]})
        await self._until(lambda: self._shows(symbol, lambda now: now.phase != before.phase))
        now = None
        with suppress(ViewsUnavailable):  # it is done, whatever can be read now
            now = await self._summary(symbol)
        return f"{symbol} went from {before.phase} into {phase if now is None else now.phase}."

    async def delist(self, symbol: str) -> str:
        """Take a symbol off the market: first no shard takes new orders, then the book cancels the open ones."""
        await self._traded(symbol)
        await self._tell_shards(lambda shard: [Delist(key=shard, symbol=symbol)])
        await self._tell_book(symbol, Delist(key=symbol, symbol=symbol))
        await self._until(lambda: self._shows(symbol, lambda now: now.delisted))
        return f"{symbol} is delisted, and its open orders are cancelled."

    async def list_instrument(self, listing: Listing) -> str:
        """List what has not been listed before: at all shards, and then at its book, so that whoever sees it can trade it."""
        instrument, symbol = listing.instrument, listing.instrument.symbol
        listed = {one.symbol: one for one in await self._views.summaries()}
        instruments = await self._views.instruments()
        if symbol in listed or symbol in instruments:
            raise NotOperated(f"{symbol} has been listed before: 'openbell market relist {symbol}' lists it anew")
        for other in instruments.values():
            if not instrument.agrees_with(other):
                raise NotOperated(
                    f"{symbol} gives an asset other decimals than {other.symbol}, which is listed already"
                )

        def command(key: str) -> ListInstrument:
            return ListInstrument(key=key, instrument=instrument, rules=listing.rules)

        await self._tell_shards(lambda shard: [command(shard)])
        await self._tell_book(symbol, command(symbol))
        await self._until(lambda: self._shows(symbol, lambda now: not now.delisted))
        return f"{symbol} is listed."

    async def set_kill_switch(self, account: str, *, on: bool) -> str:
        """Refuse an account's new orders and cancel its open ones, or let it trade again."""
        own = shard_of(account, self._commands.shards)
        try:
            await self._tell_shards(lambda shard: [SetKillSwitch(key=shard, account=account, on=on)], [own])
        except UnknownOutcome as error:
            raise UnknownOutcome(f"{error}; where there is no account {account}, it is refused") from error
        if on:
            return f"{account} can place no orders now, and its open ones are being cancelled."
        return f"{account} can trade again."

    async def _traded(self, symbol: str) -> Summary:
        found = await self._summary(symbol)
        if found is None:
            raise NotOperated(f"{symbol} is not listed")
        if found.delisted:
            raise NotOperated(f"{symbol} is delisted: 'openbell market relist {symbol}' lists it anew")
        return found

    async def _summary(self, symbol: str) -> Summary | None:
        return next((one for one in await self._views.summaries() if one.symbol == symbol), None)

    async def _shows(self, symbol: str, is_so: Callable[[Summary], bool]) -> bool:
        found = await self._summary(symbol)
        return found is not None and is_so(found)

    async def _tell_shards(self, commands: Callable[[str], list[Any]], shards: Sequence[str] | None = None) -> None:
        """Send shards (all, where none are named) their commands, and wait until each has taken them."""
        count = self._commands.shards
        named = [str(number) for number in range(count)] if shards is None else shards
        echoes = {shard: echo(shard, count, f"echo-{uuid4().hex}", self._now_ms()) for shard in named}
        await self._commands.operate(ACCOUNT_INBOX, {shard: [*commands(shard), echoes[shard]] for shard in named})
        for asked in echoes.values():
            await self._until(partial(self._is_answered, asked.account, asked.request_id))

    async def _tell_book(self, symbol: str, command: Any) -> None:
        """Send a book what the shards have taken already."""
        try:
            await self._commands.operate(BOOK_INBOX, {symbol: [command]})
        except NotTaken as error:
            raise UnknownOutcome(
                f"the accounts have taken it, but the market of {symbol} could not be told: ask for it again in a moment"
            ) from error

    async def _is_answered(self, account: str, request_id: str) -> bool:
        return request_id in await self._views.answers(account, [request_id])

    async def _until(self, shows: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the views show something."""
        try:
            async with asyncio.timeout(self._answer_s):
                while True:
                    with suppress(
                        ViewsUnavailable
                    ):  # it is written already: what matters is whether it is seen in time
                        if await shows():
                            return
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise UnknownOutcome(_UNSEEN) from None
