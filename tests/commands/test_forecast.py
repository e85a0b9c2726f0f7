"""`openbell forecast`: a model is trained, shown and taken into use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flink_jobs.model_folder import ModelFolder, read
from openbell.cli import app

SHIPPED = Path(__file__).parents[2] / "udfs" / "models" / "direction-v1.json"


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["forecast", *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def told(*arguments: object) -> dict[str, Any]:
    code, output = run(*arguments, "--json")
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.mark.parametrize("action", ["train", "show", "use"])
def test_each_action_has_an_example(action: str):
    code, output = run(action, "--help")
    assert code == 0
    assert f"Example: openbell forecast {action}" in output


def test_training_writes_a_model_and_tells_how_good_it_was(tmp_path: Path):
    found = told("train", "--out", tmp_path, "--until", "2004-01-01")
    model = read(tmp_path / "direction-v1.json")
    assert found["file"] == str(tmp_path / "direction-v1.json")
    assert [(year["year"], year["trained"], year["forecasts"]) for year in found["years"]] == [
        (2002, 1230, 756),
        (2003, 1986, 752),
    ]
    assert found["forecasts"] == model.measured.forecasts == 1508
    assert found["model"]["accuracy"] == model.measured.model.accuracy
    assert found["lead"] == model.measured.lead
    assert set(found["baselines"]) == {"up", "majority", "yesterday"}
    assert model.trained_to_ms == 1_072_828_800_000  # 2003-12-31
    assert found["years"][0]["model"] == pytest.approx(0.52, abs=0.05)


def test_training_again_writes_the_next_version_and_overwrites_none(tmp_path: Path):
    arguments = ("train", "--out", tmp_path, "--until", "2003-01-01", "--horizon", 5)
    assert told(*arguments)["file"] == str(tmp_path / "direction-v1.json")
    code, output = run(*arguments)
    assert code == 0
    assert f"wrote {tmp_path}/direction-v2.json" in output
    assert "FORECASTS BY" in output
    first, second = (read(tmp_path / f"direction-v{version}.json") for version in (1, 2))
    assert first.numbered(2) == second
    assert first.horizon == 5


def test_too_few_bars_end_with_1_and_write_nothing(tmp_path: Path):
    code, output = run("train", "--out", tmp_path, "--until", "2001-06-01")
    assert code == 1
    assert "take more bars" in output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_ends_with_1(tmp_path: Path):
    (tmp_path / "file").write_text("")
    code, output = run("use", SHIPPED, "--models", tmp_path / "file")
    assert code == 1
    assert "cannot be written" in output


def test_show_tells_what_the_file_holds():
    model = read(SHIPPED)
    code, output = run("show", SHIPPED)
    assert code == 0
    assert output.startswith("direction-v1: is the close one bar ahead higher?\n")
    for feature in model.features:
        assert feature.formula in output
    assert f"{100 * model.measured.model.accuracy:.2f} %" in output
    assert "AAPLUSD, FBUSD, GOOGUSD, IBMUSD, MSFTUSD from @bokeh" in output
    found = told("show", SHIPPED)
    assert found["intercept"] == model.intercept
    assert len(found["features"]) == len(model.features)
    assert found["measured"]["lead"] == model.measured.lead


def test_the_shipped_model_is_said_to_be_no_better_than_none():
    assert read(SHIPPED).measured.lead < 0
    assert (
        "The model is no better than none: the baseline 'up' was right as often or more often."
        in run("show", SHIPPED)[1]
    )


def test_use_puts_a_model_under_the_next_number_where_a_job_finds_it(tmp_path: Path):
    models = tmp_path / "models"
    code, output = run("use", SHIPPED, "--models", models)
    assert code == 0
    assert f"wrote {models}/direction-v1.json\n" in output
    assert f"a job that watches {models} uses it within 5 s, and goes on\n" in output
    job = ModelFolder(models, "direction", look_every_s=0)
    assert job.current() == read(SHIPPED)
    code, output = run("use", SHIPPED, "--models", models)
    assert "uses it instead of version 1 within 5 s" in output
    assert job.current() == read(SHIPPED).numbered(2)
    assert told("use", SHIPPED, "--models", models)["file"] == str(models / "direction-v3.json")


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [(None, 2, "cannot be read"), (b"{}", 1, "it is no model"), (b'{"format": 2}', 1, "its format is 2")],
)
@pytest.mark.parametrize("action", ["show", "use"])
def test_a_file_that_is_no_sound_model_is_refused_with_its_reason(
    tmp_path: Path, action: str, content: bytes | None, code: int, reason: str
):
    if content is not None:
        (tmp_path / "given.json").write_bytes(content)
    more = ("--models", tmp_path / "models") if action == "use" else ()
    found, output = run(action, tmp_path / "given.json", *more)
    assert found == code
    assert reason in output
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    "arguments",
    [["train"], ["train", "--out", "x", "--horizon", "0"], ["train", "--out", "x", "--until", "soon"], ["use", "x"], ["show"]],
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: list[str]):
    assert run(*arguments)[0] == 2
