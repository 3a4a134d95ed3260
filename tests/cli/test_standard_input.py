"""An inventory from standard input: ``-`` is a value of ``--inventory`` and no option."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("glacier-purge"))


@pytest.mark.parametrize("verb", ["plan", "purge"])
def test_a_hyphen_reads_the_inventory_from_standard_input(verb: str, tmp_path: Path) -> None:
    # glacier-purge plan photos --inventory - <inventory.json
    at = ("--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1", "--account-id", "123456789012")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [COMMAND, verb, "photos", "--inventory", "-", "--run-dir", str(tmp_path / "run"), *at]
    answer = subprocess.run(command, input=b"garbage", capture_output=True, check=False, env=os.environ | keys)
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"glacier-purge: standard input, byte 0: it begins neither like a JSON nor like")
