"""Runs the witnesses: clients in an environment of their own, against the simulator as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.steps import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOT = Path(__file__).parents[2]
_PYTHON = Path(os.environ.get("WITNESS_PYTHON", _ROOT / ".venv-witness" / "bin" / "python"))
_JAVASCRIPT = _ROOT / ".witness-javascript"
_COMMAND = [sys.executable, "-c", "import sys; from glacier_purge.cli import main; sys.exit(main())", "simulate"]
# The witnesses see no account and no configuration of whoever runs them.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
    "AWS_EC2_METADATA_DISABLED": "true",
    "HOME": "/nonexistent",
    "PYTHONDONTWRITEBYTECODE": "1",
}

needs_witness = pytest.mark.skipif(
    not _PYTHON.exists(), reason=f"NO WITNESS: {_PYTHON.name} of .venv-witness is missing; `make witness` makes it"
)


needs_javascript = pytest.mark.skipif(
    not (_JAVASCRIPT / ".ready").exists() and os.environ.get("CI") != "true",
    reason=f"NO JAVASCRIPT WITNESS: {_JAVASCRIPT.name} is missing; `make javascript` makes it, with npm",
)


@contextmanager
def simulator(archives: int = 50, *more: str) -> Iterator[str]:
    """The endpoint of a simulator that answers at once and never fails; ``more`` are options of ``simulate``."""
    options = ["--archives", str(archives), "--rate", "0", "--error-rate", "0", "--latency-ms", "0", *more]
    with subprocess.Popen(
        [*_COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_ENVIRONMENT
    ) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["endpoint_url"])
        finally:
            process.terminate()


def hear(script: str, *, archives: int = 50) -> Any:
    """What a witness says about a fresh simulator. Raises ``RuntimeError`` with its complaint when it breaks down."""
    with simulator(archives) as endpoint_url:
        return _said([str(_PYTHON), "-I", "-c", _start(script), endpoint_url])


def hear_javascript() -> Any:
    """What AWS's SDK for JavaScript says about one that checks every signature. Raises as ``hear`` does."""
    script = Path(__file__).parent / "javascript" / "by_javascript.mjs"
    with simulator(50, "--auth", "witness:witness") as endpoint_url:
        return _said(["node", str(script), endpoint_url, str(_JAVASCRIPT)])


def _said(command: Sequence[str]) -> Any:
    done = subprocess.run(
        command, input=json.dumps(ALL), capture_output=True, text=True, env=_ENVIRONMENT, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[:2]} broke down:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)


def _start(script: str) -> str:
    return (
        f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from tests.conformance.witness.{script} import main; main()"
    )
