"""Takes the fields that a person typed into a form, or a program sent as JSON, and says of each that is wrong what to write.

Nothing is rounded, guessed or cut: prices and quantities become ticks and lots by the instrument's own exact conversion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from exchange.errors import ExchangeError
from exchange.instruments import Instrument
from exchange.messages import PRICE_MAX, QUANTITY_MAX
from exchange.money import UNITS_MAX, from_units, minor_step, parse_decimal

Errors: TypeAlias = dict[str, str]
"""What to write instead, by field."""

REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
_CHECKED: Final = {True: True, False: False, "true": True, "false": False}
"""What a form's box sends when it is ticked, beside what programs send."""


class Reading:
    """Takes the fields of one ticket, and collects what is wrong with them; empty text is as good as none."""

    def __init__(self, fields: Mapping[str, Any], prefix: str = "", errors: Errors | None = None) -> None:
        """`prefix` is put before the names of fields in errors, as in `first.price`; `errors` are to be added to."""
        self.fields = fields
        self.prefix = prefix
        self.errors: Errors = {} if errors is None else errors

    def wrong(self, name: str, what: str) -> None:
        """Say what is wrong with a field, unless something has been said of it already."""
        self.errors.setdefault(self.prefix + name, what)

    def has_error(self, name: str) -> bool:
        """Say whether something is wrong with a field."""
        return self.prefix + name in self.errors

    def missing(self, name: str) -> bool:
        """Say whether a field was left empty."""
        return self.fields.get(name) in (None, "")

    def text(self, name: str, example: str) -> str:
        """Return a field's text; empty, with an error, if it is missing or no text."""
        value = self.fields.get(name)
        if self.missing(name):
            self.wrong(name, f"This is needed: write {example}.")
        elif not isinstance(value, str):
            self.wrong(name, f"This must be text in quotes: write {example}.")
        else:
            return value
        return ""

    def choice(self, name: str, choices: tuple[str, ...], default: str = "") -> str:
        """Return one of some texts; empty, with an error, if it is none of them."""
        if default and self.missing(name):
            return default
        wanted = " or ".join((", ".join(choices[:-1]), choices[-1]))
        value = self.text(name, wanted)
        if value and value not in choices:
            self.wrong(name, f"There is no such choice: write {wanted}.")
            return ""
        return value

    def optional_choice(self, name: str, choices: tuple[str, ...]) -> Any:
        """Return one of some texts, or None if the field is missing or wrong."""
        return None if self.missing(name) else self.choice(name, choices) or None

    def flag(self, name: str) -> bool:
        """Return whether something is asked for."""
        value = self.fields.get(name)
        if self.missing(name):
            return False
        if isinstance(value, bool | str) and value in _CHECKED:
            return _CHECKED[value]
        self.wrong(name, "This is a yes or no: write true or false.")
        return False

    def instrument(self, instruments: Mapping[str, Instrument]) -> Instrument | None:
        """Return the instrument of the field `symbol`; None, with an error, if it is not listed."""
        symbol = self.text("symbol", "a listed symbol such as AAPLUSD")
        instrument = instruments.get(symbol)
        if symbol and instrument is None:
            self.wrong("symbol", "This symbol is not listed: write one of those that the list of instruments has.")
        return instrument

    def price(self, name: str, instrument: Instrument | None) -> int:
        """Return a price in ticks; 0, with an error, if it is none."""
        return self._amount(name, instrument, "tick", PRICE_MAX)

    def quantity(self, name: str, instrument: Instrument | None) -> int:
        """Return a quantity in lots; 0, with an error, if it is none."""
        return self._amount(name, instrument, "lot", QUANTITY_MAX)

    def optional_price(self, name: str, instrument: Instrument | None) -> int:
        """Return a price in ticks; 0 if the field is missing or wrong."""
        return 0 if self.missing(name) else self.price(name, instrument)

    def optional_quantity(self, name: str, instrument: Instrument | None) -> int:
        """Return a quantity in lots; 0 if the field is missing or wrong."""
        return 0 if self.missing(name) else self.quantity(name, instrument)

    def offset(self, name: str, instrument: Instrument | None) -> int:
        """Return a difference of prices in ticks, which may be 0 or, with a minus, below; 0 if the field is missing or wrong."""
        value = self.fields.get(name)
        if self.missing(name) or not isinstance(value, str):
            return self.optional_price(name, instrument)
        digits = value.removeprefix("-")
        if _is_nothing(digits):
            return 0
        ticks = Reading({name: digits}, self.prefix, self.errors).price(name, instrument)
        return -ticks if value.startswith("-") else ticks

    def _amount(self, name: str, instrument: Instrument | None, unit: Literal["tick", "lot"], units_max: int) -> int:
        if instrument is None:
            self.text(name, f"a whole number of {unit}s as a plain decimal")
            return 0
        step = instrument.tick if unit == "tick" else instrument.lot
        to_units: Callable[[str], int] = instrument.price_ticks if unit == "tick" else instrument.quantity_lots
        rule = f"a multiple of the {unit} {step}, from {step} to {from_units(units_max, step)}"
        text = self.text(name, rule)
        if not text:
            return 0
        try:
            parse_decimal(text)
        except ExchangeError:
            self.wrong(name, f"This is not a plain number such as {from_units(125, step)}: write {rule}.")
            return 0
        try:
            units = to_units(text)
        except ExchangeError:
            self.wrong(name, f"This cannot be traded: write {rule}.")
            return 0
        if not 1 <= units <= units_max:
            self.wrong(name, f"This is out of range: write {rule}.")
            return 0
        return units

    def affordable(self, instrument: Instrument, price: int, quantity: int) -> None:
        """Refuse what no account could ever pay, so that no machine has to count so far."""
        worth_max = min(UNITS_MAX // instrument.notional_units, UNITS_MAX)
        if price * quantity > worth_max or quantity * instrument.lot_units > UNITS_MAX:
            most = from_units(UNITS_MAX, minor_step(instrument.quote_scale))
            self.errors.setdefault(
                "quantity", f"Price times quantity is more than {most} {instrument.quote}: write less."
            )

    def expires_ms(self, time_in_force: str) -> int:
        """Return when a GTD order expires, and 0 for any other."""
        value = self.fields.get("expires_ms")
        if time_in_force != "GTD":
            if not self.missing("expires_ms") and time_in_force:
                self.wrong("expires_ms", "Only an order with time_in_force GTD expires: leave this away.")
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= UNITS_MAX:
            what = "write milliseconds since the epoch as a whole number."
            self.wrong("expires_ms", f"A GTD order needs the time at which it expires: {what}")
            return 0
        return value

    def milliseconds(self, name: str, greatest: int) -> int:
        """Return a whole number of milliseconds from 0 to `greatest`; 0, with an error, if it is none."""
        value = self.fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= greatest:
            self.wrong(name, f"This is needed: write milliseconds as a whole number from 0 to {greatest}.")
            return 0
        return value

    def request_id(self, made: str) -> str:
        """Return the request's own id, or `made` if it has none."""
        value = made if self.missing("request_id") else self.text("request_id", "1 to 64 printable ASCII characters")
        if value and not REQUEST_ID.fullmatch(value):
            self.wrong("request_id", "This must be 1 to 64 printable ASCII characters without a space: write another.")
        return value


def _is_nothing(digits: str) -> bool:
    """Say whether a text is a plain decimal that is zero."""
    try:
        return not parse_decimal(digits)
    except ExchangeError:
        return False
