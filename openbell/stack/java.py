"""The Java runtime that the servers use."""

import os
import re
import shutil
import subprocess

from openbell.errors import NotReadyError

LEAST_VERSION = 17


def version(java: str) -> int:
    """The feature version of a runtime: 17, 21. Raises OSError or ValueError when it is none."""
    answer = subprocess.run([java, "-version"], check=True, capture_output=True, text=True, timeout=30)
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if found is None:
        raise ValueError(answer.stderr)
    return int(found[1])


def find() -> str:
    """The `java` of JAVA_HOME, else of the PATH, as Flink's own scripts choose it. Raises NotReadyError."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        raise NotReadyError("Java is missing; as root: apt-get install openjdk-17-jre-headless")
    return java
