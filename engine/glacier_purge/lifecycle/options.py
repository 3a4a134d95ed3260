"""What a lifecycle is to do besides deleting archives."""

from __future__ import annotations

from dataclasses import dataclass

from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleOptions:
    """``freeze`` denies uploads while archives are deleted; ``remove_vault`` is the vault's name, typed by who wants it
    gone, and ``even_the_last`` lets it go where it is the account's last one.

    ``set_aside_defects`` plans although some of the inventory's records cannot be read; those stay.  ``wanted`` is the
    inventory job to plan or prove by, where not any that will do is wanted; it also replaces the inventory of a plan
    that nobody has approved yet.
    """

    freeze: bool = False
    remove_vault: str | None = None
    even_the_last: bool = False
    set_aside_defects: bool = False
    wanted: WantedJob = ANY_JOB
