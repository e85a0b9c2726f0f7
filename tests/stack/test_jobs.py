"""From where a job starts, and what is kept for that."""

from pathlib import Path

import pytest

from openbell.home import write_json
from openbell.settings import Settings
from openbell.stack.jobs import RUNS_KEPT_MAX, Jobs, Record, _cause

RUN, NEXT_RUN = "a" * 32, "b" * 32


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Settings.from_mapping({"OPENBELL_HOME": str(tmp_path)}))


def checkpoint(jobs: Jobs, run: str, number: int, *, complete: bool = True) -> Path:
    folder = jobs.home.data / "checkpoints" / run / f"chk-{number}"
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").touch()
    return folder


def savepoint(jobs: Jobs) -> Path:
    folder = jobs.home.data / "savepoints" / "matching" / "savepoint-1"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_job_that_never_ran_starts_from_nothing(jobs: Jobs) -> None:
    assert jobs.start_point("matching") is None


def test_after_a_stop_a_job_starts_from_its_savepoint(jobs: Jobs) -> None:
    checkpoint(jobs, RUN, 7)
    jobs._remember("matching", Record(runs=[RUN], savepoint=str(savepoint(jobs)), fresh=True))
    assert jobs.start_point("matching") == savepoint(jobs)


def test_after_a_crash_a_job_starts_from_the_newest_complete_checkpoint_of_its_last_run(jobs: Jobs) -> None:
    checkpoint(jobs, RUN, 99)
    checkpoint(jobs, NEXT_RUN, 9)
    newest = checkpoint(jobs, NEXT_RUN, 10)
    checkpoint(jobs, NEXT_RUN, 11, complete=False)
    jobs._remember("matching", Record(runs=[RUN, NEXT_RUN], savepoint=str(savepoint(jobs))))
    assert jobs.start_point("matching") == newest


def test_after_a_crash_before_the_first_checkpoint_a_job_starts_where_that_run_did(jobs: Jobs) -> None:
    jobs._remember("matching", Record(runs=[RUN], savepoint=str(savepoint(jobs))))
    assert jobs.start_point("matching") == savepoint(jobs)


def test_a_savepoint_that_someone_deleted_is_not_started_from(jobs: Jobs) -> None:
    jobs._remember("matching", Record(runs=[], savepoint=str(jobs.home.data / "gone"), fresh=True))
    assert jobs.start_point("matching") is None


def test_checkpoints_of_long_forgotten_runs_are_deleted(jobs: Jobs) -> None:
    runs = [letter * 32 for letter in "abcd"][:RUNS_KEPT_MAX]
    first, *_ = [checkpoint(jobs, run, 1) for run in runs]
    jobs._prune(Record(runs=runs), first)
    assert first.exists()
    jobs._prune(Record(runs=runs), None)
    assert sorted(folder.name for folder in (jobs.home.data / "checkpoints").iterdir()) == runs[1:]


def test_records_of_two_jobs_do_not_meet(jobs: Jobs) -> None:
    jobs._remember("matching", Record(runs=[RUN]))
    jobs._remember("accounts", Record(runs=[NEXT_RUN]))
    write_json(jobs.home.jobs / "other.json", {})
    assert (jobs.record("matching").runs, jobs.record("accounts").runs) == ([RUN], [NEXT_RUN])


def test_the_cause_of_a_failure_is_the_innermost_one() -> None:
    java = "Flink: failed\n\tat x.y(Z.java:1)\nCaused by: a.B: outer\n\tat c.d(E.java:2)\nCaused by: f.G: inner\n\t... 5 more\n"
    assert _cause(java) == "f.G: inner"
    assert (
        _cause(java + 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: wrong\n')
        == "ValueError: wrong"
    )
