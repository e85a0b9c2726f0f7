"""The phases of a market: what happens when one ends and another begins (docs/MATCHING.md, rules 40 to 48)."""

from __future__ import annotations

from typing import Final

from exchange.book.floor import Floor
from exchange.book.ladder import Order
from exchange.book.state import PLANNED_MAX
from exchange.errors import InvalidPacket
from exchange.messages import CALL_PHASES, INDICATED_PHASES, Phase, SetPhase, TimeInForce

AUCTION_OF: Final[dict[str, TimeInForce]] = {"opening-auction": "OPG", "closing-auction": "CLS"}
"""The phases that end with an auction of their own, and the orders that are for it alone."""


class Phases:
    """Takes a book from phase to phase."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.state = floor.state

    def ask(self, command: SetPhase) -> None:
        """Go into a phase now, or plan it.

        Raises:
            InvalidPacket: if too many phases are planned.
        """
        if command.at_ms <= self.floor.clock.now_ms:
            self.go(command.phase)
            return
        planned = self.state.planned
        if len(planned) >= PLANNED_MAX:
            raise InvalidPacket(f"{PLANNED_MAX} phases are planned already")
        place = sum(at_ms <= command.at_ms for at_ms, _ in planned)
        planned.insert(place, (command.at_ms, command.phase))

    def next(self) -> tuple[int, Phase] | None:
        """Return the next phase that comes by itself, and when."""
        state = self.state
        planned = state.planned[0] if state.planned else None
        if state.interrupted_ms and (planned is None or state.interrupted_ms < planned[0]):
            return state.interrupted_ms, "continuous"
        return planned

    def take_next(self) -> None:
        """Go into the phase that `next` has returned."""
        due = self.next()
        assert due is not None
        if self.state.planned and self.state.planned[0] == due:
            del self.state.planned[0]
        self.go(due[1])

    def go(self, phase: Phase) -> None:
        """Go into a phase; into that which is, and into one that the matching rule does not know, nothing happens."""
        state, floor = self.state, self.floor
        if phase == state.phase or (state.rules.pairs and phase in CALL_PHASES):
            return
        before = state.phase
        if before in CALL_PHASES and (phase not in CALL_PHASES or before in AUCTION_OF):
            floor.auction.hold()
            self._expire_all(AUCTION_OF.get(before))
        state.phase, state.interrupted_ms, state.indicated = phase, 0, (0, 0, 0)
        floor.reports.phase()
        if phase in CALL_PHASES:
            self._unpeg()
            self._gather(AUCTION_OF.get(phase))
        elif phase == "closed":
            self._expire_all("DAY")
        elif state.last:
            floor.trading.path.append(state.last)

    def interrupt(self) -> None:
        """Halt the market because a trade would have been beyond the band."""
        self.floor.continuous.interrupted = False
        self.go("halt")
        self.state.interrupted_ms = self.floor.clock.now_ms + self.state.rules.interruption_ms

    def indicate(self) -> None:
        """Say what an auction would do, if that has changed."""
        if self.state.phase not in INDICATED_PHASES:
            return
        found = self.floor.auction.preview()
        said = (found.price, found.volume, found.imbalance) if found is not None else (0, 0, 0)
        if said != self.state.indicated:
            self.state.indicated = said
            self.floor.reports.indicated()

    def _of(self, time_in_force: TimeInForce) -> list[Order]:
        return [order for order in self.floor.orders.by_number() if order.time_in_force == time_in_force]

    def _expire_all(self, time_in_force: TimeInForce | None) -> None:
        for order in self.floor.orders.alive(self._of(time_in_force) if time_in_force else ()):
            self.floor.trading.expire(order)

    def _unpeg(self) -> None:
        """Take pegged orders off their prices."""
        orders = self.floor.orders
        for order in list(orders.pegged.values()):
            if order.level is not None:
                orders.set_aside(order)

    def _gather(self, time_in_force: TimeInForce | None) -> None:
        """Let the orders that have waited for this auction come to rest."""
        for order in self._of(time_in_force) if time_in_force else ():
            self.floor.orders.renumber(order)
            self.floor.orders.rest(order)
