"""Says that uploads to a vault are denied by its lifecycle, wherever that would otherwise go unseen.

A lifecycle that stops while its vault is frozen leaves it frozen, and whoever uploads hears only "access denied".  So
its status says so, and so does the end of every process that works on it.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from glacier_purge.archive import Vault
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.run.freeze import read_frozen
from glacier_purge.run.lifecycle import Event, Phase, position, read_steps
from glacier_purge.run.terms import read_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from glacier_purge.run.folder import RunFolder
    from glacier_purge.run.freeze import Frozen
    from glacier_purge.run.lifecycle import Step


def uploads_denied(folder: RunFolder) -> str | None:
    """The sentence that uploads are denied, since when, and what ends it; None when this lifecycle denies none.

    Raises what the lifecycle's files raise when they can't be read.
    """
    steps, frozen, terms = read_steps(folder.path), read_frozen(folder), read_terms(folder.path)
    denied = _denied(steps, frozen)
    if denied is None:
        return None
    name = "the vault" if terms is None else Vault.from_arn(terms.vault_arn).name
    return (
        f"uploads to {name} {denied}. They are allowed again when it ends; or now, and nothing more is deleted, with: "
        f"glacier-purge abandon {folder.path}"
    )


@contextmanager
def telling_while_denied(folder: RunFolder, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell at the end of the work in ``folder``, however it ends, that uploads are denied, where they are."""
    try:
        yield
    finally:
        with suppress(GlacierPurgeError):  # files that can't be read end the work with an error of their own
            sentence = uploads_denied(folder)
            if sentence is not None:
                tell(sentence)


def _denied(steps: Sequence[Step], frozen: Frozen | None) -> str | None:
    """How far uploads are denied, as the end of a sentence. A vault that is gone took its policy along."""
    if position(steps)[0] is Phase.DONE or (frozen is not None and frozen.thawed):
        return None
    since = next((step.at for step in steps if step.event is Event.FROZEN), None)
    if since is not None:
        return f"are denied by this lifecycle since {since}"
    if frozen is not None:
        return f"may be denied by this lifecycle: it set out to deny them after {steps[-1].at}, and stopped meanwhile"
    return None
