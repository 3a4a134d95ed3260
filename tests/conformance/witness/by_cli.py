"""Acts the steps on standard input out with the AWS CLI's own entry point, and says what came of each.

Runs in an environment without this project: see ``witnesses``.  One process for all of
them, since starting the CLI takes most of its time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.validate import ParamValidator

from tests.conformance.witness.acting import filled, step_clock

FILE_PARAMETERS = frozenset({"body"})


def main() -> None:
    """Act everything out."""
    endpoint_url = sys.argv[1]
    os.environ.update(
        AWS_ENDPOINT_URL_GLACIER=endpoint_url,
        AWS_ACCESS_KEY_ID="witness",
        AWS_SECRET_ACCESS_KEY="witness",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_MAX_ATTEMPTS="1",
    )
    steps = json.load(sys.stdin)
    driver = import_module("awscli.clidriver").create_clidriver()
    model = driver.session.get_service_model("glacier")
    kept: dict[str, Any] = {}
    results, refusals = [], []
    with tempfile.TemporaryDirectory() as folder:
        for step in steps:
            if "step_seconds" in step:
                step_clock(endpoint_url, step["step_seconds"])
            elif "refused" in step:
                refusals.append(refusal(driver, step, kept, Path(folder)))
            else:
                results.append(act(driver, model, step, kept, Path(folder)))
    json.dump({"operations": sorted(model.operation_names), "results": results, "refusals": refusals}, sys.stdout)


def act(driver: Any, model: Any, step: dict[str, Any], kept: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One command: its exit code and what it printed."""
    operation = step["operation"]
    exit_code, printed, complaint = run(driver, step, kept, folder)
    problems = [] if exit_code == 0 else [f"exit code {exit_code}: {complaint}"]
    reply = json.loads(printed or "{}")
    shape = model.operation_model(operation).output_shape
    if shape is not None:
        report = ParamValidator().validate(reply, shape)
        problems += [report.generate_report()] if report.has_errors() else []
    kept.update({name: reply[member] for name, member in step["keep"].items() if member in reply})
    return {
        "operation": operation,
        "problems": problems,
        "reply": reply,
        "output": (folder / "output").read_text("utf-8", "replace")[:2000] if operation == "GetJobOutput" else None,
    }


def refusal(driver: Any, step: dict[str, Any], kept: dict[str, Any], folder: Path) -> dict[str, str]:
    """One command that has to be refused: with which code it was."""
    exit_code, _, complaint = run(driver, step, kept, folder)
    found = re.search(r"An error occurred \((\w+)\)", complaint)
    code = found[1] if exit_code and found else f"exit code {exit_code}: {complaint}"
    return {"operation": step["operation"], "wanted": step["refused"], "code": code}


def run(driver: Any, step: dict[str, Any], kept: dict[str, Any], folder: Path) -> tuple[int, str, str]:
    """A command's exit code, what it printed, and what it complained of."""
    arguments = ["glacier", xform_name(step["operation"], "-"), "--account-id", "-", "--no-paginate"]
    for name, value in filled(step["parameters"], kept).items():
        option, words = f"--{xform_name(name, '-')}", _words(name, value, folder)
        arguments += [f"{option}={words[0]}"] if len(words) == 1 else [option, *words]  # ids may begin with a hyphen
    if step["operation"] == "GetJobOutput":
        arguments.append(str(folder / "output"))
    printed, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaints):
        exit_code = driver.main(arguments)
    return exit_code, printed.getvalue(), complaints.getvalue().strip()


def _words(name: str, value: Any, folder: Path) -> list[str]:
    if name in FILE_PARAMETERS:
        file = folder / name
        file.write_bytes(value)
        return [str(file)]
    if isinstance(value, list):
        return [str(item) for item in value]
    return [value if isinstance(value, str) else json.dumps(value)]


if __name__ == "__main__":
    main()
