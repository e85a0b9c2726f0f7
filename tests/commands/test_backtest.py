"""`openbell backtest` as its users run it: the table, the JSON, files, and what it says of wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from openbell.cli import app

HEADER = "time,open,high,low,close,volume"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["backtest", *arguments], env={"COLUMNS": "100", "TERM": "dumb"})


def bars(path: Path, *bodies: tuple[float, float]) -> Path:
    """Write a file of days with these opens and closes."""
    rows = [
        f"2024-01-{day:02},{body[0]},{max(body) + 1},{min(body) - 1},{body[1]},7" for day, body in enumerate(bodies, 1)
    ]
    path.write_text("\n".join([HEADER, *rows]))
    return path


def test_by_default_all_rules_are_asked_of_all_symbols_of_the_archive() -> None:
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "AAPLUSD: 3270 bars, 2000-03-01 00:00 to 2013-03-01 00:00, holding 263.08 %"
    assert [line for line in lines if line.startswith("after")] == [
        "after 1 bar, in percent", "after 5 bars, in percent", "after 20 bars, in percent",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[7:15]] == [
        "RULE", "sma-cross(20,50)", "ema-cross(12,26)", "rsi-bounds(14,30,70)", "macd-cross(12,26,9)", "bollinger-breakout(20,2)",
        "candle", "vote",
    ]  # fmt: skip
    assert lines[-1] == "no signal of these could be followed up: news, order-flow, forecast"
    assert max(map(len, lines[7:15])) <= 80


def test_only_the_rules_symbols_and_horizons_that_were_asked_for_are_told() -> None:
    done = run(
        "--json", "--rule", "candle", "--rule", "rsi-bounds", "--symbol", "fb", "--symbol", "IBMUSD", "--horizon", "3"
    )
    told = json.loads(done.stdout)
    assert [(one["symbol"], one["bars"]) for one in told["series"]] == [("FBUSD", 196), ("IBMUSD", 3270)]
    for scores in (*(one["scores"] for one in told["series"]), told["all"]):
        assert [(one["rule"], one["horizon"]) for one in scores] == [("candle", 3), ("rsi-bounds(14,30,70)", 3)]
    assert told["all"][0]["signals"] == sum(one["scores"][0]["signals"] for one in told["series"])


def test_the_bars_of_a_file_are_scored(tmp_path: Path) -> None:
    path = bars(tmp_path / "tulips.csv", (10, 11), (11, 13), (13, 12), (12, 12.5))
    done = run(str(path), "--rule", "candle", "--horizon", "1", "--json")
    figures = {"bars": 4, "signals": 2, "hits": 1, "hit_rate": 0.5, "hold": 0.25}
    [series] = json.loads(done.stdout)["series"]
    assert (series["symbol"], series["source"], series["first_ms"]) == ("tulips", "@file", 1_704_067_200_000)
    assert {name: series["scores"][0][name] for name in figures} == figures
    assert run(str(path), "--symbol", "TULIP").stdout.startswith("TULIP: 4 bars, ")


def test_a_cool_down_is_in_seconds_of_the_datas_time(tmp_path: Path) -> None:
    path = bars(tmp_path / "x.csv", *((10, 9 + day % 3) for day in range(1, 21)))
    counts = [
        json.loads(run(str(path), "--rule", "candle", "--horizon", "1", "--cool-down", days, "--json").stdout)["all"][0]["signals"]
        for days in ("0", str(86_400 * 4))
    ]  # fmt: skip
    assert counts == [12, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "luck"], "there is no rule 'luck'; there are sma-cross(20,50), "),
        (["--rule", "rsi-bounds(14)"], "'rsi-bounds(14)' has 1 parameters; write rsi-bounds(period,low,high)"),
        (["--rule", "rsi-bounds(1,30,70)"], "rsi(1)"),
        (["--symbol", "TSLA"], "there are no prices of 'TSLA'; there are those of AAPLUSD, FBUSD, "),
        (["missing.csv"], "missing.csv cannot be read: No such file or directory"),
        (
            ["missing.csv", "--symbol", "A", "--symbol", "B"],
            "missing.csv has the bars of one symbol; give --symbol once",
        ),
    ],
)
def test_wrong_input_ends_with_2_and_one_line_that_says_why(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_bad_line_of_a_file_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{HEADER}\n2024-01-01,10,9,11,10,1\n")
    done = run(str(path))
    assert (done.exit_code, done.stderr) == (2, f"openbell: {path}, line 2: high 9 is below low 11\n")


@pytest.mark.parametrize("arguments", [["--horizon", "0"], ["--horizon", "1001"], ["--cool-down", "-1"], ["a", "b"]])
def test_options_out_of_range_are_wrong_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
