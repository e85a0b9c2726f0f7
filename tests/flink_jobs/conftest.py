"""The mini cluster's Java process starts with the first job; thread mode finds its Python packages by `PYTHONPATH`."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def python_path_of_the_mini_cluster() -> None:
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(Path(__file__).parents[2])}
    os.environ["PYTHONPATH"] = os.pathsep.join([*packages, os.environ.get("PYTHONPATH", "")])
