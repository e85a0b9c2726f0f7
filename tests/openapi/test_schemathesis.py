"""schemathesis asks the server all that its description says can be asked: nothing fails, and all is answered as it is described."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import httpx
import pytest

from gateway.openapi.document import OPERATIONS
from tests.binance.trading_desk import Users
from tests.gateway.projected import NOW_MS
from tests.openapi.served_app import app_with, served

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = ROOT / ".venv" / "clients" / "bin" / "schemathesis"
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
NIGHT = "OPENBELL_NIGHT"
CASES, CASES_AT_NIGHT = 500, 5_000
EACH, EACH_AT_NIGHT = 8, 90
"""How many cases are made for an operation at most; for one without parameters there are fewer."""
SEED = 20_261_122
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
RUN_S, RUN_AT_NIGHT_S = 600, 3_600


@pytest.mark.slow
def test_everything_that_is_described_can_be_asked_and_is_answered_as_described(
    redis_url: str, users: Users, tmp_path: Path
) -> None:
    if not SCHEMATHESIS.exists():
        pytest.skip("the clients' environment is not there: make prepare")
    night = os.environ.get(NIGHT) == "1"
    app, _ = app_with(redis_url, "asked", users.directory())
    key, secret = users.keys["demo"]
    told = tmp_path / "told.json"
    with served(app) as url:
        command = [str(SCHEMATHESIS), "run", f"{url}/openapi.json", "--phases", "fuzzing", "--checks", CHECKS]
        command += ["--max-examples", str(EACH_AT_NIGHT if night else EACH), "--seed", str(SEED), "--no-shrink"]
        command += ["--workers", "1", "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"]
        shown = httpx.get(f"{url}/api/native/orders").json()
        orders = [each["order_id"] for each in (*shown["open_orders"], *shown["ended_orders"])]
        assert orders
        means = {"KEY": key, "SECRET": secret, "NOW_MS": str(NOW_MS), "TOLD": str(told), "ORDERS": json.dumps(orders)}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            **{f"OPENBELL_{name}": value for name, value in means.items()},
            "PYTHONPATH": str(HOOKS.parent),
            "PYTHONUTF8": "1",
            "SCHEMATHESIS_HOOKS": HOOKS.stem,
        }
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=RUN_AT_NIGHT_S if night else RUN_S,
            check=False,
        )
    assert ended.returncode == 0, f"seed {SEED}\n{ended.stdout[-20_000:]}{ended.stderr[-2_000:]}"
    answers = Counter(json.loads(told.read_text()))
    print(f"seed {SEED}: {answers.total()} cases of {len(OPERATIONS)} operations")
    assert {name.rpartition(" ")[0] for name in answers} == set(OPERATIONS) - {"GET /openapi.json"}  # read beforehand
    assert answers.total() >= (CASES_AT_NIGHT if night else CASES)
    well = {name.rpartition(" ")[0] for name in answers if name.endswith((" 200", " 201"))}
    print("never answered well:", sorted(set(OPERATIONS) - well))
