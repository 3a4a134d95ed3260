"""``purge``: plan, confirm and apply in one go."""

from __future__ import annotations

from glacier_purge.cli.choice_options import ChoiceOptions, From, RecordOptions, Records, Which
from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    HookOptions,
    Hooks,
    LogOptions,
    Logs,
    Output,
    Pace,
    PaceOptions,
    Proof,
    ProofOptions,
    Replica,
    ReplicaOptions,
    Safety,
    SafetyOptions,
    SettingsOptions,
    SettingsSource,
    Watch,
    WatchOptions,
)
from glacier_purge.cli.output import OutputFormat
from glacier_purge.cli.waiting import NoWaitOption
from glacier_purge.errors import UsageError


def purge(
    vault: str,
    *,
    planned_from: From,
    confirm_digest: str | None = None,
    records: Records = RecordOptions(),
    which: Which = ChoiceOptions(),
    no_wait: NoWaitOption = False,
    pace: Pace = PaceOptions(),
    safety: Safety = SafetyOptions(),
    proof: Proof = ProofOptions(),
    replica: Replica = ReplicaOptions(),
    hooks: Hooks = HookOptions(),
    watch: Watch = WatchOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Plan, confirm and apply in one go: delete the archives the inventory lists, or those of them that are chosen.

    The same inventory and the same choices give the same digest whoever plans, so --confirm-digest can quote a `plan`
    made before; an age counts from now, so write the moment that `plan` made of it instead.

    Parameters
    ----------
    vault
        Name of the vault.
    confirm_digest
        The plan's digest, all 64 characters.

    Examples
    --------
    glacier-purge purge photos --inventory all.json
    glacier-purge purge photos --inventory all.json --confirm-digest "$digest"
    """
    from glacier_purge.cli.apply import apply_plan
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import settled

    configure_logs(logs)
    settings = source.load(
        aws,
        hooks=hooks,
        pace=pace.overrides(),
        audit=proof.overrides(),
        replica=replica.overrides(),
        report=watch.overrides(),
        safety=safety.overrides(),
        inventory=records.overrides(),
    )

    if settings.approval.approvals:
        raise UsageError(
            f"{settings.approval.approvals} people have to approve each plan, so one command can't plan and delete. "
            "Give plan, then have them approve it, then apply. Nothing was planned or sent."
        )

    async def plan_and_carry_out() -> int:
        folder, plan = await planned_from.plan(
            vault,
            which.choices(),
            settings,
            set_aside_defects=records.set_aside_defects,
            no_wait=no_wait,
        )
        return await apply_plan(folder, plan, settings, confirm_digest=confirm_digest, output=output)

    return in_event_loop(lambda: settled(plan_and_carry_out, output))
