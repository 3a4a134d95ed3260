"""The days-long way of a vault, as a table: phases, what can happen in each, and what follows.

    preflight → inventory → plan → approval → freeze → purge → verify → delete vault → done
                    ↑                  │         │        │       │          │
                    └── another round: the plan grew old, something is left, somebody uploaded

Uploads that were denied may be allowed again by somebody else (``thaw``, or a policy put in place of ours): that is
written down as soon as it is seen, and leads nowhere else.

What a plan kept is not left over: a lifecycle is done when a newer inventory lists nothing but that.  What may follow
what is the table and nothing else: an event that a phase does not know raises and changes nothing.
"""

from __future__ import annotations

from enum import StrEnum

from glacier_purge.errors import UsageError

ROUNDS_MAX = 5
"""Rounds in which something is left each time: then somebody is still uploading, and a person has to look."""


class Phase(StrEnum):
    """Where a vault is on its way."""

    PREFLIGHT = "preflight"
    INVENTORY = "inventory"
    PLAN = "plan"
    APPROVAL = "approval"
    FREEZE = "freeze"
    PURGE = "purge"
    VERIFY = "verify"
    DELETE_VAULT = "delete vault"
    THAW = "thaw"
    DONE = "done"


class Event(StrEnum):
    """What can happen in a phase."""

    CLEAR = "nothing stands against it"
    FETCHED = "inventory fetched"
    PLANNED = "planned"
    NOTHING_LISTED = "the inventory lists nothing to delete"
    NOTHING_SENT = "nothing is listed any more that is to be deleted, and nothing was sent"
    NOTHING_CHOSEN = "nothing the inventory lists is to be deleted"
    ONLY_KEPT = "nothing a newer inventory lists is to be deleted"
    NOTHING_LEFT = "a newer inventory lists nothing any more"
    INVENTORY_GIVEN_UP = "the inventory does not hold any more"
    PLAN_GIVEN_UP = "the plan does not hold any more, and nothing was sent by it"
    APPROVED = "approved"
    FROZEN = "uploads denied"
    NOT_FROZEN = "uploads not denied"
    ACCOUNTED = "every record accounted for"
    PROVEN = "proven empty"
    KEPT_REST = "proven, and what is left is kept"
    SOMETHING_LEFT = "something is left"
    WRITTEN_TO = "written to since it was found empty"
    DELETED = "vault deleted"
    KEPT = "vault kept"
    THAWED = "uploads as before"
    ALLOWED = "uploads not denied any more, by somebody else"
    NEVER_WRITTEN = "no inventory ever came: nothing was written to it"
    NEVER_INVENTORIED = "never inventoried, and to be removed"
    EMPTY = "the inventory lists nothing, and the vault is to be removed"
    ABANDONED = "abandoned"


_NEVER_ALLOWED_IN = {Phase.PREFLIGHT, Phase.FREEZE, Phase.THAW, Phase.DONE}
"""Nothing is denied yet there, or it is denied or allowed by that very phase."""

TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    (Phase.PREFLIGHT, Event.CLEAR): Phase.INVENTORY,
    (Phase.INVENTORY, Event.FETCHED): Phase.PLAN,
    (Phase.PLAN, Event.PLANNED): Phase.APPROVAL,
    (Phase.PLAN, Event.NOTHING_LISTED): Phase.DONE,
    (Phase.PLAN, Event.NOTHING_CHOSEN): Phase.DONE,
    (Phase.PLAN, Event.NOTHING_LEFT): Phase.VERIFY,
    (Phase.PLAN, Event.ONLY_KEPT): Phase.VERIFY,
    (Phase.PLAN, Event.NOTHING_SENT): Phase.THAW,
    (Phase.PLAN, Event.INVENTORY_GIVEN_UP): Phase.INVENTORY,
    (Phase.APPROVAL, Event.APPROVED): Phase.FREEZE,
    (Phase.APPROVAL, Event.PLAN_GIVEN_UP): Phase.INVENTORY,
    (Phase.FREEZE, Event.PLAN_GIVEN_UP): Phase.INVENTORY,
    (Phase.PURGE, Event.PLAN_GIVEN_UP): Phase.INVENTORY,
    (Phase.FREEZE, Event.FROZEN): Phase.PURGE,
    (Phase.FREEZE, Event.NOT_FROZEN): Phase.PURGE,
    (Phase.PURGE, Event.ACCOUNTED): Phase.VERIFY,
    (Phase.VERIFY, Event.PROVEN): Phase.DELETE_VAULT,
    (Phase.VERIFY, Event.KEPT_REST): Phase.DELETE_VAULT,
    (Phase.VERIFY, Event.SOMETHING_LEFT): Phase.INVENTORY,
    (Phase.DELETE_VAULT, Event.WRITTEN_TO): Phase.INVENTORY,
    (Phase.DELETE_VAULT, Event.DELETED): Phase.DONE,
    (Phase.DELETE_VAULT, Event.KEPT): Phase.THAW,
    (Phase.THAW, Event.THAWED): Phase.DONE,
    (Phase.INVENTORY, Event.NEVER_WRITTEN): Phase.DONE,
    (Phase.INVENTORY, Event.NEVER_INVENTORIED): Phase.DELETE_VAULT,
    (Phase.PLAN, Event.EMPTY): Phase.DELETE_VAULT,
    **{(phase, Event.ALLOWED): phase for phase in Phase if phase not in _NEVER_ALLOWED_IN},
    **{(phase, Event.ABANDONED): Phase.DONE for phase in Phase if phase is not Phase.DONE},
}
"""Everything that may follow anything."""

ANOTHER_ROUND = frozenset({Event.SOMETHING_LEFT, Event.PLAN_GIVEN_UP, Event.WRITTEN_TO})
"""What ends a round so that the next one begins, in a folder of its own."""

SETTLED: dict[Event, frozenset[str]] = {
    Event.FETCHED: frozenset({"sha256"}),
    Event.PLANNED: frozenset({"digest", "vault", "endpoint", "run_json"}),
    Event.APPROVED: frozenset({"digest", "how", "by"}),
    Event.FROZEN: frozenset({"freeze_json"}),
    Event.PROVEN: frozenset({"certificate"}),
    Event.KEPT_REST: frozenset({"certificate"}),
}
"""The facts by which a step is bound to what it settled: hashes (SHA-256, hex) and what tells a plan from others."""


def following(phase: Phase, event: Event) -> Phase:
    """What follows when ``event`` happens in ``phase``. Raises ``UsageError`` where the table says nothing."""
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise UsageError(f"{event.value!r} can't happen in phase {phase.value!r}. Nothing was changed.") from None
