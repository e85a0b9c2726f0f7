"""How a service is run that is a Python module of ours."""

import sys

from openbell.stack import flink
from openbell.supervise.service import Service


def python_service(name: str, module: str, arguments: list[str], stop_s: float = 10) -> Service:
    """The service that runs a module with these arguments."""
    return Service(
        name=name,
        command=[sys.executable, "-P", "-m", module, *arguments],
        environment={"PYTHONPATH": flink.python_path(), "MALLOC_ARENA_MAX": "2"},
        stop_s=stop_s,
    )
