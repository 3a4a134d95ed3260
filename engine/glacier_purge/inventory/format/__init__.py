"""Bytes of an inventory in, archives out: JSON as Glacier writes it, any other JSON, CSV."""

from __future__ import annotations

from typing import Literal

Format = Literal["json", "csv"]
