"""Places and cancels one account's orders: writes a command to the log, and waits until the views tell what became of it.

Theory of operation: commands go one way and outcomes come back another, so a request is known by its id. Before a command is written,
the outcome that the views already have of its id is looked up; only one with a higher `seq` is an answer to this command. So sending
a request again under its id gives the first outcome again, and another content under it is told apart. A waiter reads anew whenever
its account has changed, and every `REREAD_S` in case word of a change was lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from exchange.messages import CancelOrder, PlaceOrder, RejectReason
from gateway.ports import Changed, Commands, NotTaken, UnknownOutcome, Views, ViewsUnavailable
from gateway.shown import OrderShown, Outcome, Shown
from gateway.tickets import new_request_id

ANSWER_S: Final = 5.0
"""How long a request waits for its outcome."""
REREAD_S: Final = 0.5
WAITING_MAX: Final = 10_000
"""Greatest number of requests that wait for their outcomes at once."""


class Refusal(Shown, frozen=True):
    """What a market's refusal means to a person, and the field of an order that it is about (empty: none)."""

    sentence: str
    field: str = ""


REFUSALS: Final[dict[RejectReason, Refusal]] = {
    "ACCOUNT_EXISTS": Refusal(sentence="This account is open already."),
    "BALANCE_LIMIT": Refusal(sentence="The account cannot hold so much of one asset.", field="quantity"),
    "CLOCK_AHEAD": Refusal(
        sentence="The clock of the server that took the order is ahead of the exchange's: set it right."
    ),
    "DUPLICATE": Refusal(
        sentence="Another order was sent under this request id before; this one was not placed.", field="request_id"
    ),
    "EXPIRED": Refusal(sentence="The order's time was over before it reached the market.", field="expires_ms"),
    "HALTED": Refusal(sentence="Trading is halted: try again once it goes on."),
    "INSUFFICIENT_FUNDS": Refusal(
        sentence="The account has not enough free for this order: write less, or cancel another order first.",
        field="quantity",
    ),
    "INVALID_ORDER_ID": Refusal(sentence="The book cannot take an order with this number.", field="order_id"),
    "INVALID_TIME_IN_FORCE": Refusal(
        sentence="This time in force does not go with this kind of order.", field="time_in_force"
    ),
    "REQUESTS_FULL": Refusal(sentence="The exchange has as many requests as it can remember: try again later."),
    "STALE": Refusal(
        sentence="The order took more than a day to reach the exchange: place it anew.", field="request_id"
    ),
    "STALE_LISTING": Refusal(sentence="The symbol's rules have just changed: place the order anew.", field="symbol"),
    "TOO_LATE": Refusal(sentence="The order was gone from the book before it could be cancelled.", field="order_id"),
    "UNKNOWN_ACCOUNT": Refusal(sentence="The exchange does not know this account yet: try again in a moment."),
    "UNKNOWN_ORDER": Refusal(sentence="There is no such open order.", field="order_id"),
    "UNKNOWN_SYMBOL": Refusal(sentence="The exchange does not trade this symbol.", field="symbol"),
}


class Answer(Shown, frozen=True):
    """What became of a request, and the order it placed or was about, where the views have it."""

    outcome: Outcome
    order: OrderShown | None

    @property
    def refusal(self) -> RejectReason | None:
        """Why the request had no effect; None if it had, or if it is a repeat of one that had."""
        return self.outcome.repeat or self.outcome.reason


def wall_ms() -> int:
    """Return the time now."""
    return time.time_ns() // 1_000_000


class TradingService:
    """Trades for `account`. `now_ms` is the time that commands are stamped with."""

    def __init__(
        self,
        commands: Commands,
        views: Views,
        account: str,
        *,
        answer_s: float = ANSWER_S,
        waiting_max: int = WAITING_MAX,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self.account = account
        self.now_ms = now_ms
        self._commands = commands
        self._views = views
        self._answer_s = answer_s
        self._waiting_max = waiting_max
        self._waiters: set[asyncio.Event] = set()

    def hear(self, changed: Changed) -> None:
        """Wake all who wait for an outcome, if this account has changed."""
        if changed.everything or self.account in changed.accounts:
            for waiter in self._waiters:
                waiter.set()

    async def place(self, order: PlaceOrder) -> Answer:
        """Place an order and return what the market made of it.

        Raises:
            NotTaken: if it was not written; it has no effect.
            UnknownOutcome: if it may have been, and no outcome was seen in time.
            ViewsUnavailable: if it was not written because its outcome could not have been seen.
        """
        answer = await self._ask(order)
        if answer.order is not None and not _is_of(answer.order, order):  # seen before the refusal of this one
            return Answer(outcome=msgspec.structs.replace(answer.outcome, repeat="DUPLICATE"), order=answer.order)
        return answer

    async def cancel(self, order_id: int = 0, order_request_id: str | None = None) -> Answer:
        """Cancel an order, named by its id or by the id of the request that placed it; errors as in `place`."""
        command = CancelOrder(
            account=self.account,
            request_id=new_request_id(),
            created_ms=self.now_ms(),
            order_id=order_id,
            order_request_id=order_request_id,
        )
        return await self._ask(command)

    async def answer(self, request_id: str) -> Answer | None:
        """Return what became of a request, as far as the views know."""
        outcome = await self._views.outcome(self.account, request_id)
        return None if outcome is None else await self._with_order(outcome)

    async def _ask(self, command: PlaceOrder | CancelOrder) -> Answer:
        if len(self._waiters) >= self._waiting_max:
            raise NotTaken("too many orders wait for the exchange: try again in a moment")
        if not self._commands.available():
            raise NotTaken("the exchange cannot be reached now: the order was not sent")
        changed = asyncio.Event()
        self._waiters.add(changed)
        try:
            before = await self._views.outcome(self.account, command.request_id)
            await self._commands.write(command)
            return await self._with_order(await self._outcome(command.request_id, before.seq if before else 0, changed))
        finally:
            self._waiters.discard(changed)

    async def _outcome(self, request_id: str, after_seq: int, changed: asyncio.Event) -> Outcome:
        """Wait for an outcome whose seq is above `after_seq`."""
        try:
            async with asyncio.timeout(self._answer_s):
                while True:
                    changed.clear()
                    with suppress(ViewsUnavailable):
                        outcome = await self._views.outcome(self.account, request_id)
                        if outcome is not None and outcome.seq > after_seq:
                            return outcome
                    with suppress(TimeoutError):
                        async with asyncio.timeout(REREAD_S):
                            await changed.wait()
        except TimeoutError:
            raise UnknownOutcome("the order was sent, but the exchange has not answered yet") from None

    async def _with_order(self, outcome: Outcome) -> Answer:
        order = None
        if outcome.order_id:
            with suppress(ViewsUnavailable):  # the outcome is known all the same
                order = await self._views.order(self.account, outcome.order_id)
        return Answer(outcome=outcome, order=order)


def _is_of(shown: OrderShown, asked: PlaceOrder) -> bool:
    """Say whether an order is what was asked for, as far as both tell it in the same terms."""
    return (shown.symbol, shown.side, shown.kind, shown.time_in_force, shown.expires_ms) == (
        asked.symbol,
        asked.side,
        asked.kind,
        asked.time_in_force,
        asked.expires_ms,
    )
