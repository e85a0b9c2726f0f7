"""The examples in the docstrings of gateway/identity are true."""

import doctest
import importlib
from pathlib import Path

import pytest

import gateway.identity

MODULES = sorted(path.stem for path in Path(gateway.identity.__path__[0]).glob("*.py") if ">>>" in path.read_text())


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name: str):
    assert doctest.testmod(importlib.import_module(f"gateway.identity.{name}")).failed == 0
