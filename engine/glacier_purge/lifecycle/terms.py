"""What a lifecycle was begun with: which archives go and how much at most, settled once and kept in its folder.

A lifecycle goes on for days, is started many times and plans several rounds.  What it deletes must not change with what
is typed on the fifth day or with what stands in a file by then.  So ages count from the moment at which it began, files
that name archives are known by their hash, and whoever gives another choice later is told so and nothing is done.
Options that are left out later are not another choice: what was written down holds.  Compared is what options mean, so
``10MiB`` is ``10485760``, and an age is the moment it stood for.

A ``dynamodb://`` table cannot be pinned; it is read for each round.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from glacier_purge.approval.signers import Approvers, asks_the_same
from glacier_purge.archive import EXACT, IdRule, Vault
from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.lifecycle.steps_file import of_an_earlier_version
from glacier_purge.plan.choices import (
    EVERY_ARCHIVE,
    KINDS,
    UNCAPPED,
    Caps,
    Choices,
    Kind,
    as_option,
    cut_off,
    filters,
    given,
    named_files,
    size_bytes,
)
from glacier_purge.plan.id_lists import read_ids
from glacier_purge.plan.migration.manifest_files import Tables, read_file
from glacier_purge.plan.rows import Rows
from glacier_purge.plan.selection import instant
from glacier_purge.storage.documents import DocumentUnreadable, decoded, encoded, read_document
from glacier_purge.storage.folder import LIFECYCLE_FILE, TERMS_FILE, RunFolder
from glacier_purge.storage.given_file import GivenFileWrong, open_given
from glacier_purge.storage.ownership import read_own

_STDIN = "-"
_TABLE = "dynamodb://"
_CHUNK_BYTES = 1 << 20


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for a lifecycle. ``begun`` is UTC, ISO 8601; ``files`` maps absolute paths to SHA-256 in hex.

    ``nonce`` tells it from others that began alike in the same second: a lifecycle is known by its terms.
    ``approvers`` are who has to approve each round's plan by documents, where a typed yes will not do.
    """

    vault_arn: str
    endpoint_url: str
    begun: str
    nonce: str = ""
    choices: Choices = EVERY_ARCHIVE
    caps: Caps = UNCAPPED
    files: dict[str, str] = {}
    approvers: Approvers | msgspec.UnsetType = msgspec.UNSET

    @property
    def began(self) -> datetime:
        """The moment that ages count from."""
        return datetime.fromisoformat(self.begun)

    def told(self) -> list[str]:
        """What was chosen, as options, each age with the moment it stands for."""
        return [_told(name, self) for name in _meanings(self.choices, self.caps, self.began)]

    def told_approvers(self) -> list[str]:
        """What was settled about who approves, as options; nothing where a typed yes will do."""
        return [] if self.approvers is msgspec.UNSET else _told_approvers(self.approvers)


def settle(
    folder: RunFolder,
    vault: Vault,
    endpoint_url: str,
    now: datetime,
    *,
    choices: Choices = EVERY_ARCHIVE,
    caps: Caps = UNCAPPED,
    id_rule: IdRule = EXACT,
    approvers: Approvers | None = None,
) -> Terms:
    """Read what the lifecycle in ``folder`` was begun with, or settle it; ``choices``, ``caps`` and ``approvers`` are
    those given now.

    To be called after its steps were read: those refuse a folder whose terms were lost.  ``id_rule`` lets ids of
    any length into lists.  Raises ``UsageError`` for choices that mean nothing or cannot be kept, and ``PlanRefused``
    where the lifecycle is of another vault or was begun with other choices.
    """
    terms = read_terms(folder.path)
    if terms is None:
        terms = Terms(vault_arn=vault.arn, endpoint_url=endpoint_url, begun=instant(now), nonce=token_hex(8))
        terms = _chosen(terms, choices, caps, folder.path, id_rule=id_rule)
        if approvers is not None:
            terms = msgspec.structs.replace(terms, approvers=approvers)
        folder.write_once(TERMS_FILE, encoded(terms))
    if (terms.vault_arn, terms.endpoint_url) != (vault.arn, endpoint_url):
        raise PlanRefused(
            f"the lifecycle in {folder.path} is of {terms.vault_arn} at {terms.endpoint_url}, not of {vault.arn} at "
            f"{endpoint_url}. Give what it began with, or another --run-dir. Nothing was sent."
        )
    _check_same(folder.path, terms, choices, caps)
    _check_same_approvers(folder.path, terms, approvers)
    return terms


def approvers_of_round(round_folder: Path) -> Approvers | None:
    """Who has to approve the plan in a folder by the terms of the lifecycle above it; None where nobody's terms do.

    Raises as ``read_terms`` does.
    """
    folder = round_folder.resolve().parent
    if not (folder / LIFECYCLE_FILE).exists():
        return None
    terms = read_terms(folder)
    return None if terms is None or terms.approvers is msgspec.UNSET else terms.approvers


def read_terms(folder: Path) -> Terms | None:
    """What the lifecycle in ``folder`` was begun with; None when it was not.

    Raises ``PlanRefused``, and ``UsageError`` for terms of an earlier version.
    """
    file = folder / TERMS_FILE
    try:
        return read_document(file, Terms)
    except DocumentUnreadable as error:
        if _is_of_an_earlier_version(file):
            raise of_an_earlier_version(file) from error
        raise PlanRefused(f"{file} cannot be read ({error}). Restore it, or begin in another folder.") from error


def _is_of_an_earlier_version(file: Path) -> bool:
    """Whether all is there but what tells two lifecycles apart that began alike in the same second."""
    try:
        return set(decoded(read_own(file), dict[str, Any])) == {*Terms.__struct_fields__} - {"nonce"}
    except (DocumentUnreadable, OSError):
        return False


def check_files(terms: Terms) -> None:
    """Raise ``PlanRefused`` unless every file that names archives is what it was when the lifecycle began."""
    for name, sha256 in terms.files.items():
        found = _sha256(Path(name))
        if found != sha256:
            raise PlanRefused(
                f"{name} was changed since the lifecycle began at {terms.begun} (hash {found[:16]}..., then "
                f"{sha256[:16]}...), and what a lifecycle deletes is settled when it begins. Put the file back as it "
                "was, or begin another lifecycle with another --run-dir. Nothing was sent."
            )


def absolute(choices: Choices) -> Choices:
    """The same choices with whole paths, so that they mean the same wherever a later command is given."""

    def whole(file: str) -> str:
        return file if file == _STDIN or file.startswith(_TABLE) else str(Path(file).absolute())

    files: dict[str, Any] = {name: whole(file) for name, file in given(choices, Kind.ID_LIST).items()}
    files |= {name: tuple(map(whole, named)) for name, named in given(choices, Kind.MANIFESTS).items()}
    return replace(choices, **files)


def _chosen(terms: Terms, choices: Choices, caps: Caps, folder: Path, *, id_rule: IdRule) -> Terms:
    """The terms with what was chosen, after it was read through: what means nothing is told now, and not when the
    inventory has come hours later.
    """
    filters(choices, terms.began)
    choices = absolute(choices)
    files = {file: _sha256(Path(file)) for file in _files(choices)}
    for file in given(choices, Kind.ID_LIST).values():
        with ExitStack() as opened:
            read_ids((file,), folder, opened, id_rule)
    with Rows(folder) as claims, Rows(folder) as objects:
        for file in choices.migrated:
            if file in files:
                read_file(file, Tables(claims=claims, objects=objects, id_rule=id_rule))
    return msgspec.structs.replace(terms, choices=choices, caps=caps, files=files)


def _check_same(folder: Path, terms: Terms, choices: Choices, caps: Caps) -> None:
    begun_with = _meanings(terms.choices, terms.caps, terms.began)
    now_given = _meanings(absolute(choices), caps, terms.began)
    other = [name for name, meaning in now_given.items() if begun_with.get(name) != meaning]
    if not other:
        return
    now = msgspec.structs.replace(terms, choices=choices, caps=caps)
    began = [_told(name, terms) if name in begun_with else f"no {as_option(name)}" for name in other]
    raise PlanRefused(
        f"the lifecycle in {folder} began with {', '.join(began)}; given now is "
        f"{', '.join(_told(name, now) for name in other)}. What it deletes was settled at {terms.begun}, when it "
        "began: leave the option out to go on, or begin another lifecycle with another --run-dir. Nothing was sent."
    )


def _check_same_approvers(folder: Path, terms: Terms, given_now: Approvers | None) -> None:
    """What the file of allowed signers says now is no other choice: those of then approve."""
    begun = terms.approvers
    if given_now is None or (begun is not msgspec.UNSET and asks_the_same(begun, given_now)):
        return
    began = "no --approvals" if begun is msgspec.UNSET else ", ".join(_told_approvers(begun))
    raise PlanRefused(
        f"the lifecycle in {folder} began with {began}; given now is {', '.join(_told_approvers(given_now))}, by an "
        f"option or by the settings. Who approves was settled at {terms.begun}, when it began: leave that out to go "
        "on, or begin another lifecycle with another --run-dir. Nothing was sent."
    )


def _told_approvers(approvers: Approvers) -> list[str]:
    told = [f"--approvals {approvers.needed}"]
    return [*told, "--not-the-planner"] if approvers.not_the_planner else told


def _meanings(choices: Choices, caps: Caps, began: datetime) -> dict[str, object]:
    """Every option that was given, by name, with what it means."""
    return {name: _meaning(name, value, began) for name, value in (given(choices) | given(caps)).items()}


def _meaning(name: str, value: object, began: datetime) -> object:
    if KINDS[name] is Kind.AGE:
        return cut_off(str(value), began, as_option(name))
    return size_bytes(str(value), as_option(name)) if KINDS[name] is Kind.SIZE else value


def _told(name: str, terms: Terms) -> str:
    """An option as it is typed; an age also as the moment it means."""
    value = (given(terms.choices) | given(terms.caps))[name]
    text = " ".join([as_option(name), *map(str, value if isinstance(value, tuple) else (value,))])
    if KINDS[name] is not Kind.AGE:
        return text + " seconds" if KINDS[name] is Kind.SECONDS else text
    moment = instant(cut_off(value, terms.began, as_option(name)))
    return text if moment == value else f"{text} ({moment})"


def _files(choices: Choices) -> list[str]:
    """The files that name archives. Raises ``UsageError`` for standard input, which can be read once and no more."""
    files = []
    for option, file in named_files(choices):
        if file == _STDIN:
            raise UsageError(
                f"{option} - reads standard input, which is gone when a lifecycle plans its next round days later. "
                "Write the list to a file, and give that."
            )
        if not file.startswith(_TABLE):
            files.append(file)
    return files


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open_given(file) as content:
            if not stat.S_ISREG(os.fstat(content.fileno()).st_mode):
                raise GivenFileWrong(
                    "it is no regular file, and a lifecycle reads it again in each round. Write it to a file, and give "
                    "that"
                )
            while chunk := content.read(_CHUNK_BYTES):
                digest.update(chunk)
    except (OSError, GivenFileWrong) as error:
        because = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {file}: {because}. Nothing was sent.") from error
    return digest.hexdigest()
