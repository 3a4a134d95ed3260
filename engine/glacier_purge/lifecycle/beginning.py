"""What is settled, refused and told when a process takes a lifecycle up: the first time, and each time after that."""

from __future__ import annotations

from collections.abc import Iterator

import anyio.to_thread

from glacier_purge.guard.rules import Rules, check_place
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.phases import Phase
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.lifecycle.terms import Terms, check_files, settle
from glacier_purge.plan.choices import EVERY_ARCHIVE, Caps, Choices
from glacier_purge.plan.first_reading import Target
from glacier_purge.storage.folder import RunFolder


async def settled_terms(
    folder: RunFolder, target: Target, lifecycle: LifecycleFile, choices: Choices, caps: Caps
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
        )
    )
    if lifecycle.phase in {Phase.PREFLIGHT, Phase.INVENTORY, Phase.PLAN}:  # later a plan holds what was chosen
        await anyio.to_thread.run_sync(check_files, terms)
    return terms


def check_allowed(target: Target, lifecycle: LifecycleFile, rules: Rules, options: LifecycleOptions) -> None:
    """Raise ``PlanRefused`` for a vault that must not be touched, unless all that is left to do is to look and to thaw.

    Said before anything is waited for: carrying out checks again, and by then uploads would be denied.
    """
    harmless = {Phase.VERIFY, Phase.THAW, Phase.DONE}
    if options.remove_vault is None:
        harmless.add(Phase.DELETE_VAULT)
    if lifecycle.phase not in harmless:
        check_place(target.vault, rules)


def what_holds(lifecycle: LifecycleFile, terms: Terms, options: LifecycleOptions) -> Iterator[str]:
    """What somebody who starts a lifecycle should know of how it was begun."""
    if lifecycle.steps:
        yield f"going on in phase {lifecycle.phase.value!r} of round {lifecycle.round}"
    if told := terms.told():
        yield f"as settled at {terms.begun}: {', '.join(told)}"
    if options.remove_vault is not None and terms.choices != EVERY_ARCHIVE and not lifecycle.steps:
        yield (
            "only an empty vault can be removed: if what was chosen keeps an archive, its plan will be refused as long "
            "as --delete-vault is given"
        )
