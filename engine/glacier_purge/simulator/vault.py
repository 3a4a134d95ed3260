"""Amazon Glacier pretended: a pure state machine that answers requests and never looks at a clock or a socket.

All state hangs on ``PretendGlacier``; time is the ``now`` of each call, epoch seconds (UTC), which never runs backwards.  What the
passing of time does (inventories appear, jobs complete, outputs and locks expire) is worked out when somebody asks, so
days pass in no time.  The same seed and the same calls give the same replies, byte for byte, request ids included.

For whoever serves this:

* ``handle(request, now)`` answers any request, with all checks.
* ``delete_archive(vault_name, archive_id, now)`` is DeleteArchive without parsing, routing and authentication, for the one
  request that comes a million times.  Take it only when ``is_plain(...)`` holds; None is a 204, for which
  ``request_id()`` makes the one header there has to be.
* A scaled clock scales throttling as well: a limit meant per second of the client is a rate divided by the scale.
* ``wall`` is the clock by which clients sign and credentials expire; it defaults to ``now``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier_purge.simulator import refusal
from glacier_purge.simulator.account import Account, AccountFacts, Caller, Credential
from glacier_purge.simulator.archives import Record, Shelf
from glacier_purge.simulator.call import Call, reply
from glacier_purge.simulator.exchange import Request, Response
from glacier_purge.simulator.generated import Generated
from glacier_purge.simulator.identifiers import Identifiers
from glacier_purge.simulator.inventory import InventoryFormat, InventoryText
from glacier_purge.simulator.ledger import Ledger, Tally
from glacier_purge.simulator.operations import archives, jobs, retrieval_policy, vaults
from glacier_purge.simulator.refusal import Refusal
from glacier_purge.simulator.routing import Route, route
from glacier_purge.simulator.signature import check_signature, region_of_scope
from glacier_purge.simulator.stored import Facts, StoredVault
from glacier_purge.simulator.throttle import Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

API_VERSION = "2012-06-01"
_DAY = 86_400.0
_AGES_DAYS = (1.5, 6 * 365.0)
"""Generated archives are this young and this old: a few still cost an early-deletion fee, most do not."""
_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

_OPERATIONS: dict[str, Callable[[Call], Response]] = {
    "ListVaults": vaults.list_vaults,
    "DescribeVault": vaults.describe_vault,
    "DeleteVault": vaults.delete_vault,
    "UploadArchive": archives.upload_archive,
    "InitiateJob": jobs.initiate_job,
    "DescribeJob": jobs.describe_job,
    "ListJobs": jobs.list_jobs,
    "GetJobOutput": jobs.get_job_output,
    "GetDataRetrievalPolicy": retrieval_policy.get_retrieval_policy,
    "SetDataRetrievalPolicy": retrieval_policy.set_retrieval_policy,
    "ListProvisionedCapacity": retrieval_policy.list_capacity,
    "PurchaseProvisionedCapacity": retrieval_policy.purchase_capacity,
}
"""All but CreateVault and DeleteArchive, which need more than a vault."""


class PretendGlacier:
    """The service: every account, region and vault of it.

    ``credentials`` maps access key ids to who may sign with them; None lets anybody in as ``account_id``.
    ``limit`` is what every account may send in every region; None is no limit.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        credentials: Mapping[str, Credential] | None = None,
        limit: Limit | None = None,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self._seed = seed
        self._limit = limit
        self._credentials = credentials
        self._identifiers = Identifiers(seed)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._shelves: dict[int, Shelf] = {}
        self._home = self.account(account_id, region)
        self._scope = f"/{region}/glacier/"
        self._anybody = f"arn:aws:iam::{account_id}:user/anybody"
        self._tally = Tally()
        self.ledger = Ledger(self._tally, self._shelves)

    def handle(self, request: Request, now: float, *, wall: float | None = None) -> Response:
        """Answer one request. Never raises for anything a client can send."""
        try:
            response = self._answer(request, now, now if wall is None else wall)
        except Refusal as no:
            return no.response(self.request_id())
        if not any(name == "x-amzn-RequestId" for name, _ in response.headers):
            response.headers.append(("x-amzn-RequestId", self.request_id()))
        return response

    def request_id(self) -> str:
        """Make an ``x-amzn-RequestId``, never the same twice."""
        return self._identifiers.next_request_id()

    def is_plain(self, account_id: str, version: str | None, authorization: str | None) -> bool:
        """Tell whether a DELETE archive with these headers may take the short way, ``delete_archive``."""
        return (
            self._credentials is None
            and (account_id == "-" or account_id == self.account_id)
            and version == API_VERSION
            and (authorization is None or self._scope in authorization)
        )

    def delete_archive(self, vault_name: str, archive_id: str, now: float) -> Response | None:
        """Delete one archive of the home account and region: None is a 204, anything else is the refusal."""
        home = self._home
        vault = home.vaults.get(vault_name)
        if vault is None or vault.rules or home.facts.closed:
            return self._delete_with_care(vault_name, archive_id, now)
        if vault.next_event <= now:
            vault.advance(now)
        shelf = vault.shelf
        index = shelf.find(archive_id)
        if index is None:
            return self._delete_with_care(vault_name, archive_id, now)
        if not home.throttle.admits(now):
            self._tally.throttled += 1
            shelf.count_throttled(index)
            return refusal.throttled(self.request_id())
        self._tally.received += 1
        shelf.count_received(index)
        if shelf.remove(index):
            vault.changed(now)
        else:
            self._tally.already_gone += 1
        return None

    def set_limit(self, limit: Limit | None, now: float) -> None:
        """Change what every account may send in every region, from now on."""
        self._limit = limit
        for account in self._accounts.values():
            account.throttle.change(limit, now)

    @property
    def limit(self) -> Limit | None:
        """What every account may send in every region."""
        return self._limit

    def account(self, account_id: str, region: str) -> Account:
        """An account in a region; it is there as soon as somebody asks."""
        account = self._accounts.get((account_id, region))
        if account is None:
            account = Account(AccountFacts(account_id, region), self._limit)
            self._accounts[account_id, region] = account
        return account

    def vault(self, name: str, now: float) -> StoredVault:
        """A vault of the home account and region as of now. Raises ``KeyError`` when there is none."""
        vault = self._home.vaults[name]
        vault.advance(now)
        return vault

    def vault_names(self) -> list[str]:
        """The vaults of the home account and region, sorted."""
        return sorted(self._home.vaults)

    def close_account(self) -> None:
        """From now on the home account counts as a customer without storage: NoLongerSupportedException for everything."""
        self._home.facts.closed = True

    def reopen_account(self) -> None:
        """Take ``close_account`` back."""
        self._home.facts.closed = False

    def create_vault(self, name: str, now: float) -> StoredVault:
        """Make an empty vault in the home account and region."""
        return self._place(self._home, name, now, None)

    def generate_vault(self, name: str, archives_count: int, now: float) -> StoredVault:
        """Make a vault of generated archives uploaded over the past years, its last inventory half a day old."""
        youngest, oldest = (now - days * _DAY for days in _AGES_DAYS)
        vault = self._place(self._home, name, oldest - _DAY, Generated(self._seed, archives_count, oldest, youngest))
        vault.take_inventory(now - _DAY / 2)
        return vault

    def load_vault(self, name: str, records: Iterable[Record], now: float) -> StoredVault:
        """Make a vault that holds a user's own archives, its last inventory half a day old.

        Raises ``ValueError`` when an id comes twice.
        """
        vault = self._place(self._home, name, now - 10 * 365 * _DAY, None)
        for record in records:
            vault.shelf.add(record)
        vault.take_inventory(now - _DAY / 2)
        return vault

    def inventory(self, vault_name: str, inventory_format: InventoryFormat, now: float) -> InventoryText:
        """The text of a vault's last inventory. Raises ``KeyError`` without such a vault, ``LookupError`` without inventory."""
        vault = self.vault(vault_name, now)
        last = vault.last_inventory
        if last is None:
            raise LookupError(f"vault {vault_name} has no inventory yet")
        return InventoryText(vault.shelf, last, vault.facts.arn, inventory_format)

    def _answer(self, request: Request, now: float, wall: float) -> Response:
        if self._credentials is None:
            caller = Caller(self.account_id, self._anybody, region_of_scope(request, self.region))
        else:
            caller = check_signature(request, self._credentials, wall)
        where = route(request)
        _check_version(request)
        account = self._account_of(where, caller)
        if where.operation == "DeleteArchive":
            return self._delete(account, caller, request, where, now)
        if not account.throttle.admits(now):
            return refusal.throttled(self.request_id())
        _check_open(account)
        call = self._call(account, caller, request, where, now)
        if where.operation == "CreateVault":
            if vaults.admit_vault(call):
                self._place(account, where.names[0], now, None)
            return vaults.created(call)
        return _OPERATIONS[where.operation](call)

    def _account_of(self, where: Route, caller: Caller) -> Account:
        account_id = caller.account_id if where.account_id == "-" else where.account_id
        if account_id == caller.account_id or (account_id, caller.region) in self._accounts:
            return self.account(account_id, caller.region)
        named = "/" + "/".join(["vaults", *where.names[:1]])
        raise Refusal(
            "AccessDeniedException",
            f"User: {caller.principal_arn} is not authorized to perform: glacier:{where.operation} on resource: "
            f"arn:aws:glacier:{caller.region}:{account_id}:{named[1:]}",
        )

    def _delete_with_care(self, vault_name: str, archive_id: str, now: float) -> Response | None:
        """Answer a delete that the short way has no answer to."""
        request = Request("DELETE", f"/-/vaults/{vault_name}/archives/{archive_id}", {}, {})
        caller = Caller(self.account_id, self._anybody, self.region)
        where = Route("DeleteArchive", "-", (vault_name, archive_id))
        try:
            response = self._delete(self._home, caller, request, where, now)
        except Refusal as no:
            return no.response(self.request_id())
        return None if response.status == 204 else response

    def _delete(self, account: Account, caller: Caller, request: Request, where: Route, now: float) -> Response:
        name, archive_id = where.names
        vault = account.vaults.get(name)
        index = None if vault is None else vault.shelf.find(archive_id)
        if not account.throttle.admits(now):
            self._tally.throttled += 1
            if vault is not None and index is not None:
                vault.shelf.count_throttled(index)
            return refusal.throttled(self.request_id())
        self._tally.received += 1
        _check_open(account)
        if vault is None:
            self._tally.no_vault += 1
            raise refusal.vault_missing(account.vault_arn(name))
        if index is None:
            return self._delete_unknown(vault, archive_id)
        vault.advance(now)
        vault.shelf.count_received(index)
        try:
            self._call(account, caller, request, where, now).authorise(vault, index)
        except Refusal:
            self._tally.denied += 1
            raise
        if vault.shelf.remove(index):
            vault.changed(now)
        else:
            self._tally.already_gone += 1
        return reply(204)

    def _delete_unknown(self, vault: StoredVault, archive_id: str) -> Response:
        if not (len(archive_id) == 138 and _ID_CHARACTERS.issuperset(archive_id)):
            self._tally.malformed += 1
            raise refusal.invalid(f"Invalid archive ID: {archive_id[:256]}")
        if any(shelf.find(archive_id) is not None for shelf in self._shelves.values()):
            self._tally.wrong_vault += 1
            raise refusal.wrong_vault(vault.facts.arn)
        # Undocumented for ids that never were; the service can hardly tell them from ids deleted years ago.
        self._tally.unknown += 1
        return reply(204)

    def _call(self, account: Account, caller: Caller, request: Request, where: Route, now: float) -> Call:
        return Call(
            operation=where.operation,
            names=where.names,
            request=request,
            account=account,
            caller=caller,
            identifiers=self._identifiers,
            now=now,
        )

    def _place(self, account: Account, name: str, created: float, generated: Generated | None) -> StoredVault:
        vaults.check_name(name)
        if name in account.vaults:
            raise ValueError(f"there is a vault {name} already")
        shelf = Shelf(len(self._shelves) + 1, self._identifiers, generated)
        self._shelves[shelf.number] = shelf
        vault = StoredVault(Facts(name, account.vault_arn(name), created), shelf, self._identifiers)
        account.vaults[name] = vault
        account.facts.deleted_names.discard(name)
        return vault


def _check_version(request: Request) -> None:
    version = request.headers.get("x-amz-glacier-version")
    if version is None:
        raise refusal.missing("API version")
    if version != API_VERSION:
        raise refusal.invalid(f"Invalid API version: {version}")


def _check_open(account: Account) -> None:
    if account.facts.closed:
        raise Refusal(
            "NoLongerSupportedException",
            "Amazon Glacier is no longer accepting new customers, and this account has no Amazon Glacier storage.",
        )
