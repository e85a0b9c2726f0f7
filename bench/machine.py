"""What a figure was measured on, and the one way in which figures are summed up."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles


def describe() -> str:
    """Return cores, processor, Python and the load of the last minute."""
    info = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "unknown"
    )
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, load {load()}"


def load() -> str:
    """Return the load of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of at least two values, `percent` from 1 to 99."""
    return quantiles(values, n=100)[percent - 1]
