"""A fleet is settled once: what is on disk, and what is refused later."""

from __future__ import annotations

from pathlib import Path

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.fleet.file import Place, expand, read_fleet
from glacier_purge.fleet.roster import Enlisted, Roster, enlisted, fingerprint, read_roster, write_roster
from glacier_purge.plan.choices import Caps, Choices
from glacier_purge.storage.folder import RunFolder

FILE = Path("fleet.toml")
CONTENT = b"""
[[vaults]]
name = "photos"
profile = "archive"
freeze = true
delete_vault = "photos"
max_rate = 5
older_than = "90d"
exclude_ids = "not-these.ids"
max_archives = 10
"""


def roster() -> Roster:
    photos = Vault(account_id="123456789012", region="us-east-1", name="photos")
    found = expand(read_fleet(CONTENT.decode()), {Place(profile="archive", region=None): [photos]})
    vaults = tuple(enlisted(one, "https://glacier.us-east-1.amazonaws.com") for one in found.chosen)
    return Roster(fleet_file_sha256=fingerprint(CONTENT), findings=("one thing",), vaults=vaults)


def test_a_settled_fleet_is_read_back_as_it_was(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "fleet")
    assert read_roster(folder, FILE, CONTENT) is None
    write_roster(folder, roster())
    assert read_roster(folder, FILE, CONTENT) == roster()
    assert roster().vaults == (
        Enlisted(
            vault_arn="arn:aws:glacier:us-east-1:123456789012:vaults/photos",
            endpoint_url="https://glacier.us-east-1.amazonaws.com",
            profile="archive",
            freeze=True,
            remove_vault=True,
            even_the_last_vault=False,
            set_aside_defects=False,
            max_rate=5.0,
            choices=Choices(older_than="90d", exclude_ids=str(Path("not-these.ids").absolute())),
            caps=Caps(max_archives=10),
        ),
    )
    with pytest.raises(UsageError, match="written once"):
        write_roster(folder, roster())


def test_another_fleet_file_is_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "fleet")
    write_roster(folder, roster())
    with pytest.raises(PlanRefused, match=r"is not what the fleet in .* began with"):
        read_roster(folder, FILE, CONTENT + b"# changed")


def test_a_fleet_of_an_earlier_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "fleet")
    (folder.path / "123456789012-us-east-1-photos").mkdir()
    (folder.path / "123456789012-us-east-1-photos/terms.json").touch()
    (folder.path / "fleet.json").write_text('{"fleet_file_sha256": "0", "findings": [], "vaults": []}')
    with pytest.raises(PlanRefused, match="Finish with the version that began it"):
        read_roster(folder, FILE, CONTENT)


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"vaults": 1}'])
def test_a_damaged_roster_is_refused(tmp_path: Path, damage: bytes) -> None:
    folder = RunFolder.create(tmp_path / "fleet")
    (folder.path / "fleet.json").write_bytes(damage)
    with pytest.raises(PlanRefused, match="cannot be read"):
        read_roster(folder, FILE, CONTENT)
