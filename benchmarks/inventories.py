"""Vault inventories of any size, written as Amazon Glacier lays them out, fast and always the same but for their date.

They are dated now, as the service's own: an old inventory is refused, however well it was made.
"""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING

from glacier_purge.clock import utc_now

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT, REGION, VAULT = "123456789012", "us-east-1", "photos"
VAULT_ARN = f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{VAULT}"
_DESCRIPTIONS = (
    "photo {0}.jpg",
    "<m><v>4</v><p>L2hvbWUvdXNlci9QaG90b3M{0}</p><lm>20140101T000000Z</lm></m>",
    '{{\\"Path\\":\\"backup/{0}.tar\\",\\"UTCDateModified\\":\\"20140101T000000Z\\"}}',
    "",
)


def now() -> str:
    """The time, as an inventory has it."""
    return f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"


def archive_id(number: int) -> str:
    """The id of one archive: 138 characters, its number at the end."""
    return f"{_STEM}{number:010}"


def write(path: Path, archives: int) -> Path:
    """Write the inventory of a vault with ``archives`` in it, some 350 bytes each."""
    with path.open("w", encoding="ascii") as file:
        file.write(f'{{"VaultARN":"{VAULT_ARN}","InventoryDate":"{now()}","ArchiveList":[')
        for number in range(archives):
            description = _DESCRIPTIONS[number % len(_DESCRIPTIONS)].format(number)
            file.write(
                f'{"," if number else ""}{{"ArchiveId":"{_STEM}{number:010}","ArchiveDescription":"{description}",'
                f'"CreationDate":"2017-08-{number % 28 + 1:02}T08:16:{number % 60:02}Z",'
                f'"Size":{number * 7919 % 10**9},"SHA256TreeHash":"{number:064x}"}}'
            )
        file.write("]}")
    return path


_STEM = base64.urlsafe_b64encode(random.Random(1).randbytes(96)).decode()
