"""What orders, phases and auctions are called on the pages: the market's terms in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exchange.messages import CancelReason, Phase, TimeInForce
from gateway.filters import decimal, signed
from gateway.flaws import FORCES_OF, KINDS
from gateway.shown import Indicative, OrderShown
from gateway.tickets import TicketShown

TIMES: Final = "\N{MULTIPLICATION SIGN}"
PHASES: Final[dict[Phase, str]] = {
    "pre-open": "Pre-open",
    "opening-auction": "Opening auction",
    "continuous": "Continuous",
    "halt": "Halt",
    "closing-auction": "Closing auction",
    "closed": "Closed",
}
ENDED: Final[dict[CancelReason, tuple[str, str]]] = {
    "REQUESTED": ("", "it was cancelled"),
    "IOC_REMAINDER": ("rest of IOC", "the rest was cancelled, as IOC asks"),
    "FOK_UNFILLED": ("FOK not filled", "nothing was traded, because not all could be at once"),
    "MARKET_REMAINDER": ("no more to match", "nothing more could be traded within the protection price"),
    "MINIMUM_UNFILLED": ("minimum not met", "nothing was traded, because the minimum quantity could not be at once"),
    "SELF_TRADE": ("own order met", "the rest was cancelled, because it met an order of the same account"),
    "OTHER_LEG": ("other one went", "it was cancelled, because the other order of its pair came first"),
    "REPLACED": ("replaced", "it was replaced by another order"),
    "DEAD_MAN": ("timer ran out", "it was cancelled, because the dead-man timer ran out"),
    "KILL_SWITCH": ("account off", "it was cancelled, because the account was switched off"),
    "OPERATOR": ("by the operator", "it was cancelled by the operator"),
    "LISTING_CHANGED": ("listing changed", "it was cancelled, because the symbol's tick or lot has changed"),
    "DELISTED": ("delisted", "it was cancelled, because the symbol is no longer traded"),
}
"""Why an order is cancelled: as a note beside its state, and as a part of a sentence."""
MORE: Final = ("expires", "display", "min_quantity", "post_only", "self_trade", "all_or_none")
"""Fields of the order form that are folded away until somebody wants them."""


def phase(name: Phase) -> str:
    """Write a phase's name."""
    return PHASES[name]


def imbalance(indicative: Indicative) -> str:
    """Say which side an auction would leave over.

    >>> imbalance(Indicative(price="1.00", volume="5", imbalance="-60"))
    '60 more to sell'
    """
    quantity = indicative.imbalance.removeprefix("-")
    if not quantity.strip("0."):
        return "balanced"
    return f"{decimal(quantity)} more to {'sell' if indicative.imbalance.startswith('-') else 'buy'}"


def auction(indicative: Indicative) -> str:
    """Say what an auction would do now."""
    if indicative.price is None:
        return "No auction price yet"
    return f"Auction at {decimal(indicative.price)} {TIMES} {decimal(indicative.volume)}, {imbalance(indicative)}"


def kind(order: OrderShown) -> str:
    """Name an order's kind and time in force, such as `Stop-limit GTC`."""
    return f"{order.kind.capitalize()} {order.time_in_force}"


def terms(order: OrderShown) -> str:
    """Say in short what an order asks for besides price and quantity; empty if nothing."""
    parts = [
        f"stop {decimal(order.stop)}" if order.stop else "",
        f"{decimal(order.trail)} behind the last price" if order.trail else "",
        _peg(order) if order.peg else "",
        f"shows {decimal(order.display)}" if order.display else "",
        {"reject": "post-only", "slide": "post-only, slides"}.get(order.post_only or "", ""),
        f"at least {decimal(order.min_quantity)} at once" if order.min_quantity else "",
        "all or none" if order.all_or_none else "",
    ]
    return ", ".join(part for part in parts if part)


def _peg(order: OrderShown) -> str:
    followed = {"bid": "best bid", "ask": "best ask", "mid": "middle"}[order.peg or "mid"]
    offset = signed(order.offset) if order.offset and order.offset.strip("-0.") else ""
    return f"follows the {followed}" + (f" {offset}" if offset else "")


def trigger(order: OrderShown) -> str:
    """Say how it stands with an open stop order's trigger; empty if it has none."""
    if order.state != "OPEN" or order.trigger is None:
        return ""
    return "triggered" if order.trigger == "TRIGGERED" else "waiting for trigger"


def condition(order: OrderShown) -> str:
    """Say what must happen before a waiting stop order trades, as a part of a sentence."""
    if not order.stop:
        return "waits for the last price to turn"
    beyond = "above" if order.side == "buy" else "below"
    return f"waits for a trade at {decimal(order.stop)} or {beyond}"


def ended_note(reason: CancelReason) -> str:
    """Say in short why an order was cancelled; empty if its owner asked for it."""
    return ENDED[reason][0]


def kinds_of(force: TimeInForce) -> str:
    """List the kinds of orders that go with a time in force, apart by spaces.

    >>> kinds_of("IOC")
    'limit market'
    """
    return " ".join(each for each in KINDS if force in FORCES_OF[each])


def asks_more(ticket: TicketShown) -> bool:
    """Say whether anything was typed into the part of the form that is folded away, or is wrong in it."""
    return any(getattr(ticket, name) not in ("", "none") or name in ticket.errors for name in MORE) or (
        "expires_ms" in ticket.errors
    )


def owing(amount: str) -> bool:
    """Say whether an amount is more than nothing."""
    return bool(amount.strip("0."))


TESTS: Final[dict[str, Callable[..., bool]]] = {"owing": owing}
FILTERS: Final[dict[str, Callable[..., str | bool]]] = {
    "phase": phase,
    "imbalance": imbalance,
    "auction": auction,
    "kind": kind,
    "terms": terms,
    "trigger": trigger,
    "ended_note": ended_note,
    "kinds_of": kinds_of,
    "asks_more": asks_more,
}
"""Every test and filter by the name that templates call it."""
