"""The options that say how much at most, the same for every verb that sends deletes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from glacier_purge.plan.choices import Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyOptions:
    """How much may be deleted at most. None leaves it to the settings; larger plans are refused."""

    max_archives: int | None = None
    """Refuse a plan that deletes more archives than this."""
    max_bytes: str | None = None
    """Refuse a plan that deletes more than this: bytes, or 10TiB."""
    inventory_max_age: str | None = None
    """Take an older inventory than this only if it is still the vault's last: 7d (the default), 12h; none takes any."""
    max_duration: str | None = None
    """Stop sending after so long: 8h, 90m, 2d. The same command goes on."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given. Raises ``UsageError``."""
        return asdict(self.caps()) | {"inventory_max_age_seconds": age_seconds(self.inventory_max_age)}

    def caps(self) -> Caps:
        """How much at most, as numbers. Raises ``UsageError`` for text that means nothing."""
        from glacier_purge.plan.choices import Caps, size_bytes, span_seconds

        return Caps(
            max_archives=self.max_archives,
            max_bytes=None if self.max_bytes is None else size_bytes(self.max_bytes, "--max-bytes"),
            max_duration_seconds=(
                None if self.max_duration is None else span_seconds(self.max_duration, "--max-duration")
            ),
        )


def age_seconds(inventory_max_age: str | None) -> int | str | None:
    """The option as the setting says it, where none stands for itself. Raises ``UsageError``."""
    from glacier_purge.plan.choices import span_seconds

    if inventory_max_age is None or inventory_max_age == "none":
        return inventory_max_age
    return span_seconds(inventory_max_age, "--inventory-max-age")


Safety = Annotated[SafetyOptions, Parameter(name="*", group="At most")]
