"""Rows of what a migration left behind, each read as a claim: this archive, of this size and hash, is copied there.

Understood are the tables of AWS's own two migrations and anything that has an archive id, a size and a tree hash:

- Data Transfer from Amazon S3 Glacier Vaults: ``sk = meta`` rows of its retrieval table.  Only ``…/downloaded`` means
  that the tree hash was checked and the upload to S3 completed (its validator); every other status claims nothing.
- S3 Glacier Re:Freezer: its job status table.  ``cpt`` is set when the copy reached its bucket; ``vdt`` before that
  only says that the hash was right.
- ``archive_id,size,sha256_tree_hash`` in CSV, from a migration of the user's own, which vouches for what it lists.

A row that says less claims less; nothing is filled in.  Pure: what a claim is worth is decided in ``migrated``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

CLAIM_COLUMNS = (
    *("aid", "sz", "sha", "cpt", "fname"),
    *("archive_id", "sk", "pk", "retrieve_status", "s3_destination_bucket", "s3_destination_key"),
    *("bucket", "key", "size", "sha256_tree_hash"),
)
"""What of a row is read, whichever table it is of."""
_DONE = "downloaded"
_ARCHIVE_ROW = "meta"


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What one row says about one archive. None is what it does not say; ``key`` is the copy's name in S3."""

    copied: bool
    size_bytes: int | None
    tree_hash: str | None
    bucket: str | None
    key: str | None

    @property
    def copy(self) -> str:
        """Where the copy is, for people."""
        return "" if self.key is None else f"{self.bucket or ''}/{self.key}"


def claim(fields: Mapping[str, str]) -> tuple[str, Claim] | None:
    """Read a row as an archive id and what it claims; None for rows about anything else than one archive."""
    if "aid" in fields:
        size_bytes, tree_hash = number(fields.get("sz")), _text(fields.get("sha"))
        return fields["aid"], Claim(bool(fields.get("cpt")), size_bytes, tree_hash, None, _text(fields.get("fname")))
    archive_id = fields.get("archive_id")
    if not archive_id or fields.get("sk", _ARCHIVE_ROW) != _ARCHIVE_ROW:
        return None
    if "pk" in fields or "retrieve_status" in fields:
        copied = fields.get("retrieve_status", "").rpartition("/")[2] == _DONE
        bucket, key = fields.get("s3_destination_bucket"), fields.get("s3_destination_key")
    else:
        copied, bucket, key = True, fields.get("bucket"), fields.get("key")
    size_bytes, tree_hash = number(fields.get("size")), _text(fields.get("sha256_tree_hash"))
    return archive_id, Claim(copied, size_bytes, tree_hash, _text(bucket), _text(key))


def from_dynamodb(item: Mapping[str, Any]) -> dict[str, str]:
    """Read an item as DynamoDB writes it, ``{"size": {"N": "3"}}``; only texts and numbers matter here."""
    fields = {}
    for name, typed in item.items():
        value = typed.get("S", typed.get("N")) if isinstance(typed, dict) else None
        if isinstance(value, str):
            fields[name] = value
    return fields


def from_export_line(line: bytes) -> dict[str, str]:
    """Read a line of a DynamoDB export to S3, ``{"Item": {..}}``. Raises ``ValueError`` for anything else."""
    document = json.loads(line, object_pairs_hook=_each_once)
    if not isinstance(document, dict) or not isinstance(document.get("Item"), dict):
        raise ValueError('it is not {"Item": ...}')  # noqa: TRY004 - whoever reads lines catches what json raises
    return from_dynamodb(document["Item"])


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a name stands in it twice, so what it claims depends on who reads it")
    return found


def number(text: str | None) -> int | None:
    """A number of bytes in plain digits, and no other way to write it; None for all else."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def _text(text: str | None) -> str | None:
    return text or None
