"""A fleet for a report: a row and a small line a vault, what needs a person first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.archive import Vault
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.proof.company_certificate import CompanyCertificate, VaultProven
from glacier_purge.report.fleet import rank
from glacier_purge.report.lifecycle_view import company_view
from glacier_purge.report.results.lifecycles import LifecycleStatus, NotBegun
from glacier_purge.report.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.fleet.roster import Roster
    from glacier_purge.report.results.lifecycles import FleetStatus, LifecycleUnreadable
    from glacier_purge.storage.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One vault of a fleet. ``rates`` are deletes a second over its last round; ``page`` is its own report's name."""

    vault: Vault
    standing: LifecycleStatus | LifecycleUnreadable | NotBegun
    rates: Sequence[float]
    page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTotal:
    """All vaults of one account and region; counts are of their last planned rounds."""

    account_id: str
    region: str
    vaults: int
    done: int
    proven: int
    selected: int
    deleted: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """A fleet, or a company's fleets together, as their folders tell it. ``endpoint_url`` is the first vault's."""

    folder: str
    name: str
    endpoint_url: str
    status: FleetStatus
    table: str
    rows: tuple[FleetRow, ...]

    @classmethod
    def of(cls, folder: RunFolder, fleets: Sequence[tuple[RunFolder, Roster]]) -> FleetReport:
        """Read the fleets, which are ``folder`` or lie below it; what can't be read of a vault is told in its row."""
        status, table = company_view(folder, fleets)
        endpoints = [one.endpoint_url for _, roster in fleets for one in roster.vaults]
        rows = sorted(map(_row, status.vaults), key=_rank)
        return cls(
            folder=str(folder.path),
            name=folder.path.resolve().name,
            endpoint_url=endpoints[0] if endpoints else "",
            status=status,
            table=table,
            rows=tuple(rows),
        )

    @property
    def totals(self) -> list[PairTotal]:
        """Each account and region, by name."""
        by_pair: dict[tuple[str, str], list[FleetRow]] = {}
        for row in self.rows:
            by_pair.setdefault((row.vault.account_id, row.vault.region), []).append(row)
        return [_total(*pair, rows) for pair, rows in sorted(by_pair.items())]

    @property
    def certificate(self) -> CompanyCertificate:
        """What is proven of all of it."""
        return CompanyCertificate.of(map(_proven, self.rows))

    @property
    def told(self) -> list[LifecycleStatus]:
        """The vaults of which figures are known."""
        return [row.standing for row in self.rows if isinstance(row.standing, LifecycleStatus)]

    @property
    def wanted(self) -> list[LifecycleStatus]:
        """The vaults whose plan waits for somebody's approval."""
        return [each for each in self.told if each.confirm_digest]

    @property
    def done(self) -> int:
        """Vaults that are at their end."""
        return sum(row.standing.state == "done" for row in self.rows)

    def standing(self, *states: str) -> int:
        """How many vaults are in one of these states."""
        return sum(row.standing.state in states for row in self.rows)


def _rank(row: FleetRow) -> int:
    return rank(
        row.standing.state, is_wanted=isinstance(row.standing, LifecycleStatus) and bool(row.standing.confirm_digest)
    )


def _total(account_id: str, region: str, rows: Sequence[FleetRow]) -> PairTotal:
    told = [row.standing for row in rows if isinstance(row.standing, LifecycleStatus)]
    return PairTotal(
        account_id=account_id,
        region=region,
        vaults=len(rows),
        done=sum(row.standing.state == "done" for row in rows),
        proven=sum(one.certificate is not None for one in told),
        selected=sum(one.selected for one in told if isinstance(one.selected, int)),
        deleted=sum(one.deleted for one in told if isinstance(one.deleted, int)),
        failed=sum(one.failed for one in told if isinstance(one.failed, int)),
    )


def _proven(row: FleetRow) -> VaultProven:
    standing, arn = row.standing, row.vault.arn
    if isinstance(standing, NotBegun):
        return VaultProven(vault_arn=arn, certificate=None, not_proven="it was not begun", kept_gone=0)
    why = f"{standing.state}: {standing.why}"
    if not isinstance(standing, LifecycleStatus):
        return VaultProven(vault_arn=arn, certificate=None, not_proven=why, kept_gone=0)
    return VaultProven(
        vault_arn=arn,
        certificate=standing.certificate,
        not_proven=None if standing.certificate is not None else why,
        kept_gone=standing.kept_gone,
    )


def _row(standing: LifecycleStatus | LifecycleUnreadable | NotBegun) -> FleetRow:
    assert isinstance(standing.vault_arn, str), "one of a fleet's"
    vault = Vault.from_arn(standing.vault_arn)
    rates: Sequence[float] = ()
    page = None
    if isinstance(standing, LifecycleStatus):
        place = Path(standing.run_dir)
        page = f"{place.name}/report.html" if (place / "report.html").exists() else None
        if isinstance(standing.round_dir, str):
            rates = _rates(Path(standing.round_dir))
    return FleetRow(vault=vault, standing=standing, rates=rates, page=page)


def _rates(place: Path) -> Sequence[float]:
    try:
        shape = shape_of(replay(place).timeline)
    except (GlacierPurgeError, OSError):  # of which the row tells by itself
        return ()
    return [] if shape is None else [point.rate_per_second or 0.0 for point in shape.points]
