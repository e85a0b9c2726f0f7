"""The form that sets an alert: what it shows, and how what was typed becomes the fields that `alerts.reading` takes from programs, too.

The form has a field of its own for everything that a condition may be made of; of those only the chosen condition's count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from exchange.analysis import (
    BOOK_SOURCE,
    TRADES_SOURCE,
    ChangeReaches,
    Condition,
    IndicatorReaches,
    PriceCrosses,
    SetAlert,
    SignalAppears,
    VolumeSpikes,
)
from exchange.candles import SPANS
from gateway.alerts.reading import CHANNELS
from gateway.analytics.studies import BOOK
from gateway.figures import figure, span_name
from gateway.filters import decimal
from gateway.reading import Errors
from gateway.shown import Shown
from gateway.tickets import Tone

TYPED_MAX: Final = 300
"""Greatest length of a field that is shown again as it was typed."""
MINUTE_MS: Final = 60_000
BOOK_SPAN_MS: Final = 1_000
"""Measures of the book are told once a second."""


class AlertForm(Shown, frozen=True):
    """The form: values as typed, what is wrong with them by field, and a notice about the last alert."""

    name: str = ""
    symbol: str = ""
    type: str = "PriceCrosses"
    price: str = ""
    crossing: str = "either"
    percent: str = ""
    times: str = ""
    volume_span: str = "60000"
    indicator: str = "rsi(14)"
    beyond: str = "above"
    value: str = ""
    indicator_span: str = "60000"
    rule: str = "vote"
    action: str = ""
    inbox_on: str = ""
    email_on: str = ""
    webhook_on: str = ""
    email: str = ""
    webhook: str = ""
    quiet: str = ""
    errors: Errors = msgspec.field(default_factory=dict)
    notice: str = ""
    tone: Tone = ""


TYPED: Final = tuple(name for name in AlertForm.__struct_fields__ if name not in ("errors", "notice", "tone"))
"""Fields that are shown again as they were typed."""
CONDITIONS: Final = (
    ("PriceCrosses", "The price crosses a price"),
    ("ChangeReaches", "The session's change reaches"),
    ("VolumeSpikes", "A candle's volume spikes"),
    ("IndicatorReaches", "An indicator gets above or below"),
    ("SignalAppears", "A rule gives a signal"),
    ("OrderFills", "An own order is filled"),
)
"""What can be watched for, and what it is called."""
_BOXES: Final = {"inbox_on": "inbox", "email_on": "email", "webhook_on": "webhook"}
"""The channels by the boxes that choose them."""
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "PriceCrosses": {"price": "price", "direction": "crossing"},
    "ChangeReaches": {"percent": "percent"},
    "VolumeSpikes": {"times": "times", "span_ms": "volume_span"},
    "IndicatorReaches": {"name": "indicator", "direction": "beyond", "value": "value", "span_ms": "indicator_span"},
    "SignalAppears": {"rule": "rule", "action": "action"},
    "OrderFills": {},
}
"""By condition, its fields and the form's."""
_PLACES: Final = {
    "condition": "type",
    "condition.type": "type",
    "condition.source": "indicator",
    "cool_down_ms": "quiet",
}
_WORDS: Final = {
    "name": "An alert's name is 1 to 64 letters, digits and . _ -, without spaces: write another.",
    "channels": "Choose at least one way to be told.",
    "quiet": "Write whole minutes from 0 to 43200 (30 days), or leave this empty.",
}
"""What a form says otherwise than programs are told."""
_UNASKED: Final = "Tick the box beside it, or leave this empty."

_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def asked(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that `alerts.reading.read_alert` takes, of what was typed; what is no number is left for it to refuse."""
    kind = form.get("type", "")
    condition = {
        "type": kind,
        **{name: _read(name, form.get(field, "")) for name, field in _FIELDS.get(kind, {}).items()},
    }
    if kind == "IndicatorReaches" and condition["name"] in BOOK:
        condition |= {"source": BOOK_SOURCE, "span_ms": BOOK_SPAN_MS}
    fields: dict[str, Any] = {
        "symbol": form.get("symbol", ""),
        "condition": condition,
        "channels": [channel for box, channel in _BOXES.items() if form.get(box)],
        "email": form.get("email", "").strip(),
        "webhook": form.get("webhook", "").strip(),
    }
    quiet = form.get("quiet", "").strip()
    return fields | ({"cool_down_ms": int(quiet) * MINUTE_MS if _WHOLE.fullmatch(quiet) else quiet} if quiet else {})


def typed(form: Mapping[str, str], errors: Errors, notice: str, tone: Tone) -> AlertForm:
    """Return the form as it was typed, with what is wrong beside each field."""
    shown = {name: form.get(name, "")[:TYPED_MAX] for name in TYPED}
    return AlertForm(**shown, errors=_errors(form, errors), notice=notice, tone=tone)


def inbox_only(form: Mapping[str, str], notice: str) -> AlertForm:
    """Return the form as it was typed by a visitor, who cannot have alerts go out, with that said beside the ways to be told."""
    errors = {"channels": "Here this can only be the inbox: sign in for the other ways."}
    return msgspec.structs.replace(typed(form, {}, notice, "bad"), errors=errors)


def condition_words(condition: Condition) -> str:
    """Say in words what an alert watches for.

    >>> condition_words(VolumeSpikes(times=3, span_ms=60_000))
    'a candle of 1m has 3.00 times the volume of the 20 before it'
    """
    match condition:
        case PriceCrosses(price=price, direction=direction):
            how = {"up": " from below", "down": " from above", "either": ""}[direction]
            return f"the price crosses {decimal(format(Decimal(repr(price)), 'f'))}{how}"
        case ChangeReaches(percent=percent):
            return f"the session's change reaches {figure(percent)}\N{NO-BREAK SPACE}% up or down"
        case VolumeSpikes(times=times, span_ms=span_ms):
            return f"a candle of {span_name(span_ms)} has {figure(times)} times the volume of the 20 before it"
        case IndicatorReaches(name=name, direction=direction, value=value, span_ms=span_ms, source=source):
            of = {TRADES_SOURCE: f"candles of {span_name(span_ms)}", BOOK_SOURCE: "the book"}.get(
                source, f"{source}, {span_name(span_ms)}"
            )
            return f"{name} of {of} gets {direction} {figure(value)}"
        case SignalAppears(rule=rule, action=action):
            return f"{rule} says {action or 'BUY or SELL'}"
        case _:
            return "an own order is filled"


def channel_words(rule: SetAlert) -> str:
    """Say where an alert is told."""
    named = {"inbox": "inbox", "email": f"e-mail to {rule.email}", "webhook": f"webhook {rule.webhook}"}
    return ", ".join(named[channel] for channel in CHANNELS if channel in rule.channels)


def _read(name: str, text: str) -> Any:
    """Return a number as such; other text as it is."""
    if name == "span_ms":
        return int(text) if _WHOLE.fullmatch(text) else text
    stripped = text.strip()
    return float(stripped) if name in _NUMBERS and _NUMBER.fullmatch(stripped) else stripped


def _errors(form: Mapping[str, str], errors: Errors) -> Errors:
    """Return what is wrong by the form's own fields."""
    fields = {f"condition.{name}": field for name, field in _FIELDS.get(form.get("type", ""), {}).items()}
    placed = {(fields | _PLACES).get(name, name): what for name, what in errors.items()}
    if "condition.span_ms" in errors and form.get("indicator") in BOOK:
        placed["indicator"] = placed.pop("indicator_span", "")
    unasked = [channel for box, channel in _BOXES.items() if channel in placed and not form.get(box)]
    return placed | {name: words for name, words in _WORDS.items() if name in placed} | dict.fromkeys(unasked, _UNASKED)


_NUMBERS: Final = frozenset({"price", "percent", "times", "value"})
SPAN_CHOICES: Final = tuple((str(span_ms), span) for span, span_ms in SPANS.items())
"""Spans of candles as a form offers them."""
FILTERS: Final[dict[str, Callable[..., str]]] = {"condition_words": condition_words, "channel_words": channel_words}
"""Every filter by the name that templates call it."""
