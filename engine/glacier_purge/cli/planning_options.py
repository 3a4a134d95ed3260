"""The options that say what is planned from, the same for every verb that plans, and the planning itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from glacier_purge.cli.options import Hyphened

if TYPE_CHECKING:
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.run.folder import RunFolder
    from glacier_purge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """What counts as a record of an inventory."""

    any_id_length: bool = False
    """Accept archive ids of other lengths than 138 characters, as other emulators make."""
    set_aside_defects: bool = False
    """Plan without invalid and repeated records instead of refusing the inventory."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given."""
        return {"any_id_length": self.any_id_length or None}


@dataclass(frozen=True, slots=True, kw_only=True)
class FromOptions:
    """The inventory that is there already, and the folder to plan in."""

    inventory: Hyphened
    """Vault inventory, JSON or CSV, plain, gzip or zstd; - reads stdin."""
    run_dir: Path | None = None
    """Run folder to make; otherwise runs/VAULT-TIME."""

    async def plan(
        self,
        vault: str,
        choices: Choices,
        settings: Settings,
        *,
        set_aside_defects: bool,
        no_wait: bool,
    ) -> tuple[RunFolder, Plan]:
        """Plan in a new folder. Raises as ``plan_in_new_folder`` does."""
        from glacier_purge.cli.waiting import patience
        from glacier_purge.service.access import Access
        from glacier_purge.wiring import plan_in_new_folder

        return await plan_in_new_folder(
            vault,
            self.inventory,
            settings,
            choices,
            run_dir=self.run_dir,
            set_aside_defects=set_aside_defects,
            patience=patience(no_wait, Access(endpoint_url=settings.aws.endpoint_url)),
        )


Records = Annotated[RecordOptions, Parameter(name="*", group="Inventory")]
From = Annotated[FromOptions, Parameter(name="*", group="Inventory")]
