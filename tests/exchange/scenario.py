"""Scenario tables: what is said in the pit, and what the book must answer, as a trader reads it.

A table is a text file of scenarios. `# 18 Title` begins one: a rule's number in docs/MATCHING.md, if it has one, and what the scenario
shows; in brackets the rule of conformance that it holds the book to. Then come commands, each with its answers below it, indented,
exactly as `pit.line` writes them and all of them; a command without answers has none. A line that begins with `--` is a remark, and
blank lines are nothing.

    alice sells 10 @ 100 showing 4 as 1             an order: side, lots, price in ticks, terms in any order, id
    alice sells 5 either @ 110 as 1 or stop 90 as 2 two orders of which one cancels the other
    alice amends 1 to 5 @ 101 stop 95               one or more of: all its lots, price, stop
    alice replaces 1 with 10 left: sells 5 @ 99 as 2
    alice cancels 1                                 (the account of flow without accounts is @market)
    the market goes into halt at 5000               or at once, without a time
    the clock ticks                                 nothing happens but time
    all orders are cancelled                        by the operator; so are:
    the listing is 2: tick 0.05, lot 10, matching pro-rata, top-order   rules named as in `Rules`, with '-' for '_'
    the listing ends, there is no listing
    trade 1 is busted: alice 1 bought 5 @ 100 from bob 2, fees 3 and -1
    the machine halts, the machine resumes
    best?                                           answers the best bid and ask, '-' for none
    checksums?                                      answers the checksums that came since the scenario's beginning

Every command may begin with `at 5000`: the time in milliseconds then is 5000 (it begins at 1000). A scenario begins with listing 1
without rules, unless its first command says which it is, or that there is none; orders come under the latest listing that the table has named.

An order's terms: `@ 100` its price (without it, a protection price that is out of the way), `market`, `market-to-limit`, `stop 95`, `stop-limit 95`,
`trailing 5` and `from 95`, `pegged bid` with `offset -1`; `GTC`, `IOC`, `FOK`, `DAY`, `OPG`, `CLS`, `GTD`, `until 5000`; `showing 4`, `post-only slide`,
`at-least 5`, `all-or-none`, `self-trade newest`, `listing 2`, `maker-fee -200`, `taker-fee 300`. `as 1 to 1000` says the order a thousand times under
those ids, and only the last answer is written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.exchange.scenario_words import Act, Floor, Unreadable, command


class ScenarioError(Exception):
    """A table that cannot be read; says the file, the line and the word."""


@dataclass
class Step:
    """One command, as written and as understood, and the answers that it must get."""

    said: str
    act: Act
    answers: list[str] = field(default_factory=list)


@dataclass
class Scenario:
    """One scenario; `place` is where it begins, as file:line."""

    title: str
    place: str
    steps: list[Step] = field(default_factory=list)

    def written(self) -> list[str]:
        """Return the scenario as the table has it, without remarks."""
        return _lines(self.title, [(step.said, step.answers) for step in self.steps])

    def played(self, *, restored: bool) -> list[str]:
        """Return the scenario as the book plays it; `restored`: the book is made anew from its entries after every command."""
        floor = Floor(listed=not self.steps[0].said.startswith(("the listing is", "there is no listing")))
        came = []
        for step in self.steps:
            came.append((step.said, step.act(floor)))
            floor.check()
            if restored:
                floor.restore()
        return _lines(self.title, came)


def _lines(title: str, steps: list[tuple[str, list[str]]]) -> list[str]:
    return [f"# {title}", *(text for said, answers in steps for text in (said, *(f"  {answer}" for answer in answers)))]


def read(path: Path) -> list[Scenario]:
    """Read a table.

    Raises:
        ScenarioError: for a line that is not of the vocabulary.
    """
    scenarios: list[Scenario] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        place = f"{path.name}:{number}"
        try:
            _read_line(line, place, scenarios)
        except (Unreadable, ValueError, msgspec.ValidationError) as error:
            raise ScenarioError(f"{place}: {error}") from error
    for scenario in scenarios:
        if not scenario.steps:
            raise ScenarioError(f"{scenario.place}: a scenario without a command")
    return scenarios


def _read_line(line: str, place: str, scenarios: list[Scenario]) -> None:
    text = " ".join(line.split())
    if not text or text.startswith("-- "):
        return
    if text.startswith("# "):
        scenarios.append(Scenario(text[2:], place))
    elif not scenarios:
        raise Unreadable("a table begins with a title")
    elif line[0] != " ":
        scenarios[-1].steps.append(Step(text, command(text)))
    elif not scenarios[-1].steps:
        raise Unreadable("an answer before the first command")
    else:
        scenarios[-1].steps[-1].answers.append(text)
