"""Holds the files of a lifecycle's folder against its steps and its terms, before anything is done by their word.

The steps hold together by themselves (``lifecycle``); here is what lies beside them: the plan, the identity and the
certificate of each round, and ``freeze.json``.  What does not fit is named, and nothing goes on by it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from glacier_purge.errors import AuditDamaged, PlanRefused, first_sentence
from glacier_purge.lifecycle.phases import Event, Phase
from glacier_purge.lifecycle.steps import Step, denied_since, position
from glacier_purge.lifecycle.terms import Terms
from glacier_purge.plan.document import Plan, read_plan
from glacier_purge.plan.identity import read_identity
from glacier_purge.proof.certificate import CERTIFICATE_FILE, read_certificate
from glacier_purge.storage.folder import IDENTITY_FILE, LIFECYCLE_FILE, PLAN_FILE, RunFolder
from glacier_purge.storage.ownership import read_own
from glacier_purge.vault.freeze import FREEZE_FILE, read_frozen, settled_sha256


def round_path(folder: Path, number: int) -> Path:
    """Where a round lies."""
    return folder / f"round-{number}"


def round_of(folder: Path, steps: list[Step], event: Event) -> Path | None:
    """The folder of the last round in which ``event`` happened; None when it has not."""
    numbers = [step.round for step in steps if step.event is event]
    return round_path(folder, numbers[-1]) if numbers else None


def check_fits(folder: Path, steps: list[Step], terms: Terms) -> None:
    """Raise ``AuditDamaged``, which names the file, for the first that is not what the steps say it is."""
    if steps and steps[-1].event is Event.ABANDONED:  # nothing goes by them any more
        return
    phase, last = position(steps)
    for place in sorted(folder.glob("round-*")):
        if place.name not in {f"round-{number}" for number in range(1, last + 1)}:
            raise _damaged(
                folder / LIFECYCLE_FILE, f"{place.name} is there, and the steps lead to round {last}: lines are missing"
            )
    planned = {step.round: step for step in steps if step.event is Event.PLANNED}
    for number in range(1, last + 1):
        place = round_path(folder, number)
        if number in planned:
            _check_planned(place, planned[number], terms)
            _check_approved(folder, steps, number, terms)
        elif (place / PLAN_FILE).exists():
            if (number, phase) != (last, Phase.PLAN):
                raise _damaged(
                    folder / LIFECYCLE_FILE,
                    f"{place.name}/{PLAN_FILE} is there, and no step says that it was made: lines are missing",
                )
            check_new_plan(place, steps, terms)
    _check_certificate(folder, steps)
    _check_earlier_certificates(folder, steps, planned)
    check_freeze_file(folder, steps)


def check_new_plan(place: Path, steps: list[Step], terms: Terms) -> None:
    """Raise ``AuditDamaged`` unless the plan that no step knows yet is of the inventory that was fetched for it."""
    plan = _plan(place)
    _check_whose(place / PLAN_FILE, (plan.vault.arn, plan.endpoint_url), terms)
    try:
        read_identity(RunFolder(place), plan)
    except PlanRefused as refused:
        raise _damaged(place / IDENTITY_FILE, first_sentence(refused)) from refused
    fetched = next(step.facts["sha256"] for step in reversed(steps) if step.event is Event.FETCHED)
    if plan.snapshot.sha256 != fetched:
        raise _damaged(place / PLAN_FILE, "it is not of the inventory that was fetched for it")


def check_freeze_file(folder: Path, steps: list[Step]) -> None:
    """Raise ``AuditDamaged`` unless ``freeze.json`` is the one that was written when uploads were denied."""
    file = folder / FREEZE_FILE
    if position(steps)[0] is Phase.FREEZE:  # between the file and its step; freezing itself sees what is in the vault
        return
    if denied_since(steps) is None:
        known = any(step.event in {Event.FROZEN, Event.NOT_FROZEN, Event.ABANDONED} for step in steps)
        if file.exists() and not known:
            raise _damaged(
                folder / LIFECYCLE_FILE,
                f"{FREEZE_FILE} is there, and no step says that uploads were denied: lines are missing",
            )
        return
    try:
        frozen = read_frozen(RunFolder(folder))
    except PlanRefused as refused:
        raise _damaged(file, first_sentence(refused)) from refused
    settled = next(step.facts["freeze_json"] for step in reversed(steps) if step.event is Event.FROZEN)
    if frozen is None or settled_sha256(frozen) != settled:
        why = "it is missing" if frozen is None else "it is not what was written when uploads were denied"
        raise _damaged(
            file,
            f"{why}, so nobody can tell what the vault's access policy was. To go on restore it; to allow uploads give "
            "glacier-purge thaw VAULT, which takes away the statement that begins with GlacierPurgeFreeze",
        )


def identity_sha256(place: Path) -> str:
    """What a round's ``run.json`` is known by. Raises ``AuditDamaged`` when it can't be read."""
    file = place / IDENTITY_FILE
    try:
        return hashlib.sha256(read_own(file)).hexdigest()
    except OSError as error:
        raise _damaged(file, f"it cannot be read: {error.strerror}") from error


def _check_planned(place: Path, step: Step, terms: Terms) -> None:
    plan = _plan(place)
    if plan.digest != step.facts["digest"]:
        raise _damaged(
            place / PLAN_FILE,
            f"its digest is {plan.digest[:16]}..., and {step.facts['digest'][:16]}... was planned at {step.at}",
        )
    _check_whose(place / PLAN_FILE, (plan.vault.arn, plan.endpoint_url), terms)
    if identity_sha256(place) != step.facts["run_json"]:
        raise _damaged(place / IDENTITY_FILE, f"it is not the one of the plan that was made at {step.at}")


def _check_approved(folder: Path, steps: list[Step], number: int, terms: Terms) -> None:
    """A typed yes is none where the terms want documents, whoever wrote that step."""
    if terms.approvers is msgspec.UNSET:
        return
    for step in steps:
        if step.event is Event.APPROVED and step.round == number and step.facts["how"] != "signed":
            raise _damaged(
                folder / LIFECYCLE_FILE,
                f"its step of {step.at} approves by {step.facts['how']!r}, and the terms want {terms.approvers.needed} "
                "signed approvals",
            )


def _check_whose(file: Path, whose: tuple[str, str], terms: Terms) -> None:
    """Raise ``AuditDamaged`` unless the vault (ARN) and the endpoint of a file are those of the terms."""
    if whose != (terms.vault_arn, terms.endpoint_url):
        vault_arn, endpoint_url = whose
        raise _damaged(
            file,
            f"it is of {vault_arn} at {endpoint_url}, and the lifecycle is of {terms.vault_arn} at "
            f"{terms.endpoint_url}",
        )


def _plan(place: Path) -> Plan:
    try:
        return read_plan(place / PLAN_FILE)
    except PlanRefused as refused:
        raise _damaged(place / PLAN_FILE, first_sentence(refused)) from refused


def _check_certificate(folder: Path, steps: list[Step]) -> None:
    """The last certificate is still the one that the step says was written."""
    proven = [step for step in steps if step.event in {Event.PROVEN, Event.KEPT_REST}]
    place = round_of(folder, steps, Event.ACCOUNTED)
    if not proven or place is None or position(steps)[1] > proven[-1].round:
        return
    file = place / CERTIFICATE_FILE
    try:
        certificate = read_certificate(RunFolder(place))
    except PlanRefused as refused:
        raise _damaged(file, first_sentence(refused)) from refused
    if certificate is None or certificate.digest != proven[-1].facts["certificate"]:
        why = "it is missing" if certificate is None else "it is not the one that was written"
        raise _damaged(file, f"{why} at {proven[-1].at}")


def _check_earlier_certificates(folder: Path, steps: list[Step], planned: dict[int, Step]) -> None:
    """Rounds after which something was left still have a certificate of their plan, if one was written.

    It need not be the very one: such a round may be verified again, by hand or where a newer inventory lists nothing
    else, and that writes another.
    """
    for number, step in planned.items():
        place = round_path(folder, number)
        written = [each for each in steps if each.facts.get("certified") == place.name]
        if not written:
            continue
        try:
            certificate = read_certificate(RunFolder(place))
        except PlanRefused as refused:
            raise _damaged(place / CERTIFICATE_FILE, first_sentence(refused)) from refused
        if certificate is None:
            raise _damaged(place / CERTIFICATE_FILE, f"it is missing, and was written at {written[-1].at}")
        if certificate.plan_digest != step.facts["digest"]:
            raise _damaged(place / CERTIFICATE_FILE, f"it is not of the plan that was made at {step.at}")


def _damaged(file: Path, why: str) -> AuditDamaged:
    return AuditDamaged(
        f"{why.rstrip('.')}. Restore it from a copy, or end the lifecycle with glacier-purge abandon DIR. This command "
        "sent nothing.",
        file=str(file),
        offset_bytes=0,
    )
