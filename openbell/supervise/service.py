"""What a supervisor is given to run."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Service:
    """One service: what to run, what to add to the environment, how many seconds it may take to stop."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    stop_s: float = 15.0
