"""What every indicator is: a fold over bars with little state, all of it plain data.

Theory of operation: an indicator is a struct. Its fields are its parameters, which come first and have no defaults, and its state, whose
defaults are the beginning. `step` takes the next bar's numbers, in the order of `inputs`, and returns the indicator after that bar, or None until
enough bars have come. So state is stored by encoding the struct, and copied by `clone`; the cost of a step does not depend on how many came before.
"""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar, Final, Self

import msgspec


class Study(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of all indicators. `inputs` are columns of a bar or of the book, `outputs` the names of what `step` returns a tuple of.

    An indicator with one output has `outputs` empty, and returns a number.
    """

    inputs: ClassVar[tuple[str, ...]] = ("close",)
    outputs: ClassVar[tuple[str, ...]] = ()

    def step(self, *numbers: Any, **_: Any) -> Any:
        """Take in the next bar's numbers and return the indicator after it, or None while there are too few."""
        raise NotImplementedError

    @property
    def warm_up(self) -> int:
        """How many bars it takes to the first value."""
        raise NotImplementedError

    def clone(self) -> Self:
        """Return a copy that goes its own way."""
        twin = copy(self)
        for name in self.__struct_fields__:
            value = getattr(self, name)
            kind = type(value)
            if kind is list:
                setattr(twin, name, value.copy())
            elif kind not in _PLAIN:
                setattr(twin, name, value.clone())
        return twin


_PLAIN: Final = frozenset((int, float, tuple, type(None)))
"""Kinds of fields that never change; all others are lists of numbers, or studies."""
