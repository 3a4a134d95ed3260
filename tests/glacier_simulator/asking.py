"""Ways to ask the pretended service: by hand, and as botocore does with its own serialiser, signer and parser.

The botocore client never opens a connection: its request is caught right before it would be sent, answered by the
pretended service, and the answer is checked against botocore's model before botocore sees it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.validate import ParamValidator

from glacier_simulator import dates
from glacier_simulator.account import Credential
from glacier_simulator.exchange import Request, Response
from glacier_simulator.treehash import tree_hash
from glacier_simulator.vault import PretendGlacier

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
ACCOUNT = "123456789012"
VERSION = {"x-amz-glacier-version": "2012-06-01"}

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
OWNER = Credential(SECRET, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/owner")

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "long": (int,),
    "integer": (int,),
    "boolean": (bool,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


class Asker:
    """Sends requests by hand. ``now`` is the time they arrive; move it on at will."""

    def __init__(self, glacier: PretendGlacier) -> None:
        self.glacier = glacier
        self.now = NOW

    def ask(
        self, method: str, path: str, body: bytes | dict[str, Any] = b"", headers: dict[str, str] | None = None
    ) -> Response:
        """Send one request; ``path`` starts after the account and may have a query."""
        parts = urlsplit(path)
        return self.glacier.handle(
            Request(
                method,
                f"/-{parts.path}",
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {**VERSION, **(headers or {})},
                json.dumps(body).encode() if isinstance(body, dict) else body,
            ),
            self.now,
        )

    def upload(self, vault: str, body: bytes = b"bytes", description: str = "") -> str:
        """Upload an archive and return its id."""
        headers = {**hashes(body), "x-amz-archive-description": description}
        response = self.ask("POST", f"/vaults/{vault}/archives", body, headers)
        assert response.status == 201, response
        return header(response, "x-amz-archive-id")

    def start_job(self, vault: str, **parameters: object) -> str:
        """Start a job and return its id."""
        response = self.ask("POST", f"/vaults/{vault}/jobs", parameters)
        assert response.status == 202, response
        return header(response, "x-amz-job-id")

    def delete(self, vault: str, archive_id: str) -> int:
        """Delete an archive and return the status."""
        return self.ask("DELETE", f"/vaults/{vault}/archives/{archive_id}").status


def hashes(body: bytes) -> dict[str, str]:
    """The two hash headers of an upload."""
    return {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-sha256-tree-hash": tree_hash(body)}


def header(response: Response, name: str) -> str:
    """One header of a reply."""
    return dict(response.headers)[name]


def whole(response: Response) -> bytes:
    """The reply's body in one piece; its announced length is checked."""
    body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    assert response.length_bytes in {None, len(body)}
    return body


def parsed(response: Response) -> Any:
    """The reply's body as JSON."""
    return json.loads(whole(response))


def refused(response: Response) -> tuple[int, str, str]:
    """Status, code and message of a refusal whose body is as the guide says."""
    body = parsed(response)
    assert list(body) == ["code", "message", "type"]
    assert body["type"] == ("Server" if response.status >= 500 else "Client")
    return response.status, body["code"], body["message"]


class Boto:
    """A botocore client wired to a pretended service; its requests are signed and the signatures checked."""

    def __init__(self) -> None:
        self._glacier = PretendGlacier()
        self.now = NOW
        self.operations: set[str] = set()
        session = botocore.session.get_session()
        session.set_credentials(KEY, SECRET)
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=True)
        self.client = session.create_client("glacier", "us-east-1", endpoint_url="http://127.0.0.1:9", config=config)
        self._model = self.client.meta.service_model
        self.client.meta.events.register("before-call.glacier", self._note, unique_id="note")
        self.client.meta.events.register("before-send.glacier", self._send, unique_id="send")
        self._operation: Any = None

    def renew(self, signer: Credential = OWNER, **options: Any) -> PretendGlacier:
        """Talk to a fresh service from now on, as ``signer``."""
        self._glacier = PretendGlacier(credentials={KEY: signer}, **options)
        self.now = NOW
        return self._glacier

    def _note(self, model: Any, **_: Any) -> None:
        self._operation = model

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        response = self._glacier.handle(read(request), self.now, wall=dates.read(_text(request.headers["X-Amz-Date"])))
        body = whole(response)
        assert len([name for name, _ in response.headers if name == "x-amzn-RequestId"]) == 1
        if response.status < 300:
            self.operations.add(self._operation.name)
            check_reply(self._operation, response.status, dict(response.headers), body)
        return AWSResponse(request.url, response.status, dict(response.headers), _Raw(body))


def read(request: Any) -> Request:
    """A request prepared by botocore as the service's server would read it off the wire."""
    parts = urlsplit(request.url)
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    headers.setdefault("host", parts.netloc)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    body = body if isinstance(body, (bytes, bytearray)) else body.read()
    return Request(
        request.method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, bytes(body)
    )


def check_reply(operation: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    """Hold a reply against botocore's model: status, headers, members and their types, nothing besides."""
    expected = 202 if operation.name == "InitiateJob" else operation.http.get("responseCode", 200)
    assert status in ({200, 206} if operation.name == "GetJobOutput" else {expected})
    shape = operation.output_shape
    if shape is None:
        assert body == b""
        return
    if shape.serialization.get("payload") == "body":
        return
    members = {name: member for name, member in shape.members.items() if "location" not in member.serialization}
    payload = shape.serialization.get("payload")
    if payload:
        members = dict(shape.members[payload].members)
    if members:
        _check_members(json.loads(body), members, operation.name)
        assert headers["Content-Type"] == "application/json"
    else:
        assert body == (b"" if status == 204 else b"{}")


def check_parsed(operation: Any, result: dict[str, Any]) -> None:
    """Hold what botocore made of a reply against its own model."""
    result.pop("ResponseMetadata")
    report = ParamValidator().validate(result, operation.output_shape)
    assert not report.has_errors(), report.generate_report()


def _check_members(value: dict[str, Any], members: dict[str, Any], where: str) -> None:
    assert set(value) <= set(members), f"{where}: {set(value) - set(members)} is not in the model"
    for name, item in value.items():
        _check_type(item, members[name], f"{where}.{name}")


def _check_type(value: Any, shape: Any, where: str) -> None:
    if value is None:
        return
    assert type(value) in _JSON_TYPES[shape.type_name], f"{where}: {value!r} is not a {shape.type_name}"
    if shape.type_name == "structure":
        _check_members(value, shape.members, where)
    elif shape.type_name == "list":
        for item in value:
            _check_type(item, shape.member, where)
    elif shape.type_name == "map":
        for item in value.values():
            _check_type(item, shape.value, where)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Raw:
    """A body as urllib3 would hand it to botocore."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self._body

    def read(self, amount: int | None = None) -> bytes:
        amount = len(self._body) if amount is None else amount
        piece, self._body = self._body[:amount], self._body[amount:]
        return piece
