"""Money through any number of conversions and sums: exact, or refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange.errors import InvalidAmount
from exchange.money import UNITS_MAX, from_units, minor_step, parse_decimal, to_units

STEPS = ("1", "0.01", "0.05", "0.1", "0.25", "0.00000001", "2.5", minor_step(12), minor_step(0))


class Purse(RuleBasedStateMachine):
    """A purse counted twice: in units, and as a fraction that is never rounded."""

    @initialize(step=st.sampled_from(STEPS))
    def open(self, step: str) -> None:
        self.step = step
        self.units = 0
        self.worth = Fraction(0)

    @rule(units=st.one_of(st.integers(0, 1_000), st.integers(0, UNITS_MAX)))
    def put_in(self, units: int) -> None:
        text = from_units(units, self.step)
        if self.units + units <= UNITS_MAX:
            self.units += to_units(text, self.step)
            self.worth += Fraction(text)

    @rule(part=st.integers(0, 100))
    def take_out(self, part: int) -> None:
        units = self.units * part // 100
        self.units -= units
        self.worth -= Fraction(from_units(units, self.step))

    @rule(other=st.sampled_from(STEPS))
    def change_the_step(self, other: str) -> None:
        """Count in other units, if that can be done exactly."""
        text = from_units(self.units, self.step)
        units = self.worth / Fraction(other)
        if units.denominator == 1 and units <= UNITS_MAX:
            assert to_units(text, other) == units
            self.step, self.units = other, int(units)
        else:
            with pytest.raises(InvalidAmount):
                to_units(text, other)

    @rule(more=st.integers(1, 10**6))
    def ask_for_what_is_no_multiple(self, more: int) -> None:
        between = self.worth + Fraction(self.step) / (more + 1)
        text = f"{Decimal(between.numerator) / Decimal(between.denominator):f}"
        if Fraction(text) % Fraction(self.step) and len(text.partition(".")[2]) <= 18:
            with pytest.raises(InvalidAmount):
                to_units(text, self.step)

    @invariant()
    def both_counts_agree(self) -> None:
        text = from_units(self.units, self.step)
        assert Fraction(text) == self.worth == Fraction(parse_decimal(text))
        assert to_units(text, self.step) == self.units


Purse.TestCase.settings = settings(
    derandomize=True, database=None, deadline=None, max_examples=100, stateful_step_count=20
)
TestPurse = Purse.TestCase
