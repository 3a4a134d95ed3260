"""Amazon Glacier pretended: a pure state machine that answers requests and never looks at a clock or a socket.

Time is the ``now`` of each call, epoch seconds (UTC), which never runs backwards.  What the passing of time does
(inventories appear, jobs complete, outputs and locks expire) is worked out when somebody asks, so days pass in no
time.  The same seed and the same calls give the same replies, byte for byte, request ids included.

For whoever serves this:

* ``handle(request, now)`` answers any request, with all checks.
* ``delete_archive(vault_name, archive_id, now)`` is DeleteArchive without parsing, routing and authentication, for the
  one request that comes a million times.  Take it only when ``is_plain(...)`` holds; None is a 204, for which
  ``request_id()`` makes the one header there has to be.
* A scaled clock scales throttling as well: a limit meant per second of the client is a rate divided by the scale.
* ``wall`` is the clock by which clients sign and credentials expire; it defaults to ``now``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from glacier_simulator import refusal, sts
from glacier_simulator.account import Account, Caller, Credential, is_vault_name
from glacier_simulator.archives import Record
from glacier_simulator.call import Call
from glacier_simulator.estate import Estate, EstateState
from glacier_simulator.exchange import Request, Response
from glacier_simulator.generated import Generated
from glacier_simulator.iam import check_identity
from glacier_simulator.inventory import InventoryFormat, InventoryText
from glacier_simulator.ledger import Ledger
from glacier_simulator.operations import OPERATIONS
from glacier_simulator.operations.archives import note_throttled_delete
from glacier_simulator.refusal import Refusal
from glacier_simulator.roles import Role, Roles
from glacier_simulator.routing import Route, route
from glacier_simulator.signature import SERVICE, check_signature, region_of_scope
from glacier_simulator.stored import StoredVault
from glacier_simulator.throttle import Limit

API_VERSION = "2012-06-01"
_DAY_SECONDS = 86_400.0
_AGES_DAYS = (1.5, 6 * 365.0)
"""Generated archives are between this young and this old: a few still cost an early-deletion fee, most do not."""


class PretendGlacier:
    """The service: every account, region and vault of it.

    ``credentials`` maps access key ids to who may sign with them; None lets anybody in as ``account_id``.  ``roles``
    are what they may take sessions of.  ``limit`` is what every account may send in every region; None is no limit.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        credentials: Mapping[str, Credential] | None = None,
        roles: Mapping[str, Role] | None = None,
        limit: Limit | None = None,
        estate: Estate | None = None,
        sessions: dict[str, Credential] | None = None,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self._credentials = credentials
        self._estate = estate or Estate(seed, limit)
        self.roles = Roles(self._estate.identifiers, roles, sessions)
        self._home = self._estate.account(account_id, region)
        self._scope = f"/{region}/glacier/"
        self._anybody = Caller(account_id, f"arn:aws:iam::{account_id}:user/anybody", region)
        self.ledger = Ledger(self._estate.tally, self._estate.shelves)

    def handle(self, request: Request, now: float, *, wall: float | None = None) -> Response:
        """Answer one request. Never raises for anything a client can send."""
        wall = now if wall is None else wall
        if sts.action_of(request) is not None:
            identify = partial(self._identify, request, wall, sts.SERVICE)
            return self._named(sts.answer(request, identify, self.roles, wall, self.request_id))
        try:
            caller = self._identify(request, wall)
            where = route(request)
            response = self._perform(self._call(caller, where, request, now))
        except Refusal as no:
            response = no.response()
        response.headers.append(("x-amzn-RequestId", self.request_id()))
        return response

    def handle_as_owner(self, request: Request, now: float) -> Response:
        """Answer an unsigned request in the home account's name: for what a scenario lets somebody else do."""
        try:
            response = self._perform(self._call(self._anybody, route(request), request, now))
        except Refusal as no:
            response = no.response()
        return self._named(response)

    def request_id(self) -> str:
        """Make an ``x-amzn-RequestId``, never the same twice."""
        return self._estate.identifiers.next_request_id()

    def is_plain(self, account_id: str, version: str | None, authorization: str | None) -> bool:
        """Tell whether a DELETE archive with these headers may take the short way, ``delete_archive``."""
        return (
            self._credentials is None
            and account_id in {"-", self.account_id}
            and version == API_VERSION
            and (authorization is None or self._scope in authorization)
        )

    def delete_archive(self, vault_name: str, archive_id: str, now: float) -> Response | None:
        """Delete one archive of the home account and region: None is a 204, anything else is the refusal."""
        home = self._home
        vault = home.vaults.get(vault_name)
        index = None if vault is None else vault.shelf.find(archive_id)
        if vault is None or index is None or vault.rules or home.facts.closed:
            return self._delete_with_care(vault_name, archive_id, now)
        tally, shelf = self._estate.tally, vault.shelf
        if not home.throttle.admits(now):
            tally.throttled += 1
            shelf.count_throttled(index)
            return self._named(refusal.throttled())
        if vault.next_event <= now:
            vault.advance(now)
        tally.received += 1
        shelf.count_received(index)
        if shelf.remove(index):
            vault.changed(now)
        else:
            tally.already_gone += 1
        return None

    @property
    def limit(self) -> Limit | None:
        """What every account may send in every region."""
        return self._estate.limit

    def set_limit(self, limit: Limit | None, now: float) -> None:
        """Change what accounts without a limit of their own may send in a region, from now on."""
        self._estate.change_limit(limit, now)

    def set_own_limit(self, account_id: str, region: str, limit: Limit | None, now: float) -> None:
        """Change what one account may send in one region, from now on."""
        self._estate.change_own_limit(account_id, region, limit, now)

    def accounts(self) -> list[Account]:
        """Every account in every region that there is so far."""
        return self._estate.accounts()

    def close_account(self) -> None:
        """Make the home account a customer without storage: NoLongerSupportedException for everything."""
        self._home.facts.closed = True

    def reopen_account(self) -> None:
        """Take ``close_account`` back."""
        self._home.facts.closed = False

    def vault_names(self) -> list[str]:
        """The vaults of the home account and region, sorted."""
        return sorted(self._home.vaults)

    def vault(self, name: str, now: float) -> StoredVault:
        """A vault of the home account and region as of now. Raises ``KeyError`` when there is none."""
        vault = self._home.vaults[name]
        vault.advance(now)
        return vault

    def doom_job(self, job_id: str, reason: str) -> None:
        """Let a job of the home account and region fail when its time comes. Unknown ids are left alone."""
        for vault in self._home.vaults.values():
            job = vault.facts.jobs.get(job_id)
            if job is not None:
                job.doomed = reason

    def expire_job(self, job_id: str, now: float) -> None:
        """Forget a finished job of the home account and region before its time. Others are left alone."""
        for vault in self._home.vaults.values():
            vault.advance(now)
            job = vault.facts.jobs.get(job_id)
            if job is not None and job.completed:
                vault.forget_job(job_id)
                vault.settle()

    def create_vault(self, name: str, now: float) -> StoredVault:
        """Make an empty vault. Raises ``ValueError`` for a name it can't have, as do the two below."""
        return self._place(name, now)

    def generate_vault(
        self, name: str, archives_count: int, now: float, *, owner: tuple[str, str] | None = None
    ) -> StoredVault:
        """Make a vault of generated archives uploaded over the past years, its last inventory half a day old.

        ``owner`` is an account and region; None: the home.
        """
        youngest, oldest = (now - days * _DAY_SECONDS for days in _AGES_DAYS)
        generated = Generated(self._estate.seed, archives_count, oldest, youngest)
        vault = self._place(name, oldest - _DAY_SECONDS, generated, owner)
        vault.take_inventory(now - _DAY_SECONDS / 2)
        return vault

    def load_vault(self, name: str, records: Iterable[Record], now: float) -> StoredVault:
        """Make a vault of a user's own archives, its last inventory half a day old.

        Raises ``ValueError`` also when an id comes twice.
        """
        vault = self._place(name, now - 10 * 365 * _DAY_SECONDS)
        for record in records:
            vault.shelf.add(record)
        vault.take_inventory(now - _DAY_SECONDS / 2)
        return vault

    def inventory(self, vault_name: str, inventory_format: InventoryFormat, now: float) -> InventoryText:
        """The text of a vault's last inventory.

        Raises ``KeyError`` without such a vault, ``LookupError`` when it has no inventory yet.
        """
        vault = self.vault(vault_name, now)
        if vault.last_inventory is None:
            raise LookupError(f"vault {vault_name} has no inventory yet")
        return InventoryText(vault.shelf, vault.last_inventory, vault.facts.arn, inventory_format)

    def inventory_now(self, vault_name: str, inventory_format: InventoryFormat, now: float) -> InventoryText:
        """What an inventory taken at this moment would say, which the service never tells. Raises ``KeyError``."""
        vault = self.vault(vault_name, now)
        return InventoryText(vault.shelf, vault.freeze(now), vault.facts.arn, inventory_format)

    def state(self) -> dict[str, Any]:
        """Everything to keep over a restart, as plain data with bytes in it (made for MessagePack)."""
        estate = msgspec.to_builtins(self._estate.state(), builtin_types=(bytes,))
        sessions = msgspec.to_builtins(self.roles.sessions, builtin_types=(bytes,))
        return {"region": self.region, "account_id": self.account_id, "estate": estate, "sessions": sessions}

    @classmethod
    def restored(
        cls,
        state: dict[str, Any],
        *,
        credentials: Mapping[str, Credential] | None = None,
        roles: Mapping[str, Role] | None = None,
        limit: Limit | None = None,
    ) -> PretendGlacier:
        """Build the service again from ``state()``. Raises ``ValueError`` for data that is not of this version."""
        try:
            kept = msgspec.convert(state["estate"], EstateState)
            sessions = msgspec.convert(state.get("sessions", {}), dict[str, Credential])
            region, account_id = str(state["region"]), str(state["account_id"])
        except (KeyError, msgspec.ValidationError) as error:
            raise ValueError(f"this is not the state of a simulator of this version: {error}") from error
        estate = Estate.restored(kept, limit)
        return cls(
            region=region,
            account_id=account_id,
            credentials=credentials,
            roles=roles,
            estate=estate,
            sessions=sessions,
        )

    def _identify(self, request: Request, wall: float, service: str = SERVICE) -> Caller:
        if self._credentials is not None:
            return check_signature(request, _Keys(self._credentials, self.roles.sessions), wall, service)
        return Caller(self.account_id, self._anybody.principal_arn, region_of_scope(request, self.region))

    def _call(self, caller: Caller, where: Route, request: Request, now: float) -> Call:
        _check_version(request)
        account_id = caller.account_id if where.account_id == "-" else where.account_id
        is_known = account_id == caller.account_id or self._is_known(account_id, caller.region)
        account = self._estate.account(account_id if is_known else caller.account_id, caller.region)
        call = Call(
            operation=where.operation,
            names=where.names,
            request=request,
            estate=self._estate,
            account=account,
            caller=caller,
            now=now,
        )
        if not is_known:
            raise refusal.foreign_account(account_id)
        return call

    def _is_known(self, account_id: str, region: str) -> bool:
        """Whether there is another account of this id for anybody to name."""
        return self._estate.has(account_id, region) or any(
            one.account_id == account_id for one in (self._credentials or {}).values()
        )

    def _perform(self, call: Call) -> Response:
        if not call.account.throttle.admits(call.now):
            if call.operation == "DeleteArchive":
                note_throttled_delete(call)
            return refusal.throttled()
        if call.account.facts.closed:
            raise Refusal(
                "NoLongerSupportedException",
                "Amazon Glacier takes no new customers, and this account has no Amazon Glacier storage.",
            )
        check_identity(call)
        return OPERATIONS[call.operation](call)

    def _delete_with_care(self, vault_name: str, archive_id: str, now: float) -> Response | None:
        """Answer a delete that the short way has no answer to."""
        headers = {"x-amz-glacier-version": API_VERSION}
        request = Request("DELETE", f"/-/vaults/{vault_name}/archives/{archive_id}", {}, headers)
        where = Route("DeleteArchive", "-", (vault_name, archive_id))
        try:
            response = self._perform(self._call(self._anybody, where, request, now))
        except Refusal as no:
            response = no.response()
        return None if response.status == 204 else self._named(response)

    def _named(self, response: Response) -> Response:
        response.headers.append(("x-amzn-RequestId", self.request_id()))
        return response

    def _place(
        self,
        name: str,
        created: float,
        generated: Generated | None = None,
        owner: tuple[str, str] | None = None,
    ) -> StoredVault:
        if not is_vault_name(name):
            raise ValueError(f"{name!r} is not a vault name")
        account = self._home if owner is None else self._estate.account(*owner)
        return self._estate.place(account, name, created, generated)


class _Keys(NamedTuple):
    """Who may sign: those who have keys for good, and sessions."""

    lasting: Mapping[str, Credential]
    sessions: Mapping[str, Credential]

    def get(self, key: str, /) -> Credential | None:
        return self.sessions.get(key) or self.lasting.get(key)


def _check_version(request: Request) -> None:
    version = request.headers.get("x-amz-glacier-version")
    if version is None:
        raise refusal.missing("API version")
    if version != API_VERSION:
        raise refusal.invalid(f"Invalid API version: {version[:64]}")
