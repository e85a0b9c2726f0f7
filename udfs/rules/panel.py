"""The rules that are asked of one series."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from udfs.observation import Observation
from udfs.rules.heard import HEARD
from udfs.rules.registry import parse
from udfs.rules.rule import Number, Rule, Verdict
from udfs.rules.vote import Vote


class PanelState(msgspec.Struct, array_like=True):
    """What a panel remembers: of the bar before what its rules need, and what each rule remembers, by name."""

    before: Observation | None = None
    rules: dict[str, list[Number]] = msgspec.field(default_factory=dict)


class Panel:
    """Asks rules of each bar, those that vote first, and then who counts the votes.

    A vote hears its voters even if nobody else asked for them; only what was asked for is told. The rules given are patterns: each panel has its own.
    """

    __slots__ = ("_before", "_names", "_needs", "_rules", "_votes")

    def __init__(self, rules: Iterable[Rule], state: PanelState | None = None) -> None:
        state = state or PanelState()
        patterns = {rule.name: rule for rule in rules}
        self._names = tuple(patterns)
        for rule in list(patterns.values()):
            for voter in rule.weights if isinstance(rule, Vote) else ():
                if voter not in patterns:
                    patterns[voter] = parse(voter)
        asked: dict[str, Rule] = {name: rule.anew(state.rules.get(name)) for name, rule in patterns.items()}
        self._votes = {name: rule for name, rule in asked.items() if isinstance(rule, Vote)}
        self._rules = [(name, rule, rule.needs) for name, rule in asked.items() if name not in self._votes]
        self._needs = tuple(dict.fromkeys(need for _, _, needs in self._rules for need in needs))
        self._before = state.before

    def ask(self, now: Observation) -> dict[str, Verdict]:
        """Return what the rules say of the next closed bar, by name, in the order in which they were given."""
        said: dict[str, Verdict] = {}
        for name, rule, needs in self._rules:
            if all(need in now.values for need in needs):
                before = self._before
                warm = before is not None and all(need in before.values for need in needs)
                verdict = rule.judge(before if warm else None, now)
                if verdict is not None:
                    said[name] = verdict
        if self._votes:
            leans = {name: verdict.lean for name, verdict in said.items()}
            told = msgspec.structs.replace(now, values={**now.values, **leans})
            for name, vote in self._votes.items():
                verdict = vote.judge(None, told)
                if verdict is not None:
                    said[name] = verdict
        values = {need: now.values[need] for need in self._needs if need in now.values}
        self._before = msgspec.structs.replace(now, values=values)
        return {name: said[name] for name in self._names if name in said}

    @property
    def studies(self) -> tuple[str, ...]:
        """The indicators whose values the rules need, by name; those of a study once."""
        spoken = (need for need in self._needs if need not in HEARD)
        return tuple(dict.fromkeys(need[: need.find(")") + 1] or need for need in spoken))

    def state(self) -> PanelState:
        """Return what it remembers, to be stored."""
        return PanelState(self._before, {name: memory for name, rule, _ in self._rules if (memory := rule.memory())})
