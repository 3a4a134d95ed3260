"""What is proven of many vaults together: the digest of each one's certificate, and what no certificate says. Pure.

It proves nothing of its own: it binds certificates that are each checked where they lie, so that one that is missing,
or another in its place, shows by one digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

FORMAT = 1
PROVES = (
    "That these vaults' certificates were the ones named here when this was written: each proves what it says itself.",
)
DOES_NOT_PROVE = (
    "Anything of a vault without a certificate, or of a vault that is not named here.",
    "That a certificate is sound: `glacier-purge audit verify` and `verify` say so of each vault's folder.",
    "What each certificate says that it does not prove.",
)


class VaultProven(msgspec.Struct, frozen=True, kw_only=True):
    """One vault. ``certificate`` is the digest of its own; without one, ``not_proven`` says why there is none.

    ``kept_gone`` archives, which the plan let be, are gone, and this did not delete them.
    """

    vault_arn: str
    certificate: str | None
    not_proven: str | None
    kept_gone: int


class CompanyCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, by name."""

    format: int = FORMAT
    vaults: tuple[VaultProven, ...]
    proves: tuple[str, ...] = PROVES
    does_not_prove: tuple[str, ...] = DOES_NOT_PROVE

    @classmethod
    def of(cls, vaults: Iterable[VaultProven]) -> CompanyCertificate:
        """The same for the same vaults, in whatever order they come."""
        return cls(vaults=tuple(sorted(vaults, key=lambda one: one.vault_arn)))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON of all of it."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def not_proven(self) -> tuple[VaultProven, ...]:
        """The vaults without a certificate."""
        return tuple(one for one in self.vaults if one.certificate is None)
