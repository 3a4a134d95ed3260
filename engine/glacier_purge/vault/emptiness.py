"""What shows that a vault is empty, so that it may be removed: a run's accounting, or that there was nothing to purge.

Full accounting (I19) is a run that is finished, of which nothing failed, and whose certificate's inventory lists
nothing at all.  Where there was nothing to purge there is no run: then it is an inventory that lists nothing; and where
nothing was ever written there is no inventory: then it is the service, which says so, and refuses if it is not so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from glacier_purge.archive import Vault
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import PlanRefused
from glacier_purge.plan.document import Plan
from glacier_purge.proof.certificate import Certificate, read_certificate
from glacier_purge.proof.soundness import sound_ledger
from glacier_purge.storage.folder import RunFolder


class ProofOfEmptiness(Protocol):
    """What shows that a vault is empty."""

    @property
    def vault(self) -> Vault:
        """The vault."""

    def check(self) -> datetime | None:
        """As of when it was empty; None where the service never made an inventory. Raises ``PlanRefused``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """A vault in which there was nothing to purge: its inventory of ``as_of`` lists nothing, or (None) it has none."""

    vault: Vault
    as_of: datetime | None

    def check(self) -> datetime | None:
        """As of when it was empty."""
        return self.as_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A run that was carried out and verified."""

    folder: RunFolder
    plan: Plan

    @property
    def vault(self) -> Vault:
        """The run's vault."""
        return self.plan.vault

    def check(self) -> datetime | None:
        """When the certificate's inventory was made. Raises ``PlanRefused`` when anything speaks against it."""
        certificate = read_certificate(self.folder)
        reasons = why_not(self.plan, replay(self.folder.path), certificate)
        if certificate is None or reasons:
            raise PlanRefused(f"{self.vault.arn} is not removed: {'; '.join(reasons)}. Nothing was sent.")
        _, anchor = sound_ledger(self.folder.path, self.plan)
        if anchor != certificate.audit_anchor:
            raise PlanRefused(
                f"{self.vault.arn} is not removed: the audit log is not the one that the certificate rests on. "
                "Verify again. Nothing was sent."
            )
        return datetime.fromisoformat(certificate.inventory_date)


def why_not(plan: Plan, ledger: Ledger, certificate: Certificate | None) -> list[str]:
    """Everything that speaks against removing the vault of a run; empty when nothing does."""
    reasons = []
    accounted = sum(ledger.counts.values())
    if ledger.finished is None or accounted != plan.counts.inventory:
        part = f"{accounted:,} of {plan.counts.inventory:,} records are accounted for"
        reasons.append(f"the run is not finished: {part} (go on with apply)")
    if ledger.counts.get("failed"):
        reasons.append(f"{ledger.counts['failed']:,} archives failed")
    if certificate is None:
        reasons.append("there is no certificate: run glacier-purge verify first")
        return reasons
    if certificate.plan_digest != plan.digest or certificate.vault_arn != plan.vault.arn:
        reasons.append("the certificate is of another run (verify this one again)")
    if not certificate.found.vault_is_empty:
        listed = f"the certificate's inventory lists {certificate.found.listed:,} archives"
        reasons.append(f"{listed} (plan and apply once more, from a new inventory, and remove by that)")
    return reasons
