"""What must hold of the exchange's output, whatever machine made it: folds that fail at the first message that breaks it.

Theory of operation: each audit keeps as little as it needs to judge the next message (open orders, balances, levels) and
knows nothing of the machines, so that a fault in a machine cannot hide in it. `verify` feeds them with what each command
caused, step by step.
"""

from __future__ import annotations

from exchange.audits.levels import LevelAudit
from exchange.audits.money import MoneyAudit
from exchange.audits.orders import Flaw, Open, OrderAudit
from exchange.audits.trades import TradeAudit

__all__ = ["Flaw", "LevelAudit", "MoneyAudit", "Open", "OrderAudit", "TradeAudit"]
