"""``show``: a plan again, as `plan` printed it: a run's, that of a lifecycle's round, or all of a fleet that wait."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import AwsOptions, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_page, print_result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.fleet.roster import Roster
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.results.planning import Shown
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


def show(run_dir: Path, *, source: SettingsSource = SettingsOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Print a plan again, whole: what goes, what stays and why, what it costs, how long it takes. Sends nothing.

    Of a lifecycle it is the plan of the round that waits for an approval, or of the last; of a fleet it is every plan
    that waits. The files a plan was made from are checked first.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), of a lifecycle (`run`) or of a fleet.
    """
    from glacier_purge.cli.run_dir import check_is_no_stream
    from glacier_purge.fleet.roster import settled_roster
    from glacier_purge.storage.folder import RunFolder

    settings = source.load(AwsOptions())
    folder = RunFolder.look(run_dir)
    roster = settled_roster(folder)
    if roster is not None:
        _show_all(folder, [_Shown.of(*found) for found in _waiting(folder, roster)], settings, output)
        return 0
    check_is_no_stream(folder)
    shown = _Shown.of(*_planned(folder))
    if output is OutputFormat.JSON:
        print_result(shown.as_result(settings), output)
    else:
        print_page(shown.as_text(settings))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One plan. ``go_on`` is how to say yes to it; None when somebody has."""

    folder: RunFolder
    plan: Plan
    go_on: str | None

    @classmethod
    def of(cls, folder: RunFolder, plan: Plan, go_on: str | None) -> _Shown:
        """Raises ``PlanRefused`` unless the files of the plan are what was planned."""
        from glacier_purge.plan.files import check_plan_files

        check_plan_files(folder.path, plan)
        return cls(folder=folder, plan=plan, go_on=go_on)

    def as_text(self, settings: Settings) -> str:
        from glacier_purge.report.plan_view import PlanView

        how_far = f"Approved. How far it is: glacier-purge status {self.folder.path}"
        return PlanView.of(self.folder, self.plan, settings).as_text(self.go_on or how_far)

    def as_result(self, settings: Settings) -> Shown:
        import msgspec

        from glacier_purge.report.plan_view import PlanView
        from glacier_purge.report.results.planning import Shown

        planned = PlanView.of(self.folder, self.plan, settings).as_result()
        return Shown(**msgspec.structs.asdict(planned), approval="given" if self.go_on is None else "wanted")


def _planned(folder: RunFolder) -> tuple[RunFolder, Plan, str | None]:
    """The plan of a run, or of a lifecycle's round, and how to say yes to it."""
    from glacier_purge.audit.recovery import replay
    from glacier_purge.errors import UsageError
    from glacier_purge.lifecycle.phases import Phase
    from glacier_purge.lifecycle.state import is_lifecycle, read_state
    from glacier_purge.plan.document import read_plan
    from glacier_purge.report.plan_view import to_delete

    if not is_lifecycle(folder.path):
        plan = read_plan(folder.plan_file)
        approved = replay(folder.path).approved_digest == plan.digest
        return folder, plan, None if approved else to_delete(folder)
    standing = read_state(folder)
    if standing.planned is None:
        raise UsageError(
            f"{folder.path} has no plan yet: it is in phase {standing.phase.value!r}. "
            f"How it stands: glacier-purge status {folder.path}"
        )
    place, plan = standing.planned
    if standing.phase is not Phase.APPROVAL:
        return place, plan, None
    again = "Nobody has approved it. To delete: give the command it was begun with again, and --confirm-digest"
    return place, plan, f"{again} {plan.digest}"


def _waiting(folder: RunFolder, roster: Roster) -> Iterator[tuple[RunFolder, Plan, str | None]]:
    """The plans of a fleet that wait for an approval."""
    from glacier_purge.archive import Vault
    from glacier_purge.fleet.fleet import folder_name
    from glacier_purge.lifecycle.phases import Phase
    from glacier_purge.lifecycle.state import read_state
    from glacier_purge.storage.folder import RunFolder

    for one in roster.vaults:
        path = folder.path / folder_name(Vault.from_arn(one.vault_arn))
        if path.exists():
            member = RunFolder.look(path)
            if read_state(member).phase is Phase.APPROVAL:
                yield _planned(member)


def _show_all(folder: RunFolder, waiting: list[_Shown], settings: Settings, output: OutputFormat) -> None:
    from glacier_purge.report.results.planning import AllShown

    if output is OutputFormat.JSON:
        plans = [shown.as_result(settings) for shown in waiting]
        print_result(AllShown(waiting=len(plans), plans=plans, run_dir=str(folder.path)), output)
        return
    none = f"No plan in {folder.path} waits for an approval. How its vaults stand: glacier-purge status {folder.path}"
    print_page("\n\n\n".join(shown.as_text(settings) for shown in waiting) or none)
