"""Holds a record of the wire (``--record-wire``) against the simulator: is each request answered as the service did?

``python -m tests.conformance.replay FILE`` prints what differs, one line each, and ends with 1 where anything does.

What is compared is what the simulator claims to know: status, error code, HTTP version, the names of headers, the
members of a body with their types, null apart from missing, and how dates are written.  Values are not: they are
another vault's.  So that a request meets the same situation, the simulator gets a vault like the one described, its
clock follows the record's, ids of jobs are translated, and what the record shows to be there (a lock, a policy, a job
begun earlier) is put there first.  Refusals that come from the moment (throttles, faults, credentials, permissions) are
held against the simulator's table of errors instead.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from glacier_simulator.exchange import Request, Response
from glacier_simulator.refusal import Refusal
from glacier_simulator.vault import PretendGlacier

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
HIDDEN = "[hidden]"
ACCOUNT = "000000000000"
HOUR = 3600.0
ARCHIVES_MAX = 20
_POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
_VERSION = {"x-amz-glacier-version": "2012-06-01"}
_OF_CONNECTIONS = frozenset({"connection", "keep-alive", "server", "date", "content-length", "transfer-encoding"})
_OF_THE_MOMENT = frozenset(
    {
        *("ThrottlingException", "ServiceUnavailableException", "RequestTimeoutException", "AccessDeniedException"),
        *("ExpiredTokenException", "InvalidSignatureException", "UnrecognizedClientException"),
        *("InsufficientCapacityException", "PolicyEnforcedException", "NoLongerSupportedException"),
    }
)


@dataclass(frozen=True)
class Line:
    """One exchange of a record, as the service had it."""

    number: int
    at: datetime
    request: dict[str, Any]
    reply: dict[str, Any]

    @property
    def path(self) -> str:
        return str(urlsplit(self.request["target"]).path)

    @property
    def what(self) -> str:
        return f"line {self.number}, {self.request['method']} {re.sub('[A-Za-z0-9_-]{90,}', '*', self.path)}"

    @property
    def body(self) -> Any:
        return self.reply.get("json")

    @property
    def is_success(self) -> bool:
        return bool(self.reply["status"] < 300)


def read(file: Path) -> list[Line]:
    """The exchanges of a record that got a reply. Raises ``ValueError`` for what is no record of this format."""
    head, *rest = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    if (head.get("result"), head.get("format")) != ("wire", FORMAT):
        raise ValueError(f"{file} is no record of the wire of format {FORMAT}")
    return [
        Line(number, datetime.fromisoformat(each["at"]), each["request"], each["reply"])
        for number, each in enumerate(rest, 2)
        if each["reply"] is not None
    ]


def differences(lines: list[Line]) -> list[str]:
    """In what the simulator answers differently, said line by line."""
    replay = _Replay(lines)
    return [f"{line.what}: {what}" for line in lines for what in dict.fromkeys(replay.compared(line))]


@dataclass
class _Replay:
    """A simulator in the situation of a record."""

    lines: list[Line]
    ids: dict[str, str] = field(default_factory=dict)
    """Of the record to those that the simulator gave."""
    waited_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.glacier = PretendGlacier(region=_region(self.lines), account_id=ACCOUNT)
        self.now = self.lines[0].at.timestamp() if self.lines else 0.0
        for described in _vaults(self.lines):
            count = min(described.get("NumberOfArchives") or 1, ARCHIVES_MAX)
            vault = self.glacier.generate_vault(described["VaultName"], count, self.now)
            if described.get("LastInventoryDate") is None:
                vault.facts.last_snapshot = None
                vault.changed(self.now)

    def compared(self, line: Line) -> Iterator[str]:
        """What differs in one exchange."""
        code = line.body.get("code") if isinstance(line.body, dict) else None
        if not line.is_success and code in _OF_THE_MOMENT:
            yield from _errors(line, Refusal(code, "").status, json.loads(_text(Refusal(code, "").response())))
            return
        if line.reply["status"] >= 500 or _header(line.reply, "x-amzn-requestid") is None:
            return  # a gateway's word, not the service's
        self._prepare(line)
        answer = self._ask(line.request["method"], self._target(line), self._headers(line), self._body(line))
        simulated = _text(answer)
        yield from _status(line, answer.status)
        if line.is_success != (answer.status < 300):
            return
        yield from _headers(line, answer)
        if not line.is_success:
            yield from _errors(line, answer.status, json.loads(simulated))
        elif "json" in line.reply:
            yield from _shape(line.body, json.loads(simulated or b"null"), "body")
        elif line.reply["body_bytes"] == 0 != len(simulated):
            yield f"no body, and {len(simulated)} bytes in the simulator"
        if (job := _header(line.reply, "x-amz-job-id")) is not None:
            self.ids[job] = dict(answer.headers)["x-amz-job-id"]

    # -- the same situation -------------------------------------------------------------------------------------------

    def _prepare(self, line: Line) -> None:
        """Put there what the reply shows to be there."""
        self.now = line.at.timestamp() + self.waited_seconds
        _, _, kind, vault, *rest = [*line.path.split("/"), "", "", ""]
        if line.request["method"] == "DELETE" and str((line.body or {}).get("message")).startswith(
            "Invalid vault name"
        ):
            self.ids[rest[1]] = self.glacier.generate_vault(f"not-{rest[1]}", 1, self.now).shelf.archive_id(0)
        if kind != "vaults" or not line.is_success:
            return
        if vault and vault not in self.glacier.vault_names() and line.request["method"] != "PUT":
            self.glacier.generate_vault(vault, 1, self.now)
        below = "/".join(part for part in rest if part)
        place, method = f"/-/vaults/{vault}", line.request["method"]
        if method == "DELETE" and not below:
            self._empty(vault)
        elif method == "GET" and below == "access-policy":
            self._ask("PUT", f"{place}/access-policy", _VERSION, {"Policy": _POLICY})
        elif method == "GET" and below == "lock-policy":
            self._ask("POST", f"{place}/lock-policy", _VERSION, {"Policy": _POLICY})
        elif method == "GET" and below == "notification-configuration":
            self._ask("PUT", f"{place}/{below}", _VERSION, {"SNSTopic": "arn", "Events": line.body.get("Events", [])})
        elif rest[0] == "multipart-uploads" and (rest[1] or line.body.get("UploadsList")):
            begun = self._ask("POST", f"{place}/{rest[0]}", _VERSION | {"x-amz-part-size": str(2**20)}, None)
            self.ids[rest[1]] = dict(begun.headers)["x-amz-multipart-upload-id"]
        elif method == "POST" and below == "jobs":
            self._inventoried(vault)
        elif rest[0] == "jobs" and rest[1]:
            self._inventoried(vault)
            self._job(vault, rest[1], is_done=rest[2] == "output" or bool((line.body or {}).get("Completed")))

    def _job(self, vault: str, recorded: str, *, is_done: bool) -> None:
        """Have a job of that id, as far as the record's."""
        if recorded not in self.ids:
            begun = self._ask("POST", f"/-/vaults/{vault}/jobs", _VERSION, {"Type": "inventory-retrieval"})
            self.ids[recorded] = dict(begun.headers)["x-amz-job-id"]
        while is_done and not self._described(vault, recorded)["Completed"]:
            self.waited_seconds += HOUR
            self.now += HOUR

    def _inventoried(self, vault: str) -> None:
        """Have an inventory of a vault."""
        stored = self.glacier.vault(vault, self.now)
        if stored.last_inventory is None:
            stored.take_inventory(self.now)

    def _described(self, vault: str, recorded: str) -> dict[str, Any]:
        answer = self._ask("GET", f"/-/vaults/{vault}/jobs/{self.ids[recorded]}", _VERSION, None)
        described: dict[str, Any] = json.loads(_text(answer))
        return described

    def _empty(self, vault: str) -> None:
        """Have nothing in a vault, and an inventory that says so."""
        shelf = self.glacier.vault(vault, self.now).shelf
        for index in range(len(shelf)):
            self._ask("DELETE", f"/-/vaults/{vault}/archives/{shelf.archive_id(index)}", _VERSION, None)
        self.waited_seconds += 48 * HOUR
        self.now += 48 * HOUR

    def _ask(self, method: str, target: str, headers: dict[str, str], body: object) -> Response:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        text = b"" if body is None else json.dumps(body).encode()
        return self.glacier.handle(Request(method, parts.path, query, headers, text), self.now)

    # -- the same request ---------------------------------------------------------------------------------------------

    def _target(self, line: Line) -> str:
        target: str = line.request["target"]
        for recorded, ours in self.ids.items():
            target = target.replace(recorded, ours) if recorded else target
        return re.sub(r"(?<=[?&])marker=[^&]*&?", "", target).rstrip("?&")

    def _headers(self, line: Line) -> dict[str, str]:
        kept = {name.lower(): text for name, text in line.request["headers"] if HIDDEN not in text}
        kept.pop("authorization", None)  # nobody can sign as somebody else did
        if "range" in kept and (job := line.path.split("/")[5]) in self.ids:
            kept["range"] = f"bytes=0-{self._described(line.path.split('/')[3], job)['InventorySizeInBytes'] - 1}"
        return kept

    def _body(self, line: Line) -> object:
        body = line.request.get("json")
        return {**body, "Policy": _POLICY} if isinstance(body, dict) and body.get("Policy") == HIDDEN else body


# -- what differs -----------------------------------------------------------------------------------------------------


def _status(line: Line, simulated: int) -> Iterator[str]:
    if line.reply["status"] != simulated:
        yield f"status {line.reply['status']}, and {simulated} in the simulator"
    if line.reply["version"] != "1.1":
        yield f"HTTP/{line.reply['version']}, and 1.1 in the simulator"


def _headers(line: Line, answer: Response) -> Iterator[str]:
    theirs = {name.lower(): text for name, text in line.reply["headers"]}
    ours = {name.lower(): text for name, text in answer.headers}
    yield from (f"header {name} is not in the simulator" for name in sorted(theirs.keys() - ours - _OF_CONNECTIONS))
    yield from (f"header {name} is only in the simulator" for name in sorted(ours.keys() - theirs - _OF_CONNECTIONS))
    told, simulated = (each.get("content-type", "").partition(";")[0] for each in (theirs, ours))
    if "content-type" in theirs.keys() & ours and told != simulated:
        yield f"Content-Type {told}, and {simulated} in the simulator"


def _errors(line: Line, status: int, simulated: dict[str, Any]) -> Iterator[str]:
    yield from _status(line, status)
    yield from _shape(line.body, simulated, "body")
    for member in ("code", "type"):
        told = (line.body or {}).get(member)
        if told != simulated[member]:
            yield f"{member} {told}, and {simulated[member]} in the simulator"


def _shape(theirs: Any, ours: Any, where: str) -> Iterator[str]:
    """Where the members of two values and their types differ. Null is compared with missing only."""
    if theirs is None or ours is None:
        return
    if type(theirs) is not type(ours):
        yield f"{where} is a {type(theirs).__name__}, and a {type(ours).__name__} in the simulator"
    elif isinstance(theirs, dict) and not where.endswith(".Tags"):
        yield from (f"{where}.{name} is not in the simulator" for name in theirs if name not in ours)
        yield from (f"{where}.{name} is only in the simulator" for name in ours if name not in theirs)
        for name in theirs.keys() & ours.keys():
            yield from _shape(theirs[name], ours[name], f"{where}.{name}")
    elif isinstance(theirs, list) and theirs and ours:
        yield from _shape(theirs[0], ours[0], f"{where}[]")
    elif isinstance(theirs, str) and where.endswith("Date") and _pattern(theirs) != _pattern(ours):
        yield f"{where} is written {_pattern(theirs)}, and {_pattern(ours)} in the simulator"


def _text(answer: Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def _pattern(date: str) -> str:
    return re.sub("[0-9]", "0", date)


def _header(message: dict[str, Any], name: str) -> str | None:
    return next((text for known, text in message["headers"] if known.lower() == name), None)


def _region(lines: list[Line]) -> str:
    """Where it was recorded, by any ARN in it."""
    found = re.search(r"arn:[a-z-]+:glacier:([a-z0-9-]+):", json.dumps([line.reply for line in lines]))
    return found[1] if found else "us-east-1"


def _vaults(lines: list[Line]) -> Iterator[dict[str, Any]]:
    """Every vault as it was described first; one that nobody described is taken to be full."""
    seen: set[str] = set()
    named = re.compile(r"/[^/]+/vaults/([^/]+)")
    for line in [*lines]:
        body = line.body if isinstance(line.body, dict) and line.is_success else {}
        for described in [*body.get("VaultList", []), *([body] if "VaultName" in body else [])]:
            if described["VaultName"] not in seen:
                seen.add(described["VaultName"])
                yield described
    for line in lines:
        found = named.match(line.path)
        missing = isinstance(line.body, dict) and str(line.body.get("message")).startswith("Vault not found")
        if found and found[1] not in seen and not missing:
            seen.add(found[1])
            yield {"VaultName": found[1], "NumberOfArchives": ARCHIVES_MAX, "LastInventoryDate": "then"}


def main() -> int:
    """Say what differs in the record named on the command line."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m tests.conformance.replay FILE\n")
        return 2
    lines = read(Path(sys.argv[1]))
    found = differences(lines)
    sys.stdout.write("".join(f"{each}\n" for each in found))
    sys.stdout.write(f"{len(lines)} exchanges, {len(found)} differences\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
