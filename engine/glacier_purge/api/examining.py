"""What is looked at around a vault before anything of it is asked for, and what is told of it to a person."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from glacier_purge.api.values import recent
from glacier_purge.clock import utc_now
from glacier_purge.errors import PlanRefused
from glacier_purge.guard.examination import Examination, Surroundings
from glacier_purge.guard.findings import Weight
from glacier_purge.guard.noticed import keep_noticed
from glacier_purge.guard.protection import check_clear
from glacier_purge.guard.surroundings import judge_way
from glacier_purge.guard.upload_denial import ours_in, sids_of
from glacier_purge.guard.vault import weighed_for_removal
from glacier_purge.guard.writers import signs_of_writers
from glacier_purge.plan.cost import read_price_table
from glacier_purge.report.findings import as_lines
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from glacier_purge.api.clients import Clients
    from glacier_purge.aws.access import Access
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.guard.findings import Finding
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.lifecycle.options import LifecycleOptions
    from glacier_purge.settings import Settings

    Say = Callable[[str], None]


async def examined(
    control: GlacierControl,
    clients: Clients,
    access: Access,
    place: Path,
    settings: Settings,
    service_now: Callable[[], datetime],
) -> list[Finding]:
    """Everything that could go wrong with a purge of the control's vault, with a run folder at ``place``.

    ``service_now`` is the time that ages are counted by.

    Raises as ``Examination.findings`` and ``Clients.try_way`` do, and ``ConfigurationFailed`` for a price table.
    """
    region = control.vault.region
    surroundings = Surroundings(
        caller=await clients.caller(access, region) if access.knows_callers else None,
        lifetime=await clients.lifetime(access, region),
        disk_free_bytes=shutil.disk_usage(_existing(place)).free,
        now=utc_now(),
        service_now=service_now,
        recent=recent(settings),
        prices=read_price_table(settings.estimate.prices_file),
    )
    findings = await Examination(control, surroundings).findings()
    return [*findings, judge_way(await clients.try_way(control.vault, access, settings.aws.transport))]


def look_over(findings: list[Finding], control: GlacierControl, options: LifecycleOptions, say: Say) -> dict[str, Any]:
    """Tell what is worth telling of ``findings``, and give their count. Raises ``PlanRefused`` for what stands in the
    way of a purge.
    """
    if options.remove_vault is not None:
        findings = weighed_for_removal(findings)
    for finding in findings:
        _say_unless_fine(finding, say)
    check_clear(control.vault, findings)
    return {"findings": len(findings), "warnings": sum(found.weight is Weight.WARNING for found in findings)}


async def check_none_left_over(control: GlacierControl) -> None:
    """Raise ``PlanRefused`` where an earlier lifecycle left uploads denied, rather than deny them a second time on top
    of that; raises ``ControlRefused`` where that can't be read: it could be denied as little later on, days from now.
    """
    if not (sids := sids_of(ours_in(await control.access_policy()))):
        return
    raise PlanRefused(
        f"{control.vault.arn} denies uploads by {', '.join(sids)} in its access policy, which another lifecycle left "
        f"there. If that one is not going on, take it away with: glacier-purge thaw {control.vault.name}. Then the "
        "same command goes on. Nothing was sent."
    )


async def look_for_writers(
    control: GlacierControl, snapshot: Snapshot, now: datetime, settings: Settings, say: Say
) -> None:
    """Tell, and keep beside the inventory that was fetched, whether it or the service shows that somebody still writes
    to the vault.
    """

    async def asked() -> GlacierControl:
        return control

    finding = await signs_of_writers(snapshot, asked, now, recent(settings))
    folder = RunFolder.open(snapshot.path.parent)
    keep_noticed(folder, finding)  # for whoever approves, in another process and days later
    _say_unless_fine(finding, say)


def _say_unless_fine(finding: Finding, say: Say) -> None:
    if finding.weight is not Weight.FINE:
        for line in as_lines(finding):
            say(line)


def _existing(place: Path) -> Path:
    """The place, or where it would be made."""
    return next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
