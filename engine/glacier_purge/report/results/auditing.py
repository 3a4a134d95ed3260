"""The answers of ``audit verify``."""

from __future__ import annotations

from typing import Annotated, Literal

from glacier_purge.report.results.result import UNSET, Result, UnsetType, about


class Audited(Result, frozen=True, kw_only=True, tag="audit"):
    """The verdict on one folder's files. Outcomes that do not occur are left out."""

    verdict: Annotated[Literal["sound", "damaged"], about("damaged where a file is not as it was written.")]
    of: Annotated[str, about("Whether it is the folder of a run, a lifecycle or a fleet.")]
    finished: Annotated[bool, about("Whether the work in it came to its end.")]
    lines: Annotated[int, about("Lines of its log that were read.")]
    deleted: Annotated[int | UnsetType, about("Archives deleted.")] = UNSET
    duplicate: Annotated[int | UnsetType, about("Records that repeat an archive id.")] = UNSET
    failed: Annotated[int | UnsetType, about("Archives that could not be deleted.")] = UNSET
    invalid: Annotated[int | UnsetType, about("Records of which no archive can be told.")] = UNSET
    skipped: Annotated[int | UnsetType, about("Archives that were not chosen.")] = UNSET
    faults: Annotated[int, about("How much is wrong.")]
    notices: Annotated[int, about("How much is worth knowing and no damage.")]
    anchor: Annotated[
        str | None, about("SEQ:HASH of the last line: kept elsewhere, it shows any later change of the log.")
    ]
    anchors_signed_by: Annotated[
        list[str] | UnsetType, about("Who signed the anchors that were kept elsewhere, by the file of allowed signers.")
    ] = UNSET
    run_dir: Annotated[str, about("The folder.")]
    fault_list: Annotated[list[str], about("All that is wrong: file, byte, record and what.")]
    notice_list: Annotated[list[str], about("All that is worth knowing.")]


class AllAudited(Result, frozen=True, kw_only=True, tag="audits"):
    """The verdict on a lifecycle or a fleet with the folders in it."""

    verdict: Annotated[Literal["sound", "damaged"], about("damaged where any of the folders is.")]
    folders: Annotated[list[Audited], about("Each folder.")]
    anchors_signed_by: Annotated[
        list[str] | UnsetType, about("Who signed the anchors that were kept elsewhere, by the file of allowed signers.")
    ] = UNSET
    run_dir: Annotated[str, about("The folder that was asked about.")]


class Anchored(Result, frozen=True, kw_only=True, tag="anchors"):
    """What was kept of the logs in a folder that were found to be whole."""

    logs: Annotated[int, about("Logs of which there is an anchor now.")]
    records: Annotated[int, about("Their lines, all together.")]
    signed_with: Annotated[str | UnsetType, about("The key that signed them.")] = UNSET
    file: Annotated[str, about("The file of anchors.")]
    run_dir: Annotated[str, about("The folder.")]


class Bundled(Result, frozen=True, kw_only=True, tag="bundle"):
    """One file for an auditor was written."""

    sha256: Annotated[str, about("SHA-256 of the file: tell it to the auditor by another way.")]
    size_bytes: Annotated[int, about("Its size.")]
    folders: Annotated[int, about("Folders in it: runs, rounds, lifecycles.")]
    signed_with: Annotated[str | UnsetType, about("The key that signed the heads of the logs in it.")] = UNSET
    file: Annotated[str, about("The file.")]
    run_dir: Annotated[str, about("The folder that it is of.")]
