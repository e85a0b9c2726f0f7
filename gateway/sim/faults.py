"""What goes wrong on purpose: late answers, refusals, and answers that are lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from msgspec.structs import replace

from exchange.messages import (
    QUANTITY_MAX,
    AccountCommand,
    AmendOrder,
    CancelAll,
    CancelOrder,
    PlaceBracket,
    PlaceOco,
    PlaceOrder,
)
from gateway.ports import NotTaken, UnknownOutcome

_TRADING: Final = PlaceOrder | PlaceOco | PlaceBracket | AmendOrder | CancelOrder | CancelAll
"""What may go wrong; accounts are opened and funded without fail."""

REASONS: Final[dict[str, Callable[[PlaceOrder], PlaceOrder]]] = {
    "UNKNOWN_SYMBOL": lambda order: replace(order, symbol="NOTLISTED"),
    "INSUFFICIENT_FUNDS": lambda order: replace(order, quantity=QUANTITY_MAX // max(order.price, 1)),
    "STALE": lambda order: replace(order, created_ms=0),
}
"""Refusals that the exchange itself can be brought to say of an order, and how."""


@dataclass
class Faults:
    """What goes wrong, by chance from one seed or when asked for. Times in milliseconds, shares from 0 to 1."""

    seed: int = 0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    refused_share: float = 0.0
    _refusals: deque[str | None] = field(default_factory=deque)
    _lost: int = 0

    def __post_init__(self) -> None:
        """Begin the chain of chance."""
        self._random = Random(self.seed)  # noqa: S311  (for variety, not for secrets)

    def delay_s(self) -> float:
        """Return how late the next message is, in seconds."""
        if not (self.latency_ms or self.jitter_ms):
            return 0.0
        return max(0.0, self.latency_ms + self._random.uniform(-self.jitter_ms, self.jitter_ms)) / 1_000

    def refuse(self, times: int = 1, reason: str | None = None) -> None:
        """Have the next commands refused: not taken at all, or the next orders by the exchange for a reason of `REASONS`.

        Raises:
            ValueError: if there is no such reason.
        """
        if reason is not None and reason not in REASONS:
            raise ValueError(f"no refusal {reason!r} can be had: choose one of {', '.join(REASONS)}, or none")
        self._refusals.extend([reason] * times)

    def lose(self, times: int = 1) -> None:
        """Have the next commands carried out, and whoever sent them not be told."""
        self._lost += times

    def meet(self, command: AccountCommand) -> AccountCommand:
        """Return the command that reaches the exchange instead of one that was sent. Raises NotTaken."""
        if not isinstance(command, _TRADING):
            return command
        if self._refusals and (self._refusals[0] is None or isinstance(command, PlaceOrder)):
            reason = self._refusals.popleft()
            if reason is None:
                raise NotTaken("the exchange cannot take it now: nothing was sent (a fault was asked for)")
            assert isinstance(command, PlaceOrder), "only orders are refused for a reason"
            return REASONS[reason](command)
        if self.refused_share and self._random.random() < self.refused_share:
            raise NotTaken("the exchange cannot take it now: nothing was sent (a fault by chance)")
        return command

    def answer(self, command: AccountCommand) -> None:
        """Let word come back that a command is in the log. Raises UnknownOutcome."""
        if self._lost and isinstance(command, _TRADING):
            self._lost -= 1
            raise UnknownOutcome("the request was sent, but the exchange has not confirmed it (a fault was asked for)")
