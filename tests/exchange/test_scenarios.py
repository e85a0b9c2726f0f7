"""The scenario tables: every answer of the book, as the trader's tables have it, also when the book is restored after every command."""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.exchange.scenario import Scenario, ScenarioError, read

TABLES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "MATCHING.md"
SCENARIOS = [(path.stem, scenario) for path in TABLES for scenario in read(path)]
SCENARIOS_MIN = 150
CONFORMANCE_MIN = 10
NOT_AT_THE_BOOK = {"28"}
"""Rules that the account keeps: brackets."""
_SECTION = DOCUMENT.read_text().partition("## What the tests hold the book to")[2]
CONFORMANCE = set(re.findall(r"^\| (?!rule )([^|]+?) \| .*`[a-z_]+\.txt`.*\|$", _SECTION, re.MULTILINE))
"""What a scenario's title has in brackets, if it holds the book to that rule of conformance."""


@pytest.mark.parametrize("restored", [False, True], ids=["in-memory", "restored"])
@pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=f"{table}: {scenario.title}") for table, scenario in SCENARIOS]
)
def test_the_book_answers_as_the_table_says(scenario: Scenario, restored: bool) -> None:
    written, played = scenario.written(), scenario.played(restored=restored)
    difference = "\n".join(unified_diff(written, played, "as written", "as it came", n=1_000, lineterm=""))
    if difference:
        pytest.fail(f"{scenario.place}\n{difference}", pytrace=False)


def test_every_rule_of_the_book_has_a_scenario() -> None:
    rules = set(re.findall(r"^(\d+)\. ", DOCUMENT.read_text(), re.MULTILINE))
    held = {found[0] for _, scenario in SCENARIOS if (found := re.match(r"\d+", scenario.title))}
    assert sorted(held - rules) == []
    assert sorted(rules - held) == sorted(NOT_AT_THE_BOOK)
    assert len(SCENARIOS) >= SCENARIOS_MIN


def test_every_rule_of_conformance_has_a_scenario() -> None:
    named = {name for _, scenario in SCENARIOS for name in re.findall(r"\[(.+)\]", scenario.title)}
    assert named == CONFORMANCE
    assert len(CONFORMANCE) >= CONFORMANCE_MIN


def test_titles_differ() -> None:
    titles = [scenario.title for _, scenario in SCENARIOS]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alice sells 5 @ 100 as 1", "table.txt:1: a table begins with a title"),
        ("# 1 Title\n\n# 2 Title\nthe clock ticks", "table.txt:1: a scenario without a command"),
        ("# 1 Title\n  + alice 1", "table.txt:2: an answer before the first command"),
        ("# 1 Title\n\nalice sells 5 @ 100 quickly as 1", "table.txt:3: unknown word 'quickly'"),
        ("# 1 Title\nalice sells 5 @ 100", "table.txt:2: '@ 100' does not end with the order's id, as in 'as 1'"),
        ("# 1 Title\nalice dances", "table.txt:2: unknown command 'alice dances'"),
        ("# 1 Title\nalice sells 5 pegged last as 1", "table.txt:2: 'last' is none of bid, ask, mid"),
        ("# 1 Title\nthe market goes into sleep", "table.txt:2: 'sleep' is none of pre-open,"),
        ("# 1 Title\nthe listing is 2: colour red", "table.txt:2: unknown word 'colour red'"),
        ("# 1 Title\nthe listing is 2: matching fair", "table.txt:2: Invalid enum value 'fair'"),
        ("# 1 Title\nalice sells 5 @ many as 1", "table.txt:2: invalid literal for int()"),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read(path)
    assert str(caught.value).startswith(said)


def test_a_scenario_that_comes_otherwise_is_shown_as_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("# 10 A rest\n-- a remark\nalice buys 5 @ 100 as 1\n  + alice 1\n  bid 100: 6\n")
    (scenario,) = read(path)
    assert scenario.written() == ["# 10 A rest", "alice buys 5 @ 100 as 1", "  + alice 1", "  bid 100: 6"]
    assert scenario.played(restored=True)[-1] == "  bid 100: 5"
