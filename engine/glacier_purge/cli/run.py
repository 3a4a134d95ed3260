"""``run``: carry a vault through its whole calendar, over days and any number of stops."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_purge.cli import version
from glacier_purge.cli.choice_options import ChoiceOptions, RecordOptions, Records, Which
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    LogOptions,
    Logs,
    Output,
    Pace,
    PaceOptions,
    Safety,
    SafetyOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, as_text, print_page, print_text, tell
from glacier_purge.cli.waiting import NoWait
from glacier_purge.clock import utc_now
from glacier_purge.errors import Interrupted, Pending, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from glacier_purge.api.clients import Clients
    from glacier_purge.approval.typed import Approval
    from glacier_purge.audit.ledger import Ledger
    from glacier_purge.aws.access import Access
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.inventory.snapshot import Snapshot
    from glacier_purge.lifecycle.lifecycle import Lifecycle
    from glacier_purge.lifecycle.options import LifecycleOptions
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.lifecycle.steps_file import LifecycleFile
    from glacier_purge.lifecycle.terms import Terms
    from glacier_purge.plan.choices import Caps, Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def run(
    vault: str,
    *,
    run_dir: Path | None = None,
    no_wait: NoWait = False,
    confirm_digest: str | None = None,
    freeze: bool = False,
    delete_vault: str | None = None,
    even_the_last_vault: bool = False,
    records: Records = RecordOptions(),
    which: Which = ChoiceOptions(),
    pace: Pace = PaceOptions(),
    safety: Safety = SafetyOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Carry a vault through preflight, inventory, plan, approval, purge and verification; if wanted, remove it.

    Takes days, most of them waiting, and says for what and until when. Stopped at any point, the same command goes on.
    The plan has to be approved: typed on a terminal, or by giving the command again with --confirm-digest.

    Which archives go, and how much at most, is settled when it begins and holds for every round: ages count from that
    moment, and another choice later is refused. Archives that the plan keeps are kept, and said to be in the
    certificate; a vault that keeps any is not removed.

    Parameters
    ----------
    vault
        Name of the vault.
    run_dir
        Folder of the calendar; otherwise runs/VAULT.
    confirm_digest
        Digest of the plan that may be carried out, all 64 characters.
    freeze
        Deny uploads to the vault while it is purged, by its access policy; put back afterwards.
    delete_vault
        Remove the vault itself when it is proven empty; its name has to be given again.
    even_the_last_vault
        Remove it even if it is the account's last vault, after which the account may never make another.
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.archive import check_vault_name
    from glacier_purge.cli.carrying import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import settled
    from glacier_purge.lifecycle.options import LifecycleOptions
    from glacier_purge.lifecycle.state import noting_the_end, telling_while_denied
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    check_vault_name(vault)
    if delete_vault is not None and delete_vault != vault:
        raise UsageError(
            f"--delete-vault {delete_vault!r} is not {vault!r}, the vault of this calendar. Give that name once more, "
            "or leave the option away and keep the vault. Nothing was sent."
        )
    settings = source.load(aws, pace=pace.overrides(), safety=safety.overrides(), inventory=records.overrides())
    wishes = LifecycleOptions(
        freeze=freeze,
        remove_vault=delete_vault,
        even_the_last=even_the_last_vault,
        set_aside_defects=records.set_aside_defects,
    )
    choices, caps = which.choices(), safety.caps()
    path = run_dir if run_dir is not None else Path("runs") / (vault.lstrip(".-") or "vault")

    async def work() -> int:
        folder = RunFolder.open_or_create(path)
        with folder.held(), noting_the_end(folder), telling_while_denied(folder, tell):
            async with Clients() as clients:
                carried = _Run(vault, folder, settings, wishes, clients, confirm_digest=confirm_digest, output=output)
                return await carried.go_on(choices, caps, no_wait=no_wait)

    return in_event_loop(lambda: settled(work, output))


class _Run:
    """One process's part of a calendar, with its terminal."""

    def __init__(
        self,
        vault: str,
        folder: RunFolder,
        settings: Settings,
        wishes: Any,
        clients: Clients,
        *,
        confirm_digest: str | None,
        output: OutputFormat,
    ) -> None:
        self._vault = vault
        self._folder = folder
        self._settings = settings
        self._wishes = wishes
        self._clients = clients
        self._confirm_digest = confirm_digest
        self._output = output

    async def go_on(self, choices: Choices, caps: Caps, *, no_wait: bool) -> int:
        """Go on from the phase the folder says; print where the calendar got to."""
        from glacier_purge.api import values
        from glacier_purge.api.addresses import vault_by_name
        from glacier_purge.api.planning import decide_round
        from glacier_purge.cli.waiting import patience
        from glacier_purge.lifecycle.context import LifecycleCallbacks, LifecycleContext, RoundLocks
        from glacier_purge.lifecycle.lifecycle import Lifecycle
        from glacier_purge.lifecycle.state import Noting
        from glacier_purge.lifecycle.steps_file import LifecycleFile
        from glacier_purge.lifecycle.terms import check_allowed, settled_terms
        from glacier_purge.plan.making import Target
        from glacier_purge.run.host import who

        settings = self._settings
        address = await vault_by_name(self._vault, settings, self._clients)
        target = Target(
            vault=address,
            endpoint_url=values.endpoint(settings, address.region),
            tool_version=version(),
            inventory_name="the vault's inventory",
            id_rule=settings.inventory.id_rule,
        )
        access = values.access(settings, target.endpoint_url, id_rule=target.id_rule)
        waits = patience(no_wait, access)
        lifecycle = LifecycleFile(self._folder.path, waits.now)
        check_allowed(target, lifecycle, values.rules(settings), self._wishes)
        terms = await settled_terms(self._folder, target, lifecycle, choices, caps)
        settings = self._settings = values.capped(settings, terms.caps)
        waits = Noting(waits, self._folder, lifecycle)
        control = await self._clients.control(address, access)
        callbacks = LifecycleCallbacks(
            preflight=lambda: preflight(
                control, self._clients, access, self._folder.path, settings, self._wishes, tell
            ),
            decide=lambda snapshot, earlier: decide_round(
                snapshot,
                target,
                terms,
                settings,
                self._clients,
                waits,
                earlier,
                set_aside_defects=self._wishes.set_aside_defects,
            ),
            look_at=lambda snapshot: look_for_writers(control, snapshot, waits.now(), settings, tell),
            approve=self._approve,
            carry_out=self._carry_out,
            tell=_tell,
        )
        calendar = Lifecycle(
            LifecycleContext(
                folder=self._folder,
                file=lifecycle,
                control=control,
                target=target,
                options=self._wishes,
                callbacks=callbacks,
                patience=waits,
                terms=terms,
                rules=values.rules(settings),
                by=who(),
                locks=RoundLocks(),
            )
        )
        _begin(lifecycle, terms, self._wishes)
        await calendar.go_on()
        told = self._result(lifecycle, calendar)
        print_text(json.dumps(told)) if self._output is OutputFormat.JSON else print_page(as_text(told))
        return ExitCode.DONE

    async def _approve(self, place: RunFolder, plan: Plan) -> Approval:
        from glacier_purge.cli.confirmation import approval_for, put_before, waited_for

        digest = self._confirm_digest if self._confirm_digest == plan.digest else None
        if digest is None and not sys.stdin.isatty():
            put_before(place, plan, self._settings)
            raise Pending(waited_for(place, plan), until=utc_now())
        return approval_for(place, plan, self._settings, digest)

    async def _carry_out(self, place: RunFolder, plan: Plan, approval: Approval) -> Ledger:
        from glacier_purge.api.purging import opened_run
        from glacier_purge.api.values import access
        from glacier_purge.audit.recovery import replay
        from glacier_purge.cli.carrying import Carrying
        from glacier_purge.cli.waiting import host

        here = host(access(self._settings, plan.endpoint_url))
        async with opened_run(place, plan, self._settings, self._clients, here) as purging:
            carrying = Carrying(purging, place, plan, plain_every_seconds=self._settings.report.progress_seconds)
            await carrying.watch(approval)
        if carrying.was_interrupted:
            raise Interrupted(f"stopped by Ctrl-C in {place.path}. The same command goes on.")
        return replay(place.path)

    def _result(self, lifecycle: LifecycleFile, calendar: Lifecycle) -> dict[str, object]:
        from glacier_purge.lifecycle.phases import Event

        return {
            "state": "done",
            "rounds": lifecycle.round,
            "vault": self._vault,
            "vault_deleted": lifecycle.fact(Event.DELETED, "answer") is not None,
            "certificate": (
                lifecycle.fact(Event.PROVEN, "certificate") or lifecycle.fact(Event.KEPT_REST, "certificate")
            ),
            "kept": lifecycle.fact(Event.KEPT_REST, "kept") or lifecycle.fact(Event.NOTHING_CHOSEN, "kept") or 0,
            "ended_with": lifecycle.steps[-1].event.value,
            "kept_gone": lifecycle.fact(Event.PROVEN, "kept_gone") or lifecycle.fact(Event.KEPT_REST, "kept_gone") or 0,
            "last_round": None if calendar.planned is None else str(calendar.planned.path),
            "run_dir": str(self._folder.path),
        }


async def preflight(
    control: GlacierControl,
    clients: Clients,
    access: Access,
    place: Path,
    settings: Settings,
    wishes: LifecycleOptions,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Look at what could go wrong, tell what is worth telling, and refuse what stands in the way."""
    from glacier_purge.cli.doctor import examined
    from glacier_purge.guard.findings import Weight
    from glacier_purge.guard.protection import check_clear
    from glacier_purge.guard.vault import weighed_for_removal
    from glacier_purge.report.findings import as_lines

    findings = await examined(control, clients, access, place, settings)
    if wishes.remove_vault is not None:
        findings = weighed_for_removal(findings)
    for finding in findings:
        if finding.weight is not Weight.FINE:
            for line in as_lines(finding):
                say(line)
    check_clear(control.vault, findings)
    await _look_for_left_over(control, wishes, say)
    return {"findings": len(findings), "warnings": sum(found.weight is Weight.WARNING for found in findings)}


async def _look_for_left_over(control: GlacierControl, wishes: LifecycleOptions, say: Callable[[str], None]) -> None:
    """Tell when an earlier lifecycle left uploads denied; refuse to deny them a second time on top of that."""
    from glacier_purge.errors import PlanRefused
    from glacier_purge.glacier.control import ControlRefused
    from glacier_purge.guard.upload_denial import ours_in, sids_of

    try:
        policy = await control.access_policy()
    except ControlRefused:
        if wishes.freeze:  # then it could be denied as little later on, with days gone by
            raise
        return
    if not (sids := sids_of(ours_in(policy))):
        return
    told = (
        f"{control.vault.arn} denies uploads by {', '.join(sids)} in its access policy, which another lifecycle left "
        f"there. If that one is not going on, take it away with: glacier-purge thaw {control.vault.name}"
    )
    if wishes.freeze:
        raise PlanRefused(f"{told}. Then the same command goes on. Nothing was sent.")
    say(told)


async def look_for_writers(
    control: GlacierControl, snapshot: Snapshot, now: datetime, settings: Settings, say: Callable[[str], None]
) -> None:
    """Tell, and keep beside the inventory that was fetched, whether it or the service shows that somebody still writes
    to the vault.
    """
    from glacier_purge.api.values import recent
    from glacier_purge.guard.findings import Weight
    from glacier_purge.guard.noticed import keep_noticed
    from glacier_purge.guard.writers import signs_of_writers
    from glacier_purge.report.findings import as_lines
    from glacier_purge.storage.folder import RunFolder

    async def asked() -> GlacierControl:
        return control

    finding = await signs_of_writers(snapshot, asked, now, recent(settings))
    keep_noticed(
        RunFolder.open(snapshot.path.parent), finding
    )  # for whoever approves, in another process and days later
    if finding.weight is not Weight.FINE:
        for line in as_lines(finding):
            say(line)


def _begin(lifecycle: LifecycleFile, terms: Terms, wishes: LifecycleOptions) -> None:
    from glacier_purge.lifecycle.terms import what_holds

    for line in what_holds(lifecycle, terms, wishes):
        tell(line)


def _tell(step: Step) -> None:
    from glacier_purge.lifecycle.steps import alarms

    facts = ", ".join(f"{name} {value}" for name, value in step.facts.items() if value is not None)
    tell(f"{step.at} round {step.round}, {step.phase.value}: {step.event.value}" + (f" ({facts})" if facts else ""))
    for alarm in alarms(step):
        tell(alarm)
