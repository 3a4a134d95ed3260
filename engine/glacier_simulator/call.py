"""One request on its way through the operations: what was asked, by whom, of what, when - and how to answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from glacier_simulator import policy, refusal
from glacier_simulator.account import Account, Caller, is_vault_name
from glacier_simulator.estate import Estate
from glacier_simulator.exchange import Request, Response
from glacier_simulator.identifiers import Identifiers
from glacier_simulator.stored import StoredVault

JSON = ("Content-Type", "application/json")
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an operation gets. ``names`` are the path's decoded names: vault, then archive, job, upload or lock."""

    operation: str
    names: tuple[str, ...]
    request: Request
    estate: Estate
    account: Account
    caller: Caller
    now: float

    @property
    def identifiers(self) -> Identifiers:
        """Where new ids come from."""
        return self.estate.identifiers

    def vault(self) -> StoredVault:
        """The vault the path names, as of now, the caller's right to the operation checked."""
        vault = self.find_vault()
        self.authorise(vault)
        return vault

    def find_vault(self) -> StoredVault:
        """The vault the path names, as of now; what the caller may do with it is still to be checked."""
        name = self.names[0]
        vault = self.account.vaults.get(name)
        if vault is None:
            # A name no vault can have is repeated bare, as the service does (bakthat #10).
            raise refusal.vault_missing(self.account.vault_arn(name) if is_vault_name(name) else name)
        vault.advance(self.now)
        return vault

    def authorise(self, vault: StoredVault, index: int | None = None) -> None:
        """Refuse what the vault's policies deny; ``index`` is the archive the request is about, if any."""
        foreign = self.caller.account_id != self.account.facts.account_id
        if not (vault.rules or foreign):
            return
        question = self.question(vault.facts.arn, vault, index)
        if policy.is_denied(vault.rules, question):
            raise self.denied(vault.facts.arn, " with an explicit deny")
        if foreign and not policy.is_allowed(vault.rules, question):
            raise self.denied(vault.facts.arn)

    def question(self, resource: str, vault: StoredVault | None, index: int | None) -> policy.Question:
        """What policies are asked about the request; ``vault`` and ``index`` are what it names, if that is there."""
        created = None if vault is None or index is None else vault.shelf.created(index)
        return policy.Question(
            action=f"glacier:{self.operation}",
            resource=resource,
            principal_arn=self.caller.principal_arn,
            account_id=self.caller.account_id,
            now=self.now,
            tags={} if vault is None else vault.facts.tags,
            age_days=None if created is None else (self.now - created) / _SECONDS_A_DAY,
            region=self.caller.region,
            role_arn=self.caller.role_arn,
            context={f"aws:principaltag/{key.lower()}": value for key, value in self.caller.tags},
        )

    def denied(self, resource: str, why: str = "") -> refusal.Refusal:
        """The refusal of a caller who has no right to the operation."""
        who, action = self.caller.principal_arn, f"glacier:{self.operation}"
        message = f"User: {who} is not authorized to perform: {action} on resource: {resource}{why}"
        return refusal.Refusal("AccessDeniedException", message)

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name."""
        return self.request.headers.get(name)

    def json_object(self) -> dict[str, Any]:
        """The request's body as a JSON object."""
        try:
            body = json.loads(self.request.body or b"null")
        except (ValueError, RecursionError) as error:
            raise refusal.unreadable("The request body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise refusal.missing("request body")
        return body

    def location(self, vault: str, *rest: str) -> str:
        """A ``Location``: it carries the real account id even where the request said ``-``."""
        return "/".join(["", self.account.facts.account_id, "vaults", quote(vault, safe=""), *rest])

    def page_limit(self, most: int) -> int:
        """The ``limit`` of a listing: ``most`` by default, and where more is asked for.

        The guide gives 1 to ``most`` as the constraint, but more is not refused: a wire log shows ListVaults asked for
        1000 and answered with 10 (aws-sdk-net #895), and ListParts asked for 100 answers with 50 (amazon-glacier-cmd-
        interface #69).  SDKs whose documentation said 1000 for years ask for that.  An empty one, as in botocore's
        example of ListVaults, is none.
        """
        text = self.request.query.get("limit")
        if not text:
            return most
        if not (text.isascii() and text.isdecimal() and text.strip("0")):
            raise refusal.invalid(f"Invalid limit: {text}")
        return int(min(float(text), most))


def reply(status: int, headers: dict[str, str] | None = None) -> Response:
    """A reply whose news stand in its headers: with 201 and 202 comes an empty object, with 204 nothing.

    The guide shows no body at all.  Logs show one of two bytes, in JSON: of InitiateJob and UploadArchive in the tests
    of a client (jokull), of InitiateMultipartUpload in rusoto #907; and none of UploadMultipartPart in rusoto #1095.
    """
    named = list((headers or {}).items())
    return Response(status, named) if status == 204 else Response(status, [*named, JSON], b"{}")


def reply_json(body: object, status: int = 200) -> Response:
    """A reply of one JSON value."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(status, [JSON], text.encode("utf-8", "backslashreplace"))


def text_of(body: dict[str, Any], key: str) -> str | None:
    """A member that has to be a string where it is given."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise refusal.unreadable(f"{key} is not a string.")
    return value
