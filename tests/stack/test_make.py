"""`make help` and scripts/machine.sh: what is offered, and what is said where something is missing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("bash", "dirname", "env", "find", "grep", "id", "java", "mvn", "redis-server")


def test_help_lists_every_target_for_people() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = re.findall(r"^  make (\w+) +\S", said.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(set(phony[1].split()) - {"machine", "machine-dev"})


@pytest.fixture
def without_a_browser(tmp_path: Path) -> dict[str, str]:
    """An environment with all that a stack needs, but no browser, and no means to install one."""
    for name in NEEDED:
        path = shutil.which(name)
        assert path is not None, f"{name} is missing"
        (tmp_path / name).symlink_to(path)
    return {"PATH": str(tmp_path), "PYTHON": sys.executable}


def machine(environment: dict[str, str], *options: str) -> tuple[int, str]:
    script = [str(ROOT / "scripts" / "machine.sh"), *options]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_stack_needs_no_browser(without_a_browser: dict[str, str]) -> None:
    assert machine(without_a_browser) == (0, "")


def test_the_tests_need_a_browser_and_say_so(without_a_browser: dict[str, str]) -> None:
    code, said = machine(without_a_browser, "--dev")
    assert code == 3
    assert "chromium" in said


def test_any_known_browser_will_do(without_a_browser: dict[str, str]) -> None:
    (Path(without_a_browser["PATH"]) / "google-chrome").symlink_to(str(shutil.which("java")))
    assert machine(without_a_browser, "--dev") == (0, "")
