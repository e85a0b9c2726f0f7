"""Trading rules: what each says of a closed bar, by name, and the panel that asks them."""

from udfs.rules.panel import Panel, PanelState
from udfs.rules.registry import DEFAULT_RULES, parse
from udfs.rules.rule import Number, Rule, RuleError, Verdict, called, share, text
from udfs.rules.vote import DEFAULT_WEIGHTS, Vote

__all__ = [
    "DEFAULT_RULES",
    "DEFAULT_WEIGHTS",
    "Number",
    "Panel",
    "PanelState",
    "Rule",
    "RuleError",
    "Verdict",
    "Vote",
    "called",
    "parse",
    "share",
    "text",
]
