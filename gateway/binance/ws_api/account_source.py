"""What an account's stream reads: what happened to its orders, in order, and the balances that are others."""

from __future__ import annotations

from collections.abc import Callable

from gateway.binance.streams.feed import Lost, Told
from gateway.binance.ws_api.events import account_position, execution_report
from gateway.ports import Views
from gateway.shown import BalanceShown

MISSED = (
    "events of the account were missed and cannot be sent in full: connect again, and read orders and balances anew"
)


class AccountSource:
    """Tells of one account's orders and balances, from those that there were when first asked."""

    shows_state = False

    def __init__(self, views: Views, account: str, now_ms: Callable[[], int]) -> None:
        self._views, self._account, self._now_ms = views, account, now_ms
        self._seq: int | None = None
        self._balances: dict[str, BalanceShown] = {}

    async def read(self) -> Told:
        """Return the new events: of orders first, then of balances."""
        found = await self._views.reports(self._account, self._seq or 0)
        balances = {balance.asset: balance for balance in (await self._views.account(self._account, 1)).balances}
        seq, before = self._seq, self._balances
        self._seq = found.reports[-1].seq if found.reports else seq or 0
        self._balances = balances
        if seq is None:
            return []
        if not found.complete:
            raise Lost(MISSED)
        event_ms = self._now_ms()
        events = [execution_report(report, event_ms) for report in found.reports]
        changed = [balance for asset, balance in balances.items() if balance != before.get(asset)]
        if changed:
            events.append(account_position(changed, event_ms))
        return [("", event) for event in events]
