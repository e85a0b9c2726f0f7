"""The alerts that one account has set: a machine that commands come to."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from exchange.analysis import SetAlert
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.machine import Address, Entries
from exchange.packets import encode
from udfs.alerts.watchlist import Watchlist

RULES_MAX: Final = 1_000
"""How many alerts an account can have; a packet that would set more is refused as a whole. To replace one is always possible."""
RULES_ENTRY: Final = "rules"

_Kept: TypeAlias = tuple[int, SetAlert]
"""When an alert was set, by the log's clock, and the alert."""

_decode = msgspec.json.Decoder(list[_Kept | SetAlert]).decode


class AccountRules:
    """Keeps what an account wants to be told of, and the watchlist in step. The same command again changes nothing."""

    def __init__(self, account: str, watchlist: Watchlist, entries: Entries | None = None) -> None:
        self.inbound = Inbound()
        self.halted = False
        self._account = account
        self._watchlist = watchlist
        self._rules: dict[str, _Kept] = {}
        self._changed = False
        for kept in _decode(entries[RULES_ENTRY]) if entries else ():
            self._put(*((0, kept) if isinstance(kept, SetAlert) else kept))  # before 0.5.0 no time was kept

    def accepts(self, message: Any) -> bool:
        """Say whether the command is this account's."""
        return bool(message.account == self._account)

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Carry out a command, a `SetAlert` or `RemoveAlert`.

        Raises:
            InvalidPacket: if the account would have more than `RULES_MAX` alerts.
        """
        if self.halted:
            return []
        _, known = self._rules.get(message.alert, (0, None))
        if type(message) is not SetAlert:
            if known is not None:
                self._watchlist.remove(self._account, message.alert)
                del self._rules[message.alert]
                self._changed = True
            return []
        if known is None and len(self._rules) >= RULES_MAX:
            raise InvalidPacket(f"{self._account} has {RULES_MAX} alerts, and can have no more")
        if message != known:
            self._put(arrival_ms, message)
            self._changed = True
        return []

    def address(self, message: Any) -> Address:
        """Say where a message that `apply` returned goes; there is none."""
        raise AssertionError(f"{message} was not said by the alerts of {self._account}")

    def changes(self) -> dict[str, str | None]:
        """Return the account's alerts as one entry, if they have changed.

        A packet that broke an invariant is left out as a whole; the next one counts again.
        """
        self.halted = False
        if not self._changed:
            return {}
        self._changed = False
        return {RULES_ENTRY: encode(list(self._rules.values())).decode() if self._rules else None}

    def discard(self) -> None:
        """Take the account's alerts from the watchlist."""
        for alert in self._rules:
            self._watchlist.remove(self._account, alert)

    def deadline_ms(self) -> int | None:
        """Nothing is waited for."""
        return None

    def _put(self, since_ms: int, rule: SetAlert) -> None:
        self._rules[rule.alert] = since_ms, rule
        self._watchlist.put(rule, since_ms)
