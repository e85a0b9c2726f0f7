"""Says in words which field of an order to change where kind, time in force and conditions do not go together.

Theory of operation: `exchange.terms` decides; here it is only asked, about the order with one thing changed at a time, so that what is
said cannot contradict what is decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from exchange.messages import Conditions, Kind, PlaceOrder, TimeInForce
from exchange.terms import RESTING, flaw, leg_flaw
from gateway.reading import Errors

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
FORCES: Final[tuple[TimeInForce, ...]] = get_args(TimeInForce)
CONDITIONS: Final = Conditions.__struct_fields__
PLAIN: Final = Conditions()

NEEDED: Final[dict[Kind, str]] = {
    "stop": "stop",
    "stop-limit": "stop",
    "trailing-stop": "trail",
    "pegged": "peg",
}
"""The condition that a kind of order cannot be without."""
_EXAMPLES: Final[dict[str, Any]] = {"stop": 1, "trail": 1, "peg": "bid"}
_WORDS: Final = {
    "stop": "the price at which a trade sets it off",
    "trail": "how far its stop stays behind the last price",
    "peg": "the price that it follows, bid, ask or mid",
}
_QUANTITIES: Final = ("display", "min_quantity")


def _forces(kind: Kind) -> frozenset[TimeInForce]:
    """Return the times in force that go with a kind of order."""
    order = PlaceOrder(
        account="-", request_id="-", created_ms=0, symbol="-", side="buy", price=1, quantity=1, kind=kind
    )
    return frozenset(force for force in FORCES if _with(order, force) != "INVALID_TIME_IN_FORCE")


def explain(order: PlaceOrder) -> Errors:
    """Return what to change by field; nothing if all of the order goes together."""
    if flaw(order) is None:
        return {}
    if order.time_in_force not in FORCES_OF[order.kind]:
        forces = [force for force in FORCES if force in FORCES_OF[order.kind]]
        return {"time_in_force": f"{_kind(order.kind)} orders are never {order.time_in_force}: choose {_or(forces)}."}
    asked, needed = order.conditions or PLAIN, NEEDED.get(order.kind)
    errors: Errors = {}
    if needed and not getattr(asked, needed):
        errors[needed] = f"{_kind(order.kind)} orders need this: write {_WORDS[needed]}."
    base = kept = _least(order.kind, asked)
    for name in CONDITIONS:
        value = getattr(asked, name)
        if name == needed or value == getattr(PLAIN, name):
            continue
        tried = msgspec.structs.replace(kept, **{name: value})
        if flaw(msgspec.structs.replace(order, conditions=tried)) is None:
            kept = tried
        else:
            errors[name] = _misfit(order, name, value, base)
    return errors


def explain_leg(order: PlaceOrder) -> Errors:
    """Return what to change of an order that is one of a pair of which one cancels the other."""
    errors = explain(order)
    if errors or leg_flaw(order) is None:
        return errors
    if order.kind == "market-to-limit" or not any(_with(order, force) is None for force in RESTING):
        return {"kind": f"{_kind(order.kind)} orders cannot be one of a pair: choose another kind."}
    if order.time_in_force not in RESTING:
        forces = [force for force in FORCES if force in RESTING]
        return {"time_in_force": f"One of a pair stays in the market until it is done: choose {_or(forces)}."}
    asked = order.conditions or PLAIN
    names = [name for name in ("min_quantity", "all_or_none") if getattr(asked, name)]
    return dict.fromkeys(names, "One of a pair cannot have this: leave it away.")


def _misfit(order: PlaceOrder, name: str, value: Any, base: Conditions) -> str:
    """Say why a condition cannot be asked for beside those before it."""
    if name in _QUANTITIES and value > order.quantity:
        return "This is more than the quantity: write no more than that."
    alone = msgspec.structs.replace(order, conditions=msgspec.structs.replace(base, **{name: value}))
    if flaw(alone) is None:
        others = [other for other in CONDITIONS if _parts(order, base, name, other)]
        return f"This does not go with {_or(others)}: leave one of them away."
    forces = [force for force in FORCES if _with(alone, force) is None]
    if forces:
        return f"This goes only with time in force {_or(forces)}: choose that, or leave this away."
    kinds = [kind for kind in KINDS if _fits(order, kind, name, value)]
    return f"Only {_or(kinds)} orders can have this: choose that kind, or leave this away."


def _parts(order: PlaceOrder, base: Conditions, name: str, other: str) -> bool:
    """Say whether two conditions that are asked for cannot be asked for together."""
    asked = order.conditions or PLAIN
    if other == name or getattr(asked, other) == getattr(base, other):
        return False
    both = msgspec.structs.replace(base, **{name: getattr(asked, name), other: getattr(asked, other)})
    one = msgspec.structs.replace(base, **{other: getattr(asked, other)})
    refused = [flaw(msgspec.structs.replace(order, conditions=conditions)) for conditions in (one, both)]
    return refused[0] is None and refused[1] is not None


def _fits(order: PlaceOrder, kind: Kind, name: str, value: Any) -> bool:
    """Say whether a kind of order can have a condition at all."""
    conditions = msgspec.structs.replace(_least(kind, PLAIN), **{name: value})
    other = msgspec.structs.replace(order, kind=kind, conditions=conditions)
    return any(_with(other, force) is None for force in FORCES)


def _least(kind: Kind, asked: Conditions) -> Conditions:
    """Return conditions with nothing but what a kind needs."""
    needed = NEEDED.get(kind)
    return Conditions(**{needed: getattr(asked, needed) or _EXAMPLES[needed]}) if needed else PLAIN


def _with(order: PlaceOrder, force: TimeInForce) -> str | None:
    """Return the flaw that an order would have with another time in force."""
    return flaw(msgspec.structs.replace(order, time_in_force=force, expires_ms=1 if force == "GTD" else 0))


def _kind(kind: Kind) -> str:
    return kind.capitalize()


def _or(words: Iterable[str]) -> str:
    """Write alternatives.

    >>> _or(["GTC"]), _or(["GTC", "GTD", "DAY"])
    ('GTC', 'GTC, GTD or DAY')
    """
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


FORCES_OF: Final = {kind: _forces(kind) for kind in KINDS}
"""The times in force that go with each kind of order."""
