"""``cluster``: have Temporal carry the vaults of a company, over weeks and any number of deaths."""

from __future__ import annotations

import asyncio
import hashlib
import math
import signal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from glacier_purge.cli.options import (
    Aws,
    AwsOptions,
    LogOptions,
    Logs,
    Output,
    SettingsOptions,
    SettingsSource,
    Whole,
)
from glacier_purge.cli.output import OutputFormat, print_page, print_result, tell
from glacier_purge.errors import HostFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import ModuleType

    from glacier_purge.api.sharding import ShardFiles
    from glacier_purge.cluster.client import Client, Pair
    from glacier_purge.cluster.orders import Row
    from glacier_purge.fleet.roster import Roster
    from glacier_purge.report.results.clusters import ClusterStatus
    from glacier_purge.settings import Settings

_HOME = "main"


def worker(
    run_dir: Path,
    *,
    home: str = _HOME,
    at_once: Whole = 16,
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
) -> int:
    """Take steps of a company's vaults until stopped (Ctrl-C or SIGTERM), each in a process of its own.

    The server is named by Temporal's own TEMPORAL_ADDRESS and the like; otherwise it is the one on this machine. Steps
    read the settings and AWS credentials of this host. They die with their worker, and another goes on with them.

    Parameters
    ----------
    run_dir
        Folder of run folders, on a local disk.
    home
        Name of that folder among others. All workers of a name work in the same folder, or have a bucket between them
        (`[replica]` in the settings), and then each has one of its own.
    at_once
        Most processes at once.

    Examples
    --------
    glacier-purge cluster worker /srv/purge
    """
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)
    _client()
    from glacier_purge.api.sharding import disk_of
    from glacier_purge.cli.signals import heard
    from glacier_purge.cluster.worker import working

    settings = source.load(AwsOptions())
    disk = "" if settings.replica.url is None else disk_of(run_dir)
    named = {"--config": source.config and source.config.absolute(), "--settings-profile": source.settings_profile}
    arguments = [str(word) for option, value in named.items() if value is not None for word in (option, value)]
    arguments += ["--take-up"] if disk else []

    async def work(server: Client) -> int:
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        with heard((signal.SIGINT, signal.SIGTERM), lambda _: loop.call_soon_threadsafe(stopped.set)):
            async with working(server, run_dir, home, at_once, arguments, disk=disk):
                tell(f"takes steps of the home {home} in {run_dir}; stop with Ctrl-C")
                await stopped.wait()
        return 0

    return _carried_out(work)


def start(
    fleet_file: Path,
    *,
    company: str | None = None,
    homes: str = _HOME,
    look_every_seconds: float = 3600.0,
    heartbeat_seconds: float = 10.0,
    aws: Aws = AwsOptions(),
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Have the vaults of a fleet file carried: listed now, parted by account and region, settled where they go on.

    Given again after the engine lost what it knew, the same command goes on with what is in the run folders.

    Parameters
    ----------
    fleet_file
        The TOML file that `fleet` takes. Files that it names have to be on the workers.
    company
        A name for all of it; otherwise the file's.
    homes
        Names of homes, with commas between them, over which accounts and regions are spread; the same each time.
    look_every_seconds
        Look again after so long at the latest, whatever is waited for.
    heartbeat_seconds
        How often a step says that it lives; after three times that without a word another worker takes it.

    Examples
    --------
    glacier-purge cluster start fleet.toml
    """
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)
    client = _client()
    from glacier_purge.cluster import orders
    from glacier_purge.report.results.clusters import ClusterStarted

    names = [name.strip() for name in homes.split(",")]
    if not all(names):
        raise UsageError(f"--homes {homes!r}: write names with commas between them, as in one,two.")
    name = company or fleet_file.stem
    for option, seconds in (("--look-every-seconds", look_every_seconds), ("--heartbeat-seconds", heartbeat_seconds)):
        if not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"{option} {seconds:g} has to be above 0. Nothing was started.")

    async def work(server: Client) -> int:
        parts, whole = await _parted(fleet_file, source, aws)
        shards = [
            orders.ShardOrder(
                company=name,
                home=_home_of(part, names),
                **part._asdict(),
                look_every_seconds=look_every_seconds,
                beat_seconds=heartbeat_seconds,
            )
            for part in parts
        ]
        for finding in whole.findings:
            tell(finding, "warning")
        await client.start(server, orders.CompanyOrder(name=name, shards=shards))
        pairs = tuple(one.pair for one in shards)
        print_result(ClusterStarted(company=name, pairs=pairs, vaults=len(whole.vaults)), output)
        return 0

    return _carried_out(work)


async def _parted(file: Path, source: SettingsOptions, aws: AwsOptions) -> tuple[list[ShardFiles], Roster]:
    from glacier_purge.api.clients import Clients
    from glacier_purge.api.sharding import parted

    @cache
    def settings_for(profile: str | None, region: str | None, account_id: str | None) -> Settings:
        return source.load(aws.at(profile, region, account_id))

    async with Clients() as clients:
        return await parted(file, settings_for, clients)


def _home_of(part: ShardFiles, homes: list[str]) -> str:
    """Always the same for the same homes, and little else where one is added."""
    return min(homes, key=lambda home: hashlib.sha256(f"{home}/{part.account_id}/{part.region}".encode()).digest())


def status(*, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Say how every vault stands, as its last step left it, and what it waits for.

    Examples
    --------
    glacier-purge cluster status
    """
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)
    client = _client()
    from msgspec import convert

    from glacier_purge.report.results.clusters import ClusterStatus

    async def work(server: Client) -> int:
        going_on = await client.pairs(server)
        ended: list[Row] = []
        try:
            ended = await client.ended(server)
        except HostFailed as failed:
            tell(f"what ended is not shown: {failed}", "warning")
        by_vault = {row["vault_arn"]: row for row in (*ended, *(row for one in going_on for row in one.rows))}
        vaults = [by_vault[name] for name in sorted(by_vault)]
        told = convert(
            {"result": "cluster-status", "pairs": going_on, "vaults": vaults}, ClusterStatus, from_attributes=True
        )
        print_result(told, output) if output is OutputFormat.JSON else print_page(_as_page(told))
        return 0

    return _carried_out(work)


def _as_page(told: ClusterStatus) -> str:
    from glacier_purge.report.grid import grid

    pairs = [(one.pair, one.company, one.home, one.until or "", one.standing) for one in told.pairs]
    vaults = [
        (
            one.vault_arn,
            one.phase or "",
            one.state,
            *map(_count, (one.selected, one.deleted, one.failed)),
            one.told or "",
        )
        for one in told.vaults
    ]
    head = ("vault", "phase", "state", "to go", "deleted", "failed", "what it waits for")
    return "\n\n".join(
        (
            grid(("pair", "company", "home", "next look (UTC)", "what it does"), pairs, None, numbers=frozenset()),
            grid(head, vaults, None, numbers=frozenset({3, 4, 5})),
        )
    )


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def approve(
    digest: list[str] | None = None,
    /,
    *,
    hand_in: list[Path] | None = None,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Carry your yes to plans that wait for it. Read them first: `show` prints them where their run folders are.

    Where several people have to approve, a digest is no yes: hand in what each of them signed with `approve --to`.

    Parameters
    ----------
    digest
        Digests of the plans, all 64 characters.
    hand_in
        File with an approval that somebody signed. May be given several times.

    Examples
    --------
    glacier-purge cluster approve "$DIGEST"
    glacier-purge cluster approve --hand-in anna.approval --hand-in bert.approval
    """
    from glacier_purge.cli.approve import approval_in
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)
    client = _client()
    from glacier_purge.api.approving import plan_approved_by
    from glacier_purge.run.host import who

    given = [(one.strip().lower(), None) for one in dict.fromkeys(digest or ())]
    signed = [(plan_approved_by(content), content.decode()) for content in map(approval_in, hand_in or ())]
    if not (given or signed):
        raise UsageError(
            "give the digest of a plan, or --hand-in FILE with what somebody signed. Nothing was approved."
        )

    async def work(server: Client) -> int:
        going_on = await client.pairs(server)
        waiting = {one: pair for pair in going_on for row in pair.rows for one in row["confirm_digests"]}
        asked: dict[str, tuple[list[str], list[str]]] = {}
        for one, document in (*given, *signed):
            if one not in waiting:
                raise UsageError(
                    f"no plan with the digest {one} waits for an approval. glacier-purge cluster status --output json "
                    "names those that do. Nothing was approved."
                )
            digests, documents = asked.setdefault(waiting[one].pair, ([], []))
            digests.append(one) if document is None else documents.append(document)
        pairs = [pair for pair in going_on if pair.pair in asked]
        await client.ask(server, pairs, "approve", lambda pair: (*asked[pair], who()))
        _print_ordered("approve", pairs, output)
        return 0

    return _carried_out(work)


def pause(which: str, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Drain the steps under way and begin none until `cluster resume`, also after a restart.

    Parameters
    ----------
    which
        A company's name, or one account and region of it: 123456789012/eu-west-1.

    Examples
    --------
    glacier-purge cluster pause fleet
    """
    return _order(which, "pause", (), logs, output)


def resume(which: str, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Go on after `cluster pause`; or look at once, whatever is waited for, since somebody did what it took.

    Parameters
    ----------
    which
        A company's name, or one account and region of it: 123456789012/eu-west-1.

    Examples
    --------
    glacier-purge cluster resume 123456789012/eu-west-1
    """
    return _order(which, "resume", (), logs, output)


def rate(
    which: str,
    max_rate: float | Literal["none"],
    *,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Change the highest rate of accounts and regions, each for itself; what is under way is drained and begun again.

    Parameters
    ----------
    which
        A company's name, or one account and region of it: 123456789012/eu-west-1.
    max_rate
        Most requests a second from now on; none leaves it to the settings.

    Examples
    --------
    glacier-purge cluster rate 123456789012/eu-west-1 20
    """
    return _order(which, "rate", (None if max_rate == "none" else max_rate,), logs, output)


def stop(which: str, *, logs: Logs = LogOptions(), output: Output = OutputFormat.TEXT) -> int:
    """Drain the steps under way and end. `cluster start` goes on with what is in the run folders.

    Parameters
    ----------
    which
        A company's name, or one account and region of it: 123456789012/eu-west-1.

    Examples
    --------
    glacier-purge cluster stop fleet
    """
    return _order(which, "stop", (), logs, output)


def _order(which: str, order: str, given: tuple[object, ...], logs: LogOptions, output: OutputFormat) -> int:
    from glacier_purge.cli.logs import configure_logs

    configure_logs(logs)
    client = _client()
    from glacier_purge.run.host import who

    async def work(server: Client) -> int:
        chosen = [one for one in await client.pairs(server) if which in {one.company, one.pair}]
        if not chosen:
            raise UsageError(f"{which} is no company and no pair that goes on. glacier-purge cluster status has both.")
        await client.ask(server, chosen, order, lambda _: (*given, who()))
        _print_ordered(order, chosen, output)
        return 0

    return _carried_out(work)


def _print_ordered(order: str, pairs: Sequence[Pair], output: OutputFormat) -> None:
    from glacier_purge.report.results.clusters import ClusterOrdered

    print_result(ClusterOrdered(order=order, pairs=tuple(dict.fromkeys(one.pair for one in pairs))), output)


def _carried_out(work: Callable[[Client], Awaitable[int]]) -> int:
    exit_code: int = asyncio.run(_client().answered(work))
    return exit_code


def _client() -> ModuleType:
    """What speaks to the engine. Raises ``UsageError`` where that was not installed."""
    try:
        from glacier_purge.cluster import client
    except ModuleNotFoundError as missing:
        if missing.name is None or not missing.name.startswith("temporalio"):
            raise
        raise UsageError(
            "Temporal's SDK is not installed here. Install it: pip install 'glacier-purge[temporal]'"
        ) from missing
    return client
