"""When an inventory is too old to purge by: never for its age alone, where the service can say that nothing changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from glacier_purge.errors import PlanRefused
from glacier_purge.glacier.port import VaultDescription
from glacier_purge.guard.rules import Rules, check_inventory, is_aged

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TAKEN = "2026-11-01T08:16:34Z"
ANY_AGE = Rules(inventory_age_seconds_max=None)


def described(last_inventory: str | None) -> VaultDescription:
    last = None if last_inventory is None else datetime.fromisoformat(last_inventory)
    return VaultDescription(arn="", last_inventory=last, archives=1, size_bytes=1)


@pytest.mark.parametrize(
    ("date", "rules", "aged"),
    [
        (TAKEN, Rules(), True),
        (TAKEN, ANY_AGE, False),
        (TAKEN, Rules(inventory_age_seconds_max=30 * 86_400.0), False),
        ("2026-11-18T12:00:01Z", Rules(), False),
        ("2026-11-18T11:59:59Z", Rules(), True),
        ("2030-01-01T00:00:00Z", Rules(), False),
        (None, Rules(), False),  # CSV says no date
        ("long ago", Rules(), False),
    ],
)
def test_an_inventory_is_aged_by_what_it_says_itself(date: str | None, rules: Rules, aged: bool) -> None:
    assert is_aged(date, rules, NOW) is aged


@pytest.mark.parametrize(
    ("date", "last"),
    [
        (TAKEN, "2026-11-01T08:16:34.221Z"),  # the same one, as DescribeVault writes it
        (TAKEN, "2026-11-01T08:16:34Z"),
        (TAKEN, "2020-01-01T00:00:00Z"),
        ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),  # young enough
        ("2026-11-24T00:00:00Z", None),
        (None, "2026-11-25T00:00:00Z"),
    ],
)
def test_what_is_young_or_still_the_vaults_last_is_taken(date: str | None, last: str | None) -> None:
    check_inventory(date, Rules(), NOW, described(last))


@pytest.mark.parametrize(
    ("vault", "says"),
    [
        (described("2026-11-01T08:16:35.000Z"), "24 d 3 h old.*has a newer one, of 2026-11-01T08:16:35Z"),
        (described("2026-11-25T00:00:00Z"), "has a newer one"),
        (described(None), "the service knows no inventory of it"),
        (None, "nobody can tell .*no route to host"),
    ],
)
def test_what_is_old_and_not_known_to_be_the_last_is_refused(vault: VaultDescription | None, says: str) -> None:
    with pytest.raises(PlanRefused, match=says) as refused:
        check_inventory(TAKEN, Rules(), NOW, vault, "no route to host" if vault is None else "")
    assert "--inventory-max-age" in str(refused.value)
    check_inventory(TAKEN, ANY_AGE, NOW, vault)
