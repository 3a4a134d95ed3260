"""Acts the steps on standard input out with boto3 and says on standard output what came of each.

Runs in an environment without this project: see ``witnesses``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conformance.witness.acting import filled, step_clock
from tests.conformance.witness.model import problems_of


def new_client(endpoint_url: str) -> Any:
    """A client that asks once and believes nothing."""
    return boto3.client(
        "glacier",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id="witness",
        aws_secret_access_key="witness",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30),
    )


def refusal(client: Any, step: dict[str, Any], kept: dict[str, Any]) -> dict[str, str]:
    """One operation that has to be refused: with which code it was, and which exception boto3 made of it."""
    try:
        getattr(client, _snake(client, step["operation"]))(**filled(step["parameters"], kept))
    except ClientError as error:
        said = error.response
        whole = said["Error"]["Message"] and said.get("type") == "Client" and said["ResponseMetadata"]["RequestId"]
        code = said["Error"]["Code"] if whole else f"not a whole error: {said}"
        return {"operation": step["operation"], "wanted": step["refused"], "code": code, "raised": type(error).__name__}
    return {"operation": step["operation"], "wanted": step["refused"], "code": "none", "raised": "none"}


def act(client: Any, step: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """One operation: what was sent, what came back, and what is wrong with it."""
    operation = step["operation"]
    seen: dict[str, Any] = {}
    client.meta.events.register("before-send.glacier", lambda request, **_: seen.update(request=request))
    client.meta.events.register(
        f"response-received.glacier.{operation}", lambda response_dict, **_: seen.update(response=response_dict)
    )
    method = getattr(client, _snake(client, operation))
    problems = []
    try:
        parsed = method(**filled(step["parameters"], kept))
        kept.update({name: parsed[member] for name, member in step["keep"].items()})
        problems = problems_of(client.meta.service_model.operation_model(operation), seen["response"], parsed)
    except ClientError as error:
        parsed = error.response
        problems = [str(error)]
    request, response = seen["request"], seen["response"]
    body = parsed.pop("body", None)
    return {
        "operation": operation,
        "request": f"{request.method} {request.url.split('/', 3)[3]}",
        "status": response["status_code"],
        "problems": problems,
        "reply": {name: value for name, value in parsed.items() if name != "ResponseMetadata"},
        "output": body.read().decode("utf-8", "replace")[:2000] if hasattr(body, "read") else None,
    }


def _snake(client: Any, operation: str) -> str:
    return next(str(name) for name, known in client.meta.method_to_api_mapping.items() if known == operation)


def main() -> None:
    """Act everything out."""
    endpoint_url = sys.argv[1]
    kept: dict[str, Any] = {}
    results, refusals = [], []
    for step in json.load(sys.stdin):
        if "step_seconds" in step:
            step_clock(endpoint_url, step["step_seconds"])
        elif "refused" in step:
            refusals.append(refusal(new_client(endpoint_url), step, kept))
        else:
            results.append(act(new_client(endpoint_url), step, kept))
    known = new_client(endpoint_url).meta.service_model.operation_names
    json.dump({"operations": sorted(known), "results": results, "refusals": refusals}, sys.stdout)


if __name__ == "__main__":
    main()
