"""What an operator lists: chosen from a file, in accord with what is listed already, or changed from how it is listed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from exchange.errors import ExchangeError
from exchange.instruments import Instrument, Rule, Rules
from openbell.board import Board, Market, knows
from openbell.errors import SettingError
from openbell.listings import Listing
from openbell.rates import ppm


@dataclass(frozen=True)
class Listed:
    """What a `ListInstrument` says."""

    instrument: Instrument
    version: int
    rules: Rules


def chosen(listings: Mapping[str, Listing], symbols: Sequence[str], everything: bool) -> list[Listing]:
    """Return the listings that were asked for. Raises SettingError if they are not there, or nothing was asked for."""
    if everything == bool(symbols):
        raise SettingError("name the symbols to list, or write --all")
    unknown = [symbol for symbol in symbols if symbol not in listings]
    if unknown:
        raise SettingError(f"the listing file has no {', '.join(unknown)}; 'openbell listings' shows what it has")
    return list(listings.values()) if everything else [listings[symbol] for symbol in symbols]


def accord(board: Board, wanted: Sequence[Listed]) -> list[Listed]:
    """Return `wanted` with the versions that are listed already.

    Raises:
        SettingError: if a symbol is listed otherwise, or an asset would be counted in two ways.

    """
    result = []
    for one in wanted:
        symbol = one.instrument.symbol
        market = board.markets.get(symbol)
        if market is None:
            _agree(board, one.instrument)
            result.append(one)
        elif (market.instrument, market.rules) == (one.instrument, one.rules):
            result.append(Listed(one.instrument, market.listing, one.rules))
        else:
            raise SettingError(
                f"{symbol} is listed with other terms (version {market.listing}); 'openbell market relist' changes them"
            )
    return result


def rule_changes(
    *,
    matching: str | None = None,
    collar: str | None = None,
    band: str | None = None,
    interruption_s: int | None = None,
    top_order: bool | None = None,
    minimum_lots: int | None = None,
    window_s: int | None = None,
    order_by_order: bool | None = None,
) -> dict[str, Any]:
    """Turn the options that were given into fields of `Rules`. Raises SettingError if one cannot be."""
    if matching is not None and matching not in get_args(Rule):
        raise SettingError(f"--rule is {matching!r}; write {', '.join(get_args(Rule)[:-1])} or {get_args(Rule)[-1]}")
    changes = {
        "matching": matching,
        "collar_ppm": None if collar is None else ppm("--collar", collar),
        "band_ppm": None if band is None else ppm("--band", band),
        "interruption_ms": None if interruption_s is None else interruption_s * 1_000,
        "top_order": top_order,
        "minimum_lots": minimum_lots,
        "window_ms": None if window_s is None else window_s * 1_000,
        "order_by_order": order_by_order,
    }
    return {name: value for name, value in changes.items() if value is not None}


def changed(
    market: Market,
    terms: Mapping[str, str],
    rules: Mapping[str, Any],
    version: int | None = None,
    reference: str | None = None,
) -> Listed:
    """Return a market's next listing. A reference price that is not given stays, as far as its ticks allow.

    Raises:
        SettingError: if tick, lot and the assets' decimals do not fit together, its rule does not go with the phase that is on,
            the reference is no price, or the version is not above the present one.

    """
    try:
        instrument = msgspec.structs.replace(market.instrument, **terms)
        price = market.instrument.price_text(market.rules.reference) if reference is None else reference
        rules = {**rules, "reference": instrument.price_ticks(price)}
    except ExchangeError as error:
        raise SettingError(str(error)) from error
    after = Listed(instrument, version or market.listing + 1, msgspec.structs.replace(market.rules, **rules))
    if after.version <= market.listing:
        raise SettingError(
            f"--version is {version}, but {market.symbol} is listed under version {market.listing} already"
        )
    if not knows(after.rules, market.phase):
        raise SettingError(f"{market.symbol} cannot go over to {after.rules.matching} in phase {market.phase}")
    return after


def cancels_orders(before: Market, after: Listed) -> bool:
    """Say whether a book that goes over to another listing cancels its open orders (docs/MATCHING.md, rule 37)."""
    return before.instrument != after.instrument or not after.rules.keeps_orders_of(before.rules)


def _agree(board: Board, instrument: Instrument) -> None:
    for other in board.markets.values():
        if not instrument.agrees_with(other.instrument):
            raise SettingError(
                f"{instrument.symbol} gives an asset other decimals than {other.symbol}, which is listed already"
            )
