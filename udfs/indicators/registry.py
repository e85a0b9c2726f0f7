"""Indicators by name, such as `macd(12,26,9)`: the study that computes one, and the names of what it gives.

A name is the indicator's, and its parameters in brackets where it has any. A study that gives several numbers names all but the
one that is called like itself with a point: `macd(12,26,9)`, `macd(12,26,9).signal`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, get_args

from udfs.indicators.averages import Ema, Sma, Wma
from udfs.indicators.bands import Atr, Bollinger, Volatility
from udfs.indicators.book import DepthImbalance, OrderFlowImbalance, Spread
from udfs.indicators.checks import InvalidIndicator
from udfs.indicators.momentum import Macd, Rsi, Stochastic
from udfs.indicators.volume import Obv, Vwap
from udfs.study import Study

AnyStudy: TypeAlias = (
    Sma
    | Ema
    | Wma
    | Vwap
    | Rsi
    | Macd
    | Bollinger
    | Atr
    | Obv
    | Stochastic
    | Volatility
    | Spread
    | DepthImbalance
    | OrderFlowImbalance
)
"""Any indicator; msgspec tells them apart by their tags, which are their names."""

STUDIES: Final[Mapping[str, type[AnyStudy]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyStudy)}

DEFAULTS: Final = (
    "sma(20)",
    "sma(50)",
    "ema(12)",
    "ema(26)",
    "wma(20)",
    "vwap(20)",
    "rsi(14)",
    "macd(12,26,9)",
    "bollinger(20,2)",
    "atr(14)",
    "obv",
    "stochastic(14,3,3)",
    "volatility(20)",
)
"""The indicators of bars (docs/ANALYTICS.md, 3.3)."""

BOOK_DEFAULTS: Final = ("spread", "depth_imbalance(5)", "order_flow_imbalance")
"""Those of the book."""

_NAME: Final = re.compile(r"([a-z_]+)(?:\(([0-9., ]*)\))?", re.ASCII)
_NUMBER: Final = re.compile(r" *([0-9]{1,9})(\.[0-9]{1,20})? *", re.ASCII)
_NAME_LENGTH_MAX: Final = 64


def parse(name: str) -> AnyStudy:
    """Return a new study of this name. Blanks between the parameters do not matter.

    >>> parse("macd(12, 26, 9)")
    Macd(fast=12, slow=26, signal=9, bars=0, fast_average=0.0, slow_average=0.0, signal_average=0.0)
    >>> parse("sma")
    Traceback (most recent call last):
    udfs.indicators.checks.InvalidIndicator: indicator 'sma': it has 0 parameters, not 1; write sma(period), such as sma(20)

    Raises:
        InvalidIndicator: if there is none of this name, or a parameter is missing, too many or out of range.
    """
    shown = repr(name if len(name) <= _NAME_LENGTH_MAX else name[:_NAME_LENGTH_MAX] + "...")
    found = _NAME.fullmatch(name) if len(name) <= _NAME_LENGTH_MAX else None
    kind = STUDIES.get(found[1]) if found else None
    if found is None or kind is None:
        raise InvalidIndicator(f"there is no indicator {shown}; there are {', '.join(map(_usage, STUDIES.values()))}")
    try:
        return _made(kind, found[2].split(",") if found[2] else [])
    except InvalidIndicator as error:
        raise InvalidIndicator(f"indicator {shown}: {error}; write {_usage(kind)}{_example(found[1])}") from None


def name_of(study: Study) -> str:
    """Return the name from which `parse` makes such a study.

    >>> name_of(parse("bollinger(20, 2.0)"))
    'bollinger(20,2)'
    """
    kind = type(study)
    return _name(kind, _settings(study))


def output_names(study: Study) -> tuple[str, ...]:
    """Return the names of the numbers that a study's step returns, in their order.

    >>> output_names(parse("stochastic(14,3,3)"))
    ('stochastic(14,3,3).k', 'stochastic(14,3,3).d')
    """
    return _output_names(type(study), _settings(study))


def values(name: str, result: Any) -> dict[str, float]:
    """Return what a study's step returned, by the names of its numbers; nothing where it returned None.

    >>> values("macd(12,26,9)", (2.0, 1.5, 0.5))
    {'macd(12,26,9)': 2.0, 'macd(12,26,9).signal': 1.5, 'macd(12,26,9).histogram': 0.5}

    Raises:
        InvalidIndicator: as `parse`.
    """
    if result is None:
        return {}
    names = _output_names_of(name)
    return dict(zip(names, result if len(names) > 1 else (result,), strict=True))


def _made(kind: type[AnyStudy], texts: list[str]) -> AnyStudy:
    wanted = len(_parameters(kind))
    make: Callable[..., AnyStudy] = kind
    if len(texts) != wanted:
        raise InvalidIndicator(f"it has {len(texts)} parameter{'' if len(texts) == 1 else 's'}, not {wanted}")
    return make(*map(_number, texts))


def _parameters(kind: type[Study]) -> tuple[str, ...]:
    """Return the fields that have no defaults."""
    fields = kind.__struct_fields__
    return fields[: len(fields) - len(kind.__struct_defaults__)]


def _settings(study: Study) -> tuple[float, ...]:
    return tuple([getattr(study, name) for name in _parameters(type(study))])


@lru_cache(maxsize=1024)
def _name(kind: type[Study], settings: tuple[float, ...]) -> str:
    return f"{kind.__struct_config__.tag}" + (f"({','.join(map(_text, settings))})" if settings else "")


@lru_cache(maxsize=1024)
def _output_names(kind: type[Study], settings: tuple[float, ...]) -> tuple[str, ...]:
    name = _name(kind, settings)
    return tuple(f"{name}.{output}" if output else name for output in kind.outputs or ("",))


@lru_cache(maxsize=1024)
def _output_names_of(name: str) -> tuple[str, ...]:
    return output_names(parse(name))


def _number(text: str) -> float:
    """Read a parameter: a whole number, or one with decimals."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise InvalidIndicator(f"{text.strip()!r} is not a number")
    return float(text) if found[2] else int(text)


def _text(setting: float) -> str:
    """Write a parameter as short as it can be: 2.0 as 2."""
    return str(int(setting)) if setting == int(setting) else repr(setting)


def _usage(kind: type[Study]) -> str:
    parameters = _parameters(kind)
    return f"{kind.__struct_config__.tag}" + (f"({','.join(parameters)})" if parameters else "")


def _example(kind: str) -> str:
    """Return how to say that a default indicator of this kind is an example; nothing where it has no parameters."""
    found = next(name for name in (*DEFAULTS, *BOOK_DEFAULTS) if name.partition("(")[0] == kind)
    return "" if found == kind else f", such as {found}"
