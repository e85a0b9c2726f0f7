"""A model's file and what it says of a bar: the same as the library that trained it."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from udfs.forecast import FILE_BYTES_MAX, FORMULAS, Feature, Measured, Model, ModelError, Score, decode, features_of

SEED = 6
MEASURED = Measured(
    folds=2,
    forecasts=400,
    from_ms=1,
    to_ms=2,
    model=Score(accuracy=0.5, brier=0.25, log_loss=0.7),
    baselines={
        "yesterday": Score(accuracy=0.52, brier=0.48),
        "up": Score(accuracy=0.52, brier=0.48),
        "majority": Score(accuracy=0.51, brier=0.25, log_loss=0.69),
    },
)


def made(**changes: Any) -> Model:
    given: dict[str, Any] = {
        "name": "direction",
        "version": 1,
        "source": "@bokeh",
        "span_ms": 86_400_000,
        "symbols": ["AAPLUSD"],
        "trained_from_ms": 0,
        "trained_to_ms": 5,
        "examples": 10,
        "horizon": 1,
        "penalty": 100.0,
        "measured": MEASURED,
        "intercept": 0.5,
        "features": [Feature(formula="rsi(14) / 100 - 0.5", mean=0.25, scale=0.5, coefficient=2.0)],
    }
    return Model(**given | changes)


def plain(**changes: Any) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(made())
    return built | changes


def some_values(chance: random.Random, price: float = 100.0) -> dict[str, float]:
    """Return indicators of a price such as a market has, in any unit."""
    levels = ["sma(20)", "sma(50)", "wma(20)", "vwap(20)", "ema(12)", "ema(26)"]
    values = {name: price * chance.uniform(0.9, 1.1) for name in levels}
    values["macd(12,26,9).histogram"] = price * chance.uniform(-0.05, 0.05)
    values["bollinger(20,2).lower"] = price * chance.uniform(0.8, 0.95)
    values["bollinger(20,2).upper"] = price * chance.uniform(1.05, 1.2)
    values["atr(14)"] = price * chance.uniform(0.01, 0.1)
    for name in ("rsi(14)", "stochastic(14,3,3).k", "stochastic(14,3,3).d"):
        values[name] = chance.uniform(0, 100)
    values["volatility(20)"] = chance.uniform(0.1, 0.9)
    return values


def test_a_forecast_is_that_of_scikit_learn():
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    observed = [some_values(chance) for _ in range(400)]
    rows = [features_of(100.0, values) for values in observed]
    rose = [chance.random() < 0.3 + 0.4 * (values["rsi(14)"] > 50) for values in observed]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(np.array(rows), rose)
    scaler, regression = pipeline
    features = [
        Feature(formula=formula, mean=mean, scale=scale, coefficient=coefficient)
        for formula, mean, scale, coefficient in zip(
            FORMULAS, scaler.mean_.tolist(), scaler.scale_.tolist(), regression.coef_[0].tolist(), strict=True
        )
    ]
    model = decode(made(features=features, intercept=regression.intercept_.item()).encode())
    ours = np.array([model.probability(values, 100.0) for values in observed])
    assert np.abs(ours - pipeline.predict_proba(np.array(rows))[:, 1]).max() <= 1e-12
    assert ours.min() < 0.4
    assert ours.max() > 0.6


def test_a_forecast_is_the_sigmoid_of_the_sum_of_terms():
    probability = made().probability({"rsi(14)": 50.0}, 10.0)
    assert probability == pytest.approx(1 / (1 + math.exp(-(0.5 + 2.0 * (0 - 0.25) / 0.5))), rel=1e-15)


def test_features_have_no_unit():
    small, large = (features_of(price, some_values(random.Random(SEED), price)) for price in (1.0, 1024.0))
    assert small == large
    assert small is not None
    assert len(small) == len(FORMULAS)


@pytest.mark.parametrize("missing", sorted(some_values(random.Random(SEED))))
def test_nothing_is_forecast_while_an_indicator_is_missing(missing: str):
    values = some_values(random.Random(SEED))
    terms = [Feature(formula=formula, mean=0.0, scale=1.0, coefficient=1.0) for formula in FORMULAS]
    model = made(features=terms)
    assert model.probability(values, 100.0) is not None
    del values[missing]
    assert model.probability(values, 100.0) is None
    assert features_of(100.0, values) is None


@pytest.mark.parametrize(
    ("formula", "values", "close"),
    [
        ("%b of bollinger(20,2) - 0.5", {"bollinger(20,2).lower": 1.0, "bollinger(20,2).upper": 1.0}, 1.0),
        ("atr(14) / close", {"atr(14)": 1.0}, 0.0),
        ("volatility(20)", {"volatility(20)": float("nan")}, 1.0),
        ("volatility(20)", {"volatility(20)": float("inf")}, 1.0),
    ],
)  # fmt: skip
def test_nothing_is_forecast_from_what_cannot_be_computed(formula: str, values: dict[str, float], close: float):
    model = made(features=[Feature(formula=formula, mean=0.0, scale=1.0, coefficient=1.0)])
    assert model.probability(values, close) is None


def test_the_greatest_sums_give_certainty_and_no_overflow():
    assert made(intercept=1e300).probability({"rsi(14)": 50.0}, 1.0) == 1.0
    assert made(intercept=-1e300).probability({"rsi(14)": 50.0}, 1.0) == 0.0


def test_a_model_is_its_file():
    assert decode(made().encode()) == made()
    assert made().numbered(7) == made(version=7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "its format is 2, but only 1 is known here"),
        ({"name": "../direction"}, "name"),
        ({"version": 0}, "version"),
        ({"horizon": 0}, "horizon"),
        ({"features": []}, "features"),
        ({"extra": 1}, "extra"),
        ({"features": [plain()["features"][0]] * 2}, "twice"),
        ({"features": [plain()["features"][0] | {"formula": "tea leaves"}]}, "'tea leaves' is no feature"),
        ({"features": [plain()["features"][0] | {"scale": 0.0}]}, "the scale of"),
        ({"features": [plain()["features"][0] | {"scale": -1.0}]}, "the scale of"),
        ({"features": [{"formula": "volatility(20)", "mean": 0.0, "scale": 1.0}]}, "coefficient"),
        ({"measured": plain()["measured"] | {"baselines": {}}}, "no baseline"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(changes: dict[str, Any], reason: str):
    with pytest.raises(ModelError, match=reason):
        decode(msgspec.json.encode(plain(**changes)))


@pytest.mark.parametrize(
    "encoded",
    [b"", b"{", b"[]", b"{}", b"null", b'{"format": 1}', b'{"format": "1"}', b"\xff", made().encode()[:-20],
     made().encode().replace(b"0.25", b"1e999"), made().encode().replace(b"0.25", b"NaN")],
)  # fmt: skip
def test_what_is_no_model_is_refused(encoded: bytes):
    with pytest.raises(ModelError, match="no model"):
        decode(encoded)


def test_a_file_of_brackets_in_brackets_is_refused():
    with pytest.raises(ModelError):
        decode(b'{"format":1,"name":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


def test_a_file_that_is_too_large_is_not_looked_at():
    with pytest.raises(ModelError, match="at most"):
        decode(made().encode() + b" " * FILE_BYTES_MAX)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_model_has_only_finite_numbers(number: float):
    with pytest.raises(ValueError, match="intercept"):
        made(intercept=number)
    for name in ("mean", "scale", "coefficient"):
        with pytest.raises(ValueError, match="finite"):
            Feature(**{"formula": "volatility(20)", "mean": 0.0, "scale": 1.0, "coefficient": 1.0, name: number})


def test_the_best_baseline_is_the_one_that_was_right_most_often():
    assert (MEASURED.best_baseline, round(MEASURED.lead, 12), MEASURED.margin) == ("up", -0.02, 0.05)
