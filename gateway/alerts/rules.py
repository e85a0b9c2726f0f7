"""Sets one account's alerts: writes commands to the log, and reads which rules stand.

The rules that stand are a view, which the notifier folds from the log a moment later; what is written is in force even before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from exchange.analysis import RemoveAlert, SetAlert
from gateway.notify.outbox import NotifyKeys
from gateway.ports import GatewayError, ViewsUnavailable
from gateway.views import UNREACHABLE, client_of

AlertCommand: TypeAlias = SetAlert | RemoveAlert

RULES_MAX: Final = 100
"""How many alerts an account may have set at a time."""

_rule = msgspec.json.Decoder(SetAlert).decode


class TooManyAlerts(GatewayError):
    """The account has as many alerts as it may have."""


class InboxOnly(GatewayError):
    """The alert is to go out, by e-mail or webhook, and whoever sets it may have alerts in the inbox only."""


class AlertCommands(Protocol):
    """Writes commands to the log."""

    async def write(self, command: AlertCommand) -> None:
        """Return when the command is in the log. Raises NotTaken, or UnknownOutcome when it was taken but not confirmed."""


class AlertRules(Protocol):
    """Reads the rules that stand."""

    async def rules(self, account: str) -> list[SetAlert]:
        """Return an account's rules, by name. Raises ViewsUnavailable when they cannot be read."""


@dataclass(frozen=True)
class AlertPorts:
    """What it takes to set alerts."""

    commands: AlertCommands
    rules: AlertRules


class AlertService:
    """Sets alerts for `account`; `sends` says whether they may go out, by e-mail or webhook, and not to the inbox alone."""

    def __init__(self, ports: AlertPorts, account: str, *, sends: bool) -> None:
        self.account = account
        self.sends = sends
        self._commands = ports.commands
        self._rules = ports.rules

    async def rules(self) -> list[SetAlert]:
        """Return the account's rules, by name."""
        return await self._rules.rules(self.account)

    async def set(self, rule: SetAlert) -> None:
        """Set a rule, in the place of one of the same name. Raises InboxOnly, TooManyAlerts, and what the ports raise."""
        if not self.sends and set(rule.channels) - {"inbox"}:
            raise InboxOnly("alerts go out by e-mail or webhook only for somebody who is signed in")
        known = {each.alert for each in await self.rules()}
        if rule.alert not in known and len(known) >= RULES_MAX:
            raise TooManyAlerts(f"the account has {RULES_MAX} alerts: remove one first")
        await self._commands.write(rule)

    async def remove(self, alert: str) -> None:
        """Remove a rule, whether or not there is one. Raises what the port raises."""
        await self._commands.write(RemoveAlert(account=self.account, alert=alert))


class RedisAlertRules:
    """The rules of one venue, as the notifier keeps them. Implements `AlertRules`."""

    def __init__(self, url: str, venue: str) -> None:
        self._redis: Any = client_of(url)
        self._keys = NotifyKeys(venue)

    async def close(self) -> None:
        """Give the connections up."""
        await self._redis.aclose(close_connection_pool=True)

    async def rules(self, account: str) -> list[SetAlert]:
        """Return an account's rules, by name. Until all of them have been read from the log, they cannot be told."""
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hexists(self._keys.position, "rules")
                pipe.hvals(self._keys.rules(account))
                complete, stored = await pipe.execute()
        except UNREACHABLE as error:
            raise ViewsUnavailable("Redis does not answer") from error
        if not complete:
            raise ViewsUnavailable("the alerts are not read yet: no notifier has been at work")
        return sorted((_rule(each) for each in stored), key=lambda rule: rule.alert)


class MemoryAlertRules:
    """Rules in memory, in force at once. Implements `AlertCommands` and `AlertRules`."""

    def __init__(self) -> None:
        self.written: list[AlertCommand] = []

    async def write(self, command: AlertCommand) -> None:
        """Keep a command."""
        self.written.append(command)

    async def rules(self, account: str) -> list[SetAlert]:
        """Return an account's rules, by name."""
        standing = {each.alert: each for each in self.written if each.account == account}
        found = [each for each in standing.values() if isinstance(each, SetAlert)]
        return sorted(found, key=lambda rule: rule.alert)
