"""The answers of ``approve``."""

from __future__ import annotations

from typing import Annotated

from glacier_purge.report.results.result import Result, about, moment


class ApprovalMade(Result, frozen=True, kw_only=True, tag="approval"):
    """Somebody's approval, and how many there are with it."""

    who: Annotated[str, about("Who approves, by the name in the file of allowed signers.")]
    key: Annotated[str, about("The key that signed.")]
    digest: Annotated[str, about("The plan's digest.")]
    at: Annotated[str, moment("When it was made (UTC).")]
    until: Annotated[str, moment("When it expires (UTC), unless work began by it before.")]
    needed: Annotated[int | None, about("So many people have to approve; null where nothing in the folder says.")]
    approved_by: Annotated[list[str], about("Whose approvals lie in the folder and count now.")]
    refused: Annotated[list[str], about("What lies there and does not count, each with why.")]
    file: Annotated[str, about("The file that has it.")]
    run_dir: Annotated[str, about("The run's folder.")]
