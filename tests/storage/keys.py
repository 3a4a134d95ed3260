"""SSH keys for tests, made by ``ssh-keygen`` itself."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Keys:
    """Anna's and Mallory's keys, a ``locked`` one with a passphrase, ``alone.pub`` without its private half.

    The allowed signers are Anna.
    """

    folder: Path

    @property
    def anna(self) -> Path:
        return self.folder / "anna"

    @property
    def mallory(self) -> Path:
        return self.folder / "mallory"

    @property
    def allowed_signers(self) -> Path:
        return self.folder / "allowed_signers"


def made_keys(folder: Path) -> Keys:
    """Make them."""
    for name, passphrase in (("anna", ""), ("mallory", ""), ("locked", "secret"), ("alone", "")):
        asked = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(folder / name)]
        subprocess.run(asked, check=True)
    (folder / "alone").unlink()
    public = (folder / "anna.pub").read_text().split()
    (folder / "allowed_signers").write_text(f"anna@example {public[0]} {public[1]}\n")
    return Keys(folder)
