"""Run seeds of the simulation: `python -m tests.simulation 123 124`."""

import sys

from tests.simulation.seeds import check

for text in sys.argv[1:]:
    check(int(text))
