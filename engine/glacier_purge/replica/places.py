"""Where things lie in a replica, and what belongs into it: names in a folder, keys in a bucket.

Below the key of a folder lie ``files/`` (numbered lists of all its files), ``content/`` (their bytes, by their hash)
and, for each run in it, ``log/`` or ``round-N/log/`` with the chunks of its audit log.  Of a fleet there are its own
files, and the terms of each vault that was begun, by which the replica of that one's lifecycle is found.
"""

from __future__ import annotations

import re

_NUMBER_DIGITS = 8
_NUMBERED = re.compile(r"(?P<number>[0-9]{8,12})")
_LOG = re.compile(r"(?P<round>(?:round-[0-9]{1,4}/)?)log/", re.ASCII)
_MEMBER = r"[0-9]{12}-[a-z-]{1,30}-[0-9]{1,2}-[A-Za-z0-9_.-]{1,200}"
_KEPT = re.compile(
    rf"(?:fleet\.(?:json|toml)|(?:{_MEMBER}/)?terms\.json|"
    r"lifecycle\.jsonl|freeze\.json|removal\.jsonl|(?:round-[0-9]{1,4}/)?(?:"
    r"plan\.(?:json|signed)|run\.json|decisions|duplicates|unproven\.csv|noticed\.json|removal\.jsonl|certificate\.(?:json|txt)"
    r"|(?:verification/)?(?:inventory\.(?:json|csv)(?:\.sha256)?|retrieval\.json)|verification/[a-z-]+\.ids"
    r"|approvals/(?!\.)[^/\x00-\x1f\x7f\ud800-\udfff]{1,200}|audit/[0-9]{6,9}\.jsonl\.torn-[0-9]{1,9}))",
    re.ASCII,
)
"""The files of a run and of a lifecycle, by name; what somebody else put into a folder is theirs. Left out are the log,
which goes by chunks, what a start makes again (checkpoints, the page and its secret, locks) and notes."""
_OF_VAULT = re.compile(rf"{_MEMBER}/.+", re.ASCII)
_GIVEN = re.compile(r"(?:round-[0-9]{1,4}/)?approvals/[^/]+", re.ASCII)
FOLDERS = re.compile(
    _MEMBER + r"|audit|verification|approvals|round-[0-9]{1,4}(?:/(?:audit|verification|approvals))?", re.ASCII
)
"""The folders in which they lie."""


_KEY_PARTS = {"runs": 5, "lifecycles": 5, "fleets": 2}
"""A key of a folder: its kind, of a vault's account, region and vault, and which one of those."""


def run_key(vault_arn: str, run: str, plan_digest: str) -> str:
    """Where the replica of a run's folder lies."""
    return f"runs/{_of_vault(vault_arn)}/{run}-{plan_digest[:16]}/"


def lifecycle_key(vault_arn: str, terms_sha256: str) -> str:
    """Where the replica of a lifecycle's folder lies: its terms are its own."""
    return f"{lifecycles_of(vault_arn)}{terms_sha256[:16]}/"


def lifecycles_of(vault_arn: str) -> str:
    """What the keys of all lifecycles of a vault begin with."""
    return f"lifecycles/{_of_vault(vault_arn)}/"


def fleet_key(roster_digest: str) -> str:
    """Where the replica of a fleet's own folder lies; its vaults' lie where those of lifecycles do."""
    return f"fleets/{roster_digest[:16]}/"


def above(key: str) -> str | None:
    """What all keys of replicas begin with, from the whole key of one; None where it lies otherwise."""
    parts = key.split("/")
    for kind, many in _KEY_PARTS.items():
        if len(parts) >= many and parts[-many] == kind:
            return "/".join(parts[:-many])
    return None


def is_fleets(key: str) -> bool:
    """Whether the whole key of a replica is a fleet's."""
    return key.split("/")[-2:-1] == ["fleets"]


def _of_vault(vault_arn: str) -> str:
    region, account, vault = vault_arn.split(":")[3:6]
    return f"{account}/{region}/{vault.removeprefix('vaults/')}"


def is_kept(name: str) -> bool:
    """Whether a file of this name belongs into a replica; no other is ever written when one is restored."""
    return _KEPT.fullmatch(name) is not None


def is_of_vault(name: str) -> bool:
    """Whether a file in a fleet's folder tells of one of its vaults, which another host may carry."""
    return _OF_VAULT.fullmatch(name) is not None


def is_given(name: str) -> bool:
    """Whether people put files of this name there: one that is not ours then is no file of the run's."""
    return _GIVEN.fullmatch(name) is not None


def numbered(folder: str, number: int) -> str:
    """The key of an object that is one of a sequence, from 1; keys sort as numbers do."""
    return f"{folder}{number:0{_NUMBER_DIGITS}d}"


def number_of(key: str, folder: str) -> int | None:
    """Which one of the sequence in ``folder`` a key is; None where it is none."""
    match = _NUMBERED.fullmatch(key[len(folder) :])
    return int(match["number"]) if match is not None and numbered(folder, int(match["number"])) == key else None


def missing(numbers: list[int]) -> int | None:
    """The first number that is not there though a later one is; None where none is missing."""
    return next((at for at, number in enumerate(sorted(numbers), 1) if at != number), None)


def round_of(key: str) -> str | None:
    """The round whose log a key below a folder's belongs to, as ``round-2/``, empty for a run's own; else None."""
    match = _LOG.match(key)
    return None if match is None else match["round"]
