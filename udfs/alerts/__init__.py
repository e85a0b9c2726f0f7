"""Alerts: what accounts want to be told of, and when it has come true (docs/ANALYTICS.md, section 9).

`AccountRules` holds the alerts that an account has set and keeps the shared `Watchlist` in step with them; `AlertWatch` holds, of a symbol or
an account shard, the last facts, and tells which of the watchlist's alerts the next fact sets off. Both are machines (`exchange/machine.py`).
"""

from udfs.alerts.account_rules import RULES_ENTRY, RULES_MAX, AccountRules
from udfs.alerts.watch import AlertWatch, decode_facts
from udfs.alerts.watchlist import Watchlist

__all__ = ["RULES_ENTRY", "RULES_MAX", "AccountRules", "AlertWatch", "Watchlist", "decode_facts"]
