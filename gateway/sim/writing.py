"""The ports that write to a venue in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from exchange.analysis import SetAlert
from exchange.messages import AccountCommand
from exchange.topics import ALERT_RULES
from gateway.alerts.rules import AlertCommand
from gateway.sim.faults import Faults
from gateway.sim.venue import SimVenue


class SimCommands:
    """Writes commands to a venue. Implements `ports.Commands`."""

    def __init__(self, venue: SimVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def available(self) -> bool:
        """Say that a command would be taken."""
        return True

    async def write(self, command: AccountCommand) -> None:
        """Carry a command out, or let go wrong what is to."""
        self._venue.send(self._faults.meet(command))
        self._faults.answer(command)

    async def write_many(self, commands: Sequence[AccountCommand]) -> None:
        """Carry commands out, one after another; what goes wrong with one keeps the rest back."""
        for command in commands:
            await self.write(command)


class SimAlerts:
    """Sets alerts at a venue, and knows which stand. Implements `alerts.rules.AlertCommands` and `AlertRules`."""

    def __init__(self, venue: SimVenue) -> None:
        self._venue = venue
        self._rules: dict[str, dict[str, SetAlert]] = defaultdict(dict)

    async def write(self, command: AlertCommand) -> None:
        """Carry a command out."""
        rules = self._rules[command.account]
        if isinstance(command, SetAlert):
            rules[command.alert] = command
        else:
            rules.pop(command.alert, None)
        self._venue.write(ALERT_RULES, command.account, [command])

    async def rules(self, account: str) -> list[SetAlert]:
        """Return an account's rules, by name."""
        rules = self._rules.get(account, {})
        return [rules[name] for name in sorted(rules)]
