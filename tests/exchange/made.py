"""Messages of any type, made by Hypothesis from the types themselves: a new message or field is covered as soon as it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from exchange import messages as m
from exchange.instruments import Instrument

Usual: TypeAlias = Mapping[str, st.SearchStrategy[Any]]
"""Values by the name of a field, for those that should rather be met than be any."""

INT64 = 2**63 - 1
INSTRUMENTS = (
    Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"),
    Instrument(symbol="AAPLUSD", base="AAPL", quote="USD", tick="0.02"),
    Instrument(symbol="AAPLUSD", base="AAPL", quote="EUR"),
    Instrument(symbol="GOOGUSD", base="GOOG", quote="USD", tick="0.1", lot="0.1", base_scale=1),
    Instrument(symbol="X", base="USD", quote="X", quote_scale=0, tick="1"),
)


def message(kind: Any, usual: Usual | None = None, *, often: float = 0.0) -> st.SearchStrategy[Any]:
    """Return messages of a type; `often` (0 to 1) is how probably a field takes its usual value, if it has one."""
    return _struct(inspect.type_info(kind), usual or {}, often)


def _struct(info: Any, usual: Usual, often: float) -> st.SearchStrategy[Any]:
    if info.cls is Instrument:
        return st.sampled_from(INSTRUMENTS)
    if info.cls is m.Bar:
        return _bars(info)
    fields = {field.name: _field(field, usual, often) for field in info.fields}
    required = {field.name: fields.pop(field.name) for field in info.fields if field.required}
    made = st.fixed_dictionaries(required, optional=fields)
    return made.map(lambda values: info.cls(**values))


def _field(field: Any, usual: Usual, often: float) -> st.SearchStrategy[Any]:
    anything = _of(field.type, usual, often)
    if field.name not in usual:
        return anything
    tens = round(often * 10)
    return st.integers(0, 9).flatmap(lambda ten: usual[field.name] if ten < tens else anything)


def _of(info: Any, usual: Usual, often: float) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911
    match info:
        case inspect.Metadata():
            return _of(info.type, usual, often)
        case inspect.IntType():
            low = -INT64 if info.ge is None else info.ge
            high = (info.lt - 1 if info.lt is not None else INT64) if info.le is None else info.le
            return st.integers(low, high)
        case inspect.StrType():
            if info.pattern is not None:
                return st.from_regex(info.pattern.replace(r"\Z", "$"), fullmatch=True).map(
                    lambda text: text.rstrip("\n")
                )
            return st.text(min_size=info.min_length or 0, max_size=info.max_length or 20)
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.UnionType():
            return st.one_of(*(_of(one, usual, often) for one in info.types))
        case inspect.StructType():
            return _struct(info, usual, often)
        case inspect.ListType():
            return st.lists(_of(info.item_type, usual, often), max_size=3)
        case inspect.TupleType():
            return st.tuples(*(_of(one, usual, often) for one in info.item_types))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.BytesType():
            return st.binary(max_size=20)
    raise TypeError(f"no values for {info}")


def _bars(info: Any) -> st.SearchStrategy[m.Bar]:
    """Return bars, whose prices must agree."""
    rest = {
        field.name: _of(field.type, {}, 0)
        for field in info.fields
        if field.name not in ("open", "high", "low", "close")
    }
    prices = st.lists(st.integers(1, m.PRICE_MAX), min_size=4, max_size=4).map(sorted)
    return st.tuples(st.fixed_dictionaries(rest), prices).map(
        lambda made: m.Bar(**made[0], low=made[1][0], open=made[1][1], close=made[1][2], high=made[1][3])
    )


def broken(value: Any) -> st.SearchStrategy[bytes]:
    """Return a message's JSON with one thing wrong: a field of another type, out of range, unknown, or missing."""
    tree = msgspec.json.decode(msgspec.json.encode(value))
    wrong = st.sampled_from((None, True, 1.5, -1, 2**64, "", "\u0000", [], {}, [{}], {"a": 1}, "9" * 100))

    def spoil(made: tuple[str, str, Any]) -> bytes:
        what, name, junk = made
        spoilt = dict(tree)
        if what == "drop":
            del spoilt[name]
        else:
            spoilt[name if what == "change" else "colour"] = junk
        return msgspec.json.encode(spoilt)

    return st.tuples(st.sampled_from(("drop", "change", "add")), st.sampled_from(sorted(tree)), wrong).map(spoil)
