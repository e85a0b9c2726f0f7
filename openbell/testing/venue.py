"""A venue as a test sees it: where it is, what others do there, what goes wrong, and what time it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import count
from typing import Final, NamedTuple, TypeAlias, TypeVar

from exchange.instruments import Instrument
from exchange.messages import Conditions, Kind, Phase, PlaceOrder, SetPhase, Side, TimeInForce
from exchange.money import UNITS_MAX
from exchange.topics import BOOK_INBOX
from gateway.shown import Answer, OrderShown
from gateway.sim.venue import rich
from openbell.sim.server import Serving, Simulator
from openbell.sim.world import ACCOUNT, World

T = TypeVar("T")
Amount: TypeAlias = str | int | float | Decimal
OTHER: Final = "other"
"""The participant that trades unless a test names another."""
_FUNDS: Final = UNITS_MAX // 8


class Traded(NamedTuple):
    """A trade: its number in its symbol, and who took."""

    symbol: str
    trade: int
    price: Decimal
    quantity: Decimal
    taker_side: Side
    time_ms: int


class Venue:
    """One venue, from the beginning of a test to its end. All methods return when what they do is done and can be seen."""

    def __init__(self, serving: Serving, key: str, secret: str) -> None:
        self.url = f"http://127.0.0.1:{serving.port}"
        self.ws_url = f"ws://127.0.0.1:{serving.port}"
        self.api_key, self.api_secret = key, secret
        self.account = ACCOUNT
        self.clock = Clock(self)
        self._serving = serving
        self._numbers = count(1)
        self._participants: set[str] = set()

    # What others do

    def place(
        self,
        symbol: str,
        side: Side,
        quantity: Amount,
        price: Amount,
        *,
        kind: Kind = "limit",
        time_in_force: TimeInForce = "GTC",
        stop: Amount | None = None,
        participant: str = OTHER,
    ) -> Answer:
        """Place an order of another participant, who never runs out of money, and return what became of it at once.

        Raises:
            KeyError: if the symbol is not listed.
            InvalidAmount: if the price is no multiple of the tick, or the quantity of the lot.
        """

        async def do(world: World) -> Answer:
            listed = (await world.views.instruments())[symbol]
            venue, request_id = world.venue, f"test-{next(self._numbers)}"
            if participant not in self._participants:
                self._participants.add(participant)
                venue.fund(participant, rich((await world.views.instruments()).values(), _FUNDS))
            venue.send(
                PlaceOrder(
                    account=participant,
                    request_id=request_id,
                    created_ms=venue.clock.now_ms(),
                    symbol=symbol,
                    side=side,
                    price=_ticks(listed, price),
                    quantity=_lots(listed, quantity),
                    kind=kind,
                    time_in_force=time_in_force,
                    conditions=None if stop is None else Conditions(stop=_ticks(listed, stop)),
                )
            )
            venue.show()
            return (await world.views.answers(participant, [request_id]))[request_id]

        return self._do(do)

    def quote(self, symbol: str, bid: Amount | None, ask: Amount | None, size: Amount) -> None:
        """Let a bid and an ask stand in the place of those of the call before; None: there is none. Errors as in `place`."""

        async def do(world: World) -> None:
            listed = (await world.views.instruments())[symbol]
            lots = _lots(listed, size)
            sides: tuple[tuple[Side, Amount | None], ...] = (("buy", bid), ("sell", ask))
            world.quotes.quote(
                symbol, 1, [(side, _ticks(listed, price), lots) for side, price in sides if price is not None]
            )
            world.venue.show()

        self._do(do)

    def phase(self, symbol: str, phase: Phase) -> None:
        """Let a symbol's market go into a phase, such as `halt` or `continuous`."""

        async def do(world: World) -> None:
            world.venue.write(BOOK_INBOX, symbol, [SetPhase(key=symbol, phase=phase)])
            world.venue.show()

        self._do(do)

    # What is there

    @property
    def trades(self) -> list[Traded]:
        """The trades of all symbols, the first first; of each the last 1,000."""

        async def do(world: World) -> list[Traded]:
            found = []
            for symbol in sorted(await world.views.instruments()):
                for each in reversed(await world.views.trades(symbol, 1_000) or []):
                    price, quantity = Decimal(each.price), Decimal(each.quantity)
                    found.append(Traded(symbol, each.seq, price, quantity, each.taker_side, each.time_ms))
            return sorted(found, key=lambda trade: trade.time_ms)

        return self._do(do)

    @property
    def orders(self) -> list[OrderShown]:
        """The orders of `account`: those that are open, then those that have ended."""

        async def do(world: World) -> list[OrderShown]:
            shown = await world.views.account(ACCOUNT, ended=1_000)
            return [*shown.open_orders, *shown.ended_orders]

        return self._do(do)

    def balance(self, asset: str) -> Decimal:
        """Return what `account` has of an asset, reserved or not."""

        async def do(world: World) -> Decimal:
            shown = await world.views.account(ACCOUNT)
            return sum((Decimal(each.total) for each in shown.balances if each.asset == asset), Decimal(0))

        return self._do(do)

    # What goes wrong

    def latency(self, milliseconds: float, jitter: float = 0.0) -> None:
        """Have all requests, and all that websockets say, arrive so much later, by the wall's clock."""

        async def do(_: World) -> None:
            faults = self._simulator.faults
            faults.latency_ms, faults.jitter_ms = milliseconds, jitter

        self._do(do)

    def refuse(self, next: int = 1, reason: str | None = None) -> None:  # noqa: A002  (it reads as what it is)
        """Have the account's next commands refused: not taken at all, or by the exchange for a reason of `faults.REASONS`.

        Raises:
            ValueError: if there is no such reason.
        """

        async def do(_: World) -> None:
            self._simulator.faults.refuse(next, reason)

        self._do(do)

    def lose(self, next: int = 1) -> None:  # noqa: A002  (as above)
        """Have the account's next commands carried out, and their outcomes not told: they are asked for, or sent again."""

        async def do(_: World) -> None:
            self._simulator.faults.lose(next)

        self._do(do)

    def disconnect(self) -> int:
        """Break all websockets, and return how many."""

        async def do(_: World) -> int:
            return self._simulator.disconnect()

        return self._do(do)

    @property
    def sockets(self) -> int:
        """How many websockets are open."""
        return self._simulator.sockets

    def reset(self) -> None:
        """Make the venue anew: as it was at the beginning, and with it the time."""
        self._serving.call(self._simulator.reset)
        self._numbers = count(1)
        self._participants.clear()

    @property
    def _simulator(self) -> Simulator:
        return self._serving.simulator

    def _do(self, what: Callable[[World], Awaitable[T]]) -> T:
        """Do something in the venue's own thread."""
        world = self._simulator.world
        assert world is not None, "it is open"
        done: T = self._serving.call(lambda: what(world))
        return done


class Clock:
    """The venue's clock: it stands still unless it is advanced."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    @property
    def now_ms(self) -> int:
        """The time, in milliseconds since the epoch."""

        async def do(world: World) -> int:
            return world.venue.clock.now_ms()

        return self._venue._do(do)  # noqa: SLF001  (it is a part of the venue)

    def advance(self, milliseconds: int) -> int:
        """Let time pass, with all that is due in it, and return the time. Raises ValueError if it would go back."""
        if milliseconds < 0:
            raise ValueError("time does not go back")

        async def do(world: World) -> int:
            world.venue.advance(milliseconds)
            return world.venue.clock.now_ms()

        return self._venue._do(do)  # noqa: SLF001  (as above)


def _ticks(listed: Instrument, price: Amount) -> int:
    return listed.price_ticks(_text(price))


def _lots(listed: Instrument, quantity: Amount) -> int:
    return listed.quantity_lots(_text(quantity))


def _text(amount: Amount) -> str:
    """Write an amount as people do; a float's shortest form is meant."""
    return format(Decimal(str(amount)), "f")
