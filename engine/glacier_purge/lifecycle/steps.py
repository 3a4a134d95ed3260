"""What was reached: a lifecycle's steps, and what they say together.

The first one is made in the first phase; where the last one leads is where the lifecycle is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from glacier_purge.lifecycle.phases import ANOTHER_ROUND, SETTLED, TRANSITIONS, Event, Phase, following


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file: in ``round``, ``phase`` met ``event`` at ``at`` (UTC), with ``facts`` for people.

    ``prev`` is the SHA-256 (hex) of the line before, its line feed included; of ``terms.json`` in the first one.
    """

    prev: str
    at: str
    round: int
    phase: Phase
    event: Event
    facts: dict[str, Any] = {}


def position(steps: Iterable[Step]) -> tuple[Phase, int]:
    """The phase and the round that ``steps`` lead to. Raises ``UsageError`` for a step the table does not have."""
    phase, number = Phase.PREFLIGHT, 1
    for step in steps:
        phase, number = after(step, number)
    return phase, number


def after(step: Step, number: int) -> tuple[Phase, int]:
    """The phase and the round after ``step``, made in round ``number``. Raises ``UsageError`` as ``position`` does."""
    return following(step.phase, step.event), number + (step.event in ANOTHER_ROUND)


def misfit(step: Step, before: list[Step]) -> str | None:
    """Why a step can't follow those before it; None when it can."""
    phase, number = position(before)
    if (step.phase, step.round) != (phase, number):
        return (
            f"it is of phase {step.phase.value!r} in round {step.round}, and the steps before lead to {phase.value!r} "
            f"in round {number}"
        )
    if (step.phase, step.event) not in TRANSITIONS:
        return f"{step.event.value!r} can't happen in phase {step.phase.value!r}"
    for name in sorted(SETTLED.get(step.event, ())):
        if not isinstance(step.facts.get(name), str):
            return f"{step.event.value!r} does not say its {name}"
    if step.event is Event.APPROVED:
        planned = next(one.facts["digest"] for one in reversed(before) if one.event is Event.PLANNED)
        if step.facts["digest"] != planned:
            return f"it approves digest {step.facts['digest'][:16]}..., and {planned[:16]}... is what was planned"
    return None


def led_by(steps: Sequence[Step]) -> Event:
    """What led to the phase that ``steps`` end in."""
    return next(step.event for step in reversed(steps) if step.event is not Event.ALLOWED)


def denied_since(steps: Iterable[Step]) -> str | None:
    """Since when uploads are denied by this lifecycle (UTC, ISO 8601); None when they are not."""
    since: str | None = None
    for step in steps:
        if step.event is Event.FROZEN:
            since = since or step.at
        elif step.event in {Event.THAWED, Event.ALLOWED, Event.DELETED, Event.ABANDONED}:
            since = None
    return since


def alarms(step: Step) -> Iterator[str]:
    """What nobody should miss of a step, in sentences."""
    if step.event is Event.ALLOWED:
        yield (
            "the statement by which this lifecycle denied uploads is not in the vault's access policy any more: "
            "somebody gave glacier-purge thaw, or changed the policy. What is uploaded now will be another round; "
            "with --freeze uploads are denied again before the next one is sent"
        )
    if gone := step.facts.get("kept_gone"):
        yield (
            f"{gone:,} archives that the plan let be are gone, and this lifecycle did not delete them; the certificate "
            "and verification/kept-gone.ids in the round's folder name them. Look who did (CloudTrail has each delete)"
        )
    if sids := step.facts.get("still_denied_by"):
        yield (
            f"uploads are still denied, by {', '.join(sids)} in the vault's access policy, which another lifecycle "
            "left there. If that one is not going on, glacier-purge thaw VAULT takes it away"
        )
