"""Crashes are tried on the same bench as whole purges."""

from __future__ import annotations

from tests.e2e.conftest import bench

__all__ = ["bench"]
