"""The actions of `openbell market` that say what is traded, and how: list, relist, delist, fees.

A listing goes to every account shard before it goes to the book. The book's snapshot is what the world sees of a listing, so whoever orders
because of it finds it known to all accounts: their order stands behind the listing in its shard's inbox. The other way round, orders
would be refused as of an unknown symbol, or be reserved in the ticks that were. (Orders under a new version that overtake the
book's own listing are refused as STALE_LISTING, and what was reserved for them is free again.) Delisting goes the same way: first nothing
new is admitted, then what is open is cancelled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from openbell.commands.market.options import AS_JSON, SYMBOL, TIMEOUT_S, tell
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, reaching, venue_of

if TYPE_CHECKING:
    from exchange.instruments import Instrument, Rules
    from openbell.operator import Operator
    from openbell.terms import Listed


def list_(
    context: typer.Context,
    symbols: list[str] = typer.Argument(None, help="Symbols of the listing file.", show_default=False),
    everything: bool = typer.Option(False, "--all", help="All symbols of the listing file."),
    file: Path | None = typer.Option(None, "--file", help="A listing file.", show_default="the one that is installed"),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """List symbols as the listing file says. What is listed so already stays as it is.

    'openbell listings' shows what the file has.
    """
    from openbell.listings import load
    from openbell.terms import Listed, chosen

    listed = [
        Listed(one.instrument, 1, one.rules) for one in chosen(load(file), [*dict.fromkeys(symbols or [])], everything)
    ]
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from openbell.operator import Operator
        from openbell.terms import accord

        with Operator(at, timeout) as operator:
            wanted = accord(operator.board, listed)
            new = [one for one in wanted if one.instrument.symbol not in operator.board.markets]
            _publish(operator, wanted, new)
    names = [one.instrument.symbol for one in new]
    old = sorted({one.instrument.symbol for one in wanted} - set(names))
    said = f"listed {', '.join(names)} on venue {at.name}" if names else "nothing new to list"
    if old:
        said += f"; {', '.join(old)} had been before ('openbell market relist' changes it, or lists it again)"
    tell(as_json, said, venue=at.name, listed=names, listed_before=old)


def relist(
    context: typer.Context,
    symbol: str = SYMBOL,
    tick: str | None = typer.Option(None, "--tick", help="The step of a price, such as 0.05."),
    lot: str | None = typer.Option(None, "--lot", help="The step of a quantity, such as 1 or 0.001."),
    rule: str | None = typer.Option(None, "--rule", help="price-time, pro-rata, exact or equal-quantity."),
    reference: str | None = typer.Option(
        None,
        "--reference",
        help="The price that collar and band are measured from until an auction has traded; 0: none, and neither binds till then.",
    ),
    collar: str | None = typer.Option(
        None, "--collar", help="Percent beyond the reference price from which orders are refused; 0: none."
    ),
    band: str | None = typer.Option(
        None, "--band", help="Percent off the reference price at which a trade interrupts the market; 0: none."
    ),
    interruption: int | None = typer.Option(
        None, "--interruption", min=1, max=86_400, help="Seconds that an interruption lasts."
    ),
    top_order: bool | None = typer.Option(
        None, "--top-order/--no-top-order", help="With pro-rata: the oldest order trades first."
    ),
    minimum_lots: int | None = typer.Option(
        None, "--minimum-lots", min=0, max=2**40, help="With pro-rata: shares below this are none."
    ),
    window: int | None = typer.Option(
        None, "--window", min=0, max=10**9, help="With equal-quantity: seconds within which orders meet; 0: whenever."
    ),
    order_by_order: bool | None = typer.Option(
        None, "--order-by-order/--no-order-by-order", help="Publish every resting order, without its owner."
    ),
    version: int | None = typer.Option(
        None,
        "--version",
        min=1,
        max=2**53 - 1,
        help="The new version, if some machine refused the next one.",
        show_default="the next one",
    ),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """List a symbol anew, under the next version: with another tick, lot or rules, or as it was before it was delisted.

    What is not named stays. Another tick or lot cancels all open orders of the symbol (LISTING_CHANGED).
    """
    from openbell.terms import cancels_orders, changed, rule_changes

    rules = rule_changes(
        matching=rule,
        collar=collar,
        band=band,
        interruption_s=interruption,
        top_order=top_order,
        minimum_lots=minimum_lots,
        window_s=window,
        order_by_order=order_by_order,
    )
    terms = {name: value for name, value in (("tick", tick), ("lot", lot)) if value is not None}
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from openbell.operator import Operator

        with Operator(at, timeout) as operator:
            before = operator.board.market(symbol)
            after = changed(before, terms, rules, version, reference)
            _publish(operator, [after], [after])
    said = f"{symbol} is listed under version {after.version}: {_terms(after.instrument, after.rules)}"
    if cancels_orders(before, after):
        said += "; its open orders were cancelled"
    tell(as_json, said, venue=at.name, symbol=symbol, listing=after.version, before=before.listing)


def delist(
    context: typer.Context,
    symbol: str = SYMBOL,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Take a symbol off the market: no new orders are taken, and all open ones are cancelled (DELISTED).

    'openbell market relist' lists it again.
    """
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from exchange.messages import Delist
        from openbell.operator import Operator, delisted

        with Operator(at, timeout) as operator:
            market = operator.board.market(symbol)
            if market.delisted:
                raise SettingError(f"{symbol} is delisted already; 'openbell market relist {symbol}' lists it again")
            operator.tell_shards(operator.shards, lambda shard: [Delist(key=shard, symbol=symbol)])
            levels = market.levels()
            operator.tell_books({symbol: [Delist(key=symbol, symbol=symbol)]}, delisted(symbol))
    said = f"{symbol} is delisted and its book empty; prices that had orders: {len(levels)}"
    tell(as_json, said, venue=at.name, symbol=symbol, prices=len(levels))


def fees(
    context: typer.Context,
    symbol: str = SYMBOL,
    tier: list[str] = typer.Option(
        ..., "--tier", help="maker:taker in percent of a fill's cash, for each tier from 0 on; below zero: a rebate."
    ),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Set what new orders of a symbol pay, by tier. Accounts of a tier that is not named have the last one."""
    from openbell.rates import fee_tier, percent_text

    if len(tier) > 100:
        raise SettingError("there are at most 100 tiers")
    tiers = [fee_tier(text) for text in tier]
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from exchange.messages import SetFees
        from openbell.operator import Operator

        with Operator(at, timeout) as operator:
            operator.board.market(symbol)
            operator.tell_shards(operator.shards, lambda shard: [SetFees(key=shard, symbol=symbol, tiers=tiers)])
    paid = "; ".join(
        f"tier {number}: maker {percent_text(one.maker)} %, taker {percent_text(one.taker)} %"
        for number, one in enumerate(tiers)
    )
    rates = [{"maker_ppm": one.maker, "taker_ppm": one.taker} for one in tiers]
    tell(as_json, f"new orders of {symbol} pay: {paid}", venue=at.name, symbol=symbol, tiers=rates)


def _publish(operator: Operator, known: list[Listed], new: list[Listed]) -> None:
    """Tell all shards of the listings in `known`, then the books of those in `new`."""
    from exchange.messages import ListInstrument
    from openbell.operator import listed_as

    def command(key: str, one: Listed) -> ListInstrument:
        return ListInstrument(key=key, instrument=one.instrument, version=one.version, rules=one.rules)

    operator.tell_shards(operator.shards, lambda shard: [command(shard, one) for one in known])
    if new:
        books: dict[str, list[Any]] = {one.instrument.symbol: [command(one.instrument.symbol, one)] for one in new}
        operator.tell_books(books, listed_as({one.instrument.symbol: one.version for one in new}))


def _terms(instrument: Instrument, rules: Rules) -> str:
    return f"tick {instrument.tick}, lot {instrument.lot}, {rules.matching}"
