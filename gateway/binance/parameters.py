"""Takes the parameters of a request as Binance does, and says of one that is wrong what Binance says of it.

A parameter that is not known, is sent twice, is empty, or has characters that it cannot have is refused: it is never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from litestar import Request

from exchange.money import UNITS_MAX
from gateway.binance.errors import DUPLICATES, BinanceError

T = TypeVar("T")
Weight: TypeAlias = int | Callable[[Mapping[str, str]], int]
"""What a route costs: handlers have it in `opt["weight"]`; a function is given the query's parameters as they were sent, right or wrong."""

SYMBOL: Final = "^[A-Z0-9-_.]{1,32}$"
SYMBOLS: Final = r'^\["[A-Z0-9-_.]{1,32}"(,"[A-Z0-9-_.]{1,32}"){0,}\]$'
WHOLE: Final = "^[0-9]{1,20}$"
DECIMAL: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_ID: Final = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
"""The legal ranges that are told to who leaves them."""
_PATTERNS: Final = {
    SYMBOL: re.compile(r"[A-Z0-9\-_.]{1,32}"),
    SYMBOLS: re.compile(r'\["[A-Z0-9\-_.]{1,32}"(,"[A-Z0-9\-_.]{1,32}")*\]'),
    WHOLE: re.compile(r"[0-9]{1,20}", re.ASCII),
    DECIMAL: re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII),
    CLIENT_ID: re.compile(r"[.A-Z:/a-z0-9_\-]{1,36}"),
}
LISTED_MAX: Final = 500
"""Greatest number of symbols in one list."""


def legal_pattern(legal: str) -> str:
    """Return what is really taken of a legal range, as a pattern that other languages read, too."""
    return f"^(?:{_PATTERNS[legal].pattern})$"


class Parameters:
    """The parameters of one request by name, each there at most once."""

    def __init__(self, sent: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        """Take what was sent, of which only `known` may be there."""
        pairs, names = list(sent), frozenset(known)
        self._values = dict(pairs)
        if len(self._values) < len(pairs):
            raise BinanceError(-1101, text=DUPLICATES)
        if len(pairs) > len(names):
            raise BinanceError(-1101, len(names), len(pairs))
        read = names & self._values.keys()
        if len(read) < len(pairs):
            raise BinanceError(-1104, len(read), len(pairs))

    @classmethod
    def of_query(cls, request: Request[Any, Any, Any], *known: str) -> Parameters:
        """Take the parameters of a request's query."""
        return cls(request.query_params.multi_items(), known)

    def has(self, name: str) -> bool:
        """Say whether a parameter was sent."""
        return name in self._values

    def given(self, *names: str) -> list[str]:
        """Return those of some names that were sent."""
        return [name for name in names if name in self._values]

    def text(self, name: str, legal: str = "", default: str | None = None) -> str:
        """Return a parameter, which must be in a legal range, if one is named. No default: it must be there."""
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise BinanceError(-1102, name)
            return default
        if not value:
            raise BinanceError(-1105, name)
        if legal and not _PATTERNS[legal].fullmatch(value):
            raise BinanceError(-1100, name, legal)
        return value

    def symbol(self) -> str:
        """Return the parameter `symbol`, which need not be one that is listed."""
        return self.text("symbol", SYMBOL)

    def symbols(self) -> list[str] | None:
        """Return the list `symbols` (a JSON array), each there once; None if it was not sent."""
        if not self.has("symbols"):
            return None
        named: list[str] = msgspec.json.decode(self.text("symbols", SYMBOLS))
        if len(named) > LISTED_MAX:
            raise BinanceError(-1101, LISTED_MAX, len(named))
        if len(set(named)) < len(named):
            raise BinanceError(-1151)
        return named

    def whole(self, name: str, default: T = None, least: int = 0, greatest: int = UNITS_MAX) -> int | T:  # type: ignore[assignment]
        """Return a whole number, or the default."""
        if not self.has(name):
            return default
        number = int(self.text(name, WHOLE))
        if number > UNITS_MAX:
            raise BinanceError(-1108, name)
        if not least <= number <= greatest:
            raise BinanceError(-1130, name)
        return number

    def limit(self, default: int, greatest: int) -> int:
        """Return how many are wanted: what is more than `greatest` is `greatest`, as Binance has it."""
        return min(self.whole("limit", default, least=1), greatest)

    def decimal(self, name: str) -> str:
        """Return a plain decimal number as it was written."""
        return self.text(name, DECIMAL)

    def choice(self, name: str, choices: Mapping[str, T], refusal: BinanceError, default: T | None = None) -> T:
        """Return what one of some texts stands for. No default: it must be there."""
        if default is not None and not self.has(name):
            return default
        text = self.text(name)
        if text not in choices:
            raise refusal
        return choices[text]

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes or no."""
        return self.choice(name, {"true": True, "false": False}, BinanceError(-1130, name), default)
