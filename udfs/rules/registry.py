"""All rules by name."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from udfs.rules.crosses import EmaCross, MacdCross, SmaCross
from udfs.rules.heard import Forecast, News, OrderFlow
from udfs.rules.levels import BollingerBreakout, Candle, RsiBounds
from udfs.rules.rule import Rule, RuleError
from udfs.rules.vote import DEFAULT_WEIGHTS, VOTE, Vote

DEFAULT_RULES: Final = (*DEFAULT_WEIGHTS, VOTE)
"""What the `signals` job asks: each rule with its default parameters, the vote last."""

_KINDS: Final[dict[str, tuple[type[Rule], tuple[str, ...]]]] = {
    "sma-cross": (SmaCross, ("20", "50")),
    "ema-cross": (EmaCross, ("12", "26")),
    "rsi-bounds": (RsiBounds, ("14", "30", "70")),
    "macd-cross": (MacdCross, ("12", "26", "9")),
    "bollinger-breakout": (BollingerBreakout, ("20", "2")),
    "candle": (Candle, ()),
    "news": (News, ()),
    "order-flow": (OrderFlow, ()),
    "forecast": (Forecast, ()),
}
_NAME: Final = re.compile(r"([a-z-]+)(?:\((.*)\))?", re.ASCII)
_COMMA: Final = re.compile(r",(?![^(]*\))")
"""A comma that stands in no brackets."""
_LENGTH_MAX: Final = 1_000


def parse(name: str) -> Rule:
    """Return a new rule by its name; without parameters it has the default ones.

    >>> parse("rsi-bounds(7,20,80)").name, parse("ema-cross").name, parse("vote(candle=2,news=1)").name
    ('rsi-bounds(7,20,80)', 'ema-cross(12,26)', 'vote(candle=2,news=1)')

    Raises:
        RuleError: if there is no such rule, or not with such parameters.
    """
    found = _NAME.fullmatch(name.replace(" ", "")[: _LENGTH_MAX + 1])
    kind, inside = found.groups() if found and len(name) <= _LENGTH_MAX else ("", None)
    if kind == VOTE:
        return _vote(name, inside)
    if kind not in _KINDS:
        raise RuleError(f"there is no rule {name[:80]!r}; there are {', '.join(DEFAULT_RULES)}")
    made, defaults = _KINDS[kind]
    given = tuple(inside.split(",")) if inside else defaults
    parameters = made.parameters()
    if len(given) != len(parameters):
        expected = f"{kind}({','.join(parameters)})" if parameters else f"{kind}, without any"
        raise RuleError(f"{name!r} has {len(given)} parameters; write {expected}")
    return _made(name, made, dict(zip(parameters, given, strict=True)))


def _vote(name: str, inside: str | None) -> Rule:
    if inside is None:
        return Vote(dict(DEFAULT_WEIGHTS))
    weights = {}
    for part in _COMMA.split(inside):
        voter, sign, weight = part.rpartition("=")
        if not sign:
            raise RuleError(f"{name!r} gives {part!r} no weight; write it as vote(candle=1,rsi-bounds(14,30,70)=2)")
        weights[parse(voter).name] = weight
    return _made(name, Vote, {"weights": weights})


def _made(name: str, made: type[Rule], parameters: dict[str, object]) -> Rule:
    try:
        return msgspec.convert(parameters, made, strict=False)
    except msgspec.ValidationError as error:
        raise RuleError(f"{name!r} cannot be: {error}") from None
