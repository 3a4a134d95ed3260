"""A fleet for a report: a row and a small line a vault, what needs a person first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.archive import Vault
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.report.fleet import rank
from glacier_purge.report.lifecycle_view import fleet_view
from glacier_purge.report.results.lifecycles import LifecycleStatus
from glacier_purge.report.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.fleet.roster import Roster
    from glacier_purge.report.results.lifecycles import FleetStatus, LifecycleUnreadable, NotBegun
    from glacier_purge.storage.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One vault of a fleet. ``rates`` are deletes a second over its last round; ``page`` is its own report's name."""

    vault: Vault
    standing: LifecycleStatus | LifecycleUnreadable | NotBegun
    rates: Sequence[float]
    page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """A fleet as its folders tell it. ``endpoint_url`` is the first vault's."""

    folder: str
    name: str
    endpoint_url: str
    status: FleetStatus
    table: str
    rows: tuple[FleetRow, ...]

    @classmethod
    def of(cls, folder: RunFolder, roster: Roster) -> FleetReport:
        """Read the fleet in ``folder``; what can't be read of a vault is told in its row."""
        status, table = fleet_view(folder, roster)
        rows = [
            _row(Vault.from_arn(one.vault_arn), standing)
            for one, standing in zip(roster.vaults, status.vaults, strict=True)
        ]
        rows.sort(key=_rank)
        return cls(
            folder=str(folder.path),
            name=folder.path.resolve().name,
            endpoint_url=roster.vaults[0].endpoint_url if roster.vaults else "",
            status=status,
            table=table,
            rows=tuple(rows),
        )

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


def _row(vault: Vault, standing: LifecycleStatus | LifecycleUnreadable | NotBegun) -> FleetRow:
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
