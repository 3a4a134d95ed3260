"""``verify``: prove by a later inventory that what a run deleted is gone, and write the certificate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import Aws, AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_result
from glacier_purge.cli.waiting import NoWaitOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.proof.reconcile import Reconciliation
    from glacier_purge.proof.verifying import Verdict
    from glacier_purge.report.results.running import Proof, Verified
    from glacier_purge.storage.folder import RunFolder


def verify(
    run_dir: Path,
    *,
    no_wait: NoWaitOption = False,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Wait for an inventory made after the run's last deletion, and hold it against the audit log.

    The service makes one about once a day. Ends with 0 when everything deleted is gone and nothing else is there, and
    writes certificate.json and certificate.txt; with 1 when archives are still there or were uploaded since, or when
    archives that the plan let be are gone, and names the files with their ids.

    Parameters
    ----------
    run_dir
        The run folder.
    """
    from glacier_purge.api import values
    from glacier_purge.api.clients import Clients
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.output import tell
    from glacier_purge.cli.run_dir import open_run
    from glacier_purge.cli.waiting import settled, waiter
    from glacier_purge.plan.document import read_plan
    from glacier_purge.proof.verifying import Verifying
    from glacier_purge.run.host import who

    configure_logs(logs)
    settings = source.load(aws)
    folder = open_run(run_dir)
    plan = read_plan(folder.plan_file)
    access = values.access(settings, plan.endpoint_url, id_rule=plan.snapshot.id_rule)

    async def work() -> int:
        with folder.held():
            async with Clients() as clients:
                waits = waiter(no_wait, access)
                verifying = Verifying(await clients.control(plan.vault, access), folder, plan, waits, by=who())
                verdict = await verifying.verify()
        print_result(_told(folder, verdict), output)
        found = verdict.found
        for line in missing(found):
            tell(line)
        as_it_should_be = verdict.certificate is not None and not found.new_since and not found.kept_gone
        return ExitCode.DONE if as_it_should_be else ExitCode.FAILED

    return in_event_loop(lambda: settled(work, output))


def missing(found: Reconciliation) -> Iterator[str]:
    """What to say of archives that the plan let be and that are gone: no failure of the run, and not to be missed."""
    if found.kept_gone:
        yield (
            f"{found.kept_gone:,} archives that the plan let be are gone, and this run did not delete them: "
            f"{', '.join(found.kept_gone_first)}{' and more' if found.kept_gone > len(found.kept_gone_first) else ''}"
        )
        yield "look who did (CloudTrail has each DeleteArchive); the certificate counts and names them"


def _state(verdict: Verdict) -> Proof:
    if verdict.certificate is None:
        return "not proven"
    return "proven, but archives that were kept are gone" if verdict.found.kept_gone else "proven"


def _told(folder: RunFolder, verdict: Verdict) -> Verified:
    import msgspec

    from glacier_purge.proof.certificate import CERTIFICATE_FILE
    from glacier_purge.proof.reconcile import (
        KEPT_GONE_FILE,
        NEVER_DELETED_FILE,
        NEW_SINCE_FILE,
        STILL_LISTED_FILE,
        VERIFICATION_FOLDER,
    )
    from glacier_purge.report.results.running import Verified

    found, certificate = verdict.found, verdict.certificate
    place = folder.path / VERIFICATION_FOLDER
    files = {
        "still_listed_ids": (found.still_listed, place / STILL_LISTED_FILE),
        "never_deleted_ids": (found.never_deleted, place / NEVER_DELETED_FILE),
        "new_since_ids": (found.new_since, place / NEW_SINCE_FILE),
        "kept_gone_ids": (found.kept_gone, place / KEPT_GONE_FILE),
    }
    named = {name: str(file) for name, (count, file) in files.items() if count}
    return Verified(
        state=_state(verdict),
        vault_is_empty=found.vault_is_empty,
        inventory_date=verdict.inventory_date,
        **(msgspec.structs.asdict(found) | {"kept_gone_first": ", ".join(found.kept_gone_first)} | named),
        certificate=None if certificate is None else str(folder.path / CERTIFICATE_FILE),
        certificate_digest=None if certificate is None else certificate.digest,
        run_dir=str(folder.path),
    )
