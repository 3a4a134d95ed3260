"""The options of every verb that plans: which archives go, and what is planned from; and the planning itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from glacier_purge.cli.options import Hyphened, Whole

if TYPE_CHECKING:
    from glacier_purge.plan.choices import Choices
    from glacier_purge.plan.document import Plan
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceOptions:
    """Which archives go; without any of these, all that the inventory lists. Those given have all to agree."""

    older_than: str | None = None
    """Only archives uploaded before: an age like 90d, 12h or 2w, or a date like 2024-01-31 (UTC)."""
    newer_than: str | None = None
    """Only archives uploaded after: an age or a date."""
    description: Hyphened | None = None
    """Only archives described like this: a glob such as 'photos/*', or a regular expression such as '/^tmp-/'."""
    min_size: str | None = None
    """Only archives of this size and more: bytes, or 10MiB."""
    max_size: str | None = None
    """Only archives of this size and less: bytes, or 10MiB."""
    ids: Hyphened | None = None
    """Only archives whose ids this file lists, one a line; - reads stdin."""
    exclude_ids: Hyphened | None = None
    """Not the archives whose ids this file lists, one a line; - reads stdin."""
    migrated: tuple[Hyphened, ...] = ()
    """Only archives this manifest proves migrated: a DynamoDB export (or dynamodb://TABLE) of AWS's Data Transfer or
    Re:Freezer, or a CSV of archive_id,size,sha256_tree_hash. May be repeated, also for S3 listings of the copies."""
    check_s3: str | None = None
    """Look at each copy that --migrated names, in BUCKET or BUCKET/PREFIX, with HeadObject."""
    in_retrieval: Literal["hold", "wait", "delete"] | None = None
    """Archives somebody is retrieving (a job in progress, or its output still there): hold them back, wait for them, or
    delete them. Otherwise they are held back, if the service can be asked."""
    limit: Whole | None = None
    """Only the first so many of those left, in the inventory's order."""

    def choices(self) -> Choices:
        """What was chosen. Raises ``UsageError`` for a choice of nothing."""
        from glacier_purge.plan.choices import Choices

        return Choices(**{field.name: getattr(self, field.name) for field in fields(Choices)})


Which = Annotated[ChoiceOptions, Parameter(name="*", group="Which archives go")]


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
        from glacier_purge.api.clients import Clients
        from glacier_purge.api.planning import plan_in_new_folder
        from glacier_purge.api.values import access
        from glacier_purge.cli.output import tell
        from glacier_purge.cli.waiting import waiter

        async with Clients() as clients:
            return await plan_in_new_folder(
                vault,
                self.inventory,
                settings,
                clients,
                choices,
                run_dir=self.run_dir,
                set_aside_defects=set_aside_defects,
                say=tell,
                waiter=waiter(no_wait, access(settings, settings.aws.endpoint_url)),
            )


Records = Annotated[RecordOptions, Parameter(name="*", group="Inventory")]
From = Annotated[FromOptions, Parameter(name="*", group="Inventory")]
