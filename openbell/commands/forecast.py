"""`openbell forecast`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from openbell.console import OUT, print_json, print_table, progress, settings_of
from openbell.errors import OpenbellError, SettingError

if TYPE_CHECKING:
    from replay.forecast import Fold
    from udfs.forecast import Measured, Model

EXAMPLE = "openbell forecast train --out models && openbell forecast show models/direction-v1.json"

FILE = typer.Argument(help="A model's file.", show_default=False)
JSON = typer.Option(False, "--json", help="Print JSON.")


def train(
    out: Path = typer.Option(..., "--out", help="The folder to write the model to, as its next version."),
    horizon: int = typer.Option(1, min=1, max=100, help="How many bars (days) ahead."),
    until: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="Use only bars before this date.", show_default="all bars"
    ),
    as_json: bool = JSON,
) -> None:
    """Train a forecast of rising closes on 13 years of real daily prices, measure it, and write its file.

    It is measured by walking forward: each year is forecast by a model of what was known before it, and the forecasts are scored beside
    baselines that need no model. Past prices hardly tell daily closes, and the figures show it. What a model says of bars that it
    was trained on measures nothing; --until keeps later ones for a test.

    The same bars give the same model.
    """
    from flink_jobs.model_folder import publish
    from replay.bars import DataError, day_ms, load
    from replay.forecast import TrainingError
    from replay.forecast import train as train_model

    until_ms = None if until is None else day_ms(until.date())
    try:
        with progress() as tell:
            tell("reading the archive")
            archive = load().bars
            if until_ms is not None:
                archive = {symbol: [bar for bar in bars if bar.start_ms < until_ms] for symbol, bars in archive.items()}
            model, folds = train_model(archive, horizon, tell)
        path = publish(model, out)
    except (DataError, TrainingError) as error:
        raise OpenbellError(str(error)) from error
    except OSError as error:
        raise OpenbellError(f"the model cannot be written to {out}: {error.strerror}") from error
    if as_json:
        print_json({"file": path, "years": _years(folds), **_plain(model.measured)})
        return
    _print_years(folds)
    _print_measured(model.measured)
    OUT.print(f"\nwrote {path}", markup=False, soft_wrap=True)


def show(file: Path = FILE, as_json: bool = JSON) -> None:
    """Show a model: what it was trained on, how good it was found to be, and its terms."""
    import msgspec

    model = _read(file)
    if as_json:
        print_json(msgspec.to_builtins(model) | {"measured": _plain(model.measured)})
        return
    _print_model(model)
    _print_measured(model.measured)
    OUT.print(
        f"\nlog-odds of a rise: {model.intercept:+.4f}, and of each feature coefficient x (value - mean) / scale:"
    )
    print_table(
        ["FEATURE", "COEFFICIENT", "MEAN", "SCALE"],
        [
            [one.formula, f"{one.coefficient:+.4f}", f"{one.mean:+.5f}", f"{one.scale:.5f}"]
            for one in sorted(model.features, key=lambda one: -abs(one.coefficient))
        ],
        numbers=(1, 2, 3),
    )


def use(
    context: typer.Context,
    file: Path = FILE,
    models: Path | None = typer.Option(
        None, "--models", help="The folder that the running job takes its model from (default: OPENBELL_MODELS)."
    ),
    as_json: bool = JSON,
) -> None:
    """Take a model into use without stopping the job: check it, and put it into the job's folder as the next version.

    To go back to the version before, delete the newer file.
    """
    from flink_jobs.model_folder import LOOK_EVERY_S, publish, versions

    model = _read(file)
    models = models or settings_of(context).models
    try:
        models.mkdir(parents=True, exist_ok=True)
        before = max(versions(models, model.name), default=None)
        path = publish(model, models)
    except OSError as error:
        raise OpenbellError(f"the model cannot be written to {models}: {error.strerror}") from error
    if as_json:
        print_json({"file": path, "within_s": LOOK_EVERY_S, "measured": _plain(model.measured)})
        return
    instead = "" if before is None else f" instead of version {before}"
    OUT.print(f"wrote {path}", markup=False, soft_wrap=True)
    OUT.print(
        f"a job that watches {models} uses it{instead} within {LOOK_EVERY_S:.0f} s, and goes on",
        markup=False,
        soft_wrap=True,
    )
    OUT.print(_verdict(model.measured), soft_wrap=True)


def _read(file: Path) -> Model:
    """Read a model's file, or say what is wrong with it."""
    from flink_jobs.model_folder import read
    from udfs.forecast import ModelError

    try:
        return read(file)
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}") from error
    except ModelError as error:
        raise OpenbellError(f"{file} cannot be used: {error}") from error


def _plain(measured: Measured) -> dict[str, Any]:
    """Return the figures as plain data, with what follows from them."""
    import msgspec

    more = {"best_baseline": measured.best_baseline, "lead": measured.lead, "margin": measured.margin}
    return {**msgspec.to_builtins(measured), **more}


def _years(folds: Sequence[Fold]) -> list[dict[str, Any]]:
    from replay.forecast import score

    return [
        {
            "year": fold.year,
            "trained": fold.trained,
            "forecasts": len(fold.tested),
            "model": score(fold.model, fold.tested.rose).accuracy,
            **{name: score(said, fold.tested.rose).accuracy for name, said in fold.baselines.items()},
        }
        for fold in folds
    ]


def _print_years(folds: Sequence[Fold]) -> None:
    years = _years(folds)
    columns = list(years[0])
    rows = [[_percent(one[name]) if isinstance(one[name], float) else one[name] for name in columns] for one in years]
    OUT.print("right forecasts of each year, by the model and by the baselines", style="bold")
    print_table([name.upper() for name in columns], rows, numbers=tuple(range(1, len(columns))))
    OUT.print()


def _print_model(model: Model) -> None:
    first, last = _date(model.trained_from_ms), _date(model.trained_to_ms)
    bars = "one bar" if model.horizon == 1 else f"{model.horizon} bars"
    OUT.print(f"{model.name}-v{model.version}: is the close {bars} ahead higher?", style="bold", markup=False)
    OUT.print(
        f"trained on {model.examples:,} bars of {', '.join(model.symbols)} from {model.source}, {first} to {last}\n",
        markup=False,
        soft_wrap=True,
    )


def _print_measured(measured: Measured) -> None:
    first, last = _date(measured.from_ms), _date(measured.to_ms)
    scores = {"the model": measured.model, **measured.baselines}
    print_table(
        ["FORECASTS BY", "RIGHT", "BRIER", "LOG LOSS"],
        [
            [name, _percent(one.accuracy), f"{one.brier:.4f}", None if one.log_loss is None else f"{one.log_loss:.4f}"]
            for name, one in scores.items()
        ],
        numbers=(1, 2, 3),
    )
    OUT.print(
        f"{measured.forecasts:,} forecasts, {first} to {last}, in {measured.folds} folds, none by a model that had seen the answers",
        soft_wrap=True,
    )
    OUT.print(_verdict(measured), soft_wrap=True)


def _verdict(measured: Measured) -> str:
    """Say in words whether the model is better than none."""
    best, margin = measured.best_baseline, _percent(measured.margin)
    if measured.lead <= 0:
        return f"The model is no better than none: the baseline '{best}' was right as often or more often."
    if measured.lead <= measured.margin:
        return f"The model was right more often than '{best}', but by less than chance explains ({margin})."
    return f"The model was right more often than '{best}', by more than chance alone explains ({margin})."


def _percent(part: float) -> str:
    return f"{100 * part:.2f} %"


def _date(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"


forecast = typer.Typer(
    no_args_is_help=True,
    help="Train, show and take into use the model that forecasts rising prices.\n\n"
    "Its figures say how often it was right, beside baselines that need no model. It is no advice.",
)
for _function, _example in (
    (train, "openbell forecast train --horizon 5 --out models"),
    (show, "openbell forecast show models/direction-v1.json"),
    (use, "openbell forecast use models/direction-v1.json --models /srv/openbell/models"),
):
    forecast.command(_function.__name__, epilog=f"Example: {_example}")(_function)
