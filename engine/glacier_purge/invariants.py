"""What always holds while a run sends, looked at in production too, and the one way to say that it does not.

Each is checked where its figures are, once a commit or once a batch and never once a delete, by an explicit test: an
``assert`` is gone under ``python -O``.  Asserts say what types cannot, and they stay on: this package does not run
without them.
"""

from __future__ import annotations

from enum import StrEnum

from glacier_purge.errors import ConfigurationFailed, InvariantBroken


class Invariant(StrEnum):
    """What holds, by the number that the design has for it, in words for whoever has to find out why it does not."""

    ONE_OUTCOME = "I1, a record has one outcome"
    ACCOUNTS = "I1, what is selected is deleted, failed, unknown or still to be sent"
    RELEASED = "I3, what has an outcome was released before"
    WATERMARK = "I3, what was released stays released, and what is settled stays settled"
    FIGURES = "I6, what is shown as deleted is what the disk has, but for what waits for it"
    REPLIES = "I4, a reply is that of a request under way"
    REQUESTS = "I4, a request was answered once or is under way"
    IN_FLIGHT = "I15, no more requests are under way than may be"
    MAY_SEND = "nothing is sent while a stop, a hold, a pause or a closed window stands against it"
    SEALED = "I7, what is compressed is what was written"


def check(invariant: Invariant, holds: object, **found: object) -> None:
    """Raise ``InvariantBroken`` unless it holds; ``found`` is what speaks against it."""
    if not holds:
        raise InvariantBroken(invariant.value, **found)


def check_asserts_stay_on() -> None:
    """Raise ``ConfigurationFailed`` where Python was told to leave asserts out."""
    if not __debug__:
        raise ConfigurationFailed(
            "Python was told to leave assertions out (python -O, or PYTHONOPTIMIZE), and nothing is deleted without "
            "them. Start it without that. Nothing was sent."
        )
