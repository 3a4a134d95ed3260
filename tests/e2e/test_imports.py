"""What the long-running verbs load: each megabyte of code stays in memory for the days a run takes.

A list of everything is held against what a verb has loaded when it ends, so that a new import is seen where it costs.
benchmarks/README.md says what the large ones weigh.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Bench

PROGRAM = (
    "import json, pathlib, sys; from glacier_purge.cli import main; status = main(sys.argv[1:]); "
    "pathlib.Path('modules.json').write_text(json.dumps(sorted(sys.modules))); sys.exit(status)"
)

PARSING = {
    "cyclopts": {"attr", "attrs"},
    "msgspec": {"typing_extensions"},
    "zstandard": set(),
}
RUNNING = PARSING | {
    "aioboto3": {"aiobotocore", "aioitertools", "boto3", "botocore", "dateutil", "jmespath", "six", "urllib3", "wrapt"},
    "aiohttp": {"aiohappyeyeballs", "aiosignal", "frozenlist", "idna", "multidict", "propcache", "yarl"},
    "anyio": set(),
    "httptools": set(),
    "ijson": set(),
    "orjson": set(),
    "pydantic": {"annotated_types", "pydantic_core", "typing_inspection"},
    "pydantic_settings": {"dotenv"},
    "structlog": set(),  # without rich: see cli/logs.py
    "tenacity": set(),
    "truststore": set(),
    "uvloop": set(),
}
"""Packages by who brings them in."""

FOR_OTHERS = {
    "glacier_purge.inventory.inspection",
    "glacier_purge.report.live",
    "glacier_purge.lifecycle.lifecycle",
    "glacier_simulator",
    "http.server",
    "multiprocessing",
    "rich.live",
    "unittest",
}
"""Of other verbs, of runs on a terminal, and of tests."""

NOTHING_ASYNCHRONOUS = {"asyncio", "email", "glacier_purge.glacier", "glacier_purge.settings", "http.client", "ssl"}


def loaded(bench: Bench, *arguments: str) -> set[str]:
    """The modules a verb has loaded when it ends well."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(
        command, cwd=bench.folder, env=bench.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads((bench.folder / "modules.json").read_bytes()))


def foreign(modules: set[str]) -> set[str]:
    """Packages that are neither ours nor Python's; what begins with an underscore comes with one of them."""
    roots = {module.partition(".")[0] for module in modules if not module.startswith("_")}
    return roots - sys.stdlib_module_names - {"cython_runtime", "glacier_purge", "glacier_purge_profiles"}


def packages(expected: dict[str, set[str]]) -> set[str]:
    return set(expected) | set(chain.from_iterable(expected.values()))


@pytest.mark.parametrize("bench", [{"archives": 20}], indirect=True)
def test_plan_apply_and_verify_load_what_they_need_and_nothing_else(bench: Bench) -> None:
    inventory = bench.simulator.inventory(bench.folder / "inventory.json")
    planning = loaded(
        *(bench, "plan", bench.simulator.vault, "--inventory", str(inventory), "--run-dir", str(bench.run_dir)),
        *("--endpoint-url", bench.simulator.endpoint_url),
    )
    assert foreign(planning) <= packages(RUNNING) | {"rich", "pygments"}  # of structlog, seconds only
    assert not planning & FOR_OTHERS

    digest = json.loads((bench.run_dir / "plan.json").read_bytes())["digest"]
    applying = loaded(bench, *bench.apply_arguments(digest))
    assert foreign(applying) == packages(RUNNING)
    assert not (bench.run_dir / "report.html").exists()
    assert not applying & FOR_OTHERS

    bench.variables["GLACIER_PURGE_REPORT__PAGE"] = "true"
    once_more = loaded(bench, *bench.apply_arguments(digest))
    assert foreign(once_more) == packages(RUNNING) | {"jinja2", "markupsafe"}  # at its very end
    assert "<h1>Purge of vault photos</h1>" in (bench.run_dir / "report.html").read_text("utf-8")

    verifying = loaded(bench, "audit", "verify", str(bench.run_dir))
    assert foreign(verifying) <= packages(PARSING)
    assert not verifying & (FOR_OTHERS | NOTHING_ASYNCHRONOUS)
