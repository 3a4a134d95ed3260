"""``fleet``: carry several vaults through their lifecycles side by side, over days and any number of stops."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from glacier_purge.cli.options import (
    ApprovalOptions,
    Approvals,
    Aws,
    AwsOptions,
    HookOptions,
    Hooks,
    Hyphened,
    LogOptions,
    Logs,
    Output,
    Pace,
    PaceOptions,
    Proof,
    ProofOptions,
    Replica,
    ReplicaOptions,
    SettingsOptions,
    SettingsSource,
    Watch,
    WatchOptions,
)
from glacier_purge.cli.output import OutputFormat, print_page, tell
from glacier_purge.cli.signals import StopSignals
from glacier_purge.cli.voice import lines
from glacier_purge.cli.waiting import NoWaitOption
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from glacier_purge.api.fleet import OpenedFleet, SettingsFor
    from glacier_purge.archive import Vault
    from glacier_purge.fleet.fleet import Ending
    from glacier_purge.fleet.job_orders import JobOrders
    from glacier_purge.glacier.waiting import Waiter, Waiting
    from glacier_purge.report.results.stepping import FleetStepped
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def fleet(
    fleet_file: Path,
    *,
    run_dir: Path,
    no_wait: NoWaitOption = False,
    confirm_digest: list[str] | None = None,
    new_inventory: bool = False,
    job_id: list[Hyphened] | None = None,
    hand_in: list[Path] | None = None,
    take_up: bool = False,
    pace: Pace = PaceOptions(),
    approvals: Approvals = ApprovalOptions(),
    proof: Proof = ProofOptions(),
    replica: Replica = ReplicaOptions(),
    hooks: Hooks = HookOptions(),
    watch: Watch = WatchOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Carry all vaults of a fleet file through inventory, plan, approval, purge and verification, side by side.

    All inventories are asked for at once; vaults of one account and region share its limit; one that fails does not
    stop the others. Each plan has to be approved: typed on a terminal, or by giving the command again with the
    --confirm-digest that it asks for; with --approvals, each by so many people who sign. Ends with the worst code of
    all, or with 75 while anything is pending.

    Parameters
    ----------
    fleet_file
        TOML file: a [[vaults]] with name (a glob), profile, region, account, role, freeze, delete_vault, max_rate for
        each kind, and the options of `run` that say which archives go and how much at most, as older_than = "90d"; and
        deny, globs that are never touched. It is settled when the fleet begins.
    run_dir
        Folder of the fleet, with a folder for each vault in it.
    confirm_digest
        Digest of a plan that may be carried out, all 64 characters. May be given several times.
    new_inventory
        Ask for an inventory job of its own for each vault without an approved plan, even where one that is done would
        do, or is remembered.
    job_id
        VAULT=JOB, a vault's name or ARN: take this inventory job for that vault and no other. May be given several
        times.
    hand_in
        File with an approval that somebody signed, of a plan of any of the vaults. May be given several times.
    take_up
        With a bucket (--replica): go on with each vault as the bucket has it, where this host has nothing of it, or
        less than another host that went on with it.

    Examples
    --------
    glacier-purge fleet fleet.toml --run-dir vaults-run
    # For cron: go as far as possible, end with 75 and the time to come again.
    glacier-purge fleet fleet.toml --run-dir vaults-run --no-wait --output json
    """
    from glacier_purge.cli.approve import approval_in
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import documented
    from glacier_purge.fleet.job_orders import JobOrders
    from glacier_purge.inventory.fetching.job_choice import WantedJob
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)

    @cache  # hundreds of members have the same
    def settings_for(profile: str | None, region: str | None, account_id: str | None) -> Settings:
        return source.load(
            aws.at(profile, region, account_id),
            hooks=hooks,
            approval=approvals.overrides(),
            pace=pace.overrides(),
            audit=proof.overrides(),
            replica=replica.overrides(),
            report=watch.overrides(),
        )

    if take_up and settings_for(None, None, None).replica.url is None:
        raise UsageError("--take-up goes on with what a bucket has: name it with --replica. Nothing was sent.")
    documents = tuple(approval_in(file) for file in hand_in or ())
    terminal = _Terminal(confirm_digest or (), documents, settings_for, no_wait=no_wait, takes_up=take_up)
    orders = JobOrders(wanted=WantedJob(is_new=new_inventory), by_vault=_by_vault(job_id or ()))

    async def work() -> int:
        return await terminal.carry(fleet_file, RunFolder.open_or_create(run_dir), orders)

    if output is OutputFormat.JSON:
        return in_event_loop(lambda: documented(work, lambda ending: terminal.document(run_dir, ending)))
    exit_code = in_event_loop(work)
    terminal.print_rows()
    return exit_code


def _by_vault(typed: Iterable[str]) -> dict[str, str]:
    """From vault to job. Raises ``UsageError`` for what is not written like that."""
    by_vault: dict[str, str] = {}
    for each in typed:
        vault, equals, job_id = each.partition("=")
        if not (vault and equals and job_id) or vault in by_vault:
            raise UsageError(f"--job-id {each}: write VAULT=JOB, a vault's name or ARN, once for each vault.")
        by_vault[vault] = job_id
    return by_vault


class _Terminal:
    """The people at this process's terminal, who have the vaults of one fleet carried."""

    def __init__(
        self,
        digests: Iterable[str],
        documents: Collection[bytes],
        settings_for: SettingsFor,
        *,
        no_wait: bool,
        takes_up: bool,
    ) -> None:
        from glacier_purge.cli.confirmation import TerminalApproval
        from glacier_purge.cli.waiting import simulated_time
        from glacier_purge.clock import utc_now
        from glacier_purge.report.displays import fleet_display

        self._time_of = cache(simulated_time)  # hundreds of members wait by one clock
        self._settings_for = settings_for
        self._no_wait, self._takes_up = no_wait, takes_up
        self._documents = documents
        every_seconds = settings_for(None, None, None).report.progress_seconds
        self._screen = fleet_display(lines("info"), plain_every_seconds=every_seconds, now=utc_now)
        self._approval = TerminalApproval(digests, self._screen.aside)
        self._opened: OpenedFleet | None = None

    async def carry(self, file: Path, folder: RunFolder, orders: JobOrders) -> int:
        """Carry every vault as far as it goes here."""
        from glacier_purge.api.clients import Clients
        from glacier_purge.api.fleet import FleetPeople, opened_fleet
        from glacier_purge.api.telling import telling
        from glacier_purge.cli.again import same_command

        async with AsyncExitStack() as held:
            told = await held.enter_async_context(telling(self._settings_for(None, None, None), tell, same_command))
            people = FleetPeople(
                approve=self._approval,
                say=_say,
                waiter_for=self._waiter_for,
                documents=self._documents,
                telling=told,
                takes_up=self._takes_up,
            )
            clients = await held.enter_async_context(Clients())
            opened = await held.enter_async_context(
                opened_fleet(file, folder, self._settings_for, clients, people, orders)
            )
            self._opened = opened
            for finding in opened.roster.findings:
                tell(finding, "warning")
            with self._screen as screen:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(StopSignals(opened.fleet.stop).listen, tasks.cancel_scope)
                    tasks.start_soon(opened.show, screen.show, screen.every_seconds)
                    await opened.fleet.go_on()
                    tasks.cancel_scope.cancel()
                screen.show(opened.rows)
        return opened.fleet.exit_code

    def print_rows(self) -> None:
        """Say for people how each vault ended."""
        from glacier_purge.report.fleet import row_sentence

        assert self._opened is not None, "carried before"
        print_page("\n".join(map(row_sentence, self._opened.rows)))

    def document(self, path: Path, ending: Ending) -> FleetStepped:
        """Say for programs how the fleet in the folder ``path`` ended, or that it was not opened."""
        from glacier_purge.api.step import fleet_not_opened, fleet_stepped

        now = self._waiter_for(self._settings_for(None, None, None), lambda _: None).now()
        if self._opened is None:
            return fleet_not_opened(path, ending, now)
        return fleet_stepped(self._opened, path, now)

    def _waiter_for(self, settings: Settings, tell_wait: Callable[[Waiting], None]) -> Waiter:
        from glacier_purge.api.values import access
        from glacier_purge.cli.waiting import waiter

        return waiter(self._no_wait, access(settings, settings.aws.endpoint_url), tell_wait, self._time_of)


def _say(vault: Vault, message: str) -> None:
    from glacier_purge.clock import utc_now
    from glacier_purge.text import stamp

    tell(f"{stamp(utc_now())} {vault.name}: {message}")
