"""``run``: carry a vault through its whole lifecycle, over days and any number of stops."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.choice_options import ChoiceOptions, RecordOptions, Records, Which
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.options import (
    ApprovalOptions,
    Approvals,
    Aws,
    AwsOptions,
    HookOptions,
    Hooks,
    JobOptions,
    Jobs,
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
from glacier_purge.cli.output import OutputFormat, as_text, print_page, tell
from glacier_purge.cli.waiting import NoWaitOption
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime

    from glacier_purge.api.person import ApprovalRequest
    from glacier_purge.approval.typed import Approval
    from glacier_purge.glacier.waiting import Waiting
    from glacier_purge.lifecycle.lifecycle import Lifecycle
    from glacier_purge.lifecycle.steps import Step
    from glacier_purge.plan.document import Plan
    from glacier_purge.report.displays import Display
    from glacier_purge.run.purge import PurgeRun
    from glacier_purge.settings import Settings


def run(
    vault: str,
    *,
    run_dir: Path | None = None,
    no_wait: NoWaitOption = False,
    confirm_digest: str | None = None,
    freeze: bool = False,
    delete_vault: str | None = None,
    even_the_last_vault: bool = False,
    jobs: Jobs = JobOptions(),
    records: Records = RecordOptions(),
    which: Which = ChoiceOptions(),
    pace: Pace = PaceOptions(),
    safety: Safety = SafetyOptions(),
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
    """Carry a vault through preflight, inventory, plan, approval, purge and verification; if wanted, remove it.

    Takes days, most of them waiting, and says for what and until when. Stopped at any point, the same command goes on.
    The plan has to be approved: typed on a terminal, or by giving the command again with --confirm-digest; with
    --approvals, by so many people who sign (`approve`).

    Which archives go, and how much at most, is settled when it begins and holds for every round: ages count from that
    moment, and another choice later is refused. Archives that the plan keeps are kept, and said to be in the
    certificate; a vault that keeps any is not removed.

    Parameters
    ----------
    vault
        Name of the vault.
    run_dir
        Folder of the lifecycle; otherwise runs/VAULT.
    confirm_digest
        Digest of the plan that may be carried out, all 64 characters.
    freeze
        Deny uploads to the vault while it is purged, by its access policy; put back afterwards.
    delete_vault
        Remove the vault itself when it is proven empty; its name has to be given again.
    even_the_last_vault
        Remove it even if it is the account's last vault, after which the account may never make another.

    Examples
    --------
    glacier-purge run photos --freeze
    # And the vault itself, once it is proven to be empty.
    glacier-purge run photos --freeze --delete-vault photos
    # For cron: go as far as possible, end with 75 and the time to come again.
    glacier-purge run photos --no-wait --output json
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.lifecycle import LifecycleOrder, LifecycleReport, opened_lifecycle
    from glacier_purge.api.step import stepped
    from glacier_purge.api.telling import telling
    from glacier_purge.api.values import access
    from glacier_purge.archive import check_vault_name
    from glacier_purge.cli.again import same_command
    from glacier_purge.cli.event_loop import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.cli.waiting import documented, settled, waiter
    from glacier_purge.lifecycle.options import LifecycleOptions
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    check_vault_name(vault)
    if delete_vault is not None and delete_vault != vault:
        raise UsageError(
            f"--delete-vault {delete_vault!r} is not {vault!r}, the vault of this lifecycle. Give that name once more, "
            "or leave the option away and keep the vault. Nothing was sent."
        )
    settings = source.load(
        aws,
        hooks=hooks,
        approval=approvals.overrides(),
        pace=pace.overrides(),
        audit=proof.overrides(),
        replica=replica.overrides(),
        report=watch.overrides(),
        safety=safety.overrides(),
        inventory=records.overrides(),
    )
    order = LifecycleOrder(
        options=LifecycleOptions(
            freeze=freeze,
            remove_vault=delete_vault,
            even_the_last=even_the_last_vault,
            set_aside_defects=records.set_aside_defects,
            wanted=jobs.wanted(),
        ),
        choices=which.choices(),
        caps=safety.caps(),
    )
    path = run_dir if run_dir is not None else Path("runs") / (vault.lstrip(".-") or "vault")

    terminal = _Terminal(path, settings, confirm_digest)
    waits = waiter(no_wait, access(settings, settings.aws.endpoint_url), terminal.waits)

    async def work() -> int:
        folder = RunFolder.open_or_create(path)
        with terminal.shown():
            async with (
                Clients() as clients,
                telling(settings, tell, same_command) as told,
                opened_lifecycle(
                    folder, vault, order, settings, clients, terminal, waiter=waits, telling=told
                ) as lifecycle,
            ):
                terminal.carries(lifecycle)
                await lifecycle.go_on()
        if output is OutputFormat.TEXT:
            print_page(as_text(LifecycleReport.of(folder, vault, lifecycle).as_dict()))
        return ExitCode.DONE

    if output is OutputFormat.TEXT:
        return in_event_loop(lambda: settled(work, output))
    return in_event_loop(
        lambda: documented(work, lambda ending: stepped(path, vault, terminal.taken, ending, waits.now()))
    )


class _Terminal:
    """The person at this process's terminal, whose vault goes on in the folder ``path``: one screen for all of it.

    Where nothing is drawn, each step and each wait is a line.
    """

    def __init__(self, path: Path, settings: Settings, confirm_digest: str | None) -> None:
        from glacier_purge.cli.confirmation import TerminalApproval
        from glacier_purge.cli.waiting import WaitTeller

        self._path = path
        self.taken: list[Step] = []
        """The steps it was told of."""
        self._plain_every_seconds = settings.report.progress_seconds
        self._approval = TerminalApproval([] if confirm_digest is None else [confirm_digest], self._aside)
        self._tell_wait = WaitTeller()
        self._screen: Display | None = None
        self._lifecycle: Lifecycle | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Have a screen in the context."""
        from glacier_purge.cli.terminal_session import screen_on_stderr

        with screen_on_stderr(self._plain_every_seconds) as self._screen:
            yield

    def carries(self, lifecycle: Lifecycle) -> None:
        """Show this one from now on."""
        self._lifecycle = lifecycle
        self._show()

    def waits(self, waiting: Waiting) -> None:
        """Show what is waited for, and until when."""
        if self._screen is not None and self._screen.is_drawn:
            self._show(f"waiting for {waiting.what}. Ctrl-C stops, the same command goes on.", waiting.until)
        else:
            self._tell_wait(waiting)

    documents: tuple[bytes, ...] = ()
    """Nobody brings any along at a terminal: `approve` puts them into the folder."""

    async def approve(self, request: ApprovalRequest) -> Approval:
        """By the digest that was given, else asked."""
        return await self._approval(request)

    def say(self, message: str) -> None:
        """On a line of its own."""
        tell(message)

    def reached(self, step: Step) -> None:
        """With all its facts, and what nobody should miss of them."""
        from glacier_purge.lifecycle.steps import alarms

        self.taken.append(step)
        if self._screen is not None and self._screen.is_drawn:
            self._show()
        else:
            facts = ", ".join(f"{name} {value}" for name, value in step.facts.items() if value is not None)
            told = f"{step.at} round {step.round}, {step.phase.value}: {step.event.value}"
            tell(told + (f" ({facts})" if facts else ""))
        for alarm in alarms(step):
            tell(alarm, "warning")

    @asynccontextmanager
    async def watch(self, run: PurgeRun, plan: Plan) -> AsyncIterator[None]:
        """Progress on the screen, and an ear for signals."""
        from glacier_purge.cli.terminal_session import TerminalSession

        assert self._screen is not None, "shown comes first"
        self._show()
        session = TerminalSession(run, plan)
        async with session.watched(self._screen):
            yield
        if session.stopped_as is not None:
            raise session.stopped_as(f"stopped by a signal in {self._path}. The same command goes on.")

    def _show(self, now_told: str = "", until: datetime | None = None) -> None:
        from glacier_purge.report.way import way

        if self._screen is not None and self._lifecycle is not None:
            vault, file = self._lifecycle.vault, self._lifecycle.file
            title = f"{vault.name} in {vault.region}, account {vault.account_id}"
            self._screen.show_way(way(title, file.steps, file.phase, file.round, now_told=now_told, until=until))

    @contextmanager
    def _aside(self) -> Iterator[None]:
        assert self._screen is not None, "shown comes first"
        with self._screen.aside():
            yield
