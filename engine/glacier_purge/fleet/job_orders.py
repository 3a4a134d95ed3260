"""Which inventory jobs are wanted for the vaults of a fleet, now.

They stand in no fleet file: that is settled when the fleet begins, and a job lasts a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from glacier_purge.archive import Vault
from glacier_purge.errors import UsageError
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrders:
    """``by_vault`` has the id of the job for a vault, by its name or ARN; ``wanted`` is for all others."""

    wanted: WantedJob = ANY_JOB
    by_vault: Mapping[str, str] = field(default_factory=dict)

    def check(self, vaults: Iterable[Vault]) -> None:
        """Raise ``UsageError`` unless each job is for one vault of the fleet, whose ``vaults`` these are."""
        named = [name for vault in vaults for name in (vault.name, vault.arn)]
        for name, job_id in self.by_vault.items():
            if name not in named:
                raise UsageError(f"job {job_id} is for {name}, and the fleet has no such vault. Nothing was sent.")
            if named.count(name) > 1:
                raise UsageError(
                    f"job {job_id} is for {name}, and the fleet has {named.count(name)} vaults of that name. Give its "
                    "ARN. Nothing was sent."
                )

    def of(self, vault: Vault) -> WantedJob:
        """The job wanted for ``vault``."""
        job_id = self.by_vault.get(vault.arn, self.by_vault.get(vault.name))
        return self.wanted if job_id is None else WantedJob(job_id=job_id)


ANY_JOBS = JobOrders()
