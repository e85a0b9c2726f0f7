"""The actions of `openbell market` on one account: limits, kill, revive, endow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from openbell.commands.market.options import ACCOUNT, AS_JSON, TIMEOUT_S, tell
from openbell.console import settings_of
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, venue_of

if TYPE_CHECKING:
    from exchange.messages import Limits

COUNT_MAX = 2**53 - 1


def _limit(option: str, meaning: str, most: int = COUNT_MAX) -> Any:
    return typer.Option(None, option, min=0, max=most, help=f"{meaning}; 0: no limit.", show_default="as it is")


def limits(
    context: typer.Context,
    account: str = ACCOUNT,
    order_lots: int | None = _limit("--order-lots", "Lots of one order"),
    order_notional: int | None = _limit(
        "--order-notional", "Cash of one order at its limit, in minor units of the quote asset"
    ),
    open_orders: int | None = _limit("--open-orders", "Orders open at once"),
    orders_per_s: int | None = _limit("--orders-per-s", "Orders placed in one second"),
    position_lots: int | None = _limit("--position-lots", "Lots held of a symbol, open buys included"),
    tier: int | None = typer.Option(
        None, "--tier", min=0, max=99, help="The tier that its fees are of.", show_default="as it is"
    ),
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Set what an account may do, and its fee tier. What is not named stays as the log last says.

    Without any option it prints the limits that there are.
    """
    asked = {
        "order_lots": order_lots,
        "order_notional": order_notional,
        "open_orders": open_orders,
        "orders_per_s": orders_per_s,
        "position_lots": position_lots,
        "tier": tier,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    at = _at(context, account, bootstrap_servers, venue)
    with reaching():
        import msgspec

        from openbell.account_log import last_limits

        now = msgspec.structs.replace(last_limits(at, account), **changes)
        if changes:
            _set(at, account, now, timeout)
    held = {name: getattr(now, name) for name in now.__struct_fields__}
    texts = [f"{name.replace('_', '-')} {value or 'without limit'}" for name, value in held.items() if name != "tier"]
    said = f"{account} {'now has' if changes else 'has'}: {', '.join(texts)}; fee tier {now.tier}"
    tell(as_json, said, venue=at.name, account=account, limits=held)


def kill(
    context: typer.Context,
    account: str = ACCOUNT,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Stop an account: its new orders are refused (ACCOUNT_OFF), its open ones cancelled (KILL_SWITCH)."""
    at = _at(context, account, bootstrap_servers, venue)
    _switch(at, account, on=True, timeout=timeout)
    said = f"{account} is stopped: it can place no orders, and its open ones are being cancelled"
    tell(as_json, said, venue=at.name, account=account, stopped=True)


def revive(
    context: typer.Context,
    account: str = ACCOUNT,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Let an account that was stopped by 'openbell market kill' trade again."""
    at = _at(context, account, bootstrap_servers, venue)
    _switch(at, account, on=False, timeout=timeout)
    tell(as_json, f"{account} can place orders again", venue=at.name, account=account, stopped=False)


def endow(
    context: typer.Context,
    account: str = ACCOUNT,
    timeout: float = TIMEOUT_S,
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Give an account today's play money and shares, as the page's button does; the second time in a day (UTC) nothing comes of it."""
    if settings_of(context).sandbox != "on":
        raise SettingError("OPENBELL_SANDBOX is off: this venue trades in earnest, so nothing is given away")
    at = _at(context, account, bootstrap_servers, venue)
    with reaching():
        from exchange.messages import shard_of
        from gateway.endowment import endowment, faucet_day, gift
        from openbell.operator import Operator
        from wire.clock import wall_ms

        with Operator(at, timeout) as operator:
            amounts = endowment(market.instrument for market in operator.board.markets.values())
            opening, deposits = gift(account, amounts, faucet_day(now_ms := wall_ms()), now_ms)
            operator.tell_shards([shard_of(account, at.account_shards)], lambda _: [opening, *deposits])
    said = f"{account} has today's play money, in {len(amounts)} assets"
    tell(as_json, said, venue=at.name, account=account, assets=sorted(amounts))


def _at(context: typer.Context, account: str, bootstrap_servers: str | None, venue: str | None) -> Venue:
    if not 1 <= len(account) <= 64:
        raise SettingError("an account's name has 1 to 64 characters")
    return venue_of(context, bootstrap_servers, venue)


def _set(at: Venue, account: str, wanted: Limits, timeout: float) -> None:
    from exchange.messages import SetLimits, shard_of
    from openbell.operator import Operator

    with Operator(at, timeout) as operator:
        shard = shard_of(account, at.account_shards)
        operator.tell_shards([shard], lambda key: [SetLimits(key=key, account=account, limits=wanted)])


def _switch(at: Venue, account: str, *, on: bool, timeout: float) -> None:
    with reaching():
        from exchange.messages import SetKillSwitch, shard_of
        from openbell.operator import Operator

        with Operator(at, timeout) as operator:
            shard = shard_of(account, at.account_shards)
            operator.tell_shards([shard], lambda key: [SetKillSwitch(key=key, account=account, on=on)])
