"""What is settled, refused and told when a process takes a lifecycle up: the first time, and each time after that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import msgspec

from glacier_purge.approval.signers import Approvers
from glacier_purge.errors import PlanRefused
from glacier_purge.guard.rules import Rules, check_place
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Phase
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.lifecycle.terms import Terms, check_files, settle
from glacier_purge.plan.choices import EVERY_ARCHIVE, Caps, Choices
from glacier_purge.plan.first_reading import Target
from glacier_purge.storage.folder import RunFolder


async def settled_terms(
    folder: RunFolder,
    target: Target,
    lifecycle: LifecycleFile,
    choices: Choices,
    caps: Caps,
    approvers: Approvers | None,
) -> Terms:
    """What the lifecycle in ``folder`` was begun with; settled now where it begins.

    Raises as ``settle`` does, and ``PlanRefused`` where files that name archives were changed and are still needed.
    """
    terms = await anyio.to_thread.run_sync(
        lambda: settle(
            folder,
            target.vault,
            target.endpoint_url,
            lifecycle.now(),
            choices=choices,
            caps=caps,
            id_rule=target.id_rule,
            approvers=approvers,
        )
    )
    if lifecycle.phase in {Phase.PREFLIGHT, Phase.INVENTORY, Phase.PLAN}:  # later a plan holds what was chosen
        await anyio.to_thread.run_sync(check_files, terms)
    return terms


def check_planner_known(terms: Terms, sign_key: Path | None) -> None:
    """Raise ``PlanRefused`` where nobody may approve their own plan, and nothing would show whose a plan is."""
    if terms.approvers is not msgspec.UNSET and terms.approvers.not_the_planner and sign_key is None:
        raise PlanRefused(
            "nobody is to approve the plan that they made, and plans are signed by nobody here, so nothing would show "
            "whose they are. Give --sign-key, with the key of whoever plans, which the file of allowed signers has to "
            "name; or leave --not-the-planner away. Nothing was sent."
        )


def check_allowed(target: Target, lifecycle: LifecycleFile, rules: Rules, options: LifecycleOptions) -> None:
    """Raise ``PlanRefused`` for a vault that must not be touched, unless all that is left to do is to look and to thaw.

    Said before anything is waited for: carrying out checks again, and by then uploads would be denied.
    """
    harmless = {Phase.VERIFY, Phase.THAW, Phase.DONE}
    if options.remove_vault is None:
        harmless.add(Phase.DELETE_VAULT)
    if lifecycle.phase not in harmless:
        check_place(target.vault, rules)


def what_holds(
    lifecycle: LifecycleFile, terms: Terms, options: LifecycleOptions, approvers: Approvers | None
) -> Iterator[str]:
    """What somebody who starts a lifecycle should know of how it was begun."""
    if lifecycle.steps:
        yield f"going on in phase {lifecycle.phase.value!r} of round {lifecycle.round}"
    if told := [*terms.told(), *terms.told_approvers()]:
        yield f"as settled at {terms.begun}: {', '.join(told)}"
    begun = terms.approvers
    if approvers is not None and begun is not msgspec.UNSET and approvers.allowed_signers != begun.allowed_signers:
        yield (
            "the file of allowed signers was changed since this began: those it had then approve, and nobody who was "
            "added. Whose key is not to count any more is put into a file of revoked ones (--revoked)"
        )
    if options.remove_vault is not None and terms.choices != EVERY_ARCHIVE and not lifecycle.steps:
        yield (
            "only an empty vault can be removed: if what was chosen keeps an archive, its plan will be refused as long "
            "as --delete-vault is given"
        )
