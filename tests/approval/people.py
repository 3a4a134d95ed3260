"""People with SSH keys of their own, made by ``ssh-keygen`` itself, and what they sign."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from glacier_purge.approval.signers import Approvers, approvers
from glacier_purge.approval.statement import NAMESPACES, approval_of
from glacier_purge.plan.identity import hashed_identity
from glacier_purge.storage.ssh_signature import sign

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder

NOW = datetime.now(UTC).replace(microsecond=0)
PURPOSE = NAMESPACES["approval"]
_KINDS = {
    "anna": ("-t", "ed25519"),
    "bert": ("-t", "rsa", "-b", "2048"),
    "cara": ("-t", "ecdsa"),
    "anna-too": ("-t", "ed25519"),
    "mallory": ("-t", "ed25519"),
    "authority": ("-t", "ed25519"),
    "dora": ("-t", "ed25519"),
}


@dataclass(frozen=True)
class People:
    """Anna, Bert and Cara may approve; Mallory may not; Dora has a certificate of an authority."""

    folder: Path

    def key(self, name: str) -> Path:
        return self.folder / name

    def public(self, name: str) -> str:
        return " ".join((self.folder / f"{name}.pub").read_text("ascii").split()[:2])

    def line(self, name: str, options: str = "") -> str:
        return f"{name}@example {options} {self.public(name)}".replace("  ", " ") + "\n"

    @property
    def signers(self) -> str:
        return "".join(map(self.line, ("anna", "bert", "cara")))

    @property
    def signers_file(self) -> Path:
        return self.folder / "signers"

    def approvers(self, needed: int = 2, text: str = "", **more: object) -> Approvers:
        return approvers(needed, (text or self.signers).encode(), called="signers", **more)  # type: ignore[arg-type]  # by name

    def certified(self, name: str, principal: str, *options: str) -> Path:
        """The certificate that the authority gives somebody, beside their key."""
        place = self.folder / f"{name}-{principal.partition('@')[0]}{len(options)}"
        for end in ("", ".pub"):
            place.with_name(place.name + end).write_bytes(self.key(name + end).read_bytes())
        place.chmod(0o600)
        asked = ["ssh-keygen", "-q", "-s", str(self.key("authority")), "-I", name, "-n", principal, *options]
        subprocess.run([*asked, f"{place}.pub"], check=True)
        return place.with_name(f"{place.name}-cert.pub")

    def approval(
        self,
        folder: RunFolder,
        plan: Plan,
        who: str,
        *,
        key: str | Path = "",
        name: str = "",
        at: datetime = NOW,
        until: datetime = NOW + timedelta(days=1),
        namespace: str = PURPOSE,
        old: str = "",
        new: str = "",
    ) -> bytes:
        """What somebody signs; with ``new`` in the place of ``old`` before they do."""
        text = approval_of(plan, hashed_identity(folder, plan)[1], name or f"{who}@example", at=at, until=until)
        assert old.encode() in text
        text = text.replace(old.encode(), new.encode(), 1) if old else text
        with_key = self.key(str(key) or who) if isinstance(key, str) else key
        return text + b"\n" + sign(text, with_key, namespace)


def made_people(folder: Path) -> People:
    """Make them."""
    for name, kind in _KINDS.items():
        subprocess.run(["ssh-keygen", "-q", *kind, "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    people = People(folder)
    people.signers_file.write_text(people.signers, "ascii")
    return people
