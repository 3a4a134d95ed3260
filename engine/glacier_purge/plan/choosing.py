"""Puts a selection together from everything that chooses: lists of ids, choices, and last of all the limit.

An archive goes when all of them let it go, so their order decides nothing but the reason that is written down: lists
first (a deny list before anything), then what the archive itself is, then what is proven of it, and the limit counts
what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from glacier_purge.archive import EXACT, IdRule
from glacier_purge.plan.choices import Choices, filters
from glacier_purge.plan.document import PlanFinding
from glacier_purge.plan.id_lists import IdLists, kept_before, read_ids
from glacier_purge.plan.making import Selection
from glacier_purge.plan.migration.migrated import COPIES_NOT_LOOKED_AT, Proofs, Unproven, UnseenCopies
from glacier_purge.plan.selection import Filter, first_of, not_held

IDS_NOT_IN_INVENTORY = "ids_not_in_inventory"
RETRIEVALS_IGNORED = "retrieval_jobs_ignored"
EXCLUDED_NOT_IN_INVENTORY = "excluded_ids_not_in_inventory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What earlier rounds of the same lifecycle came to: ``kept`` gives the ids of the archives that they let be,
    ``deleted`` is how many archives are gone by them, which count against a limit.
    """

    kept: Callable[[], Iterable[str]]
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """What choices are read against: the time, the files that name archives never to be deleted, and which ids pass.

    Where there are ``proofs``, only what they prove goes.  ``held`` are archives somebody is retrieving.  What was kept
    ``earlier`` stays, so that a later round takes up what is left over and chooses nothing anew.
    """

    now: datetime
    deny_files: tuple[str, ...] = ()
    id_rule: IdRule = EXACT
    proofs: Proofs | None = None
    held: frozenset[str] = frozenset()
    earlier: Earlier | None = None


@contextmanager
def open_selection(choices: Choices, context: PlanContext, folder: Path) -> Iterator[Selection]:
    """Read what the choices name, by way of nameless files in ``folder``, and give the selection for one pass.

    Raises ``UsageError`` for text that means nothing and for lists that cannot be read.
    """
    id_rule = context.id_rule
    with ExitStack() as opened:
        lists = IdLists(
            listed=read_ids(_given(choices.ids), folder, opened, id_rule),
            excluded=read_ids(_given(choices.exclude_ids), folder, opened, id_rule),
            denied=read_ids(context.deny_files, folder, opened, id_rule),
        )
        by_list = lists.filter()
        chosen: list[Filter] = [by_list] if by_list.reasons else []
        if context.earlier is not None:
            chosen.append(kept_before(context.earlier.kept(), folder, opened))
        if context.held:  # a question to each record, so not where nothing is held
            chosen.append(not_held(context.held))
        chosen += filters(choices, context.now)
        if context.proofs is not None:
            unproven = opened.enter_context(Unproven(context.proofs, folder))
            chosen.append(unproven.filter())
        if choices.limit is not None:
            used = 0 if context.earlier is None else context.earlier.deleted
            chosen.append(first_of(max(0, choices.limit - used)))
        yield Selection(filters=chosen, findings=lambda: _findings(lists, choices, context))


def _given(file: str | None) -> tuple[str, ...]:
    return () if file is None else (file,)


def _findings(lists: IdLists, choices: Choices, context: PlanContext) -> list[PlanFinding]:
    asked = [(IDS_NOT_IN_INVENTORY, lists.listed), (EXCLUDED_NOT_IN_INVENTORY, lists.excluded)]
    found = [
        PlanFinding(name, ids.unasked, ids.unasked_samples()) for name, ids in asked if ids is not None and ids.unasked
    ]
    if context.proofs is not None and isinstance(context.proofs.copies, UnseenCopies):
        found.append(PlanFinding(COPIES_NOT_LOOKED_AT, 0, []))
    if choices.in_retrieval == "delete":
        found.append(PlanFinding(RETRIEVALS_IGNORED, 0, []))
    return found
