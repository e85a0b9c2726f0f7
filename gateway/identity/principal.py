"""Who asks for something, and by what right."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias, get_args

import msgspec

Role: TypeAlias = Literal["viewer", "trader", "market-maker", "operator", "admin"]
Scope: TypeAlias = Literal["read", "trade", "admin"]
Grant: TypeAlias = Literal["visit", "session", "key"]
"""What somebody was let in by: nothing (a visitor), a session of a browser, or an API key."""

ACCOUNT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What an account can be called."""
ALL_SCOPES: frozenset[Scope] = frozenset(get_args(Scope))


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `account` is the one that is traded with and looked at unless another is named (None: there is none).

    `accounts` are further ones that may be named, as patterns in which `*` stands for any text, such as `acme-*`. `grant_id` is the
    number of the session or key, 0 of a visitor's. `scopes` bound what a key may do of what its user's role allows.
    """

    user: str
    role: Role
    account: str | None
    accounts: tuple[str, ...] = ()
    scopes: frozenset[Scope] = ALL_SCOPES
    grant: Grant = "visit"
    grant_id: int = 0

    def may_use(self, account: str) -> bool:
        """Say whether this one may look at and trade for an account. What cannot be one is nobody's, whatever a pattern says.

        >>> broker = Principal(user="acme", role="trader", account="acme", accounts=("acme-*",))
        >>> broker.may_use("acme"), broker.may_use("acme-7"), broker.may_use("other")
        (True, True, False)
        """
        if account == self.account:
            return True
        return bool(ACCOUNT.fullmatch(account)) and any(fnmatchcase(account, pattern) for pattern in self.accounts)


def visitor(account: str | None) -> Principal:
    """Return somebody who has not said who they are: who trades with the demo account, where there is one, and else only looks."""
    return Principal(user="", role="viewer" if account is None else "trader", account=account)
