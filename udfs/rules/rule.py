"""What every rule is: a small judge of one closed bar after the other.

Theory of operation: a rule is a struct, like an indicator (`udfs.study`). Fields without defaults are its parameters, which are in its name;
fields with defaults are what it remembers, a number or two, and their defaults are the beginning. It sees a bar once it has closed and the bar
before, never one that comes after. What it needs and what it says are told by name, so that whoever asks it (`Panel`) can store all of it.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from exchange.analysis import Action, Part
from exchange.errors import ExchangeError
from udfs.observation import Observation

Number: TypeAlias = int | float

SIGNS: Final[dict[Action, int]] = {"BUY": 1, "HOLD": 0, "SELL": -1}


class RuleError(ExchangeError):
    """A rule's name that names none, or parameters that it cannot have."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a rule says: `strength` from 0 to 1 (0 where it holds), `reason` the comparison in words, `numbers` what was compared."""

    action: Action
    strength: Part
    reason: str
    numbers: dict[str, float]

    @property
    def lean(self) -> float:
        """Action and strength in one number, from -1 (SELL, strongly) to 1 (BUY, strongly)."""
        return SIGNS[self.action] * self.strength

    @classmethod
    def of(cls, side: int, strength: float, reason: str, numbers: dict[str, float]) -> Verdict:
        """Return the verdict of a side: 1 to buy, -1 to sell, 0 to hold."""
        if not side:
            return cls("HOLD", 0.0, reason, numbers)
        return cls("BUY" if side > 0 else "SELL", strength, reason, numbers)


class Rule(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Base of all rules."""

    @property
    def name(self) -> str:
        """What it is called, with its parameters, such as `rsi-bounds(14,30,70)`."""
        raise NotImplementedError

    @property
    def needs(self) -> tuple[str, ...]:
        """The values that must be known of a bar for the rule to be asked of it."""
        return ()

    def judge(self, before: Observation | None, now: Observation) -> Verdict | None:
        """Judge a closed bar, each once and in order, or say nothing.

        `now` has all that the rule needs; `before`, the bar before, is None where it has not.
        """
        raise NotImplementedError

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """The names of its parameters."""
        fields = cls.__struct_fields__
        return fields[: len(fields) - len(cls.__struct_defaults__)]

    def memory(self) -> list[Number]:
        """Return what it remembers, to be stored."""
        return [getattr(self, name) for name in self.__struct_fields__[len(self.parameters()) :]]

    def anew(self, memory: list[Number] | None = None) -> Any:
        """Return a rule of the same parameters with that memory, or with none."""
        return type(self)(*(getattr(self, name) for name in self.parameters()), *(memory or ()))


def called(name: str, *parameters: float) -> str:
    """Return a rule's or an indicator's name.

    >>> called("bollinger", 20, 2.0)
    'bollinger(20,2)'
    """
    written = (str(int(one)) if one == int(one) else repr(one) for one in parameters)
    return f"{name}({','.join(written)})"


def text(number: float) -> str:
    """Write a number for people: six digits.

    >>> text(27.904321), text(1234567.8), text(30.0)
    ('27.9043', '1234568', '30')
    """
    return f"{number:.0f}" if 1e6 <= abs(number) < 1e15 else f"{number:.6g}"


def share(part: float, whole: float) -> float:
    """Return part / whole as a strength: at most 1, and 1 of nothing.

    >>> share(1.0, 4.0), share(5.0, 4.0), share(1.0, 0.0)
    (0.25, 1.0, 1.0)
    """
    return min(1.0, part / whole) if whole > 0 else 1.0


def placed(
    name: str, value: float, low: float, high: float, low_name: str = "", high_name: str = ""
) -> tuple[int, str]:
    """Say where a value stands: below `low` (-1), above `high` (1) or neither (0), and the comparison in words.

    >>> placed("rsi(14)", 27.9, 30, 70)
    (-1, 'rsi(14) 27.9 < 30')
    """
    low_text, high_text = f"{low_name} {text(low)}".lstrip(), f"{high_name} {text(high)}".lstrip()
    if value < low:
        return -1, f"{name} {text(value)} < {low_text}"
    if value > high:
        return 1, f"{name} {text(value)} > {high_text}"
    return 0, f"{low_text} <= {name} {text(value)} <= {high_text}"
