"""A job's folder of models: what is in use while files come, change, break and go."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from flink_jobs.model_folder import ModelFolder, publish, read, versions
from udfs.forecast import Feature, Measured, Model, ModelError, Score

GUESS = Score(accuracy=0.5, brier=0.25, log_loss=0.7)
MEASURED = Measured(folds=1, forecasts=1, from_ms=0, to_ms=0, model=GUESS, baselines={"majority": GUESS})


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def made(version: int, name: str = "direction") -> Model:
    return Model(
        name=name,
        version=version,
        source="@bokeh",
        span_ms=86_400_000,
        symbols=["AAPLUSD"],
        trained_from_ms=0,
        trained_to_ms=5,
        examples=10,
        horizon=1,
        penalty=100.0,
        measured=MEASURED,
        intercept=float(version),
        features=[Feature(formula="volatility(20)", mean=0.25, scale=0.5, coefficient=2.0)],
    )


def put(folder: Path, version: int, content: bytes | None = None) -> None:
    """Put a file in place as the documents say: under another name, then renamed."""
    draft = folder / "draft"
    draft.write_bytes(made(version).encode() if content is None else content)
    draft.rename(folder / f"direction-v{version}.json")


class Watched:
    """A folder, what is in use of it, and what was said."""

    def __init__(self, folder: Path, said: pytest.LogCaptureFixture) -> None:
        self.folder = folder
        self.clock = Clock()
        self.models = ModelFolder(folder, "direction", monotonic_s=self.clock)
        self.said = said

    def later(self) -> int | None:
        """Return the version in use after a look that is due, or None."""
        self.clock.now_s += 5
        return self.now()

    def now(self) -> int | None:
        model = self.models.current()
        return None if model is None else model.version

    def warnings(self) -> list[str]:
        found = [record.getMessage() for record in self.said.records if record.levelno >= logging.WARNING]
        self.said.clear()
        return [text.replace(f"{self.folder}/", "") for text in found]


@pytest.fixture
def watched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Watched:
    return Watched(tmp_path, caplog)


def test_the_newest_version_is_used_by_number_and_not_by_the_alphabet(watched: Watched):
    for version in (2, 10, 9):
        put(watched.folder, version)
    assert watched.now() == 10


def test_a_new_version_is_used_after_a_pause_and_without_a_gap(watched: Watched):
    put(watched.folder, 1)
    assert watched.now() == 1
    put(watched.folder, 2)
    watched.clock.now_s += 4.9
    assert watched.now() == 1
    watched.clock.now_s += 0.1
    assert watched.now() == 2
    assert watched.warnings() == []


def test_a_folder_may_come_later(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    watched = Watched(tmp_path / "models", caplog)
    assert (watched.now(), watched.later()) == (None, None)
    publish(made(1), watched.folder)
    assert watched.later() == 1
    assert watched.warnings() == []


def test_a_bad_file_leaves_the_old_model_in_use_and_is_told_once(watched: Watched):
    put(watched.folder, 1)
    assert watched.now() == 1
    put(watched.folder, 2, made(2).encode()[:-30])
    assert [watched.later() for _ in range(3)] == [1, 1, 1]
    [warning] = watched.warnings()
    assert warning.startswith("the model direction-v2.json is passed over: it is no model: ")
    put(watched.folder, 2, b'{"format": 9}')
    assert [watched.later() for _ in range(2)] == [1, 1]
    assert watched.warnings() == [
        "the model direction-v2.json is passed over: its format is 9, but only 1 is known here"
    ]
    put(watched.folder, 2)
    assert watched.later() == 2
    assert watched.warnings() == []


@pytest.mark.parametrize("size", [0, 1, 100, len(made(2).encode()) - 2])
def test_no_partly_written_file_is_ever_used(watched: Watched, size: int):
    put(watched.folder, 1)
    whole = made(2).encode()
    with (watched.folder / "direction-v2.json").open("wb", buffering=0) as file:
        file.write(whole[:size])
        assert watched.now() == 1
        assert watched.later() == 1
        file.write(whole[size:])
    assert watched.later() == 2


def test_the_first_sound_file_is_used_where_the_newest_is_bad_from_the_start(watched: Watched):
    put(watched.folder, 1)
    put(watched.folder, 2, b"")
    put(watched.folder, 3, b"[]")
    assert watched.now() == 1
    assert len(watched.warnings()) == 2


def test_a_version_that_is_taken_away_gives_way_to_the_one_before(watched: Watched):
    put(watched.folder, 1)
    put(watched.folder, 2)
    assert watched.now() == 2
    (watched.folder / "direction-v2.json").unlink()
    assert watched.later() == 1
    (watched.folder / "direction-v1.json").unlink()
    assert watched.later() == 1


def test_a_file_that_is_replaced_under_its_name_is_read_again(watched: Watched):
    put(watched.folder, 1)
    assert watched.now() == 1
    put(watched.folder, 1, msgspec.json.encode(msgspec.structs.replace(made(1), intercept=-3.5)))
    assert watched.later() == 1
    model = watched.models.current()
    assert model is not None
    assert model.intercept == -3.5


def test_a_file_must_be_what_its_name_says(watched: Watched):
    put(watched.folder, 3, made(2).encode())
    assert watched.now() is None
    assert watched.warnings() == ["the model direction-v3.json is passed over: it says that it is direction-v2"]
    with pytest.raises(ModelError, match="direction-v2"):
        read(watched.folder / "direction-v3.json")


def test_other_files_of_the_folder_do_not_matter(watched: Watched):
    for name in ("direction-v2.json.tmp", "direction-v02.json", "direction-v2.JSON", "other-v5.json", "direction-v3.txt", ".direction-v4.json"):  # fmt: skip
        (watched.folder / name).write_bytes(made(2).encode())
    put(watched.folder, 1)
    assert watched.now() == 1
    assert watched.warnings() == []


def test_what_cannot_be_read_is_told_once(watched: Watched):
    put(watched.folder, 1)
    (watched.folder / "direction-v2.json").mkdir()
    assert [watched.now(), watched.later(), watched.later()] == [1, 1, 1]
    assert len(watched.warnings()) == 1


def test_publishing_takes_the_next_number_of_the_name_and_leaves_nothing_else(tmp_path: Path):
    folder = tmp_path / "new" / "models"
    paths = [publish(made(5), folder), publish(made(5), folder), publish(made(1, "other"), folder)]
    assert [path.name for path in paths] == ["direction-v1.json", "direction-v2.json", "other-v1.json"]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert [read(path).version for path in paths] == [1, 2, 1]
    assert read(paths[1]) == made(5).numbered(2)
    assert versions(folder, "direction") == {1: paths[0], 2: paths[1]}


def test_models_published_at_once_get_numbers_of_their_own(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda number: publish(made(number), tmp_path), range(1, 33)))
    assert sorted(versions(tmp_path, "direction")) == list(range(1, 33))
    assert len(set(paths)) == 32
    assert sorted(read(path).intercept for path in paths) == [float(number) for number in range(1, 33)]
    assert len(list(tmp_path.iterdir())) == 32
