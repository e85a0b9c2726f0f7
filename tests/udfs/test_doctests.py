"""The examples in the docstrings of `udfs` hold."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import udfs

MODULES = sorted(found.name for found in pkgutil.walk_packages(udfs.__path__, "udfs.") if found.name != "udfs.adapter")


@pytest.mark.parametrize("name", ["udfs", *MODULES])
def test_the_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_modules_are_found() -> None:
    assert {"udfs.study", "udfs.indicators.averages", "udfs.indicators.registry"} <= set(MODULES)
