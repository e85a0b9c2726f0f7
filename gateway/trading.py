"""Places, changes and cancels accounts' orders: writes a command to the log, and waits until the views tell what became of it.

Theory of operation: commands go one way and outcomes come back another, so a request is known by its id. Before a command is written,
the outcome that the views already have of its id is looked up; only one that differs is an answer to this command. So sending
a request again under its id gives the first outcome again. That an order is admitted already can be told before its book has answered;
then the order itself is waited for, so that whoever has the answer finds the order in the views, too. Whether an order is the one
that stands under its id is told by its content, since an outcome may tell of several commands with that id at once. Of a group
of orders, the group's own outcome is waited for, and then those of the orders that its book was sent at once. All outcomes that
are waited for are read together, whenever their accounts have changed, and every `REREAD_S` in case word of a change was lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from exchange.instruments import Instrument
from exchange.messages import (
    AccountCommand,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Conditions,
    PlaceBracket,
    PlaceOco,
    PlaceOrder,
    SetDeadMan,
)
from gateway import shapes
from gateway.ports import Changed, Commands, GatewayError, NotTaken, UnknownOutcome, Views, ViewsUnavailable
from gateway.problems import problem_of
from gateway.shown import Answer, GroupAnswer, OrderShown, Outcome
from gateway.tickets import new_request_id
from wire.clock import wall_ms

ANSWER_S: Final = 5.0
"""How long a request waits for its outcome."""
REREAD_S: Final = 0.5
WAITING_MAX: Final = 10_000
"""Greatest number of requests that wait for their outcomes at once."""

_LOG = logging.getLogger(__name__)


class _Waiter:
    """A request that waits: whose it is, its id, the outcome that was known of it before, and an answer that still lacks its order."""

    def __init__(self, account: str, request_id: str, before: Outcome | None) -> None:
        self.account = account
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
    """Trades for one account."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self.account = account
        self.now_ms = exchange.now_ms
        self._exchange = exchange

    async def place(self, order: PlaceOrder, *, new_id: bool = False) -> Answer:
        """Place an order and return what the market made of it. `new_id`: its request id was made for it, so no other has it.

        Raises:
            NotTaken: if it was not written; it has no effect.
            ViewsUnavailable: if it was not written, because the instruments cannot be read.
            UnknownOutcome: if it may have been written, and no outcome was seen in time.
        """
        instrument = (await self._exchange.views.instruments()).get(order.symbol)
        answer, _ = await self._exchange.ask(order, new_id=new_id)
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

    async def amend(self, command: AmendOrder, *, new_id: bool = False) -> Answer:
        """Change an open order; arguments and errors as in `place`."""
        return await self._ask(command, new_id=new_id)

    async def cancel_all(self, symbol: str | None = None) -> Answer:
        """Ask for all open orders to be cancelled, or those of one symbol; errors as in `place`."""
        command = CancelAll(account=self.account, request_id=new_request_id(), created_ms=self.now_ms(), symbol=symbol)
        return await self._ask(command, new_id=True)

    async def set_dead_man(self, timeout_ms: int) -> Answer:
        """Have all open orders cancelled `timeout_ms` from now, unless this is asked for again before; 0: never. Errors as in `place`."""
        command = SetDeadMan(
            account=self.account, request_id=new_request_id(), created_ms=self.now_ms(), timeout_ms=timeout_ms
        )
        return await self._ask(command, new_id=True)

    async def place_group(self, group: PlaceOco | PlaceBracket, *, new_id: bool = False) -> GroupAnswer:
        """Place orders that belong together, and return what became of those that go to the book at once. Arguments and errors as in `place`."""
        legs = (group.first, group.second) if isinstance(group, PlaceOco) else (group.entry,)
        answer, orders = await self._exchange.ask(group, [leg.request_id for leg in legs], new_id=new_id)
        return GroupAnswer(outcome=answer.outcome, orders=orders)

    async def answer(self, request_id: str) -> Answer | None:
        """Return what became of a request, as far as the views know."""
        return await self._exchange.answer(self.account, request_id)

    async def _ask(self, command: AccountCommand, *, new_id: bool) -> Answer:
        return (await self._exchange.ask(command, new_id=new_id))[0]


class Exchange:
    """Asks the market for what accounts want, as long as `run` runs.

    `now_ms` is the time that commands are stamped with; `count` is told what became of each request, as a code.
    """

    def __init__(
        self,
        commands: Commands,
        views: Views,
        *,
        answer_s: float = ANSWER_S,
        waiting_max: int = WAITING_MAX,
        now_ms: Callable[[], int] = wall_ms,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.now_ms = now_ms
        self.views = views
        self._count = count
        self._commands = commands
        self._answer_s = answer_s
        self._waiting_max = waiting_max
        self._waiting: set[_Waiter] = set()
        self._asked = asyncio.Event()
        self._changed = asyncio.Event()

    def hear(self, changed: Changed) -> None:
        """Have the outcomes that are waited for read anew, if one of their accounts has changed."""
        if changed.everything or not {waiter.account for waiter in self._waiting}.isdisjoint(changed.accounts):
            self._changed.set()

    async def answer(self, account: str, request_id: str) -> Answer | None:
        """Return what became of a request, as far as the views know."""
        return (await self.views.answers(account, [request_id])).get(request_id)

    async def ask(
        self, command: AccountCommand, legs: Sequence[str] = (), *, new_id: bool
    ) -> tuple[Answer, list[Answer]]:
        """Write a command and wait for its outcome, and unless that is a refusal for those of the requests `legs`. Errors as in `place`."""
        try:
            answer, told = await self._ask(command, legs, new_id)
        except GatewayError as error:
            self._count(problem_of(error).code)
            raise
        self._count(answer.refusal or answer.outcome.state)
        return answer, told

    async def _ask(self, command: AccountCommand, legs: Sequence[str], new_id: bool) -> tuple[Answer, list[Answer]]:
        account = command.account
        leg_waiters = [_Waiter(account, leg, None) for leg in legs]
        if len(self._waiting) + len(legs) >= self._waiting_max:
            raise NotTaken("too many requests wait for the exchange: try again in a moment")
        if not self._commands.available():
            raise NotTaken("the exchange cannot be reached now: the request was not sent")
        before = None
        if not new_id:
            with suppress(ViewsUnavailable):  # the exchange takes orders whether or not they can be seen
                before = await self.answer(account, command.request_id)
        waiter = _Waiter(account, command.request_id, before.outcome if before else None)
        waiting = {waiter, *leg_waiters}
        self._waiting |= waiting
        try:
            async with asyncio.timeout(self._answer_s):
                await self._commands.write(command)
                self._asked.set()
                answer = await waiter.answered
                if answer.refusal is None:
                    await asyncio.gather(*(leg.answered for leg in leg_waiters))
                told = [leg.answered for leg in leg_waiters if leg.answered.done() and not leg.answered.cancelled()]
                return answer, [each.result() for each in told]
        except TimeoutError:
            if waiter.without_order is not None:  # an order that ended too long ago for the views to have it
                return waiter.without_order, []
            raise UnknownOutcome("the request was sent, but the exchange has not answered yet") from None
        finally:
            self._waiting -= waiting

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
        waiting: dict[str, list[_Waiter]] = defaultdict(list)
        for waiter in self._waiting:
            waiting[waiter.account].append(waiter)
        for account, waiters in waiting.items():
            answers = await self.views.answers(account, list({waiter.request_id for waiter in waiters}))
            for waiter in waiters:
                answer = answers.get(waiter.request_id)
                if answer is not None:
                    waiter.take(answer)


def _is_of(shown: OrderShown, asked: PlaceOrder, instrument: Instrument) -> bool:
    """Say whether an order is what was asked for, as far as nothing has changed it since."""
    conditions = asked.conditions or Conditions()
    first = {
        "request_id": asked.request_id,
        "symbol": asked.symbol,
        "side": asked.side,
        "kind": asked.kind,
        "time_in_force": asked.time_in_force,
        "expires_ms": asked.expires_ms,
        **shapes.conditions(conditions, instrument),
    }
    if not shown.amended:
        first["quantity"] = instrument.quantity_text(asked.quantity)
        if conditions.post_only != "slide":
            first["price"] = instrument.price_text(asked.price)
        first["stop"] = instrument.price_text(conditions.stop) if conditions.stop else None
    return all(getattr(shown, name) == value for name, value in first.items())
