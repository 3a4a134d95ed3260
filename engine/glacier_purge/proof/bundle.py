"""One zip file with all that an auditor needs to check what was deleted, and to do so with Python alone.

Any computer opens a zip.  The log is in it plain, since few have what unpacks zstandard; inventories are in it by their
hashes alone, as they may be gigabytes and say what the archives are.  Only files that are known by name are taken: what
somebody else put into a folder is theirs.  The same folder gives the same files, dates and order; all is streamed.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from importlib.resources import files as packaged
from pathlib import Path
from typing import IO

from glacier_purge.audit.segments import FOLDER, find_segments, log_read, read_chunks
from glacier_purge.storage.disk import FileDisk

EVIDENCE = "evidence"
"""The folder in the bundle that has the files of the run, lifecycle or fleet, where they lay."""
PAGES = "pages"
"""The folder with the pages for people, beside the evidence: nothing vouches for them."""
SUMS_FILE, ANCHORS_FILE, _PAGE = "SHA256SUMS", "anchors.txt", "report.html"
_VERIFIER, _FORMAT = "verify.py", "audit-format.md"
_KNOWN = re.compile(
    r"plan\.json|run\.json|decisions|duplicates|(?:verification/)?inventory\.(?:json|csv)\.sha256|stream\.json"
    r"|plan\.signed|approvals/(?:allowed_signers|[!-.0-~]+\.approval)|checkpoint(?:\.previous)?|certificate\.(?:json|txt)|removal\.jsonl|verification/(?:retrieval\.json|[a-z-]+\.ids)"
    r"|audit/(?:manifest\.jsonl|[0-9]{6,9}\.jsonl\.torn-[0-9]{1,9})|lifecycle\.jsonl|terms\.json|freeze\.json|fleet\.json"
)
_CHUNK_BYTES = 1 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The date of every file: when something was done stands in the files themselves."""


def write_bundle(folder: Path, places: Iterable[str], target: IO[bytes], readme: str, anchors: bytes) -> None:
    """Write the bundle of a folder: of itself and of the ``places`` below it that have logs or steps of their own.

    ``anchors`` is a file of anchors, empty for none.  Raises ``AuditDamaged``, ``NotOurs`` and ``OSError`` for what
    can't be read, and ``OSError`` for what can't be written.
    """
    sums: list[str] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        package = packaged("glacier_purge.audit")
        _put(bundle, sums, "README.txt", [readme.encode()])
        _put(bundle, sums, _VERIFIER, [(package / "verification.py").read_bytes()])
        _put(bundle, sums, _FORMAT, [(package / _FORMAT).read_bytes()])
        if anchors:
            _put(bundle, sums, ANCHORS_FILE, [anchors])
        for place in places:
            below = "" if place == "." else f"/{place}"
            inside = EVIDENCE + below
            if (folder / place / _PAGE).is_file():
                _put(bundle, sums, f"{PAGES}{below}/{_PAGE}", _read(FileDisk(folder / place), _PAGE))
            for name, chunks in _evidence(folder / place):
                _put(bundle, sums, f"{inside}/{name}", chunks)
        _put(bundle, [], SUMS_FILE, ["".join(sums).encode()])


def _evidence(place: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The known files of one folder by their names in it, and its log's segments in their plain form."""
    disk = FileDisk(place)
    for below in ("", "audit/", "approvals/", "verification/"):
        for name in disk.names(below or "."):
            if _KNOWN.fullmatch(below + name):
                yield below + name, _read(disk, below + name)
    if disk.names(FOLDER):
        segments = find_segments(disk)
        with log_read(disk, segments, "packing the audit log") as work:
            for segment in segments:
                yield segment.name, read_chunks(disk, segment, work=work)


def _read(disk: FileDisk, name: str) -> Iterator[bytes]:
    offset = 0
    while chunk := disk.read(name, offset, _CHUNK_BYTES):
        yield chunk
        offset += len(chunk)


def _put(bundle: zipfile.ZipFile, sums: list[str], name: str, chunks: Iterable[bytes]) -> None:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
    sha256 = hashlib.sha256()
    with bundle.open(entry, "w", force_zip64=True) as file:
        for chunk in chunks:
            sha256.update(chunk)
            file.write(chunk)
    sums.append(f"{sha256.hexdigest()}  {name}\n")
