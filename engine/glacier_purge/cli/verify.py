"""``verify``: prove by a later inventory that what a run deleted is gone, and write the certificate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    HookOptions,
    Hooks,
    JobOptions,
    Jobs,
    LogOptions,
    Logs,
    Output,
    Proof,
    ProofOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, print_result
from glacier_purge.cli.waiting import NoWaitOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.report.results.running import Verified


def verify(
    run_dir: Path,
    *,
    no_wait: NoWaitOption = False,
    jobs: Jobs = JobOptions(),
    proof: Proof = ProofOptions(),
    hooks: Hooks = HookOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Wait for an inventory made after the run's last deletion, and hold it against the audit log.

    The service makes one about once a day. When everything deleted is gone and nothing else is there, it writes
    certificate.json and certificate.txt. It names the files with the ids of what is still there, was uploaded since, or
    is gone though the plan let it be.

    Parameters
    ----------
    run_dir
        The run folder.

    Examples
    --------
    glacier-purge verify photos-run
    glacier-purge verify photos-run --no-wait --output json
    """
    from glacier_purge.api import values
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.proving import is_as_it_should_be, proven
    from glacier_purge.api.run_dirs import open_run_to_prove
    from glacier_purge.api.telling import telling
    from glacier_purge.cli.again import same_command
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.output import tell
    from glacier_purge.cli.waiting import settled, waiter
    from glacier_purge.plan.document import read_plan

    configure_logs(logs)
    wanted = jobs.wanted()
    settings = source.load(aws, hooks=hooks, audit=proof.overrides())
    folder = open_run_to_prove(run_dir)
    plan = read_plan(folder.plan_file)
    access = values.access(settings, plan.endpoint_url, vault=plan.vault, id_rule=plan.snapshot.id_rule)

    async def work() -> int:
        async with telling(settings, tell, same_command) as told, Clients() as clients:
            verified = await proven(
                folder, plan, settings, clients, waiter(no_wait, access), tell, wanted=wanted, telling=told
            )
        print_result(verified, output)
        for line in missing(verified):
            tell(line)
        return ExitCode.DONE if is_as_it_should_be(verified) else ExitCode.FAILED

    return in_event_loop(lambda: settled(work, output))


def missing(verified: Verified) -> Iterator[str]:
    """What to say of archives that the plan let be and that are gone: no failure of the run, and not to be missed."""
    if verified.kept_gone:
        first = verified.kept_gone_first
        yield (
            f"{verified.kept_gone:,} archives that the plan let be are gone, and this run did not delete them: "
            f"{first}{' and more' if verified.kept_gone > len(first.split(', ')) else ''}"
        )
        yield "look who did (CloudTrail has each DeleteArchive); the certificate counts and names them"
