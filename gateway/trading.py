"""Places and cancels one account's orders: writes a command to the log, and waits until the views tell what became of it.

Theory of operation: commands go one way and outcomes come back another, so a request is known by its id. Before a command is written,
the outcome that the views already have of its id is looked up; only one that differs is an answer to this command. So sending
a request again under its id gives the first outcome again. That an order is admitted already can be told before its book has answered;
then the order itself is waited for, so that whoever has the answer finds the order in the views, too. Whether an order is the one that stands under its id is told by its content,
since an outcome may tell of several commands with that id at once. All outcomes that are waited for are read together, whenever the
account has changed, and every `REREAD_S` in case word of a change was lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from exchange.instruments import Instrument
from exchange.messages import CancelOrder, PlaceOrder, RejectReason
from gateway.ports import Changed, Commands, NotTaken, UnknownOutcome, Views, ViewsUnavailable
from gateway.shown import Answer, OrderShown, Outcome, Shown
from gateway.tickets import new_request_id
from wire.clock import wall_ms

ANSWER_S: Final = 5.0
"""How long a request waits for its outcome."""
REREAD_S: Final = 0.5
WAITING_MAX: Final = 10_000
"""Greatest number of requests that wait for their outcomes at once."""

_LOG = logging.getLogger(__name__)


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
        sentence="Another request was sent under this request id before; this one was not carried out.",
        field="request_id",
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


class _Waiter:
    """A request that waits: its id, the outcome that was known of it before, and an answer that still lacks its order."""

    def __init__(self, request_id: str, before: Outcome | None) -> None:
        self.request_id = request_id
        self.before = before
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.without_order: Answer | None = None

    def take(self, answer: Answer) -> None:
        """Take what the views now have of the request, if it is news."""
        if answer.outcome == self.before or self.answered.done():
            return
        if answer.outcome.order_id and answer.order is None and answer.refusal is None:
            self.without_order = answer
        else:
            self.answered.set_result(answer)


class TradingService:
    """Trades for `account`, as long as `run` runs. `now_ms` is the time that commands are stamped with."""

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
        self._waiting: set[_Waiter] = set()
        self._asked = asyncio.Event()
        self._changed = asyncio.Event()

    def hear(self, changed: Changed) -> None:
        """Have the outcomes that are waited for read anew, if this account has changed."""
        if changed.everything or self.account in changed.accounts:
            self._changed.set()

    async def place(self, order: PlaceOrder, *, new_id: bool = False) -> Answer:
        """Place an order and return what the market made of it. `new_id`: its request id was made for it, so no other has it.

        Raises:
            NotTaken: if it was not written; it has no effect.
            ViewsUnavailable: if it was not written, because the instruments cannot be read.
            UnknownOutcome: if it may have been written, and no outcome was seen in time.
        """
        instrument = (await self._views.instruments()).get(order.symbol)
        answer = await self._ask(order, new_id=new_id)
        if answer.order is None:
            return answer
        stands = instrument is not None and _is_of(answer.order, order, instrument)
        return msgspec.structs.replace(
            answer, outcome=msgspec.structs.replace(answer.outcome, repeat=None if stands else "DUPLICATE")
        )

    async def cancel(self, order_id: int = 0, order_request_id: str | None = None) -> Answer:
        """Cancel an order, named by its id or by the id of the request that placed it; errors as in `place`."""
        command = CancelOrder(
            account=self.account,
            request_id=new_request_id(),
            created_ms=self.now_ms(),
            order_id=order_id,
            order_request_id=order_request_id,
        )
        return await self._ask(command, new_id=True)

    async def answer(self, request_id: str) -> Answer | None:
        """Return what became of a request, as far as the views know."""
        return (await self._views.answers(self.account, [request_id])).get(request_id)

    async def _ask(self, command: PlaceOrder | CancelOrder, *, new_id: bool) -> Answer:
        if len(self._waiting) >= self._waiting_max:
            raise NotTaken("too many requests wait for the exchange: try again in a moment")
        if not self._commands.available():
            raise NotTaken("the exchange cannot be reached now: the request was not sent")
        before = None
        if not new_id:
            with suppress(ViewsUnavailable):  # the exchange takes orders whether or not they can be seen
                before = await self.answer(command.request_id)
        waiter = _Waiter(command.request_id, before.outcome if before else None)
        self._waiting.add(waiter)
        try:
            await self._commands.write(command)
            self._asked.set()
            async with asyncio.timeout(self._answer_s):
                return await waiter.answered
        except TimeoutError:
            if waiter.without_order is not None:  # an order that ended too long ago for the views to have it
                return waiter.without_order
            raise UnknownOutcome("the request was sent, but the exchange has not answered yet") from None
        finally:
            self._waiting.remove(waiter)

    async def run(self) -> None:
        """Read what is waited for, for ever."""
        while True:
            await self._asked.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(REREAD_S):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._read()
            except ViewsUnavailable:
                pass  # those who wait are read for again
            except Exception:  # noqa: BLE001  (whatever it is, those who wait must be read for)
                _LOG.exception("outcomes could not be read")
            if not self._waiting:
                self._asked.clear()

    async def _read(self) -> None:
        """Read what is waited for, all of it at once, and tell those whose outcome is there."""
        asked = {waiter.request_id for waiter in self._waiting}
        answers = await self._views.answers(self.account, list(asked))
        for waiter in self._waiting:
            answer = answers.get(waiter.request_id)
            if answer is not None:
                waiter.take(answer)


def _is_of(shown: OrderShown, asked: PlaceOrder, instrument: Instrument) -> bool:
    """Say whether an order is what was asked for."""
    return (
        (shown.request_id, shown.symbol, shown.side, shown.kind, shown.time_in_force, shown.expires_ms)
        == (asked.request_id, asked.symbol, asked.side, asked.kind, asked.time_in_force, asked.expires_ms)
        and shown.price == instrument.price_text(asked.price)
        and shown.quantity == instrument.quantity_text(asked.quantity)
    )
