"""Walking forward: nothing is learned from noise, what is there is found, and the shipped model is what training gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from exchange.messages import Bar
from replay.bars import day_ms, load
from replay.forecast import EXAMPLES_MIN, TrainingError, fit, foretold, measure, score, train, walk
from replay.forecast_examples import Examples, examples
from udfs.forecast import FORMULAS, Feature, Model, decode, features_of
from udfs.series import Series

SHIPPED = Path(__file__).parents[2] / "udfs" / "models" / "direction-v1.json"
SEED = 6


@pytest.fixture(scope="module")
def bars() -> dict[str, list[Bar]]:
    return load().bars


@pytest.fixture(scope="module")
def known(bars: dict[str, list[Bar]]) -> Examples:
    return examples(bars, 1)


def test_training_again_gives_the_shipped_model(bars: dict[str, list[Bar]]):
    model, _ = train(bars, 1)
    shipped = decode(SHIPPED.read_bytes())
    assert numbers(model) == pytest.approx(numbers(shipped), rel=1e-9, abs=1e-9)
    assert without_numbers(model) == without_numbers(shipped)


def numbers(model: Model) -> list[float]:
    scores = [model.measured.model, *model.measured.baselines.values()]
    terms = [(one.mean, one.scale, one.coefficient) for one in model.features]
    return [model.intercept, *sum(terms, ()), *(one.brier for one in scores), *(one.log_loss or 0 for one in scores)]


def without_numbers(model: Model) -> tuple[object, ...]:
    """Return all that must be the same to the last digit."""
    measured = model.measured
    return (
        (model.format, model.name, model.version, model.source, model.span_ms, model.symbols, model.horizon),
        (model.trained_from_ms, model.trained_to_ms, model.examples, model.penalty),
        (measured.folds, measured.forecasts, measured.from_ms, measured.to_ms, measured.model.accuracy),
        [(name, one.accuracy) for name, one in measured.baselines.items()],
        [one.formula for one in model.features],
    )


def test_each_year_is_forecast_from_what_was_known_before_it(known: Examples):
    folds = walk(known)
    assert [fold.year for fold in folds] == list(range(2002, 2014))
    for fold in folds:
        first_ms = day_ms(np.datetime64(f"{fold.year}-01-01").astype(object))
        assert fold.trained == (known.known_ms < first_ms).sum() >= EXAMPLES_MIN
        assert (fold.tested.start_ms >= first_ms).all()
        assert fold.model == pytest.approx(fit(known.before(first_ms)).probabilities(fold.tested.features), abs=1e-15)


def test_a_years_forecasts_do_not_change_with_what_comes_after_it(bars: dict[str, list[Bar]], known: Examples):
    until_ms = day_ms(np.datetime64("2006-01-01").astype(object))
    early = walk(
        examples({symbol: [bar for bar in each if bar.start_ms < until_ms] for symbol, each in bars.items()}, 1)
    )
    for fold, again in zip(walk(known), early, strict=False):
        assert fold.year == again.year <= 2005
        size = len(again.tested)
        assert (fold.model[:size] == again.model).all()
        assert len(fold.tested) - size in {0, 4}  # the last bars of the shorter archive have no answer yet


def test_nothing_is_learned_from_shuffled_answers(known: Examples):
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    measured = measure(walk(replace(known, rose=chance.permutation(known.rose))))
    majority = measured.baselines["majority"]
    assert abs(measured.model.accuracy - majority.accuracy) < 2 * measured.margin
    assert majority.log_loss is not None
    assert measured.model.log_loss == pytest.approx(majority.log_loss, abs=0.003)
    assert measured.model.brier == pytest.approx(0.25, abs=0.002)


def test_what_the_features_tell_is_found(known: Examples):
    print(f"seed {SEED}")
    chance = np.random.default_rng(SEED)
    telling = known.features[:, list(FORMULAS).index("rsi(14) / 100 - 0.5")] + chance.normal(0, 0.05, len(known))
    measured = measure(walk(replace(known, rose=telling > 0)))
    assert measured.model.accuracy > 0.85
    assert measured.lead > 5 * measured.margin


def test_the_model_forecasts_as_the_fit_does(bars: dict[str, list[Bar]], known: Examples):
    fitted = fit(known)
    terms = zip(FORMULAS, fitted.mean.tolist(), fitted.scale.tolist(), fitted.coefficients.tolist(), strict=True)
    features = [Feature(formula=name, mean=mean, scale=scale, coefficient=one) for name, mean, scale, one in terms]
    shipped = decode(SHIPPED.read_bytes())
    model = Model(**{name: getattr(shipped, name) for name in shipped.__struct_fields__} | {"features": features, "intercept": fitted.intercept})  # fmt: skip
    series = Series()
    for bar in bars["GOOGUSD"][:300]:
        values = series.add(float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume))
        row = features_of(bar.close, values)
        probability = model.probability(values, bar.close)
        if row is None:
            assert probability is None
        else:
            assert probability == pytest.approx(fitted.probabilities(np.array([row]))[0], abs=1e-12)


def test_what_was_foretold_is_each_forecast_by_symbol_and_bar(known: Examples):
    folds = walk(known)
    told = foretold(folds)
    assert sum(map(len, told.values())) == measure(folds).forecasts
    for fold in folds[:2]:
        rows = zip(fold.tested.symbol, fold.tested.start_ms, fold.model, strict=True)
        assert all(told[symbol][start_ms] == probability for symbol, start_ms, probability in rows)


def test_scores_are_those_of_scikit_learn():
    chance = np.random.default_rng(SEED)
    probabilities = chance.uniform(0.01, 0.99, 1_000)
    rose = chance.uniform(size=1_000) < probabilities
    ours = score(probabilities, rose)
    assert ours.accuracy == accuracy_score(rose, probabilities > 0.5)
    assert ours.brier == pytest.approx(brier_score_loss(rose, probabilities), rel=1e-12)
    assert ours.log_loss == pytest.approx(log_loss(rose, probabilities), rel=1e-12)
    assert score(np.ones(4), np.array([True, True, True, False])).log_loss is None
    assert score(np.ones(4), np.array([True, True, True, False])).accuracy == 0.75


@pytest.mark.parametrize("until", ["2000-03-02", "2000-06-01", "2001-12-31"])
def test_too_few_years_are_an_error(bars: dict[str, list[Bar]], until: str):
    until_ms = day_ms(np.datetime64(until).astype(object))
    few = {symbol: [bar for bar in each if bar.start_ms < until_ms] for symbol, each in bars.items()}
    with pytest.raises(TrainingError, match="take more bars"):
        train(few, 1)
