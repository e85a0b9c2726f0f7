"""How long a pace waits, on a clock that only its own sleeping moves."""

from exchange.candles import DAY_MS
from replay.pace import Pace, Stop


class Wall:
    """A clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def waited(times_ms: list[int], speed: float | None, stop: Stop | None = None) -> list[float]:
    wall = Wall()
    pace = Pace(speed, stop or Stop(), lambda: wall.now, wall.sleep)
    moments = []
    for time_ms in times_ms:
        pace.wait(time_ms)
        moments.append(round(wall.now - 100.0, 6))
    return moments


def test_a_day_a_second() -> None:
    assert waited([5 * DAY_MS, 5 * DAY_MS + DAY_MS // 4, 6 * DAY_MS], 86_400) == [0.0, 0.25, 1.0]


def test_a_weekend_lasts_no_longer_than_a_day() -> None:
    assert waited([0, 3 * DAY_MS, 4 * DAY_MS], 86_400) == [0.0, 1.0, 2.0]


def test_without_a_speed_nothing_waits() -> None:
    assert waited([0, 9 * DAY_MS], None) == [0.0, 0.0]


def test_a_stop_ends_every_wait() -> None:
    assert waited([0, DAY_MS, 2 * DAY_MS], 1, Stop(asked=True)) == [0.0, 0.0, 0.0]
