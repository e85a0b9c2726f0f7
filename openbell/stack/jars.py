"""The jars that do not come with the apache-flink package: the Kafka broker, and Flink's Kafka connector. Maven fetches them once."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from openbell.errors import NotReadyError, OpenbellError

POM = Path(__file__).with_name("pom.xml")
PROFILES = ("kafka", "flink")
_FETCH_S = 900


def missing(jars: Path) -> list[str]:
    """The parts that are not there yet, or were fetched for another pom.xml."""
    return [profile for profile in PROFILES if not _complete(jars, profile)]


def fetch(jars: Path) -> None:
    """Fetch what is missing. Several stacks may do so at once: the first does the work. Raises OpenbellError."""
    if not missing(jars):
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise NotReadyError(
            "Maven is missing; as root: apt-get install maven (it fetches Kafka and Flink's Kafka connector)"
        )
    jars.mkdir(parents=True, exist_ok=True)
    with (jars / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for profile in missing(jars):
            _copy(maven, jars, profile)


def _copy(maven: str, jars: Path, profile: str) -> None:
    folder = jars / profile
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [
            maven,
            "--quiet",
            "--batch-mode",
            f"--file={POM}",
            f"--activate-profiles={profile}",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={folder}",
        ],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_FETCH_S,
    )
    if done.returncode != 0:
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        raise OpenbellError(f"Maven could not fetch the {profile} jars: {' '.join(errors[:1]) or 'no message'}")
    (folder / "pom.xml").write_bytes(POM.read_bytes())


def _complete(jars: Path, profile: str) -> bool:
    """The pom.xml is put beside its jars last, so it says that they are all there, and of which versions."""
    stamp = jars / profile / "pom.xml"
    return stamp.exists() and stamp.read_bytes() == POM.read_bytes()
