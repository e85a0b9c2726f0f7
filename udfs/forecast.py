"""A model's forecast: how probable it is that the close, some bars ahead, will be higher than that of the bar just closed.

Theory of operation: a model is a regularised logistic regression, and its file is JSON (`Model`): a term for each feature and an intercept. So a
forecast is a sum and a sigmoid, and needs no library. A feature is named by its formula, made of indicators so that it has no unit: a model
trained on shares at 500 USD can be asked of one at 5. `openbell forecast train` makes the files (replay/forecast.py), and measures them.

Source: T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd edition (2009), 4.4 (logistic regression), 7.10 (validation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp, isfinite, sqrt
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from exchange.analysis import Part, Span
from exchange.errors import ExchangeError
from exchange.messages import Millis, Name, Seq

FORMAT: Final = 1
"""The version of the file's format that this module writes and reads."""
FILE_BYTES_MAX: Final = 1_000_000
HORIZON_MAX: Final = 100
FEATURES_MAX: Final = 100

ModelName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}\Z")]
Bars = Annotated[int, Meta(ge=1, le=HORIZON_MAX)]
Values: TypeAlias = Mapping[str, float]


class ModelError(ExchangeError):
    """A model file that cannot be used, and why."""


FORMULAS: Final[dict[str, Callable[[float, Values], float]]] = {
    "close / sma(20) - 1": lambda close, of: close / of["sma(20)"] - 1,
    "sma(20) / sma(50) - 1": lambda _, of: of["sma(20)"] / of["sma(50)"] - 1,
    "close / wma(20) - 1": lambda close, of: close / of["wma(20)"] - 1,
    "close / vwap(20) - 1": lambda close, of: close / of["vwap(20)"] - 1,
    "(ema(12) - ema(26)) / close": lambda close, of: (of["ema(12)"] - of["ema(26)"]) / close,
    "macd(12,26,9).histogram / close": lambda close, of: of["macd(12,26,9).histogram"] / close,
    "rsi(14) / 100 - 0.5": lambda _, of: of["rsi(14)"] / 100 - 0.5,
    "stochastic(14,3,3).k / 100 - 0.5": lambda _, of: of["stochastic(14,3,3).k"] / 100 - 0.5,
    "stochastic(14,3,3).d / 100 - 0.5": lambda _, of: of["stochastic(14,3,3).d"] / 100 - 0.5,
    "%b of bollinger(20,2) - 0.5": lambda close, of: (
        (close - of["bollinger(20,2).lower"]) / (of["bollinger(20,2).upper"] - of["bollinger(20,2).lower"]) - 0.5
    ),
    "atr(14) / close": lambda close, of: of["atr(14)"] / close,
    "volatility(20)": lambda _, of: of["volatility(20)"],
}
"""What can be a feature: its name, which is its formula, and the function of a bar's close and indicators that it is.

A close and the values it is compared with are in the same unit, whatever that is; %b is (close - lower band) / (upper - lower band).
They raise KeyError where an indicator is not warm yet, and ZeroDivisionError where a price or a band's width is 0.
"""


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A term of the sum: `coefficient` x (the formula's value - `mean`) / `scale`. Mean and scale are those of the training."""

    formula: str
    mean: float
    scale: float
    coefficient: float

    def __post_init__(self) -> None:
        if self.formula not in FORMULAS:
            raise ValueError(f"{self.formula!r} is no feature that is known here")
        _check_finite(self.formula, self.mean, self.scale, self.coefficient)
        if self.scale <= 0:
            raise ValueError(f"the scale of {self.formula!r} is {self.scale}, but must be above 0")


class Score(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How good forecasts were: the part that was right (above one half meaning a rise), and two mean losses, less being better.

    `brier` is the mean squared difference of probability and outcome, 0 to 1 (one half, always, has 0.25). `log_loss` is the mean of
    -ln(probability of what happened), 0.693 for one half, always; None for forecasts that are certain, of which one wrong one costs infinity.
    """

    accuracy: Part
    brier: Part
    log_loss: Annotated[float, Meta(ge=0)] | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What walking forward gave: `model` and each of the `baselines` scored on the same `forecasts`, none of which was trained on.

    `folds` parts of time were forecast, each by a model of what came before it; `from_ms` and `to_ms` are the first and the last bar
    that were forecast from. Baselines: `up` (always a rise), `majority` (the part of rises in what came before, as the probability) and `yesterday`
    (the close moves on as it did over the last `horizon` bars).
    """

    folds: Seq
    forecasts: Seq
    from_ms: Millis
    to_ms: Millis
    model: Score
    baselines: dict[str, Score]

    def __post_init__(self) -> None:
        if not self.baselines:
            raise ValueError("no baseline stands beside the model's score")

    @property
    def best_baseline(self) -> str:
        """The baseline that was right most often; of equal ones the first by name."""
        return min(self.baselines, key=lambda name: (-self.baselines[name].accuracy, name))

    @property
    def lead(self) -> float:
        """By how much of all forecasts the model was right more often than the best baseline; below 0, less often."""
        return self.model.accuracy - self.baselines[self.best_baseline].accuracy

    @property
    def margin(self) -> float:
        """What chance alone moves an accuracy by: two standard errors of the mean of coin tosses, 2 sqrt(0.25 / forecasts).

        It is more where forecasts depend on each other, as those of several symbols on one day do.
        """
        return 1 / sqrt(self.forecasts)


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, and what it was made of: bars of `span_ms` of `symbols`, from that of `trained_from_ms` to that of `trained_to_ms`.

    It forecasts closes `horizon` bars ahead. `examples` were trained on, with `penalty` times half the sum of the squared coefficients added to the
    loss. Over the span that it was trained on it has seen the answers: what it says of those bars measures nothing, `measured` does.

    Raises:
        ValueError: if it has no features, one twice, an unknown one, or a number that is not finite.
    """

    format: int = FORMAT
    name: ModelName
    version: Annotated[int, Meta(ge=1, le=999_999)]
    source: Name
    span_ms: Span
    symbols: list[Name]
    trained_from_ms: Millis
    trained_to_ms: Millis
    examples: Seq
    horizon: Bars
    penalty: Annotated[float, Meta(ge=0)]
    measured: Measured
    intercept: float
    features: Annotated[list[Feature], Meta(min_length=1, max_length=FEATURES_MAX)]

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"its format is {self.format}, but only {FORMAT} is known here")
        if len({feature.formula for feature in self.features}) < len(self.features):
            raise ValueError("a feature is there twice")
        _check_finite("the intercept", self.intercept)

    def probability(self, values: Values, close: float) -> float | None:
        """Return the probability, 0 to 1, that the close `horizon` bars after this one is higher; None while a feature is missing.

        `values` are the indicators after a closed bar, by name, and `close` is its close in the same unit.
        """
        score = self.intercept
        try:
            for feature in self.features:
                value = FORMULAS[feature.formula](close, values)
                score += feature.coefficient * (value - feature.mean) / feature.scale
        except (KeyError, ZeroDivisionError):
            return None
        return sigmoid(score) if isfinite(score) else None

    def numbered(self, version: int) -> Model:
        """Return the same model as another version."""
        return msgspec.structs.replace(self, version=version)

    def encode(self) -> bytes:
        """Return its file: JSON, indented to be read and compared by people."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class _Head(msgspec.Struct):
    format: int


def decode(encoded: bytes) -> Model:
    """Read a model file.

    Raises:
        ModelError: if it is no model, one of another format, or one that cannot be computed with; it says which.
    """
    if len(encoded) > FILE_BYTES_MAX:
        raise ModelError(f"it has {len(encoded)} bytes, and a model at most {FILE_BYTES_MAX}")
    try:
        head = msgspec.json.decode(encoded, type=_Head)
        if head.format != FORMAT:
            raise ModelError(f"its format is {head.format}, but only {FORMAT} is known here")
        return msgspec.json.decode(encoded, type=Model)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ModelError(f"it is no model: {error}") from error


def features_of(close: float, values: Values) -> list[float] | None:
    """Return the features of a closed bar, in the order of `FORMULAS`, or None while one is missing."""
    try:
        found = [formula(close, values) for formula in FORMULAS.values()]
    except (KeyError, ZeroDivisionError):
        return None
    return found if all(map(isfinite, found)) else None


def sigmoid(score: float) -> float:
    """Return 1 / (1 + e^-score), without overflow.

    >>> sigmoid(0.0), sigmoid(-1000.0), sigmoid(1000.0)
    (0.5, 0.0, 1.0)
    """
    if score >= 0:
        return 1 / (1 + exp(-score))
    raised = exp(score)
    return raised / (1 + raised)


def _check_finite(what: str, *numbers: float) -> None:
    if not all(map(isfinite, numbers)):
        raise ValueError(f"a number of {what!r} is not finite")
