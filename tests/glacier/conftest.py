"""One loader of the SDK's service models for all tests here: reading them is most of what opening a client costs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

read_once: Callable[..., Any] = cache(botocore.session.create_loader)


@pytest.fixture(autouse=True)
def models_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.session, "create_loader", read_once)
