"""``fleet``: carry several vaults through their calendars side by side, over days and any number of stops."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    LogOptions,
    Logs,
    Output,
    Pace,
    PaceOptions,
    SettingsOptions,
    SettingsSource,
)
from glacier_purge.cli.output import OutputFormat, print_page, print_text, tell
from glacier_purge.cli.waiting import NoWait
from glacier_purge.errors import Interrupted, PlanRefused, RunStopped, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.member import Asking, Member
    from glacier_purge.deletion.budget import Budget
    from glacier_purge.fleet.fleet import Fleet
    from glacier_purge.fleet.roster import Enlisted, Roster
    from glacier_purge.report.displays import FleetDisplay
    from glacier_purge.report.fleet import Row
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder

    SettingsFor = Callable[[str | None, str | None, str | None], Settings]
    """From a profile, a region and an account to the settings in force there; None is the command line's."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def fleet(
    fleet_file: Path,
    *,
    run_dir: Path,
    no_wait: NoWait = False,
    confirm_digest: list[str] | None = None,
    pace: Pace = PaceOptions(),
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Carry all vaults of a fleet file through inventory, plan, approval, purge and verification, side by side.

    All inventories are asked for at once; vaults of one account and region share its limit; one that fails does not
    stop the others. Each plan has to be approved: typed on a terminal, or by giving the command again with the
    --confirm-digest that it asks for. Ends with 75 while anything is pending, otherwise with the worst code of all.

    Parameters
    ----------
    fleet_file
        TOML file: a [[vaults]] with name (a glob), profile, region, freeze, delete_vault, max_rate for each kind, and
        the options of `run` that say which archives go and how much at most, as older_than = "90d"; and deny, globs
        that are never touched. It is settled when the fleet begins.
    run_dir
        Folder of the fleet, with a folder for each vault in it.
    confirm_digest
        Digest of a plan that may be carried out, all 64 characters. May be given several times.
    """
    from glacier_purge.api.clients import Clients
    from glacier_purge.cli.carrying import in_event_loop
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)

    def settings_for(profile: str | None, region: str | None, account_id: str | None) -> Settings:
        here = replace(
            aws,
            profile=profile or aws.profile,
            region=region or aws.region,
            account_id=account_id or aws.account_id,
        )
        return source.load(here, pace=pace.overrides())

    content = _read(fleet_file)

    async def work() -> int:
        folder = RunFolder.open_or_create(run_dir)
        with folder.held():
            async with Clients() as clients:
                roster = await _roster(folder, fleet_file, content, settings_for, clients)
                carrying = _Carrying(roster, folder, settings_for, frozenset(confirm_digest or ()), clients)
                return await carrying.carry(no_wait=no_wait, output=output)

    return in_event_loop(work)


def _read(file: Path) -> bytes:
    try:
        content = file.read_bytes()
        content.decode()
    except (OSError, UnicodeDecodeError) as error:
        because = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"the fleet file {file} cannot be read: {because}.") from error
    return content


async def _roster(folder: RunFolder, file: Path, content: bytes, settings_for: SettingsFor, clients: Clients) -> Roster:
    """The fleet as it was settled; the first time, that is now."""
    from glacier_purge.api import values
    from glacier_purge.api.addresses import vaults_there
    from glacier_purge.fleet.file import expand, read_fleet
    from glacier_purge.fleet.roster import Roster, enlisted, fingerprint, read_roster, write_roster

    known = read_roster(folder, file, content)
    if known is not None:
        return known
    plan = read_fleet(content.decode())
    settings = {place: settings_for(place.profile, place.region, None) for place in plan.places}
    listed = {place: await vaults_there(settings[place], clients) for place in plan.places}
    found = expand(plan, listed)
    roster = Roster(
        fleet_file_sha256=fingerprint(content),
        findings=found.findings,
        vaults=tuple(enlisted(one, values.endpoint(settings[one.place], one.vault.region)) for one in found.chosen),
    )
    write_roster(folder, roster)
    return roster


class _Carrying:
    """One process's part of a fleet, with its terminal."""

    def __init__(
        self,
        roster: Roster,
        folder: RunFolder,
        settings_for: SettingsFor,
        digests: frozenset[str],
        clients: Clients,
    ) -> None:
        self._roster = roster
        self._folder = folder
        self._settings_for = settings_for
        self._digests = digests
        self._clients = clients
        self._budgets: dict[tuple[str, str, str], Budget] = {}

    async def carry(self, *, no_wait: bool, output: OutputFormat) -> int:
        """Carry every vault as far as it goes here, and print how each of them ended."""
        from glacier_purge.api.member import Asking
        from glacier_purge.fleet.fleet import Fleet
        from glacier_purge.report.displays import fleet_display

        for finding in self._roster.findings:
            tell(finding)
        every_seconds = self._settings_for(None, None, None).report.progress_seconds
        with fleet_display(sys.stderr, plain_every_seconds=every_seconds) as screen:
            ask = Asking(screen) if sys.stdin.isatty() else None
            members = {one.vault_arn: self._member(one, ask, no_wait=no_wait) for one in self._roster.vaults}
            fleet = Fleet(members)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_listen, fleet, tasks.cancel_scope)
                tasks.start_soon(_show, screen, members, fleet)
                await fleet.go_on()
                tasks.cancel_scope.cancel()
            screen.show(_rows(members, fleet))
        _print(members, fleet, self._roster, output)
        return fleet.exit_code

    def _member(self, one: Enlisted, ask: Asking | None, *, no_wait: bool) -> Member:
        from glacier_purge.api import values
        from glacier_purge.api.member import Member
        from glacier_purge.archive import Vault
        from glacier_purge.cli.waiting import host, patience
        from glacier_purge.fleet.fleet import folder_name
        from glacier_purge.lifecycle.options import LifecycleOptions

        vault = Vault.from_arn(one.vault_arn)
        settings = self._settings_for(one.profile, vault.region, vault.account_id)
        endpoint_url = values.endpoint(settings, vault.region)
        if endpoint_url != one.endpoint_url:
            raise PlanRefused(
                f"the fleet in {self._folder.path} began with {one.endpoint_url} for {vault.arn}, not {endpoint_url}. "
                "Give the endpoint it began with. Nothing was sent."
            )
        access = values.access(settings, endpoint_url, id_rule=settings.inventory.id_rule)
        return Member(
            vault,
            self._folder.path / folder_name(vault),
            settings,
            LifecycleOptions(
                freeze=one.freeze,
                remove_vault=vault.name if one.remove_vault else None,
                even_the_last=one.even_the_last_vault,
                set_aside_defects=one.set_aside_defects,
            ),
            self._clients,
            choices=one.choices,
            caps=one.caps,
            lane_of=(self._budget((vault.account_id, vault.region, endpoint_url), settings), one.max_rate),
            digests=self._digests,
            ask=None if ask is None else partial(ask, settings),
            patience_for=lambda tell: patience(no_wait, access, tell),
            host=host(access),
        )

    def _budget(self, whose: tuple[str, str, str], settings: Settings) -> Budget:
        """The budget of an account, region and endpoint: one, however many vaults there are."""
        import random

        from glacier_purge.api import values
        from glacier_purge.deletion.budget import Budget

        if whose not in self._budgets:
            self._budgets[whose] = Budget(values.purge_settings(settings).pace, random.random)
        return self._budgets[whose]


async def _listen(fleet: Fleet, everything: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(*_STOP_SIGNALS) as signals:
        stopping = False
        async for number in signals:
            name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            if stopping:
                tell(f"{name} again: stopping at once. The same command goes on.")
                everything.cancel()
            else:
                tell(f"{name}: nothing new is sent, requests in flight settle. Once more stops at once.")
                fleet.stop(name, Interrupted if number == signal.SIGINT else RunStopped)
            stopping = True


async def _show(screen: FleetDisplay, members: Mapping[str, Member], fleet: Fleet) -> None:
    while True:
        screen.show(_rows(members, fleet))
        await anyio.sleep(screen.every_seconds)


def _rows(members: Mapping[str, Member], fleet: Fleet) -> list[Row]:
    """How every vault stands: as it ended, or as it goes on."""
    rows = []
    for name, member in members.items():
        ending, row = fleet.endings.get(name), member.row
        if ending is not None:
            told = f"{ending.state}: {ending.message}" if ending.message else ending.state.value
            row = replace(row, standing=told, until=ending.until)
        rows.append(row)
    return rows


def _print(members: Mapping[str, Member], fleet: Fleet, roster: Roster, output: OutputFormat) -> None:
    from glacier_purge.report.fleet import sentence

    if output is OutputFormat.TEXT:
        print_page("\n".join(map(sentence, _rows(members, fleet))))
        return
    vaults = [_facts(name, member, fleet) for name, member in members.items()]
    counts = {
        state: sum(vault["state"] == state for vault in vaults) for state in ("done", "pending", "stopped", "failed")
    }
    told = {"exit_code": fleet.exit_code, **counts, "findings": roster.findings, "vaults": vaults}
    print_text(json.dumps(told))


def _facts(name: str, member: Member, fleet: Fleet) -> dict[str, object]:
    ending = fleet.endings[name]
    return {
        "vault_arn": name,
        "state": ending.state.value,
        "phase": member.phase,
        "exit_code": ending.exit_code,
        "message": ending.message,
        "until": None if ending.until is None else f"{ending.until:%Y-%m-%dT%H:%M:%SZ}",
        "confirm_digest": member.digest_wanted,
        "run_dir": str(member.path),
    }
