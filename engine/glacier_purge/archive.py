"""What an archive, its id and a vault are; checked when made, so that nothing else has to.

An id or a vault name ends up in the path of an irreversible request: ``DELETE /-/vaults/v/archives/..`` is
normalised by common HTTP libraries to ``DELETE /-/vaults/v/``, which is DeleteVault.  So the character sets
here are closed, the check is cheap enough to be made twice (when planning and right before sending), and there is
no way to make a ``Vault`` that has not passed it.

Sources: archive ids are 138 characters of ``[A-Za-z0-9_-]`` (Developer Guide, "Working with archives"); vault
names 1-255 characters of ``[A-Za-z0-9_.-]`` ("Create vault"); ARNs ``arn:aws:glacier:REGION:ACCOUNT:vaults/NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NewType

import msgspec

from glacier_purge.errors import UsageError

ArchiveId = NewType("ArchiveId", str)

ARCHIVE_ID_LENGTH = 138
ARCHIVE_ID_LENGTH_MAX = 1024
ARCHIVE_SIZE_BYTES_MAX = 2**63 - 1
UNNUMBERED = -1

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+){1,3}-[0-9]{1,2}")
_VAULT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):glacier:(?P<region>[^:]*):(?P<account>[^:]*):vaults/(?P<name>.*)")


@dataclass(frozen=True, slots=True)
class IdRule:
    """Which texts may stand in a request path as archive ids; the alphabet is the same for every rule.

    There are two: ``EXACT`` is the service's own, and ``ANY_LENGTH`` admits what other emulators make.
    """

    length: str
    """How many characters an id has, in words."""
    lengths: frozenset[int] = field(repr=False)

    def holds(self, text: str) -> bool:
        """Tell whether ``text`` is an archive id."""
        return len(text) in self.lengths and _are_of_the_alphabet(text)

    def check(self, texts: Sequence[str]) -> None:
        """Raise ``UsageError`` unless ``holds`` is true of every text: the check right before sending.

        It is made for each of millions of deletes, so they are looked at together.
        """
        if set(map(len, texts)) <= self.lengths and _are_of_the_alphabet("".join(texts)):
            return
        wrong = next(text for text in texts if not self.holds(text))
        raise UsageError(f"{wrong!r} is not an archive id. It was not sent.")


EXACT = IdRule("138", frozenset({ARCHIVE_ID_LENGTH}))
ANY_LENGTH = IdRule("1 to 1,024", frozenset(range(1, ARCHIVE_ID_LENGTH_MAX + 1)))


def id_rule_for(*, any_length: bool) -> IdRule:
    """The rule that a setting or a plan names by a yes or no."""
    return ANY_LENGTH if any_length else EXACT


def _are_of_the_alphabet(text: str) -> bool:
    return text.isascii() and not text.encode().translate(None, _ALPHABET)


class Archive(msgspec.Struct, gc=False):
    """One record of a vault inventory, as Glacier's JSON has it (GetJobOutput, "Response body"), and its place in it.

    ``ordinal`` is its position in the snapshot, counted from 0 over all records, also invalid ones; it is the
    archive's name everywhere after the inventory.  It is no part of the JSON: whoever decodes a record numbers it.
    ``size_bytes`` is without the service's overhead.
    ``created`` is the upload time as the inventory writes it (ISO 8601, UTC, with or without milliseconds).
    ``description`` is display text only; bytes that are not UTF-8 are kept escaped.
    """

    archive_id: ArchiveId = msgspec.field(name="ArchiveId")
    description: str = msgspec.field(name="ArchiveDescription")
    created: str = msgspec.field(name="CreationDate")
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=ARCHIVE_SIZE_BYTES_MAX)] = msgspec.field(name="Size")
    tree_hash: str = msgspec.field(name="SHA256TreeHash")
    ordinal: int = UNNUMBERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A vault's full address. Raises ``UsageError`` when any part could not be a real one."""

    account_id: str
    region: str
    name: str

    def __post_init__(self) -> None:
        if not _ACCOUNT_ID.fullmatch(self.account_id):
            raise UsageError(
                f"account id {self.account_id!r} is not 12 digits. Give the vault's account with --account-id."
            )
        if not _REGION.fullmatch(self.region):
            raise UsageError(f"{self.region!r} is not the name of an AWS region. Give one with --region.")
        check_vault_name(self.name)

    @property
    def arn(self) -> str:
        """The vault's ARN as the service writes it in inventories and replies."""
        return f"arn:{partition_of(self.region)}:glacier:{self.region}:{self.account_id}:vaults/{self.name}"

    @classmethod
    def from_arn(cls, arn: str) -> Vault:
        """Read a vault's address out of its ARN; raises ``UsageError`` for anything else."""
        match = _ARN.fullmatch(arn)
        if match is None:
            raise UsageError(f"{arn!r} is not the ARN of a Glacier vault.")
        vault = cls(account_id=match["account"], region=match["region"], name=match["name"])
        if vault.arn != arn:
            raise UsageError(f"{arn!r} names partition {match['partition']!r}, which does not hold {vault.region}.")
        return vault


def check_vault_name(name: str) -> None:
    """Raise ``UsageError`` unless ``name`` is a legal vault name that is also safe as a path segment."""
    if not _VAULT_NAME.fullmatch(name) or set(name) == {"."}:
        raise UsageError(
            f"{name!r} is not a vault name: 1 to 255 of the characters A-Z a-z 0-9 _ . -, and not only dots."
        )


def partition_of(region: str) -> str:
    """The AWS partition (first part of an ARN after ``arn:``) that holds ``region``."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"
