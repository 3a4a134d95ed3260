"""UploadArchive and DeleteArchive."""

from __future__ import annotations

import hashlib

from glacier_purge.archive import EXACT
from glacier_simulator import dates, refusal
from glacier_simulator.archives import Record
from glacier_simulator.call import Call, reply
from glacier_simulator.exchange import Response
from glacier_simulator.stored import StoredVault
from glacier_simulator.treehash import tree_hash

DESCRIPTION_CHARACTERS_MAX = 1024
"""Printable ASCII only ("UploadArchive")."""


def upload_archive(call: Call) -> Response:
    """Answer UploadArchive."""
    vault = call.vault()
    description = archive_description(call)
    body = call.request.body
    check_whole(call)
    if not body:
        raise refusal.invalid("Invalid Content-Length: 0")
    check_linear_hash(call)
    return shelve(call, vault, description, body, check_tree_hash(call))


def delete_archive(call: Call) -> Response:
    """Answer DeleteArchive: 204 whether the archive was still there or not."""
    tally, archive_id = call.estate.tally, call.names[1]
    tally.received += 1
    try:
        vault = call.find_vault()
    except refusal.Refusal:
        tally.no_vault += 1
        raise
    index = vault.shelf.find(archive_id)
    if index is not None:
        vault.shelf.count_received(index)
    try:
        call.authorise(vault, index)
    except refusal.Refusal:
        tally.denied += 1
        raise
    if index is None:
        _check_unknown(call, vault, archive_id)
    elif vault.shelf.remove(index):
        vault.changed(call.now)
    else:
        tally.already_gone += 1
    return reply(204)


def note_throttled_delete(call: Call) -> None:
    """Count a DeleteArchive that was turned away for rate, for its archive too if that is known."""
    call.estate.tally.throttled += 1
    vault = call.account.vaults.get(call.names[0])
    index = None if vault is None else vault.shelf.find(call.names[1])
    if vault is not None and index is not None:
        vault.shelf.count_throttled(index)


def note_denied_delete(call: Call, vault: StoredVault | None, index: int | None) -> None:
    """Count a DeleteArchive that was refused before anything was looked at, for its archive too if that is known."""
    call.estate.tally.received += 1
    call.estate.tally.denied += 1
    if vault is not None and index is not None:
        vault.shelf.count_received(index)


def _check_unknown(call: Call, vault: StoredVault, archive_id: str) -> None:
    """Say what is wrong with an id this vault never held; nothing, if it is well-formed and no other vault's.

    That last case is undocumented; the service can hardly tell such ids from ids deleted years ago.
    """
    tally = call.estate.tally
    if not EXACT.holds(archive_id):
        tally.malformed += 1
        raise refusal.invalid(f"Invalid archive ID: {archive_id[:256]}")
    if call.estate.holds(archive_id):
        tally.wrong_vault += 1
        raise refusal.wrong_vault(vault.facts.arn)
    tally.unknown += 1


def shelve(call: Call, vault: StoredVault, description: str, body: bytes, checksum: str) -> Response:
    """Put an archive into the vault and answer with its id."""
    archive_id = vault.shelf.next_archive_id()
    vault.shelf.upload(Record(archive_id, description, dates.in_seconds(call.now), len(body), checksum, body))
    vault.changed(call.now)
    return reply(
        201,
        {
            "Location": call.location(call.names[0], "archives", archive_id),
            "x-amz-sha256-tree-hash": checksum,
            "x-amz-archive-id": archive_id,
        },
    )


def archive_description(call: Call) -> str:
    """The description in the request, empty if there is none."""
    description = call.header("x-amz-archive-description") or ""
    if len(description) > DESCRIPTION_CHARACTERS_MAX or not all(" " <= char <= "~" for char in description):
        raise refusal.invalid(f"Invalid archive description: {description[:64]}")
    return description


def check_whole(call: Call) -> None:
    """Refuse a body that ended before its time."""
    announced = call.header("content-length")
    if announced is not None and announced.isdecimal() and int(announced) > len(call.request.body):
        raise refusal.Refusal("RequestTimeoutException", "Request timed out.")


def check_linear_hash(call: Call) -> None:
    """Compare the body with ``x-amz-content-sha256``."""
    announced = call.header("x-amz-content-sha256")
    if announced is None:
        raise refusal.missing("x-amz-content-sha256")
    if announced != (actual := hashlib.sha256(call.request.body).hexdigest()):
        raise refusal.invalid(f"Checksum mismatch: expected {announced} but was {actual}")


def check_tree_hash(call: Call) -> str:
    """Compare the body with ``x-amz-sha256-tree-hash``, and return it."""
    announced = call.header("x-amz-sha256-tree-hash")
    if announced is None:
        raise refusal.missing("x-amz-sha256-tree-hash")
    if announced != (actual := tree_hash(call.request.body)):
        raise refusal.invalid(f"Checksum mismatch: expected {announced} but was {actual}")
    return actual
