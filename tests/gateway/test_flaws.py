"""Whatever does not go together is said to be so, with the field to change; whatever does, is not."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any, get_args

import msgspec
import pytest

from exchange.messages import Conditions, Kind, PlaceOrder, TimeInForce
from exchange.terms import flaw, leg_flaw
from gateway.flaws import explain, explain_leg
from gateway.tickets import FIELDS

SOME: dict[str, Any] = {
    "stop": 5, "trail": 2, "peg": "mid", "offset": -1, "display": 3, "post_only": "slide", "min_quantity": 3, "all_or_none": True,
    "self_trade": "both",
}  # fmt: skip


def order(kind: Kind, force: TimeInForce, conditions: dict[str, Any], quantity: int = 10) -> PlaceOrder:
    return PlaceOrder(
        account="a", request_id="r", created_ms=0, symbol="X", side="buy", price=5, quantity=quantity, kind=kind, time_in_force=force,
        expires_ms=int(force == "GTD"), conditions=Conditions(**conditions) if conditions else None,
    )  # fmt: skip


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_said_agrees_with_what_is_decided(kind: Kind) -> None:
    chosen = [names for count in range(5) for names in combinations(SOME, count)]
    for force, names, quantity in product(get_args(TimeInForce), chosen, (10, 2)):
        asked = order(kind, force, {name: SOME[name] for name in names}, quantity)
        said = explain(asked)
        assert bool(said) == (flaw(asked) is not None), asked
        assert set(said) <= set(FIELDS)
        assert all(what.endswith(".") for what in said.values())
        assert bool(explain_leg(asked)) == (leg_flaw(asked) is not None), asked


@pytest.mark.parametrize("kind", get_args(Kind))
def test_who_changes_what_is_said_has_an_order_that_goes_together(kind: Kind) -> None:
    needed = {"stop": "stop", "stop-limit": "stop", "trailing-stop": "trail", "pegged": "peg"}.get(kind)
    for force, names in product(get_args(TimeInForce), combinations(SOME, 4)):
        asked = order(kind, force, {name: SOME[name] for name in names})
        said = explain(asked)
        if "time_in_force" in said:
            continue
        kept = {
            name: SOME[name] for name in (*names, *([needed] if needed else ())) if name not in said or name == needed
        }
        assert flaw(msgspec.structs.replace(asked, conditions=Conditions(**kept))) is None


@pytest.mark.parametrize(
    ("kind", "force", "conditions", "field", "words"),
    [
        ("market", "GTC", {}, "time_in_force", "Market orders are never GTC: choose IOC, FOK, OPG or CLS."),
        ("stop", "GTC", {}, "stop", "Stop orders need this: write the price at which a trade sets it off."),
        ("limit", "GTC", {"trail": 2}, "trail", "Only trailing-stop orders can have this: choose that kind, or leave this away."),
        ("limit", "IOC", {"display": 3}, "display", "This goes only with time in force GTC, GTD or DAY: choose that, or leave this away."),
        ("limit", "GTC", {"display": 30}, "display", "This is more than the quantity: write no more than that."),
        ("limit", "GTC", {"display": 3, "all_or_none": True}, "all_or_none", "This does not go with display: leave one of them away."),
    ],
)  # fmt: skip
def test_the_words_say_what_to_do(
    kind: Kind, force: TimeInForce, conditions: dict[str, Any], field: str, words: str
) -> None:
    assert explain(order(kind, force, conditions)) == {field: words}
