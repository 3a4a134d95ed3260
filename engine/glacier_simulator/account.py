"""What one account has in one region: its vaults, its retrieval policy, its provisioned capacity, its rate."""

from __future__ import annotations

import re

import msgspec

from glacier_purge.archive import partition_of
from glacier_simulator.policy import Statement
from glacier_simulator.stored import StoredVault
from glacier_simulator.throttle import Limit, Throttle

VAULTS_MAX = 1000
"""Vaults per account and region (Developer Guide, "CreateVault")."""


_VAULT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")


class Credential(msgspec.Struct, frozen=True):
    """A key that may sign, for ``principal_arn``. Only session tokens have ``expires`` (epoch seconds).

    Without a ``policy`` it may do everything.  A session of a role has the role's ARN, and the ``tags`` it was given.
    """

    secret: str
    account_id: str
    principal_arn: str
    session_token: str | None = None
    expires: float | None = None
    policy: tuple[Statement, ...] | None = None
    role_arn: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request, once that is known, to which region, and with which policy (None: may do everything)."""

    account_id: str
    principal_arn: str
    region: str
    policy: tuple[Statement, ...] | None = None
    role_arn: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


class Capacity(msgspec.Struct):
    """A purchased unit of provisioned retrieval capacity."""

    capacity_id: str
    start: float
    expires: float


class Retrieval(msgspec.Struct):
    """Bytes asked for by a job, to be held against the data retrieval policy."""

    moment: float
    size_bytes: int


class AccountFacts(msgspec.Struct):
    """All of an account in a region that is kept over a restart, except its vaults."""

    account_id: str
    region: str
    closed: bool = False
    deleted_names: set[str] = set()
    strategy: str = "None"
    bytes_per_hour: int | None = None
    capacity: list[Capacity] = []
    retrievals: list[Retrieval] = []


class Account:
    """An account in a region."""

    __slots__ = ("facts", "throttle", "vaults")

    def __init__(self, facts: AccountFacts, limit: Limit | None) -> None:
        self.facts = facts
        self.throttle = Throttle(limit)
        self.vaults: dict[str, StoredVault] = {}

    def vault_arn(self, name: str) -> str:
        """The ARN a vault of this name has or would have, as replies write it, whatever the name."""
        region = self.facts.region
        return f"arn:{partition_of(region)}:glacier:{region}:{self.facts.account_id}:vaults/{name}"


def is_vault_name(name: str) -> bool:
    """Tell whether a vault can have this name. Dots alone are taken for a path trick."""
    return _VAULT_NAME.fullmatch(name) is not None and name.strip(".") != ""
