"""Reads what is posted to `/ingest`: bars, quotes, news, fundamentals and figures of the economy, as messages of `market-data`.

Theory of operation: the kind stands in `data_type`, and a bar has none. Everything is checked here as far as a message alone can tell, by
the bounds of docs/ANALYTICS.md, section 1.6, so that who posts it learns at once what is wrong; what only the log can tell (a second bar of one
time, one from the future) is refused behind it, as a dead letter. Times are seconds since the epoch and become whole milliseconds, to the nearest.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from exchange.analysis import EconomicIndicator, Fundamentals, MarketData, NewsSentiment, OutsideBar, OutsideQuote
from exchange.money import UNITS_MAX
from gateway.ports import GatewayError

SOURCE: Final = "ingest"
"""The source under which all of it stands in the log."""
NUMBER_MAX: Final = 1e15
PRICE_LEAST: Final = 1e-12

Symbol = Annotated[str, Meta(pattern=r"^[\x21-\x3f\x41-\x7e][\x21-\x7e]{0,63}\Z")]
"""A symbol is the key of its records, which is ASCII; those that begin with @ are the exchange's own."""
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Price = Annotated[float, Meta(ge=PRICE_LEAST, le=NUMBER_MAX)]
Amount = Annotated[float, Meta(ge=0, le=NUMBER_MAX)]
Seconds = Annotated[float, Meta(ge=0, le=UNITS_MAX / 1000)]
Rename: TypeAlias = Callable[[str], str]
"""Says under which symbol a stock that a client names is listed."""


class InvalidIngest(GatewayError):
    """A body that is no message; says which field is wrong, and how."""


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    timestamp: Seconds

    @property
    def time_ms(self) -> int:
        return round(self.timestamp * 1000)


class _Bar(_Body, frozen=True):
    stock_symbol: Symbol
    opening_price: Price
    closing_price: Price
    high: Price
    low: Price
    volume: Amount

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError("high is below low")
        for name in ("opening_price", "closing_price"):
            if not self.low <= getattr(self, name) <= self.high:
                raise ValueError(f"{name} is not from low to high")

    def message(self, rename: Rename) -> OutsideBar:
        return OutsideBar(
            source=SOURCE,
            symbol=rename(self.stock_symbol),
            time_ms=self.time_ms,
            open=self.opening_price,
            high=self.high,
            low=self.low,
            close=self.closing_price,
            volume=self.volume,
        )


class _Quote(_Body, frozen=True, tag_field="data_type", tag="order_book"):
    stock_symbol: Symbol
    order_type: str
    price: Price
    quantity: Annotated[float, Meta(gt=0, le=NUMBER_MAX)]

    def __post_init__(self) -> None:
        if self.order_type.lower() not in ("buy", "sell"):
            raise ValueError("order_type is neither buy nor sell")

    def message(self, rename: Rename) -> OutsideQuote:
        return OutsideQuote(
            source=SOURCE,
            symbol=rename(self.stock_symbol),
            time_ms=self.time_ms,
            side="buy" if self.order_type.lower() == "buy" else "sell",
            price=self.price,
            quantity=self.quantity,
        )


class _News(_Body, frozen=True, tag_field="data_type", tag="news_sentiment"):
    stock_symbol: Symbol
    sentiment_score: Annotated[float, Meta(ge=-1, le=1)]
    sentiment_magnitude: Annotated[float, Meta(ge=0, le=1)]

    def message(self, rename: Rename) -> NewsSentiment:
        return NewsSentiment(
            source=SOURCE,
            symbol=rename(self.stock_symbol),
            time_ms=self.time_ms,
            score=self.sentiment_score,
            magnitude=self.sentiment_magnitude,
        )


class _Company(_Body, frozen=True, tag_field="data_type", tag="market_data"):
    stock_symbol: Symbol
    market_cap: Annotated[float, Meta(ge=0)]
    pe_ratio: float

    def message(self, rename: Rename) -> Fundamentals:
        return Fundamentals(
            source=SOURCE,
            symbol=rename(self.stock_symbol),
            time_ms=self.time_ms,
            market_cap=self.market_cap,
            pe_ratio=self.pe_ratio,
        )


class _Economy(_Body, frozen=True, tag_field="data_type", tag="economic_indicator"):
    indicator_name: Name
    value: float

    def message(self, _: Rename) -> EconomicIndicator:
        return EconomicIndicator(source=SOURCE, name=self.indicator_name, time_ms=self.time_ms, value=self.value)


_KINDS: Final = ("order_book", "news_sentiment", "market_data", "economic_indicator")
_bar: Final = msgspec.json.Decoder(_Bar).decode
_other: Final = msgspec.json.Decoder(_Quote | _News | _Company | _Economy).decode
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read(body: bytes, rename: Rename) -> MarketData:
    """Return the message that a body asks to be recorded.

    Raises:
        InvalidIngest: if it is none.
    """
    try:
        fields = _object(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidIngest(f"the body must be a JSON object: {error}") from error
    if "data_type" in fields and bytes(fields["data_type"]).strip(b'"').decode(errors="replace") not in _KINDS:
        raise InvalidIngest(f"data_type: must be one of {', '.join(_KINDS)}, or left away for a bar")
    decode: Any = _other if "data_type" in fields else _bar
    try:
        read_body = decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidIngest(_words(str(error))) from error
    for name in read_body.__struct_fields__:
        value = getattr(read_body, name)
        if isinstance(value, float) and not isfinite(value):
            raise InvalidIngest(f"{name}: is more than a number can be")
    message: MarketData = read_body.message(rename)
    return message


def _words(error: str) -> str:
    """Put the field first: "Expected `float`, got `str` - at `$.high`" becomes "high: Expected `float`, got `str`"."""
    what, found, path = error.rpartition(" - at `$.")
    return f"{path.rstrip('`')}: {what}" if found else error
