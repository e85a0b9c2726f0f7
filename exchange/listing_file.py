"""The listing file: what a venue may list, and what is known of each company, as `listings.toml` says it.

Theory of operation: a file is TOML, `as_of` and a table for each symbol. Reading it is a shell's work (`openbell.listings`); what it means is
here, so that every shell that reads it finds the same mistakes and says where they are: the symbol, the field, and what is
wrong with it. The details are reference data to show; nothing is reckoned with them, so they may be floats.
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from exchange.errors import ExchangeError
from exchange.instruments import Asset, Instrument, Rules

Calendar: TypeAlias = Literal["XNSE", "XNYS", "24/7"]
Date = Annotated[str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=100)]
LISTINGS_MAX: Final = 10_000
T = TypeVar("T")


class InvalidListing(ExchangeError):
    """A listing file that cannot be used; the message says which symbol and field."""


class StockDetails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a stock: the 17 fields that clients build an object from, none more, none fewer.

    `market_cap`, `eps` (earnings of twelve months) and `dividend_per_share` (of a year) are in `currency`; `dividend_yield` is a
    part of 1. None: it has none (a company without earnings has no P/E).
    """

    symbol: Text
    name: Text
    exchange: Text
    currency: Asset
    country: Text
    sector: Text
    industry: Text
    market_cap: Annotated[int, Meta(ge=0)]
    beta: float | None
    pe_ratio: Annotated[float, Meta(ge=0)] | None
    eps: float
    dividend_yield: Annotated[float, Meta(ge=0, le=1)]
    dividend_per_share: Annotated[float, Meta(ge=0)]
    dividend_pay_date: Date | None
    dividend_ex_date: Date | None
    last_split_factor: Annotated[str, Meta(pattern=r"^[1-9][0-9]*:[1-9][0-9]*\Z")] | None
    last_split_date: Date | None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What can be listed: the instrument, how it is traded, the calendar of its sessions, and its company's details."""

    instrument: Instrument
    rules: Rules
    calendar: Calendar
    details: StockDetails
    as_of: Date


_ABSENT: Final = {
    "beta": None,
    "pe_ratio": None,
    "dividend_yield": 0.0,
    "dividend_per_share": 0.0,
    "dividend_pay_date": None,
    "dividend_ex_date": None,
    "last_split_factor": None,
    "last_split_date": None,
}
"""TOML has no null: what a stock has not is left out."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A symbol's table; the symbol itself is its name and not repeated in the parts."""

    calendar: Calendar
    instrument: dict[str, Any]
    details: dict[str, Any]
    rules: Rules = Rules()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    as_of: Date
    listings: dict[str, dict[str, Any]]


def decode_listings(text: str) -> dict[str, Listing]:
    """Read a listing file's text, by symbol in the order of the file.

    Raises:
        InvalidListing: if it is no such file, or one of its listings cannot be.
    """
    try:
        file = _converted(tomllib.loads(text), _File, "the file")
    except tomllib.TOMLDecodeError as error:
        raise InvalidListing(f"not TOML: {error}") from error
    if len(file.listings) > LISTINGS_MAX:
        raise InvalidListing(f"more than {LISTINGS_MAX} listings")
    found = {symbol: _listing(symbol, entry, file.as_of) for symbol, entry in file.listings.items()}
    _check_scales(found)
    return found


def _listing(symbol: str, raw: dict[str, Any], as_of: str) -> Listing:
    entry = _converted(raw, _Entry, symbol)
    instrument = _converted({"symbol": symbol, **entry.instrument}, Instrument, f"{symbol}: instrument")
    details = _converted({"symbol": symbol, **_ABSENT, **entry.details}, StockDetails, f"{symbol}: details")
    if (instrument.symbol, details.symbol) != (symbol, symbol):
        raise InvalidListing(f"{symbol}: symbol is the table's name; leave it out of instrument and details")
    if details.currency != instrument.quote:
        raise InvalidListing(f"{symbol}: details.currency is {details.currency}, instrument.quote {instrument.quote}")
    if (details.last_split_factor is None) != (details.last_split_date is None):
        raise InvalidListing(f"{symbol}: details.last_split_factor goes with details.last_split_date")
    return Listing(instrument=instrument, rules=entry.rules, calendar=entry.calendar, details=details, as_of=as_of)


def _converted(raw: Any, kind: type[T], where: str) -> T:
    """Read a value as `kind`, or say where it is wrong: the place, the field and the reason."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        reason, found, path = str(error).rpartition(" - at `$.")
        raise InvalidListing(f"{where}: {path[:-1]}: {reason}" if found else f"{where}: {error}") from error
    except ExchangeError as error:
        raise InvalidListing(f"{where}: {error}") from error


def _check_scales(listings: dict[str, Listing]) -> None:
    """Refuse listings that count an asset in different minor units: no account could hold it."""
    scales: dict[str, tuple[int, str]] = {}
    for symbol, listing in listings.items():
        instrument = listing.instrument
        for asset, scale in ((instrument.base, instrument.base_scale), (instrument.quote, instrument.quote_scale)):
            first, where = scales.setdefault(asset, (scale, symbol))
            if first != scale:
                raise InvalidListing(f"{symbol}: {asset} has {scale} decimals here and {first} in {where}")
