"""Takes the fields of an alert, and says of each that is wrong what to write.

Which indicators and rules there are, is for the jobs to know; here only their form is looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, get_args, get_type_hints

from exchange.analysis import (
    TRADES_SOURCE,
    Action,
    ChangeReaches,
    Channel,
    Condition,
    IndicatorReaches,
    OrderFills,
    PriceCrosses,
    SetAlert,
    SignalAppears,
    VolumeSpikes,
)
from exchange.candles import SPANS
from exchange.instruments import Instrument
from exchange.money import UNITS_MAX
from gateway.notify.addresses import email_flaw, webhook_flaw
from gateway.reading import Reading
from gateway.tickets import InvalidTicket

FIELDS: Final = ("symbol", "condition", "channels", "email", "webhook", "cool_down_ms")
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
COOL_DOWN_MAX_MS: Final = 30 * 86_400_000
"""Longest time for which an alert may keep quiet after it has told."""
NUMBER_MAX: Final = 1e15

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WORD = re.compile(r"[a-z][a-z0-9_-]*(\(\d+(\.\d+)?(,\d+(\.\d+)?)*\))?(\.[a-z]+)?")
_WORD_MAX: Final = 64
_SOURCE = re.compile(r"[\x21-\x7e]{1,64}")

_Read: TypeAlias = Callable[[Reading, str], Any]


def read_alert(name: str, fields: Mapping[str, Any], instruments: Mapping[str, Instrument], account: str) -> SetAlert:
    """Return the alert that a request asks for.

    Raises:
        InvalidTicket: if fields are wrong; all of them are named.
    """
    reading = Reading(fields)
    read_name(reading, name)
    condition = _condition(reading)
    channels = _channels(reading)
    rule = SetAlert(
        account=account,
        alert=name,
        condition=condition or OrderFills(),
        channels=channels,
        symbol=_symbol(reading, condition, instruments),
        email=_target(reading, "email", channels, email_flaw),
        webhook=_target(reading, "webhook", channels, webhook_flaw),
        cool_down_ms=0 if reading.missing("cool_down_ms") else reading.milliseconds("cool_down_ms", COOL_DOWN_MAX_MS),
    )
    if reading.errors:
        raise InvalidTicket(reading.errors)
    return rule


def read_name(reading: Reading, name: str) -> None:
    """Look whether an alert can have a name."""
    if not _NAME.fullmatch(name):
        reading.wrong("name", "An alert's name is 1 to 64 letters, digits and . _ -: write another in the address.")


# The parts


def _condition(reading: Reading) -> Condition | None:
    """Return the condition; None, with errors, if it is none."""
    given = reading.fields.get("condition")
    if not isinstance(given, dict):
        reading.wrong("condition", 'This is needed: write an object such as {"type": "ChangeReaches", "percent": 5}.')
        return None
    inner = Reading(given, "condition.", reading.errors)
    kind = inner.choice("type", tuple(CONDITIONS))
    if not kind:
        return None
    struct, readers = CONDITIONS[kind]
    for extra in sorted(set(given) - {"type", *readers}):
        inner.wrong(extra, f"{kind} has no such field: leave it away.")
    values = {field: read(inner, field) for field, read in readers.items()}
    if any(inner.has_error(field) for field in given | values):
        return None
    made: Condition = struct(**values)
    if isinstance(made, IndicatorReaches) and made.source == TRADES_SOURCE and made.span_ms not in _CLOSED_SPANS:
        inner.wrong("span_ms", f"Indicators of trades have other spans: write one of {_listed(_CLOSED_SPANS)}.")
        return None
    return made


def _channels(reading: Reading) -> list[Channel]:
    """Return the channels, as they are given."""
    given = reading.fields.get("channels")
    channels: list[Channel] = [each for each in CHANNELS if isinstance(given, list) and each in given]
    if not isinstance(given, list) or not channels or len(channels) != len(given):
        reading.wrong("channels", f"This is needed: write a list of {_listed(CHANNELS)}, each at most once.")
    return channels


def _target(reading: Reading, name: Channel, channels: list[Channel], flaw: Callable[[str], str | None]) -> str | None:
    """Return where a channel leads to; None, unless it is one of `channels`."""
    if name not in channels:
        if not reading.missing(name) and not reading.has_error("channels"):
            reading.wrong(name, f"This is for the channel {name}: name it in channels, or leave this away.")
        return None
    text = reading.text(name, "ann@example.org" if name == "email" else "https://example.org/hook")
    what = flaw(text) if text else None
    if what:
        reading.wrong(name, what)
    return text


def _symbol(reading: Reading, condition: Condition | None, instruments: Mapping[str, Instrument]) -> str | None:
    """Return the symbol; None: all. Only bars and signals from outside may be of symbols that are not listed."""
    if reading.missing("symbol"):
        return None
    if isinstance(condition, SignalAppears) or (
        isinstance(condition, IndicatorReaches) and not condition.source.startswith("@")
    ):
        symbol = reading.text("symbol", "a symbol such as AAPLUSD")
        if symbol and not _SOURCE.fullmatch(symbol):
            reading.wrong("symbol", "This is no symbol: write 1 to 64 printable ASCII characters without a space.")
        return symbol
    instrument = reading.instrument(instruments)
    return instrument.symbol if instrument else None


# The fields of conditions


def _number(least: float, greatest: float, *, above: bool = False) -> _Read:
    """Return what reads a number in some bounds; `above`: the least is none of them."""
    wanted = f"a number {'above' if above else 'from'} {least:g} {'and at most' if above else 'to'} {greatest:g}"

    def read(reading: Reading, name: str) -> float:
        value = reading.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            reading.wrong(name, f"This is needed: write {wanted}.")
        elif not least <= value <= greatest or (above and value == least):
            reading.wrong(name, f"This is out of range: write {wanted}.")
        else:
            return float(value)
        return 0.0

    return read


def _choice(struct: type, field: str) -> _Read:
    """Return what reads one of the texts that a field may be."""
    choices = get_args(get_type_hints(struct)[field])
    return lambda reading, name: reading.choice(name, choices)


def _span(spans: Mapping[str, int] | None) -> _Read:
    """Return what reads a span in milliseconds: one of `spans`, or any."""

    def read(reading: Reading, name: str) -> int:
        span_ms = reading.milliseconds(name, UNITS_MAX)
        if spans and span_ms not in spans.values():
            reading.wrong(name, f"There are no candles of this span: write one of {_listed(spans.values())}.")
        return span_ms

    return read


def _word(example: str) -> _Read:
    """Return what reads the name of an indicator or rule."""

    def read(reading: Reading, name: str) -> str:
        text = reading.text(name, example)
        if text and (len(text) > _WORD_MAX or not _WORD.fullmatch(text)):
            reading.wrong(name, f"This is no name: write one such as {example}, without spaces.")
        return text

    return read


def _source(reading: Reading, name: str) -> str:
    if reading.missing(name):
        return TRADES_SOURCE
    text = reading.text(name, TRADES_SOURCE)
    if text and not _SOURCE.fullmatch(text):
        reading.wrong(name, "This is no source: write 1 to 64 printable ASCII characters without a space.")
    return text


def _action(reading: Reading, name: str) -> Any:
    return reading.optional_choice(name, get_args(Action))


def _listed(values: Any) -> str:
    return ", ".join(str(each) for each in values)


_CLOSED_SPANS: Final = tuple(span_ms for name, span_ms in SPANS.items() if name != "1s")
"""The spans of which there are indicators of trades."""

CONDITIONS: Final[dict[str, tuple[Any, dict[str, _Read]]]] = {
    "PriceCrosses": (
        PriceCrosses,
        {"price": _number(0, NUMBER_MAX, above=True), "direction": _choice(PriceCrosses, "direction")},
    ),
    "ChangeReaches": (ChangeReaches, {"percent": _number(0, 1_000, above=True)}),
    "VolumeSpikes": (VolumeSpikes, {"times": _number(1, 1_000, above=True), "span_ms": _span(SPANS)}),
    "IndicatorReaches": (
        IndicatorReaches,
        {
            "name": _word("rsi(14)"),
            "direction": _choice(IndicatorReaches, "direction"),
            "value": _number(-NUMBER_MAX, NUMBER_MAX),
            "span_ms": _span(None),
            "source": _source,
        },
    ),
    "SignalAppears": (SignalAppears, {"rule": _word("sma-cross(20,50)"), "action": _action}),
    "OrderFills": (OrderFills, {}),
}
"""By its type, what a condition is made of, and how each of its fields is read."""
CONDITION_FIELDS: Final = ("type", *dict.fromkeys(field for _, readers in CONDITIONS.values() for field in readers))
