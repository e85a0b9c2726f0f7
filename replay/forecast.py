"""Trains the forecast on the archive, and measures it by walking forward.

Theory of operation: for each calendar year a model is fitted to what was known when it began, and asked of the year; the years' forecasts are
scored together, beside baselines that know as little. The model that is written is then fitted to everything. Nothing is drawn by chance, no
parameter is chosen by what the years gave, and so the same bars give the same model.

Figures: `openbell forecast show` tells those of a model. Daily closes can hardly be told in advance from their own past, and these are no exception:
read the model's figures beside the baselines', with the margin of chance, before believing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exchange.candles import DAY_MS
from exchange.errors import ExchangeError
from exchange.messages import Bar
from replay.bars import SOURCE, day_ms
from replay.forecast_examples import Examples, examples
from udfs.forecast import FORMULAS, Feature, Measured, Model, Score

NAME: Final = "direction"
PENALTY: Final = 100.0
"""The weight of half the squared coefficients against the summed log loss: what 400 examples would say of a feature, it about halves."""
EXAMPLES_MIN: Final = 500
"""The fewest examples that a year is forecast from."""

Probabilities = NDArray[np.float64]
Progress = Callable[[str], None]


class TrainingError(ExchangeError):
    """There are too few bars to train and measure a model."""


@dataclass(frozen=True)
class Fitted:
    """A logistic regression over features that are made to have mean 0 and spread 1."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float

    def probabilities(self, features: NDArray[np.float64]) -> Probabilities:
        """Return the probability of a rise for each row of features."""
        scores = (features - self.mean) / self.scale @ self.coefficients + self.intercept
        return np.asarray(1 / (1 + np.exp(-scores)))


@dataclass(frozen=True)
class Fold:
    """A part of time that was forecast by a model of what was known before it, and the probabilities of each forecast."""

    year: int
    trained: int
    tested: Examples
    model: Probabilities
    baselines: dict[str, Probabilities]


def train(
    bars: Mapping[str, Sequence[Bar]], horizon: int, progress: Progress = lambda _: None
) -> tuple[Model, list[Fold]]:
    """Return a model of whether closes are higher `horizon` bars later, and the years by which it was measured.

    Raises:
        TrainingError: if the bars are too few to forecast a year from those before it.
    """
    progress("computing indicators")
    known = examples(bars, horizon)
    folds = walk(known, progress)
    progress("fitting the model")
    fitted = fit(known)
    columns = zip(FORMULAS, fitted.mean, fitted.scale, fitted.coefficients, strict=True)
    model = Model(
        name=NAME,
        version=1,
        source=SOURCE,
        span_ms=DAY_MS,
        symbols=sorted({str(symbol) for symbol in known.symbol}),
        trained_from_ms=int(known.start_ms.min()),
        trained_to_ms=int(known.known_ms.max()),
        examples=len(known),
        horizon=horizon,
        penalty=PENALTY,
        measured=measure(folds),
        intercept=fitted.intercept,
        features=[
            Feature(formula=formula, mean=float(mean), scale=float(scale), coefficient=float(coefficient))
            for formula, mean, scale, coefficient in columns
        ],
    )
    return model, folds


def fit(known: Examples) -> Fitted:
    """Fit a logistic regression with a squared penalty on the coefficients."""
    # It takes longer to load than all the rest of the command line, and only training needs it.
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped] # noqa: PLC0415

    mean, scale = known.features.mean(axis=0), known.features.std(axis=0)
    scale[scale == 0] = 1.0
    regression = LogisticRegression(C=1 / PENALTY, solver="newton-cholesky", tol=1e-10)
    regression.fit((known.features - mean) / scale, known.rose)
    return Fitted(mean, scale, regression.coef_[0], float(regression.intercept_[0]))


def walk(known: Examples, progress: Progress = lambda _: None) -> list[Fold]:
    """Forecast each calendar year (UTC) from what was known before it.

    Raises:
        TrainingError: if there is no year with `EXAMPLES_MIN` examples, of rises and of falls, before it.
    """
    folds = []
    for year in sorted({datetime.fromtimestamp(int(ms) / 1000, UTC).year for ms in known.start_ms}):
        from_ms, to_ms = (day_ms(datetime(one, 1, 1, tzinfo=UTC).date()) for one in (year, year + 1))
        past, tested = known.before(from_ms), known.between(from_ms, to_ms)
        if len(past) < EXAMPLES_MIN or past.rose.all() or not past.rose.any():
            continue
        progress(f"forecasting {year} from the years before it")
        model = fit(past).probabilities(tested.features)
        folds.append(Fold(year, len(past), tested, model, baselines(past, tested)))
    if not folds:
        raise TrainingError(f"there is no year with {EXAMPLES_MIN} forecasts before it: take more bars")
    return folds


def baselines(past: Examples, tested: Examples) -> dict[str, Probabilities]:
    """Return the probabilities of a rise by those who know no more than the past, as `udfs.forecast.Measured` explains them."""
    return {
        "up": np.ones(len(tested)),
        "majority": np.full(len(tested), past.rose.mean()),
        "yesterday": tested.rose_before.astype(np.float64),
    }


def measure(folds: Sequence[Fold]) -> Measured:
    """Score all forecasts of all years together."""
    rose = np.concatenate([fold.tested.rose for fold in folds])
    start_ms = np.concatenate([fold.tested.start_ms for fold in folds])
    return Measured(
        folds=len(folds),
        forecasts=len(rose),
        from_ms=int(start_ms.min()),
        to_ms=int(start_ms.max()),
        model=score(np.concatenate([fold.model for fold in folds]), rose),
        baselines={
            name: score(np.concatenate([fold.baselines[name] for fold in folds]), rose) for name in folds[0].baselines
        },
    )


def foretold(folds: Sequence[Fold]) -> dict[str, dict[int, float]]:
    """Return the probabilities by symbol and the bar's start: what one could have known then, for a test that trades by it."""
    found: dict[str, dict[int, float]] = {}
    for fold in folds:
        columns = zip(fold.tested.symbol.tolist(), fold.tested.start_ms.tolist(), fold.model.tolist(), strict=True)
        for symbol, start_ms, probability in columns:
            found.setdefault(symbol, {})[start_ms] = probability
    return found


def score(probabilities: Probabilities, rose: NDArray[np.bool_]) -> Score:
    """Score probabilities of a rise against what happened, as `udfs.forecast.Score` explains it."""
    happened = np.where(rose, probabilities, 1 - probabilities)
    certain = bool(((probabilities == 0) | (probabilities == 1)).any())
    return Score(
        accuracy=float(((probabilities > 0.5) == rose).mean()),
        brier=float(((1 - happened) ** 2).mean()),
        log_loss=None if certain else float(-np.log(happened).mean()),
    )
