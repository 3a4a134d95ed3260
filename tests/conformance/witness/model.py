"""The judge: a reply as it came over the wire against botocore's model of what it has to be.

botocore's parser is lenient (it makes ``12`` of ``"12"``), so the JSON is compared with the model's types before it
is parsed, the result of the parser is validated by botocore's own validator, and the two are compared.
Runs in an environment without this project.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.validate import ParamValidator

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


EMPTY = (b"", b"{}")
"""The service sends an empty object with some replies whose members are all in their headers (rusoto #907)."""
OF_SELECT = frozenset({"JobOutputPath", "OutputLocation", "SelectParameters", "jobOutputPath"})
"""Members of Glacier Select, which has ended; real job descriptions without them were published (SNS messages)."""


def problems_of(model: Any, response: dict[str, Any], parsed: dict[str, Any]) -> list[str]:
    """What is wrong with a reply to the operation ``model`` describes: status, headers, body."""
    found = _status(model, response["status_code"])
    headers = {name.lower(): value for name, value in response["headers"].items()}
    found += [f"no {name}" for name in ("x-amzn-requestid", "date") if name not in headers]
    shape = model.output_shape
    if shape is None:
        return found + (["a body where the model has none"] if response["body"] else [])
    streams = shape.serialization.get("payload") if model.has_streaming_output else None
    if streams is None:
        found += _body(shape, response["body"], headers)
    members = {name: value for name, value in parsed.items() if name not in ("ResponseMetadata", streams)}
    report = ParamValidator().validate(members, shape)
    return found + ([report.generate_report()] if report.has_errors() else [])


def _status(model: Any, status: int) -> list[str]:
    expected = {model.http.get("responseCode", 200)}
    if model.name == "GetJobOutput":
        expected = {200, 206}
    return [] if status in expected else [f"status {status}, the model says {sorted(expected)}"]


def _body(shape: Any, body: bytes, headers: dict[str, str]) -> list[str]:
    found = []
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header" and name not in OF_SELECT:
            header = member.serialization["name"].lower()
            if header not in headers:
                found.append(f"no header {header} for {name}")
    in_body = {
        member.serialization.get("name", name): member
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    payload = shape.serialization.get("payload")
    if payload is not None:
        return found + _json(shape.members[payload], body)
    if not in_body:
        return found + ([f"a body of {len(body)} bytes where the model has none"] if body not in EMPTY else [])
    return found + _object(in_body, _read(body), "body")


def _json(shape: Any, body: bytes) -> list[str]:
    return _value(shape, _read(body), "body")


def _read(body: bytes) -> Any:
    return json.loads(body) if body else {}


def _object(members: dict[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {type(value).__name__}, not an object"]
    found = [f"{where}.{name}: not in the model" for name in value if name not in members]
    found += [
        f"{where}.{name}: missing (null would do)" for name in members if name not in value and name not in OF_SELECT
    ]
    for name, member in members.items():
        if value.get(name) is not None:
            found += _value(member, value[name], f"{where}.{name}")
    return found


def _value(shape: Any, value: Any, where: str) -> list[str]:
    if type(value) not in _TYPES[shape.type_name]:
        return [f"{where}: {value!r} is a {type(value).__name__}, the model says {shape.type_name}"]
    if shape.type_name == "structure":
        return _object({m.serialization.get("name", name): m for name, m in shape.members.items()}, value, where)
    if shape.type_name == "list":
        return [p for number, item in enumerate(value) for p in _value(shape.member, item, f"{where}[{number}]")]
    if shape.type_name == "map":
        return [p for key, item in value.items() for p in _value(shape.value, item, f"{where}[{key}]")]
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        return [f"{where}: {value!r} is none of {shape.enum}"]
    return []
