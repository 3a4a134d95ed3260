"""The price table in force: the user's file, or the one that ships beside the profiles."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.errors import ConfigurationFailed
from glacier_purge.plan.cost import read_prices

if TYPE_CHECKING:
    from glacier_purge.plan.cost import PriceTable


def read_price_table(file: str | None) -> PriceTable:
    """Read the table in ``file``, or the shipped one. Raises ``ConfigurationFailed``."""
    if file is None:
        shipped = resources.files("glacier_purge_profiles") / "prices" / "prices.toml"
        return read_prices(shipped.read_text("utf-8"), "shipped with glacier-purge")
    try:
        return read_prices(Path(file).read_text("utf-8"), file)
    except OSError as error:
        raise ConfigurationFailed(f"price table {file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationFailed(f"price table {file} is not text: {error}.") from error
