"""The examples in the docstrings of all folders hold."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("exchange", "wire", "udfs", "flink_jobs", "generator", "replay", "gateway", "openbell")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name: str) -> None:
    tried = doctest.testmod(importlib.import_module(name))
    assert (tried.failed, tried.attempted > 0) == (0, True)


def test_the_modules_are_found() -> None:
    assert {"udfs.indicators.averages", "gateway.endowment", "exchange.money", "openbell.directory"} <= set(MODULES)
