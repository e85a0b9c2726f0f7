"""The matrix of roles: what each may do. Every route names the action that it needs, and nothing else decides."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from gateway.identity.principal import Principal, Role, Scope

Action: TypeAlias = Literal[
    "enter",  # health, log-in, sign-up: what is there for everybody, known or not
    "see-market",  # books, trades, candles, signals
    "see-account",  # balances, orders, fills, alerts of one's account
    "trade",  # place, change and cancel orders, set alerts that come to the inbox
    "send-alerts",  # have alerts go out, by e-mail or webhook
    "quote",  # bulk orders
    "manage-self",  # one's own password, second factor, sessions and keys
    "operate",  # instruments, halts, the kill switch
    "administer",  # users, their roles and keys, the audit log
]

_LOOKS: Final[frozenset[Action]] = frozenset(("enter", "see-market", "see-account", "manage-self"))
_TRADES: Final[frozenset[Action]] = _LOOKS | {"trade", "send-alerts"}

MATRIX: Final[dict[Role, frozenset[Action]]] = {
    "viewer": _LOOKS,
    "trader": _TRADES,
    "market-maker": _TRADES | {"quote"},
    "operator": _LOOKS | {"operate"},
    "admin": _LOOKS | {"operate", "administer"},
}
SCOPES: Final[dict[Scope, frozenset[Action]]] = {
    "read": frozenset(("enter", "see-market", "see-account")),
    "trade": frozenset(("trade", "send-alerts", "quote")),
    "admin": frozenset(("operate", "administer")),
}
"""What each scope of a key lets it do; a key manages no passwords and no keys."""
SIGNED_IN: Final[frozenset[Action]] = frozenset(("send-alerts", "manage-self", "operate", "administer"))
"""What nobody may do who has not said who they are. Visitors share one account, so nobody could be asked about mail that one of them has sent."""


def may(principal: Principal, action: Action) -> bool:
    """Say whether somebody may do something: by role, by the scopes of a key, and by having said who they are."""
    if action not in MATRIX[principal.role]:
        return False
    if principal.grant == "visit":
        return action not in SIGNED_IN
    if principal.grant == "key":
        return action == "enter" or any(action in SCOPES[scope] for scope in principal.scopes)
    return True
