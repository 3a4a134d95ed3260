"""What accounts are pretended, as a TOML file says: their vaults in regions, who has keys there, their roles, limits.

    [[accounts]]
    id = "111111111111"
    limits = { "*" = { rate = 100 }, eu-west-1 = { rate = 30, burst = 30 } }

    [[accounts.vaults]]
    name = "photos"
    regions = ["eu-west-1", "us-east-1"]
    archives = 1000

    [[accounts.users]]
    name = "operator"
    access_key_id = "AKIAOPERATOR"
    secret_access_key = "secret"
    policy = "operator.json"            # an IAM policy; without one the user may do everything

    [[accounts.roles]]
    name = "purge"
    trust = "trust.json"                # who may take it: an IAM trust policy
    policy = "delete.json"
    session_seconds_max = 3600
    lasts_seconds = 60                  # sessions last so long, whatever is asked for

Policies are files beside it.  The first account is the simulator's own, whose vaults its pages know.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from glacier_purge.archive import Vault, partition_of
from glacier_purge.errors import GlacierPurgeError, UsageError
from glacier_simulator.account import Credential
from glacier_simulator.policy import MalformedPolicyError, Statement, parse_identity, parse_trust
from glacier_simulator.roles import DURATION_SECONDS, DURATION_SECONDS_MAX, Role
from glacier_simulator.scenario import Limits

ARCHIVES_MAX = 100_000_000
_CHARACTERS_MAX = 1 << 20
_NAME = re.compile(r"[\w+=,.@-]{1,64}")
_REGION_OF_ALL = "*"

ReadFile = Callable[[str], str]
"""Gives the text of a file beside the one that names it. Raises ``UsageError``."""


class VaultEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Vaults of one name, one in each region."""

    name: str
    regions: tuple[str, ...]
    archives: Annotated[int, Meta(ge=0, le=ARCHIVES_MAX)] = 0


class UserEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody with a key."""

    name: str
    access_key_id: Annotated[str, Meta(pattern="^[A-Za-z0-9]{3,128}$")]
    secret_access_key: Annotated[str, Meta(min_length=1)]
    policy: str | None = None


class RoleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A role."""

    name: str
    trust: str
    policy: str | None = None
    session_seconds_max: Annotated[int, Meta(ge=DURATION_SECONDS, le=DURATION_SECONDS_MAX)] = DURATION_SECONDS
    lasts_seconds: Annotated[float, Meta(gt=0)] | None = None


class AccountEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account. ``limits`` are by region, those of ``*`` for every other region that it has vaults in."""

    id: Annotated[str, Meta(pattern="^[0-9]{12}$")]
    vaults: tuple[VaultEntry, ...] = ()
    users: tuple[UserEntry, ...] = ()
    roles: tuple[RoleEntry, ...] = ()
    limits: dict[str, Limits] = {}

    @property
    def regions(self) -> list[str]:
        """Where it has vaults."""
        return list(dict.fromkeys(region for vault in self.vaults for region in vault.regions))


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    accounts: Annotated[tuple[AccountEntry, ...], Meta(min_length=1)]


class Accounts:
    """The accounts of a file, with what its policies say. Raises ``UsageError`` for what can't be."""

    def __init__(self, accounts: tuple[AccountEntry, ...], read_file: ReadFile) -> None:
        self.accounts = accounts
        self.vaults = [
            (Vault(account_id=account.id, region=region, name=vault.name), vault.archives)
            for account in accounts
            for vault in account.vaults
            for region in vault.regions
        ]
        if not self.vaults:
            raise UsageError("no account has a vault. Write an [[accounts.vaults]] with name and regions.")
        self.credentials: dict[str, Credential] = {}
        self.roles: dict[str, Role] = {}
        self.limits: dict[tuple[str, str], Limits] = {}
        for account in accounts:
            self._add(account, read_file)
        if not self.credentials:
            raise UsageError("nobody has a key to sign with. Write an [[accounts.users]] into one of the accounts.")

    @property
    def home(self) -> Vault:
        """The first vault: the simulator's own account and region are its."""
        return self.vaults[0][0]

    def _add(self, account: AccountEntry, read_file: ReadFile) -> None:
        partition = partition_of((account.regions or [self.home.region])[0])
        for user in account.users:
            if user.access_key_id in self.credentials:
                raise UsageError(f"the key {user.access_key_id} is two users'. Give each another one.")
            arn = f"arn:{partition}:iam::{account.id}:user/{_named(user.name)}"
            rules = None if user.policy is None else _policy(parse_identity, user.policy, read_file)
            self.credentials[user.access_key_id] = Credential(user.secret_access_key, account.id, arn, policy=rules)
        for role in account.roles:
            arn = f"arn:{partition}:iam::{account.id}:role/{_named(role.name)}"
            if arn in self.roles:
                raise UsageError(f"there are two roles {arn}. Give each another name.")
            self.roles[arn] = Role(
                arn=arn,
                trust=_policy(parse_trust, role.trust, read_file),
                policy=None if role.policy is None else _policy(parse_identity, role.policy, read_file),
                session_seconds_max=role.session_seconds_max,
                lasts_seconds=role.lasts_seconds,
            )
        for region in {*account.regions, *account.limits} - {_REGION_OF_ALL}:
            limits = account.limits.get(region, account.limits.get(_REGION_OF_ALL))
            if limits is not None:
                self.limits[account.id, region] = limits


def read_accounts(text: str, read_file: ReadFile) -> Accounts:
    """Read the text of such a file. Raises ``UsageError`` that says what is wrong in it."""
    if len(text) > _CHARACTERS_MAX:
        raise UsageError(f"it has more than {_CHARACTERS_MAX:,} characters.")
    try:
        accounts = msgspec.convert(tomllib.loads(text), _Document, strict=False).accounts
        twice = {one.id for one in accounts if sum(one.id == other.id for other in accounts) > 1}
        if twice:
            raise UsageError(f"account {min(twice)} is there twice. Put all of it into one [[accounts]].")
        return Accounts(accounts, read_file)
    except GlacierPurgeError:
        raise
    except (ValueError, RecursionError) as error:  # no TOML, another document, or nested without end
        raise UsageError(f"{error}.") from error


def _named(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} is not a name that a user or role can have.")
    return name


def _policy(parse: Callable[[str], tuple[Statement, ...]], file: str, read_file: ReadFile) -> tuple[Statement, ...]:
    try:
        return parse(read_file(file))
    except MalformedPolicyError as error:
        raise UsageError(f"{file} is no policy: {error}.") from error
