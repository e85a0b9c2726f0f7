"""`openbell backtest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from openbell.console import OUT, print_json, print_table, progress
from openbell.errors import SettingError

if TYPE_CHECKING:
    from replay.backtest import History, Tested
    from udfs.rules import Rule
    from udfs.scores import Score

EXAMPLE = "openbell backtest --rule 'rsi-bounds(14,30,70)' --symbol AAPL --horizon 5"
HORIZONS = [1, 5, 20]
ALL = "all"
LEGEND = (
    "HITS: the part of the signals that gained. GAIN: what they gained on average, WON over the hits, LOST over the others. "
    "RANDOM: the same of signals at random."
)


def backtest(
    file: Path | None = typer.Argument(
        None,
        help="Bars of one symbol: a CSV or Parquet file with the columns time (milliseconds or ISO 8601), open, high, low, "
        "close, volume.",
        show_default="the daily bars of AAPL, FB, GOOG, IBM, MSFT, 2000 to 2013",
    ),
    rule: list[str] = typer.Option(
        [], help="A rule by its name, such as 'sma-cross(10,30)'; again for more.", show_default="all rules"
    ),
    symbol: list[str] = typer.Option(
        [], help="Only this symbol; again for more. Of a file: what to call it.", show_default="all five"
    ),
    horizon: list[int] = typer.Option(HORIZONS, min=1, max=1_000, help="After how many bars; again for more."),
    cool_down: float = typer.Option(
        0.0, min=0, max=1e9, help="Least seconds of the data's time between two signals of a rule."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON, with the score of each symbol."),
) -> None:
    """Ask trading rules of past bars, and say how good they were: the rules and the scores of the `signals` job.

    One enters at the open of the bar after a signal's, and leaves at the close HORIZON bars after it. Beside each rule stand
    signals of the same number and directions at random, and buying at the first bar and holding. Costs are left out, the
    archive's prices are not adjusted for splits, and what was good in the past need not be in the future.
    """
    from exchange.errors import ExchangeError

    try:
        rules = _rules(rule)
        histories = _histories(file, symbol)
        tested = _tested(histories, rules, tuple(sorted(set(horizon))), round(cool_down * 1000))
    except ExchangeError as error:
        raise SettingError(str(error)) from None
    if as_json:
        print_json(_as_json(tested, cool_down))
    else:
        _print(tested)


def _rules(names: list[str]) -> list[Rule]:
    from udfs.rules import DEFAULT_RULES, parse

    return list({rule.name: rule for rule in map(parse, names or DEFAULT_RULES)}.values())


def _histories(file: Path | None, symbols: list[str]) -> list[History]:
    """Read the bars of a file, or those of the archive that are asked for."""
    from replay.backtest import archive, read_file

    if file is not None:
        if len(symbols) > 1:
            raise SettingError(f"{file} has the bars of one symbol; give --symbol once")
        return [read_file(file, symbols[0] if symbols else file.stem)]
    found = {history.symbol: history for history in archive()}
    chosen = {}
    for word in symbols or found:
        named = [name for name in found if word.upper() in (name, name.removesuffix("USD"))]
        if not named:
            raise SettingError(f"there are no prices of {word!r}; there are those of {', '.join(found)}")
        chosen[named[0]] = found[named[0]]
    return list(chosen.values())


def _tested(histories: list[History], rules: list[Rule], horizons: tuple[int, ...], cool_down_ms: int) -> list[Tested]:
    from replay.backtest import backtest as run

    with progress() as doing:
        tested = []
        for history in histories:
            doing(f"{len(rules)} rules over {len(history.bars)} bars of {history.symbol}")
            tested.append(run(history, rules, horizons=horizons, cool_down_ms=cool_down_ms))
    return tested


def _together(tested: list[Tested]) -> dict[tuple[str, int], Score]:
    from replay.backtest import pooled

    return {key: pooled([one.scores[key] for one in tested]) for key in tested[0].scores}


def _as_json(tested: list[Tested], cool_down: float) -> dict[str, Any]:
    return {
        "cool_down_s": cool_down,
        "series": [
            {
                "symbol": one.history.symbol,
                "source": one.history.source,
                "bars": len(one.history.bars),
                "first_ms": one.history.bars[0].start_ms,
                "last_ms": one.history.bars[-1].start_ms,
                "scores": _score_rows(one.scores),
            }
            for one in tested
        ],
        ALL: _score_rows(_together(tested)),
    }


def _score_rows(scores: dict[tuple[str, int], Score]) -> list[dict[str, Any]]:
    import msgspec

    return [
        {"rule": rule, "horizon": horizon, "hit_rate": score.hit_rate, **msgspec.structs.asdict(score)}
        for (rule, horizon), score in scores.items()
    ]


def _print(tested: list[Tested]) -> None:
    from openbell.market import time_text

    scores = _together(tested)
    for one in tested:
        bars = one.history.bars
        begin, end = (time_text(bar.start_ms) for bar in (bars[0], bars[-1]))
        holding = next(iter(one.scores.values())).hold
        said = f"{one.history.symbol}: {len(bars)} bars, {begin} to {end}, holding {_percent(holding)} %"
        OUT.print(said, markup=False, soft_wrap=True)
    for horizon in dict.fromkeys(horizon for _, horizon in scores):
        OUT.print(f"\nafter {horizon} {'bar' if horizon == 1 else 'bars'}, in percent", style="bold")
        rows: list[list[Any]] = [
            [rule, score.signals, *map(_percent, _figures(score))]
            for (rule, after), score in scores.items()
            if after == horizon and score.signals
        ]
        print_table(
            ["RULE", "SIGNALS", "HITS", "RANDOM", "GAIN", "RANDOM", "WON", "LOST"], rows, numbers=tuple(range(1, 8))
        )
    silent = [rule for rule in dict.fromkeys(rule for rule, _ in scores) if not _signals(scores, rule)]
    OUT.print(f"\n{LEGEND}", markup=False, soft_wrap=True)
    if silent:
        OUT.print(f"no signal of these could be followed up: {', '.join(silent)}", markup=False, soft_wrap=True)


def _signals(scores: dict[tuple[str, int], Score], rule: str) -> int:
    return sum(score.signals for (name, _), score in scores.items() if name == rule)


def _figures(score: Score) -> tuple[float, ...]:
    """Return the table's figures in the order of its columns."""
    return (
        score.hit_rate,
        score.random_hit_rate,
        score.average,
        score.random,
        score.average_gain,
        score.average_loss,
    )


def _percent(part: float) -> str:
    return f"{part * 100:.2f}"
