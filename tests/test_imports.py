"""Who may import whom (docs/ARCHITECTURE.md), and that what is imported is this checkout."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"exchange", "flink_jobs", "gateway", "generator", "openbell", "replay", "udfs", "wire"}
MAY_IMPORT = {
    "exchange": {"msgspec"},
    "udfs": {"exchange", "msgspec", "pyflink"},
    "wire": {"exchange", "kafka"},
    "flink_jobs": {"exchange", "udfs", "wire", "pyflink"},
    "gateway": {
        "exchange",
        "wire",
        "aiosmtplib",
        "aiosqlite",
        "alembic",
        "argon2",
        "authlib",
        "cryptography",
        "fakeredis",
        "httpx",
        "jinja2",
        "joserfc",
        "kafka",
        "litestar",
        "msgspec",
        "prometheus_client",
        "pyotp",
        "redis",
        "segno",
        "sqlalchemy",
        "uvicorn",
        "uvloop",
    },
    "generator": {"exchange", "wire", "kafka"},
    "replay": {"exchange", "udfs", "wire", "bokeh_sampledata", "kafka", "msgspec", "numpy", "pyarrow", "sklearn"},
}
PRESENT = sorted(name for name in OURS if (ROOT / name / "__init__.py").exists())


def imports(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (file and line, module) of every import under a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from ((where, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield where, "." * node.level + (node.module or "")


@pytest.mark.parametrize("folder", [name for name in PRESENT if name in MAY_IMPORT])
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    allowed = MAY_IMPORT[folder] | {folder} | sys.stdlib_module_names
    forbidden = [
        f"{where} imports {module}" for where, module in imports(folder) if module.split(".")[0] not in allowed
    ]
    assert forbidden == []


def test_the_document_says_which_folders_may_import_which() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text().split("## Who imports whom\n")[1].split("\n## ")[0]
    said = {
        name: set(whom.replace(" ", "").split(",")) - {""}
        for name, whom in re.findall(r"^\| `(\w+)/` \|.*\|(.*)\|$", text, re.MULTILINE)
    }
    assert {name: said[name] for name in MAY_IMPORT} == {name: allowed & OURS for name, allowed in MAY_IMPORT.items()}


@pytest.mark.parametrize("folder", PRESENT)
def test_nothing_imports_the_tests_or_the_benchmarks(folder: str) -> None:
    assert [
        where for where, module in imports(folder) if module.split(".")[0] in {"tests", "bench", "support", ""}
    ] == []


def test_the_exchange_knows_no_time_no_chance_no_environment_and_no_input_or_output() -> None:
    outside = {"asyncio", "datetime", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "subprocess", "sys",
               "tempfile", "threading", "time", "uuid"}  # fmt: skip
    assert [
        f"{where} imports {module}" for where, module in imports("exchange") if module.split(".")[0] in outside
    ] == []
    called = {"hash", "id", "input", "open", "print"}
    for path in sorted((ROOT / "exchange").rglob("*.py")):
        if path.stem == "verify":
            continue  # its hashes stay in the process
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            assert name not in called, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} calls {name}"


def test_only_the_command_line_reads_the_environment_and_what_finds_secrets() -> None:
    """Where a secret is may be told by the environment, since everybody on the machine sees a process' arguments."""
    secret = {"gateway/redis_url.py", "wire/security.py"}
    readers = {
        str(path.relative_to(ROOT))
        for folder in PRESENT
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert {path for path in readers if not path.startswith("openbell/")} == secret


@pytest.mark.parametrize("name", PRESENT)
def test_no_installed_package_shadows_ours(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")
