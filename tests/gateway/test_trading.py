"""What a caller of the service learns of its request, whatever is late, lost or sent again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args

import pytest

from exchange.messages import AccountCommand, Deposit, PlaceOrder, RejectReason
from exchange.packets import decode_book_inbox
from exchange.topics import BOOK_INBOX
from gateway.gathering import Gathering
from gateway.ports import Changed, NotTaken, UnknownOutcome, ViewsUnavailable
from gateway.refusals import REFUSALS
from gateway.shown import Answer
from gateway.tasks import stop
from gateway.tickets import FIELDS
from gateway.trading import Exchange, TradingService
from gateway.views import RedisViews
from tests.gateway.adapters import ACCOUNT, Floor, FloorCommands, until
from tests.gateway.projected import NOW_MS

DEADLINE_S = 20


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read often, since nobody tells these services of changes."""
    monkeypatch.setattr("gateway.trading.REREAD_S", 0.01)


class Desk:
    """The service over a floor, with nobody listening to changes but the test."""

    def __init__(self, url: str, name: str, **options: Any) -> None:
        self.floor = Floor(url, name)
        self.commands = FloorCommands(self.floor)
        self.views = RedisViews(url, name, lambda: NOW_MS)
        self.exchange = Exchange(self.commands, self.views, now_ms=lambda: NOW_MS, **options)
        self.service = TradingService(self.exchange, ACCOUNT)

    @contextmanager
    def in_a_hurry(self) -> Iterator[None]:
        """Have it wait for answers no longer than the market would need for them."""
        usual, self.exchange._answer_s = self.exchange._answer_s, 0.05
        yield
        self.exchange._answer_s = usual

    def order(self, request_id: str = "r", **fields: Any) -> PlaceOrder:
        wanted = {"symbol": "AAPLUSD", "side": "buy", "price": 5_000, "quantity": 3}
        return PlaceOrder(account=ACCOUNT, request_id=request_id, created_ms=NOW_MS, **{**wanted, **fields})


def at(desk: Desk, scenario: Callable[[], Awaitable[Any]]) -> Any:
    async def played() -> Any:
        running = asyncio.create_task(desk.exchange.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await scenario()
        finally:
            await stop([running])
            await desk.views.close()

    return asyncio.run(played())


def test_every_refusal_has_a_sentence_and_names_a_field_of_the_ticket_or_none() -> None:
    assert set(REFUSALS) == set(get_args(RejectReason))
    assert {refusal.field for refusal in REFUSALS.values()} <= {*FIELDS, "order_id", ""}
    assert all(refusal.sentence.endswith((".", "right.")) for refusal in REFUSALS.values())


def test_an_outcome_is_seen_even_if_word_of_it_is_lost(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> str:
        desk.commands.shown = False
        asked = asyncio.create_task(desk.service.place(desk.order()))
        await until(lambda: bool(desk.commands.written))
        desk.floor.projected.project()  # tells nobody
        answer = await asked
        assert answer.order is not None
        return answer.order.leaves

    assert at(desk, scenario) == "3"


def test_word_of_a_change_wakes_whoever_waits_at_once(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.trading.REREAD_S", DEADLINE_S)
    desk = Desk(redis_url, venue, answer_s=DEADLINE_S)

    async def scenario() -> str:
        desk.commands.shown = False
        asked = asyncio.create_task(desk.service.place(desk.order()))
        await until(lambda: bool(desk.commands.written))
        desk.floor.projected.project()
        while not asked.done():
            desk.exchange.hear(Changed(accounts=["other"]))
            desk.exchange.hear(Changed(accounts=[ACCOUNT]))
            await asyncio.sleep(0)
        return (await asked).outcome.state

    assert at(desk, scenario) == "ACCEPTED"


def test_an_outcome_that_is_not_seen_is_unknown_and_asking_again_settles_it(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> tuple[int, int]:
        desk.commands.shown = False
        with desk.in_a_hurry(), pytest.raises(UnknownOutcome):
            await desk.service.place(desk.order())
        assert await desk.service.answer("r") is None
        desk.commands.shown = True
        again = await desk.service.place(desk.order())
        asked = await desk.service.answer("r")
        assert asked is not None
        assert again.refusal is None
        assert again.order == asked.order
        return len(desk.commands.written), len((await desk.views.account(ACCOUNT)).open_orders)

    assert at(desk, scenario) == (2, 1)


@pytest.mark.parametrize("change", [{"quantity": 4}, {"side": "sell", "price": 20_000}])
def test_another_order_under_a_used_id_is_a_duplicate(redis_url: str, venue: str, change: dict[str, Any]) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> list[RejectReason | None]:
        first = await desk.service.place(desk.order())
        other = await desk.service.place(desk.order(**change))
        return [first.refusal, other.refusal]

    assert at(desk, scenario) == [None, "DUPLICATE"]


def test_another_order_under_an_id_whose_outcome_is_only_now_seen_is_a_duplicate_too(
    redis_url: str, venue: str
) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> RejectReason | None:
        desk.commands.shown = False
        asked = asyncio.create_task(desk.service.place(desk.order(side="sell", price=20_000)))
        await until(lambda: bool(desk.commands.written))
        desk.floor.projected.project()
        await asked
        desk.floor.projected.send(
            PlaceOrder, ACCOUNT, symbol="AAPLUSD", side="buy", price=1, quantity=1, request_id="q"
        )
        other = asyncio.create_task(desk.service.place(desk.order("q", side="sell")))
        await until(lambda: len(desk.commands.written) == 2)
        desk.floor.projected.project()
        return (await other).refusal

    assert at(desk, scenario) == "DUPLICATE"


@pytest.mark.parametrize("change", [{"price": 5_001}, {"quantity": 500}])
def test_an_order_is_not_taken_for_another_under_its_id_by_its_price_or_quantity(
    redis_url: str, venue: str, change: dict[str, Any]
) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> tuple[RejectReason | None, RejectReason | None]:
        desk.commands.shown = False
        first = asyncio.create_task(desk.service.place(desk.order()))
        await until(lambda: len(desk.commands.written) == 1)
        other = asyncio.create_task(desk.service.place(desk.order(**change)))
        await until(lambda: len(desk.commands.written) == 2)
        desk.floor.projected.project()  # both outcomes in one batch
        return (await first).refusal, (await other).refusal

    assert at(desk, scenario) == (None, "DUPLICATE")


def test_an_order_of_other_size_is_a_duplicate_even_if_only_the_first_has_been_seen(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> RejectReason | None:
        desk.commands.shown = False
        desk.floor.projected.order(ACCOUNT, "buy", 5_000, 3, request_id="r")
        other = asyncio.create_task(desk.service.place(desk.order(quantity=500, price=9_000)))
        await until(lambda: bool(desk.commands.written))
        keys = desk.floor.projected.store.keys.of(desk.floor.projected.generation)
        desk.floor.projected.project()
        desk.floor.projected.store._redis.delete(keys.repeats(ACCOUNT))  # as before the word of the second
        return (await other).refusal

    assert at(desk, scenario) == "DUPLICATE"


def test_an_id_that_a_deposit_has_used_is_a_duplicate_however_often_it_is_tried(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> list[RejectReason | None]:
        for number in range(9):  # far ahead in the channel of balances
            desk.floor.projected.send(Deposit, ACCOUNT, asset="USD", amount=1, request_id=f"fund{number}")
        desk.floor.projected.project()
        return [(await desk.service.place(desk.order("fund8"))).refusal for _ in range(2)]

    assert at(desk, scenario) == ["DUPLICATE", "DUPLICATE"]


def _with_the_book_behind(desk: Desk) -> Callable[[], None]:
    """Place an order that its account has admitted and its book not yet taken; return what lets the book take it."""
    venue = desk.floor.projected.venue
    book = venue.hosts.pop(BOOK_INBOX)
    desk.floor.projected.order(ACCOUNT, "buy", 5_000, 3, request_id="r")

    def catch_up() -> None:
        venue.hosts[BOOK_INBOX] = book
        venue.write(BOOK_INBOX, "AAPLUSD", decode_book_inbox(venue.written[BOOK_INBOX].pop()))
        desk.floor.projected.project()

    return catch_up


def test_a_repeat_that_overtakes_the_books_answer_waits_for_the_order(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> tuple[bool, Answer]:
        catch_up = _with_the_book_behind(desk)
        asked = asyncio.create_task(desk.service.place(desk.order()))
        await until(lambda: bool(desk.commands.written))
        await until(lambda: any(waiter.without_order for waiter in desk.exchange._waiting))
        early = asked.done()
        catch_up()
        return early, await asked

    early, answer = at(desk, scenario)
    assert not early
    assert answer.order is not None
    assert (answer.refusal, answer.order.state) == (None, "OPEN")


def test_a_repeat_of_an_order_that_no_view_has_is_answered_without_it(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue, answer_s=1.0)

    async def scenario() -> Answer:
        _with_the_book_behind(desk)
        return await desk.service.place(desk.order())

    answer = at(desk, scenario)
    assert (answer.refusal, answer.order, answer.outcome.state) == (None, None, "ACCEPTED")


def test_a_log_that_confirms_nothing_keeps_nobody_waiting_longer_than_for_an_answer(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> Answer:
        thawed, write = asyncio.Event(), desk.commands.write

        async def frozen(commands: Sequence[AccountCommand]) -> list[None]:
            await thawed.wait()
            for command in commands:
                await write(command)
            raise UnknownOutcome("what comes this late interests nobody")

        with monkeypatch.context() as patched:
            patched.setattr(desk.commands, "write", Gathering(frozen).ask)
            with desk.in_a_hurry(), pytest.raises(UnknownOutcome, match="has not answered"):
                await desk.service.place(desk.order())
        thawed.set()
        await until(lambda: bool(desk.commands.written))
        return await desk.service.place(desk.order())

    answer = at(desk, scenario)
    assert (answer.outcome.state, answer.refusal) == ("ACCEPTED", None)
    assert len(desk.commands.written) == 2
    gc.collect()
    assert caplog.records == []


def test_those_who_wait_are_read_for_again_after_whatever_went_wrong(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(redis_url, venue)
    read = desk.views.answers
    failures = iter([ViewsUnavailable("away"), ValueError("a row that cannot be read")])

    async def failing(account: str, request_ids: Sequence[str]) -> dict[str, Answer]:
        for failure in failures:
            raise failure
        return await read(account, request_ids)

    async def scenario() -> str:
        monkeypatch.setattr(desk.views, "answers", failing)
        return (await desk.service.place(desk.order(), new_id=True)).outcome.state

    assert at(desk, scenario) == "ACCEPTED"
    assert [record.message for record in caplog.records] == ["outcomes could not be read"]


def test_nothing_is_written_when_it_could_not_be_answered(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue, waiting_max=1, answer_s=DEADLINE_S)

    async def scenario() -> int:
        desk.commands.shown = False
        first = asyncio.create_task(desk.service.place(desk.order()))
        await until(lambda: bool(desk.commands.written))
        with pytest.raises(NotTaken, match="too many"):
            await desk.service.place(desk.order("second"))
        desk.floor.projected.project()
        await first
        desk.commands.up = False
        with pytest.raises(NotTaken):
            await desk.service.place(desk.order("third"))
        return len(desk.commands.written)

    assert at(desk, scenario) == 1


def test_an_order_is_cancelled_by_its_id_or_by_its_request(redis_url: str, venue: str) -> None:
    desk = Desk(redis_url, venue)

    async def scenario() -> list[Any]:
        one = await desk.service.place(desk.order("one"))
        await desk.service.place(desk.order("two"))
        gone = [await desk.service.cancel(one.outcome.order_id), await desk.service.cancel(order_request_id="two")]
        late = await desk.service.cancel(one.outcome.order_id)
        return [*(answer.order and answer.order.state for answer in gone), late.refusal]

    assert at(desk, scenario) == ["CANCELLED", "CANCELLED", "UNKNOWN_ORDER"]
